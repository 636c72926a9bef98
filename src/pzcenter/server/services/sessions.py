"""Sessions of browsers beyond opening one: a new one at each sign-in, all of somebody closed, old ones swept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.tokens import close_session, open_session
from pzcenter.server.storage.accounts import Token, WebSession
from pzcenter.server.storage.base import now
from pzcenter.server.storage.sign_ins import SignInAttempt

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.accounts import User

__all__ = ["close_sessions", "renew_session", "sign_out_everywhere", "sweep_sessions"]

MOST_SESSIONS = 50
"""Browsers of one user; the oldest is signed out first."""


def renew_session(session: Session, user: User, *, hours: float, old: str | None = None) -> tuple[WebSession, str]:
    """Sign a browser in with a secret that nobody had before; the one it came with is worth nothing any more.

    Parameters
    ----------
    session : Session
        One that writes.
    user : User
    hours : float
    old : str, optional
        Secret of the cookie that the browser had.

    Returns
    -------
    web_session : WebSession
    secret : str
        For the cookie.
    """
    if old:
        close_session(session, old)
    row, secret = open_session(session, user, hours=hours)
    user.last_seen_at = now()
    newest = select(WebSession.id).where(WebSession.user_id == user.id).order_by(WebSession.id.desc())
    kept = session.scalars(newest.limit(MOST_SESSIONS)).all()
    session.execute(delete(WebSession).where(WebSession.user_id == user.id, WebSession.id.not_in(kept)))
    return row, secret


def close_sessions(session: Session, user_id: int, *, but: int | None = None) -> int:
    """Sign all browsers of a user out.

    Parameters
    ----------
    session : Session
        One that writes.
    user_id : int
    but : int, optional
        Id of the session that stays.

    Returns
    -------
    int
        How many were signed out.
    """
    mine = WebSession.user_id == user_id
    if but is not None:
        mine = mine & (WebSession.id != but)
    number = session.scalar(select(func.count()).select_from(WebSession).where(mine)) or 0
    session.execute(delete(WebSession).where(mine))
    return number


def sign_out_everywhere(session: Session, principal: Principal, *, tokens: bool = False) -> int:
    """Sign all browsers of the asker out, and on request have all tokens refused.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    tokens : bool
        Revoke all tokens as well.

    Returns
    -------
    int
        Browsers that were signed out.
    """
    user_id = principal.need(Scope.WRITE)
    number = close_sessions(session, user_id)
    if tokens:
        mine = (Token.user_id == user_id) & Token.revoked_at.is_(None)
        session.execute(update(Token).where(mine).values(revoked_at=now()))
    record(session, principal, "user.sign_out_everywhere", ("user", user_id), sessions=number, tokens=tokens)
    return number


def sweep_sessions(session: Session) -> int:
    """Delete sessions and begun sign-ins whose time is over.

    Parameters
    ----------
    session : Session
        One that writes.

    Returns
    -------
    int
        Rows that were deleted.
    """
    number = 0
    for table in (WebSession, SignInAttempt):
        over = table.expires_at <= now()
        number += session.scalar(select(func.count()).select_from(table).where(over)) or 0
        session.execute(delete(table).where(over))
    return number
