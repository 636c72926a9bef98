"""Getting an account: by an invitation, or by asking for one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from pzcenter.errors import ConflictError, PermissionDeniedError, PZCenterError, UsageError
from pzcenter.server.http.address import address_of
from pzcenter.server.http.forms import check_form, form_secret, give_form_secret
from pzcenter.server.http.requests import COOKIE, CurrentServices, SomebodyOrNobody
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import give_session, go_on
from pzcenter.server.services.accounts import open_browser
from pzcenter.server.services.approvals import register
from pzcenter.server.services.invitations import accept_invitation, open_invitation
from pzcenter.server.services.limits import limit_anonymous
from pzcenter.server.services.users import NewUser

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
INVITATIONS_PER_MINUTE = 10.0
"""Of one address; so that nobody tries codes."""

Field = Annotated[str, Form(max_length=2000)]
LongField = Annotated[str, Form(max_length=10_000)]


@router.get("/invitation/{code}")
def see_invitation(request: Request, services: CurrentServices, _principal: SomebodyOrNobody, code: str) -> Response:
    """Show an invitation that is open."""
    limit_anonymous(services, "looks at invitations", address_of(request), per_minute=INVITATIONS_PER_MINUTE)
    return _invitation(request, services, code)


@router.post("/invitation/{code}")
def accept(
    request: Request,
    services: CurrentServices,
    asker: SomebodyOrNobody,
    code: str,
    *,
    username: Field = "",
    first_name: Field = "",
    last_name: Field = "",
    password: Field = "",
    csrf: Field = "",
) -> Response:
    """Make the account that an invitation is for, and sign in."""
    check_form(request, csrf)
    limit_anonymous(services, "invitations", address_of(request), per_minute=INVITATIONS_PER_MINUTE)
    new = NewUser(username.strip().lower(), first_name=first_name, last_name=last_name)
    try:
        user_id = accept_invitation(services, asker, code, new, password)
    except (UsageError, ConflictError) as error:
        return _invitation(request, services, code, username=username, error=error)
    old = request.cookies.get(COOKIE)
    return give_session(services, go_on("/"), open_browser(services, asker, user_id, how="invitation", old=old))


@router.get("/register")
def ask(request: Request, services: CurrentServices, _principal: SomebodyOrNobody) -> Response:
    """Ask for an account."""
    if services.settings.registration != "approval" or not services.settings.local_accounts:
        raise PermissionDeniedError("nobody registers at this server; ask a coordinator for an invitation")
    return _registration(request)


@router.post("/register")
def send(
    request: Request,
    services: CurrentServices,
    asker: SomebodyOrNobody,
    *,
    username: Field = "",
    first_name: Field = "",
    last_name: Field = "",
    email: Field = "",
    statement: LongField = "",
    password: Field = "",
    csrf: Field = "",
) -> Response:
    """Put somebody into the queue of those who wait for approval."""
    check_form(request, csrf)
    new = NewUser(
        username.strip().lower(), first_name=first_name, last_name=last_name, email=email.strip() or None,
        statement=statement.strip(),
    )  # fmt: skip
    try:
        register(services, asker, new, password, address=address_of(request))
    except PermissionDeniedError:
        raise
    except (UsageError, ConflictError) as error:
        return _registration(request, new=new, error=error)
    return page(request, "registered.html", status=202, username=new.username)


def _invitation(
    request: Request,
    services: CurrentServices,
    code: str,
    *,
    username: str = "",
    error: PZCenterError | None = None,
) -> Response:
    with services.database.reading() as session:
        invitation = open_invitation(session, code)
    secret = form_secret(request)
    answer = page(
        request, "invitation.html", status=200 if error is None else status_of(error), form_secret=secret, code=code,
        invitation=invitation, username=username[:64], error=None if error is None else str(error),
        local_accounts=services.settings.local_accounts, providers=services.settings.oidc,
    )  # fmt: skip
    give_form_secret(request, answer, secret)
    return answer


def _registration(request: Request, *, new: NewUser | None = None, error: PZCenterError | None = None) -> Response:
    secret = form_secret(request)
    answer = page(
        request, "register.html", status=200 if error is None else status_of(error), form_secret=secret,
        new=new or NewUser(""), error=None if error is None else str(error),
    )  # fmt: skip
    give_form_secret(request, answer, secret)
    return answer
