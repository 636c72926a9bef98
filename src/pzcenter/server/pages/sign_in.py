"""Signing in and out with a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from pzcenter.errors import AuthenticationError, PermissionDeniedError, PZCenterError, RateLimitError
from pzcenter.server.http.address import address_of
from pzcenter.server.http.forms import FormSender, check_form, form_secret, give_form_secret, local_path
from pzcenter.server.http.requests import COOKIE, CurrentServices, SomebodyOrNobody
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.render import page
from pzcenter.server.services.accounts import NewSession, sign_in
from pzcenter.server.services.sessions import sign_out_everywhere
from pzcenter.server.services.tokens import close_session

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["give_session", "go_on", "router", "show_sign_in", "tell_form_error"]

router = APIRouter(include_in_schema=False)
FOR_PEOPLE = (AuthenticationError, PermissionDeniedError, RateLimitError)

Path = Annotated[str, Query(max_length=2000)]
Field = Annotated[str, Form(max_length=2000)]


@router.get("/sign-in")
def ask(request: Request, _principal: SomebodyOrNobody, next: Path = "/") -> Response:  # noqa: A002 - of the address
    """Ask who comes."""
    return show_sign_in(request, next_path=local_path(next))


@router.post("/sign-in")
def check(
    request: Request,
    services: CurrentServices,
    asker: SomebodyOrNobody,
    *,
    username: Field = "",
    password: Field = "",
    next: Field = "/",  # noqa: A002 - of the form
    csrf: Field = "",
) -> Response:
    """Sign in with a password."""
    check_form(request, csrf)
    path = local_path(next)
    try:
        opened = sign_in(
            services, asker, username, password, address=address_of(request), old=request.cookies.get(COOKIE)
        )
    except FOR_PEOPLE as error:
        return tell_form_error(show_sign_in(request, next_path=path, username=username, error=error), error)
    return give_session(services, go_on(path), opened)


@router.get("/sign-out")
def ask_out(request: Request, principal: SomebodyOrNobody) -> Response:
    """Ask whether to sign out."""
    if not principal.signed_in:
        return go_on("/")
    return page(request, "sign_out.html")


@router.post("/sign-out")
def leave(request: Request, services: CurrentServices, principal: FormSender, everywhere: Field = "") -> Response:
    """Sign this browser out, or all of them."""
    with services.database.writing() as session:
        if everywhere:
            sign_out_everywhere(session, principal)
        close_session(session, request.cookies.get(COOKIE, ""))
    answer = go_on("/")
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=services.settings.secure_cookies)
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def show_sign_in(
    request: Request, *, next_path: str, username: str = "", error: PZCenterError | None = None
) -> Response:
    """The page that asks who comes."""
    settings = request.app.state.services.settings
    secret = form_secret(request)
    answer = page(
        request, "sign_in.html", status=200 if error is None else status_of(error), form_secret=secret,
        next_path=next_path, username=username[:64], error=None if error is None else str(error),
        local_accounts=settings.local_accounts, providers=settings.oidc, registration=settings.registration,
    )  # fmt: skip
    give_form_secret(request, answer, secret)
    return answer


def tell_form_error(answer: Response, error: PZCenterError) -> Response:
    """Say by a header, too, when to come again."""
    if isinstance(error, RateLimitError):
        answer.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return answer


def go_on(path: str) -> Response:
    """Have the browser go to a path of this server."""
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})


def give_session(services: Services, answer: Response, opened: NewSession) -> Response:
    """Have the browser keep its new session: out of reach of scripts, and not sent along from other sites."""
    settings = services.settings
    answer.set_cookie(
        COOKIE, opened.secret, max_age=int(settings.session_hours * 3600), path="/", httponly=True, samesite="lax",
        secure=settings.secure_cookies,
    )  # fmt: skip
    return answer
