"""Local accounts: signing in with a password, changing it, having it reset by an admin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from pzcenter.errors import AuthenticationError, ConflictError, PermissionDeniedError
from pzcenter.server.services.audit import record
from pzcenter.server.services.limits import forgive_sign_in, limit_sign_in
from pzcenter.server.services.passwords import (
    check_password,
    hash_password,
    is_stale,
    new_password,
    same_password,
)
from pzcenter.server.services.principal import ALL_SCOPES, Scope
from pzcenter.server.services.sessions import close_sessions, renew_session
from pzcenter.server.services.users import find_user
from pzcenter.server.storage.accounts import Role, Token, User, UserState
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["NewSession", "change_password", "need_local_accounts", "open_browser", "reset_password", "sign_in"]

WRONG = "wrong name or password"


@dataclass(frozen=True)
class NewSession:
    """A browser that has just signed in.

    Attributes
    ----------
    user_id : int
    username : str
    secret : str
        For the cookie.
    csrf : str
        What its forms send back.
    """

    user_id: int
    username: str
    secret: str
    csrf: str


def need_local_accounts(services: Services) -> None:
    """Refuse where nobody has a password.

    Raises
    ------
    PermissionDeniedError
    """
    if not services.settings.local_accounts:
        raise PermissionDeniedError("this server keeps no passwords; sign in with an identity provider")


def sign_in(
    services: Services, asker: Principal, username: str, password: str, *, address: str, old: str | None = None
) -> NewSession:
    """Sign a browser in with a name and a password.

    A name that is not there costs the same time and gets the same answer as a wrong password. The password is
    compared while no session of the database is open.

    Parameters
    ----------
    services : Services
    asker : Principal
        Nobody, with the id of the request.
    username, password : str
    address : str
        Where the attempt comes from.
    old : str, optional
        Secret of the cookie that the browser had; it is worth nothing afterwards.

    Returns
    -------
    NewSession

    Raises
    ------
    AuthenticationError
        Wrong name or password, or somebody who may not come in.
    PermissionDeniedError
        The account waits for approval, or was refused: then the reason is told, after a right password only.
    RateLimitError
        Too many attempts.
    """
    need_local_accounts(services)
    limit_sign_in(services, username, address)
    name = username.strip().lower()
    with services.database.reading() as session:
        found = session.execute(select(User.id, User.password_hash, User.state).where(User.username == name)).first()
    right = same_password(None if found is None else found.password_hash, password)
    if found is None or not right or found.state is UserState.DISABLED:
        with services.database.writing() as session:
            # A name that nobody has is not kept: it may be a password that was typed into the wrong field.
            who = {} if found is None else {"name": name}
            subject = ("user", None if found is None else found.id)
            record(session, asker, "user.sign_in_failed", subject, address=address, **who)
            refusal = _refusal(session, found.id) if found is not None and right else None
        if refusal is not None:
            raise PermissionDeniedError(refusal)
        raise AuthenticationError(WRONG)
    if found.state is UserState.PENDING:
        raise PermissionDeniedError("your account waits for approval by a coordinator")
    better = hash_password(password) if is_stale(found.password_hash) else None
    opened = open_browser(services, asker, found.id, old=old, how="password", better_hash=better)
    forgive_sign_in(services, username, address)
    return opened


def _refusal(session: Session, user_id: int) -> str | None:
    """Why somebody whose request for an account was refused may not come in; None for all others."""
    about = select(AuditEvent).where(AuditEvent.subject_type == "user", AuditEvent.subject_id == str(user_id))
    about = about.where(AuditEvent.action.in_(("user.refuse", "user.state")))
    last = session.scalars(about.order_by(AuditEvent.id.desc()).limit(1)).first()
    if last is None or last.action != "user.refuse":
        return None
    reason = last.detail.get("reason")
    return "your request for an account was refused" + (f": {reason}" if reason else " by a coordinator")


def open_browser(
    services: Services,
    asker: Principal,
    user_id: int,
    *,
    how: str,
    old: str | None = None,
    better_hash: str | None = None,
) -> NewSession:
    """Sign in a browser whose user has just proven to be somebody.

    Parameters
    ----------
    services : Services
    asker : Principal
    user_id : int
    how : str
        For the audit log.
    old : str, optional
        Secret of the cookie that the browser had.
    better_hash : str, optional
        Of the same password, at today's costs.

    Returns
    -------
    NewSession

    Raises
    ------
    AuthenticationError
        The user may no longer come in.
    """
    with services.database.writing() as session:
        user = session.get_one(User, user_id)
        if user.state is not UserState.ACTIVE:
            raise AuthenticationError(WRONG)
        if better_hash is not None:
            user.password_hash = better_hash
        row, secret = renew_session(session, user, hours=services.settings.session_hours, old=old)
        record(session, asker, "user.sign_in", ("user", user.id), how=how)
        return NewSession(user.id, user.username, secret, row.csrf)


def change_password(services: Services, principal: Principal, old: str, new: str, *, keep: int | None = None) -> None:
    """Take another password; all other browsers are signed out.

    Parameters
    ----------
    services : Services
    principal : Principal
        With all scopes: a password may do more than a token for some of them.
    old : str
        Ignored for somebody who has none yet.
    new : str
    keep : int, optional
        Id of the session that stays signed in.

    Raises
    ------
    PermissionDeniedError
        The old password is wrong, or a token for less than all asks.
    UsageError
        The new password is not accepted.
    RateLimitError
        Too many attempts.
    """
    need_local_accounts(services)
    user_id = principal.need(Scope.WRITE)
    with services.database.reading() as session:
        user = session.get_one(User, user_id)
        username, kept, role = user.username, user.password_hash, user.role
    if not principal.scopes >= _scopes_of(role):
        raise PermissionDeniedError("a token for everything is needed to take another password")
    check_password(new, username=username)
    if kept is not None:
        limit_sign_in(services, username, f"user {user_id}")
        if not same_password(kept, old):
            raise PermissionDeniedError("the old password is wrong")
        forgive_sign_in(services, username, f"user {user_id}")
    fresh = hash_password(new)
    with services.database.writing() as session:
        session.get_one(User, user_id).password_hash = fresh
        closed = close_sessions(session, user_id, but=keep)
        record(session, principal, "user.password", ("user", user_id), sessions_closed=closed)


def reset_password(services: Services, principal: Principal, username: str) -> str:
    """Give somebody a new password; all browsers are signed out and all tokens revoked.

    Parameters
    ----------
    services : Services
    principal : Principal
        An admin.
    username : str

    Returns
    -------
    str
        The new password, told this once.

    Raises
    ------
    ConflictError
        Somebody who waits for approval.
    """
    need_local_accounts(services)
    principal.need_admin()
    secret = new_password()
    fresh = hash_password(secret)
    with services.database.writing() as session:
        user = find_user(session, username)
        if user.state is UserState.PENDING:
            raise ConflictError(f"{username} waits for approval")
        user.password_hash = fresh
        closed = close_sessions(session, user.id)
        mine = (Token.user_id == user.id) & Token.revoked_at.is_(None)
        session.execute(update(Token).where(mine).values(revoked_at=now()))
        record(session, principal, "user.password_reset", ("user", user.id), sessions_closed=closed)
    return secret


def _scopes_of(role: Role) -> frozenset[Scope]:
    """All that somebody of a role can hold."""
    return ALL_SCOPES - {Scope.ADMIN} if role is Role.USER else ALL_SCOPES
