"""Tokens that people ask for: within the limits of the server, and no stronger than the asker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import QuotaError, UsageError
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.tokens import make_token
from pzcenter.server.storage.accounts import Role, Token
from pzcenter.server.storage.base import now

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["ask_token", "tokens_of"]

MOST_TOKENS = 100
"""That are good, of one user."""
MAX_NAME = 100
DAY = 86_400.0
SLACK = 1e-3
"""Days; so that asking for exactly as long as may be is no matter of microseconds."""


def tokens_of(session: Session, principal: Principal) -> list[Token]:
    """Tokens of the asker, the newest first; revoked ones are not among them.

    Parameters
    ----------
    session : Session
    principal : Principal

    Returns
    -------
    list of Token
        Those that are over are, so that it can be seen why a program no longer works.
    """
    mine = (Token.user_id == principal.need(Scope.READ)) & Token.revoked_at.is_(None)
    return list(session.scalars(select(Token).where(mine).order_by(Token.id.desc()).limit(MOST_TOKENS * 10)))


def ask_token(
    services: Services,
    session: Session,
    principal: Principal,
    name: str,
    *,
    scopes: Iterable[Scope] = (Scope.READ, Scope.WRITE),
    days: float | None = None,
) -> tuple[Token, str]:
    """A new token for the asker.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    name : str
        What it is for.
    scopes : iterable of Scope
    days : float, optional
        How long it lives; as long as it may, if not given.

    Returns
    -------
    token : Token
    secret : str
        Shown this once.

    Raises
    ------
    UsageError
        Longer than the server allows or than the token that asks lives, or scopes that are not the asker's.
    QuotaError
        There are many already.
    """
    user_id = principal.need(Scope.WRITE)
    wanted = set(scopes)
    if Scope.ADMIN in wanted and principal.role is Role.USER:
        raise UsageError("the scope admin is for coordinators and admins")
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"the name of a token has at most {MAX_NAME} letters on one line")
    good = (Token.user_id == user_id) & Token.revoked_at.is_(None) & (Token.expires_at > now())
    if (session.scalar(select(func.count()).select_from(Token).where(good)) or 0) >= MOST_TOKENS:
        raise QuotaError(f"you have {MOST_TOKENS} tokens; revoke some")
    end = _end(services, session, principal)
    longest = (end - now()).total_seconds() / DAY
    if days is not None and days > longest + SLACK:
        raise UsageError(f"{days:g} days: this token may live for {longest:.3g} days at most")
    token, secret = make_token(session, principal, name, scopes=wanted, days=longest if days is None else days)
    token.expires_at = min(token.expires_at, end)
    return token, secret


def _end(services: Services, session: Session, principal: Principal) -> datetime:
    """When a new token ends at the latest: a token makes none that outlives it."""
    end = now() + timedelta(days=services.settings.token_days)
    return end if principal.token_id is None else min(end, session.get_one(Token, principal.token_id).expires_at)
