"""What a handler takes from a request: the services, and who asks."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from pzcenter.errors import AuthenticationError, PermissionDeniedError
from pzcenter.server.http.address import address_of
from pzcenter.server.services.limits import limit_requests
from pzcenter.server.services.principal import Principal
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
    as a field, which :mod:`pzcenter.server.http.forms` checks. Every request counts against the limit of who asks;
    those of nobody, and of tokens that are not good, against the limit of the address.

    Raises
    ------
    AuthenticationError
        A token is there and is not good.
    RateLimitError
        Too many requests.
    """
    services = services_of(request)
    nobody = Principal(request_id=getattr(request.state, "request_id", None))
    address = address_of(request)
    try:
        principal = _token_or_cookie(request, services, nobody)
    except AuthenticationError:
        limit_requests(services, nobody, address)
        raise
    somebody = getattr(request.state, "unproven", principal)
    limit_requests(services, somebody, address)
    return principal


def _token_or_cookie(request: Request, services: Services, nobody: Principal) -> Principal:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind:
        if kind.lower() not in {"token", "bearer"} or not secret.strip():
            raise AuthenticationError("Invalid token header; expected 'Authorization: Token <token>'.")
        with services.database.reading() as session:
            principal = token_principal(session, secret.strip(), request_id=nobody.request_id)
        _note(services, principal)
        return principal
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return nobody
    with services.database.reading() as session, contextlib.suppress(AuthenticationError):
        principal, row = web_principal(session, cookie, request_id=nobody.request_id)
        request.state.csrf, request.state.session_id = row.csrf, row.id
        sent = request.headers.get("x-csrf-token", "")
        if request.method in SAFE_METHODS or secrets.compare_digest(sent.encode(), row.csrf.encode()):
            return principal
        request.state.unproven = principal
    return nobody


def signed_in(request: Request, principal: Annotated[Principal, Depends(somebody_or_nobody)]) -> Principal:
    """Who asks, and not nobody.

    Raises
    ------
    AuthenticationError
        Nobody is signed in.
    PermissionDeniedError
        A browser's request that changes something, without the secret of its session.
    """
    if principal.signed_in:
        return principal
    if hasattr(request.state, "unproven"):
        raise PermissionDeniedError("this request lacks the secret of its session (X-CSRF-Token); load the page again")
    raise AuthenticationError("Authentication credentials were not provided.")


def _note(services: Services, principal: Principal) -> None:
    """Note that a token was used, at most every few minutes."""
    noted = services.noted_tokens
    if principal.token_id is not None and noted.due(principal.token_id):
        with services.database.writing() as session:
            note_use(session, principal.token_id)


CurrentServices = Annotated["Services", Depends(services_of)]
SomebodyOrNobody = Annotated[Principal, Depends(somebody_or_nobody)]
SignedIn = Annotated[Principal, Depends(signed_in)]
