"""Invitations: a code for one person, accepted once, within its time."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from pzcenter.errors import ConflictError, NotFoundError, QuotaError, UsageError
from pzcenter.server.services.accounts import need_local_accounts
from pzcenter.server.services.audit import record
from pzcenter.server.services.passwords import check_password, hash_password
from pzcenter.server.services.principal import principal_of
from pzcenter.server.services.releases import known_releases
from pzcenter.server.services.users import NewUser, add_user, check_words, need_right_to_give
from pzcenter.server.storage.accounts import Group, GroupSource, Invitation, Membership, Role, User, UserState
from pzcenter.server.storage.base import now
from pzcenter.server.storage.releases import ReleaseRight

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = [
    "accept_invitation", "hash_of_code", "invite", "list_invitations", "open_invitation", "use_invitation",
    "withdraw_invitation",
]  # fmt: skip

LONGEST_DAYS, MOST_OPEN = 90.0, 1000


def hash_of_code(code: str) -> bytes:
    """What is kept of a code."""
    return hashlib.sha256(code.encode()).digest()


def invite(
    session: Session,
    principal: Principal,
    *,
    email: str | None = None,
    role: Role = Role.USER,
    groups: Iterable[str] = (),
    releases: Iterable[str] = (),
    days: float = 14.0,
) -> tuple[Invitation, str]:
    """Invite one person.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        A coordinator or admin; only admins invite those who are more than users.
    email : str, optional
        Whom it is for, so that others know.
    role : Role
    groups, releases : iterable of str
        What the person gets.
    days : float
        How long it is open.

    Returns
    -------
    invitation : Invitation
    code : str
        For the address ``/invitation/<code>``, told this once.

    Raises
    ------
    NotFoundError
        No such group or release.
    """
    user_id = principal.need_curator()
    need_right_to_give(principal, role)
    check_words(NewUser("invited", email=email))
    if not 0 < days <= LONGEST_DAYS:
        raise UsageError(f"an invitation is open for up to {LONGEST_DAYS:g} days, got {days:g}")
    waiting = select(func.count()).select_from(Invitation).where(Invitation.used_at.is_(None))
    if (session.scalar(waiting.where(Invitation.expires_at > now())) or 0) >= MOST_OPEN:
        raise QuotaError(f"{MOST_OPEN} invitations are open already; withdraw some")
    code = secrets.token_urlsafe(24)
    row = Invitation(
        hash=hash_of_code(code), email=email, role=role, groups=_groups(session, groups),
        releases=_releases(session, releases), created_by_id=user_id, expires_at=now() + timedelta(days=days),
    )  # fmt: skip
    session.add(row)
    session.flush()
    record(
        session, principal, "invitation.make", ("invitation", row.id), role=str(role), groups=row.groups,
        releases=row.releases,
    )  # fmt: skip
    return row, code


def list_invitations(session: Session, principal: Principal, *, before: int, limit: int = 100) -> list[Invitation]:
    """Invitations, the newest first.

    Parameters
    ----------
    session : Session
    principal : Principal
        A coordinator or admin.
    before : int
        Id of the last one seen; a number above all for the first ones.
    limit : int

    Returns
    -------
    list of Invitation
    """
    principal.need_curator()
    query = select(Invitation).where(Invitation.id < before).order_by(Invitation.id.desc())
    return list(session.scalars(query.limit(limit)))


def withdraw_invitation(session: Session, principal: Principal, invitation_id: int) -> None:
    """Close an invitation that nobody has accepted yet.

    Raises
    ------
    NotFoundError
    ConflictError
        It was accepted, or is closed already.
    """
    principal.need_curator()
    row = session.get(Invitation, invitation_id)
    if row is None:
        raise NotFoundError(f"no invitation {invitation_id}")
    if row.used_at is not None or row.expires_at <= now():
        raise ConflictError(f"invitation {invitation_id} is {'used' if row.used_at else 'over'} already")
    row.expires_at = now()
    record(session, principal, "invitation.withdraw", ("invitation", row.id))


def open_invitation(session: Session, code: str | bytes) -> Invitation:
    """An invitation that can still be accepted.

    Parameters
    ----------
    session : Session
    code : str or bytes
        The code, or its hash.

    Returns
    -------
    Invitation

    Raises
    ------
    NotFoundError
        Unknown, used or over; which one is not said.
    """
    wanted = hash_of_code(code) if isinstance(code, str) else code
    row = session.scalar(select(Invitation).where(Invitation.hash == wanted))
    if row is None or row.used_at is not None or row.expires_at <= now():
        raise NotFoundError("this invitation is not open: it is used, over or mistyped; ask for a new one")
    return row


def use_invitation(session: Session, invitation: Invitation, user: User, *, request_id: str | None = None) -> None:
    """Give somebody who has an account now what an invitation promises. An invitation is used once.

    Parameters
    ----------
    session : Session
        One that writes.
    invitation : Invitation
    user : User
    request_id : str, optional

    Raises
    ------
    NotFoundError
        Somebody else was faster.
    """
    mine = (Invitation.id == invitation.id) & Invitation.used_at.is_(None)
    done = session.execute(
        update(Invitation).where(mine).values(used_at=now(), used_by_id=user.id).returning(Invitation.id)
    )
    if done.first() is None:
        raise NotFoundError("this invitation is not open: it has just been used")
    user.role, user.state = invitation.role, UserState.ACTIVE
    groups = select(Group).where(Group.name.in_(invitation.groups), Group.source == GroupSource.LOCAL)
    session.add_all(Membership(user_id=user.id, group_id=each.id) for each in session.scalars(groups))
    releases = known_releases(session, invitation.releases)
    session.add_all(ReleaseRight(release_id=each, user_id=user.id) for each in releases.values())
    session.flush()
    asker = principal_of(session, user, request_id=request_id)
    record(session, asker, "invitation.accept", ("invitation", invitation.id), user=user.username)


def accept_invitation(services: Services, asker: Principal, code: str, new: NewUser, password: str) -> int:
    """Make the account that an invitation is for, with a password.

    Parameters
    ----------
    services : Services
    asker : Principal
        Nobody, with the id of the request.
    code : str
    new : NewUser
    password : str

    Returns
    -------
    int
        Id of the user.

    Raises
    ------
    NotFoundError
        The invitation is not open.
    ConflictError
        The name is taken.
    UsageError
        A name or password that is not accepted.
    """
    need_local_accounts(services)
    with services.database.reading() as session:
        open_invitation(session, code)
    check_words(new)
    check_password(password, username=new.username)
    fresh = hash_password(password)
    with services.database.writing() as session:
        invitation = open_invitation(session, code)
        user = add_user(session, new, password_hash=fresh)
        use_invitation(session, invitation, user, request_id=asker.request_id)
        return user.id


def _groups(session: Session, names: Iterable[str]) -> list[str]:
    wanted = sorted(set(names))
    found = set(session.scalars(select(Group.name).where(Group.name.in_(wanted), Group.source == GroupSource.LOCAL)))
    if len(found) < len(wanted):
        raise NotFoundError(f"no groups of this server: {', '.join(sorted(set(wanted) - found))}")
    return wanted


def _releases(session: Session, names: Iterable[str]) -> list[str]:
    wanted = sorted(set(names))
    found = known_releases(session, wanted)
    if len(found) < len(wanted):
        raise NotFoundError(f"no releases: {', '.join(sorted(set(wanted) - set(found)))}")
    return wanted
