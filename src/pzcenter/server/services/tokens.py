"""Tokens of programs and sessions of browsers: made once, kept as a hash, checked on every request."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import joinedload

from pzcenter.errors import AuthenticationError, NotFoundError, UsageError
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import ALL_SCOPES, Scope, principal_of
from pzcenter.server.storage.accounts import Role, Token, User, UserState, WebSession
from pzcenter.server.storage.base import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = [
    "close_session", "make_token", "note_use", "open_session", "revoke_token", "token_principal", "web_principal",
]  # fmt: skip

SECRET_BYTES = 20
SEEN_EVERY = timedelta(minutes=5)
"""The last use of a token is noted that often, not at every request."""


WITH_USER = select(Token).where(Token.hash == bindparam("hash")).options(joinedload(Token.user))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def make_token(
    session: Session,
    principal: Principal,
    name: str,
    *,
    scopes: Iterable[Scope] = (Scope.READ, Scope.WRITE),
    days: float = 365.0,
    user: User | None = None,
) -> tuple[Token, str]:
    """A new token.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        Who asks; a token cannot make one that may do more than itself.
    name : str
        What it is for.
    scopes : iterable of Scope
    days : float
        How long it lives.
    user : User, optional
        Somebody else, for an admin.

    Returns
    -------
    token : Token
    secret : str
        Forty hexadecimal digits, shown this once.

    Raises
    ------
    UsageError
        No name, no time, or scopes that the asker does not have.
    PermissionDeniedError
        A token of somebody else, asked for by no admin.
    """
    user_id = principal.need(Scope.WRITE)
    if user is not None and user.id != user_id:
        principal.need_admin()
        user_id = user.id
    wanted = set(scopes)
    if not name.strip() or days <= 0 or not wanted:
        raise UsageError(f"a token needs a name, scopes and a time; got {name!r}, {sorted(wanted)}, {days} days")
    if not wanted <= principal.scopes:
        raise UsageError(f"scopes {sorted(wanted - principal.scopes)} are not yours to give")
    secret = secrets.token_hex(SECRET_BYTES)
    token = Token(
        user_id=user_id, name=name.strip(), hash=_hash(secret), hint=secret[:4], scopes=sorted(wanted),
        expires_at=now() + timedelta(days=days),
    )  # fmt: skip
    session.add(token)
    session.flush()
    record(session, principal, "token.make", ("token", token.id), name=token.name, scopes=token.scopes, user=user_id)
    return token, secret


def revoke_token(session: Session, principal: Principal, uid: str) -> None:
    """Have a token refused from now on.

    Raises
    ------
    NotFoundError
        It is not the asker's, or is not there.
    """
    user_id = principal.need(Scope.WRITE)
    token = session.scalar(select(Token).where(Token.uid == uid))
    if token is None or (token.user_id != user_id and not principal.administers):
        raise NotFoundError(f"no token {uid}")
    token.revoked_at = token.revoked_at or now()
    record(session, principal, "token.revoke", ("token", token.id))


def token_principal(session: Session, secret: str, *, request_id: str | None = None) -> Principal:
    """Who shows a token.

    Parameters
    ----------
    session : Session
        One that reads.
    secret : str
    request_id : str, optional

    Returns
    -------
    Principal

    Raises
    ------
    AuthenticationError
        The token is unknown, expired or revoked, or its user may not come in.
    """
    token = session.scalar(WITH_USER, {"hash": _hash(secret)})
    if token is None or token.revoked_at is not None or token.user.state is not UserState.ACTIVE:
        raise AuthenticationError("Invalid token.")
    if token.expires_at <= now():
        raise AuthenticationError(f"Invalid token: it expired on {token.expires_at:%Y-%m-%d}.")
    scopes = {Scope(each) for each in token.scopes if each in ALL_SCOPES}
    if token.user.role is Role.USER:
        scopes.discard(Scope.ADMIN)
    return principal_of(session, token.user, scopes=scopes, token_id=token.id, request_id=request_id)


def note_use(session: Session, token_id: int) -> None:
    """Note when a token was used, every few minutes."""
    stale = (Token.last_used_at.is_(None)) | (Token.last_used_at < now() - SEEN_EVERY)
    session.execute(update(Token).where(Token.id == token_id, stale).values(last_used_at=now()))


def open_session(session: Session, user: User, *, hours: float) -> tuple[WebSession, str]:
    """Sign a browser in.

    Parameters
    ----------
    session : Session
        One that writes.
    user : User
    hours : float

    Returns
    -------
    web_session : WebSession
    secret : str
        For the cookie.
    """
    secret = secrets.token_urlsafe(32)
    row = WebSession(
        hash=_hash(secret), user_id=user.id, csrf=secrets.token_urlsafe(24), expires_at=now() + timedelta(hours=hours)
    )
    session.add(row)
    session.flush()
    return row, secret


def web_principal(session: Session, secret: str, *, request_id: str | None = None) -> tuple[Principal, WebSession]:
    """Who a browser's cookie belongs to.

    Raises
    ------
    AuthenticationError
        The session is unknown or over, or its user may not come in.
    """
    row = session.scalar(select(WebSession).where(WebSession.hash == _hash(secret)))
    if row is None or row.expires_at <= now() or row.user.state is not UserState.ACTIVE:
        raise AuthenticationError("please sign in")
    return principal_of(session, row.user, request_id=request_id), row


def close_session(session: Session, secret: str) -> None:
    """Sign a browser out."""
    row = session.scalar(select(WebSession).where(WebSession.hash == _hash(secret)))
    if row is not None:
        session.delete(row)
