"""People who ask for an account, and the coordinators who let them in or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import ConflictError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services.accounts import need_local_accounts
from pzcenter.server.services.audit import record
from pzcenter.server.services.limits import limit_anonymous
from pzcenter.server.services.passwords import check_password, hash_password
from pzcenter.server.services.releases import give_right
from pzcenter.server.services.users import NewUser, add_user, check_words, find_user
from pzcenter.server.storage.accounts import User, UserState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["approve", "make_room", "pending_users", "refuse", "register"]

MOST_PENDING = 1000
REGISTRATIONS_PER_MINUTE = 3.0
"""Of one address."""
LONGEST_REASON = 1000


def register(services: Services, asker: Principal, new: NewUser, password: str, *, address: str) -> int:
    """Ask for an account with a password; somebody must approve it.

    Parameters
    ----------
    services : Services
    asker : Principal
        Nobody, with the id of the request.
    new : NewUser
        With a statement.
    password : str
    address : str

    Returns
    -------
    int
        Id of the user, who may not come in yet.

    Raises
    ------
    PermissionDeniedError
        People do not register at this server.
    ConflictError
        The name is taken.
    UsageError
        Words that are not accepted.
    RateLimitError, QuotaError
        Too many registrations from there, or in the queue.
    """
    need_local_accounts(services)
    if services.settings.registration != "approval":
        raise PermissionDeniedError("nobody registers at this server; ask a coordinator for an invitation")
    limit_anonymous(services, "registrations", address, per_minute=REGISTRATIONS_PER_MINUTE)
    check_words(new)
    if not (new.statement or "").strip() or not new.email:
        raise UsageError("say who you are and why you ask, and give an e-mail address")
    check_password(password, username=new.username)
    fresh = hash_password(password)
    with services.database.writing() as session:
        make_room(session)
        user = add_user(session, new, password_hash=fresh)
        record(session, asker, "user.register", ("user", user.id), name=user.username, address=address)
        return user.id


def make_room(session: Session) -> None:
    """Refuse one more where many wait already.

    Raises
    ------
    QuotaError
    """
    waiting = select(func.count()).select_from(User).where(User.state == UserState.PENDING)
    if (session.scalar(waiting) or 0) >= MOST_PENDING:
        raise QuotaError(f"{MOST_PENDING} people wait for approval already; come again later")


def pending_users(session: Session, principal: Principal, *, limit: int = 1000) -> list[User]:
    """People who wait, those who came first at the top.

    Parameters
    ----------
    session : Session
    principal : Principal
        A coordinator or admin.
    limit : int

    Returns
    -------
    list of User
    """
    principal.need_curator()
    query = select(User).where(User.state == UserState.PENDING).order_by(User.created_at, User.id)
    return list(session.scalars(query.limit(limit)))


def approve(session: Session, principal: Principal, username: str, *, releases: Iterable[str] = ()) -> User:
    """Let somebody in who waits.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        A coordinator or admin.
    username : str
    releases : iterable of str
        Rights to give at once.

    Returns
    -------
    User
    """
    principal.need_curator()
    user = _waiting(session, username)
    user.state = UserState.ACTIVE
    given = sorted(set(releases))
    for release in given:
        give_right(session, principal, release, user=username)
    record(session, principal, "user.approve", ("user", user.id), name=username, releases=given)
    return user


def refuse(session: Session, principal: Principal, username: str, *, reason: str = "") -> User:
    """Do not let somebody in who waits; an admin can change that later.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        A coordinator or admin.
    username : str
    reason : str
        For the audit log, and for the person, who reads it after signing in with the right password.

    Returns
    -------
    User
    """
    principal.need_curator()
    if len(reason) > LONGEST_REASON:
        raise UsageError(f"the reason has {len(reason)} letters; {LONGEST_REASON} are accepted")
    user = _waiting(session, username)
    user.state = UserState.DISABLED
    record(session, principal, "user.refuse", ("user", user.id), name=username, reason=reason)
    return user


def _waiting(session: Session, username: str) -> User:
    user = find_user(session, username)
    if user.state is not UserState.PENDING:
        raise ConflictError(f"{username} does not wait for approval; the account is {user.state}")
    return user
