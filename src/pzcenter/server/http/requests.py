"""What a handler takes from a request: the services, and who asks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from pzcenter.errors import AuthenticationError
from pzcenter.server.services.principal import NOBODY, Principal
from pzcenter.server.services.tokens import note_use, token_principal, web_principal

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["COOKIE", "CurrentServices", "SignedIn", "SomebodyOrNobody", "services_of"]

COOKIE = "pz_session"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def services_of(request: Request) -> Services:
    """The services of the application that answers."""
    return cast("Services", request.app.state.services)


def somebody_or_nobody(request: Request) -> Principal:
    """Who asks: by a token in the header ``Authorization: Token ...`` (or ``Bearer ...``), or by a browser's cookie.

    A browser's request that changes something must carry its session's secret in ``X-CSRF-Token``; forms send it
    as a field, which their handlers check.

    Raises
    ------
    AuthenticationError
        A token or cookie is there and is not good.
    """
    services = services_of(request)
    request_id = getattr(request.state, "request_id", None)
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind:
        if kind.lower() not in {"token", "bearer"} or not secret.strip():
            raise AuthenticationError("Invalid token header; expected 'Authorization: Token <token>'.")
        with services.database.reading() as session:
            principal = token_principal(session, secret.strip(), request_id=request_id)
        _note(services, principal)
        return principal
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return NOBODY
    with services.database.reading() as session, contextlib.suppress(AuthenticationError):
        principal, row = web_principal(session, cookie, request_id=request_id)
        request.state.csrf = row.csrf
        if request.method in SAFE_METHODS or request.headers.get("x-csrf-token") == row.csrf:
            return principal
        request.state.unproven = principal
    return NOBODY


def signed_in(principal: Annotated[Principal, Depends(somebody_or_nobody)]) -> Principal:
    """Who asks, and not nobody.

    Raises
    ------
    AuthenticationError
    """
    if not principal.signed_in:
        raise AuthenticationError("Authentication credentials were not provided.")
    return principal


def _note(services: Services, principal: Principal) -> None:
    """Note that a token was used, at most every few minutes."""
    noted = services.noted_tokens
    if principal.token_id is not None and noted.due(principal.token_id):
        with services.database.writing() as session:
            note_use(session, principal.token_id)


CurrentServices = Annotated["Services", Depends(services_of)]
SomebodyOrNobody = Annotated[Principal, Depends(somebody_or_nobody)]
SignedIn = Annotated[Principal, Depends(signed_in)]
