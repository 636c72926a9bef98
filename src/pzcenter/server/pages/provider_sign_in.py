"""Signing in with an identity provider, and linking one to the own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from pzcenter.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    SourceUnavailableError,
)
from pzcenter.server.http.address import address_of
from pzcenter.server.http.forms import FormSender, local_path
from pzcenter.server.http.requests import COOKIE, CurrentServices, SomebodyOrNobody
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import give_session, go_on, show_sign_in
from pzcenter.server.services.limits import limit_anonymous
from pzcenter.server.services.oidc import ATTEMPT_MINUTES, begin, finish

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["ATTEMPT_COOKIE", "router"]

router = APIRouter(include_in_schema=False)
ATTEMPT_COOKIE = "pz_sign_in"
FOR_PEOPLE = (
    AuthenticationError, ConflictError, NotFoundError, PermissionDeniedError, QuotaError, SourceUnavailableError,
)  # fmt: skip
SIGN_INS_OF_ONE_ADDRESS = 5
"""Times the limit of one name: many people share the address of an institute."""


@router.get("/sign-in/{provider}")
def go(
    request: Request,
    services: CurrentServices,
    _principal: SomebodyOrNobody,
    provider: str,
    *,
    next: Annotated[str, Query(max_length=2000)] = "/",  # noqa: A002 - of the address
    invitation: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Send a browser to a provider."""
    _limit(request, services)
    try:
        begun = begin(services, provider, next_path=local_path(next), invitation=invitation)
    except SourceUnavailableError as error:
        return show_sign_in(request, next_path=local_path(next), error=error)
    answer = RedirectResponse(begun.address, 303, headers={"Cache-Control": "no-store"})
    return _give_attempt(services, answer, begun.secret)


@router.post("/sign-in/{provider}")
def link(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    provider: str,
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - of the form
) -> Response:
    """Begin to link an identity to the own account.

    The answer is a page with a link: browsers let no form lead to another host here.
    """
    _limit(request, services)
    begun = begin(services, provider, next_path=local_path(next), linking=principal)
    answer = page(request, "go_to_provider.html", address=begun.address, title=begun.title)
    return _give_attempt(services, answer, begun.secret)


@router.get("/sign-in/{provider}/callback")
def come_back(request: Request, services: CurrentServices, principal: SomebodyOrNobody, provider: str) -> Response:
    """Receive a browser from a provider."""
    _limit(request, services)
    try:
        finished = finish(
            services, principal, provider, dict(request.query_params),
            secret=request.cookies.get(ATTEMPT_COOKIE, ""), old=request.cookies.get(COOKIE),
        )  # fmt: skip
    except FOR_PEOPLE as error:
        answer = show_sign_in(request, next_path="/", error=error)
    else:
        answer = go_on(finished.next_path)
        if finished.opened is not None:
            give_session(services, answer, finished.opened)
    answer.delete_cookie(
        ATTEMPT_COOKIE, path="/sign-in", httponly=True, samesite="lax", secure=services.settings.secure_cookies
    )
    return answer


def _limit(request: Request, services: Services) -> None:
    rate = services.settings.sign_ins_per_minute * SIGN_INS_OF_ONE_ADDRESS
    limit_anonymous(services, "sign-ins with a provider", address_of(request), per_minute=rate)


def _give_attempt(services: Services, answer: Response, secret: str) -> Response:
    answer.set_cookie(
        ATTEMPT_COOKIE, secret, max_age=ATTEMPT_MINUTES * 60, path="/sign-in", httponly=True, samesite="lax",
        secure=services.settings.secure_cookies,
    )  # fmt: skip
    return answer
