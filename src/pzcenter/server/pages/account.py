"""What somebody keeps here and is known by: quota, rights, identities, password, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy import select

from pzcenter.errors import ConflictError, PermissionDeniedError, PZCenterError, QuotaError, UsageError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.fields import Number, ShortText, Uid
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.accounts import change_password
from pzcenter.server.services.groups import list_groups
from pzcenter.server.services.identities import identities_of, unlink
from pzcenter.server.services.limits import usage_of
from pzcenter.server.services.my_tokens import ask_token, tokens_of
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.releases import list_releases
from pzcenter.server.services.tokens import revoke_token
from pzcenter.server.services.users import edit_self
from pzcenter.server.storage.accounts import Role, User
from pzcenter.server.storage.base import now

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
FOR_PEOPLE = (UsageError, ConflictError, QuotaError)
Password = Annotated[str, Form(max_length=2000)]


@router.get("/account")
def account(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """The own account."""
    return _account(request, services, principal)


@router.post("/account")
def save(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    first_name: ShortText = "",
    last_name: ShortText = "",
    display_name: ShortText = "",
    email: ShortText = "",
) -> Response:
    """Change what is known of oneself."""
    try:
        with services.database.writing() as session:
            edit_self(
                session, principal, first_name=first_name.strip(), last_name=last_name.strip(),
                display_name=display_name.strip(), email=email.strip() or None,
            )  # fmt: skip
    except FOR_PEOPLE as error:
        return _account(request, services, principal, error=error)
    return _account(request, services, principal, done="Saved.")


@router.post("/account/password")
def password(
    request: Request, services: CurrentServices, principal: FormSender, *, old: Password = "", new: Password = ""
) -> Response:
    """Take another password."""
    try:
        change_password(services, principal, old, new, keep=getattr(request.state, "session_id", None))
    except (*FOR_PEOPLE, PermissionDeniedError) as error:
        return _account(request, services, principal, error=error)
    return _account(request, services, principal, done="The password is changed; all other browsers are signed out.")


@router.post("/account/identities/{number}/unlink")
def unlink_identity(services: CurrentServices, principal: FormSender, number: Number) -> Response:
    """Take an identity from the account."""
    with services.database.writing() as session:
        unlink(services, session, principal, number)
    return go_on("/account")


@router.get("/tokens")
def shorter() -> Response:
    """The tokens of the asker are on the page of the account."""
    return go_on("/account/tokens")


@router.get("/account/tokens")
def tokens(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """Tokens of the asker."""
    return _tokens(request, services, principal)


@router.post("/account/tokens")
def make(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    name: ShortText = "",
    scopes: Annotated[list[str] | None, Form(max_length=10)] = None,
    days: ShortText = "",
) -> Response:
    """Make a token; the answer shows it, this once."""
    try:
        wanted = _scopes(scopes or [])
        with services.database.writing() as session:
            token, secret = ask_token(services, session, principal, name.strip(), scopes=wanted, days=_days(days))
            made = {"name": token.name, "secret": secret, "expires_at": token.expires_at}
    except FOR_PEOPLE as error:
        return _tokens(request, services, principal, error=error)
    return _tokens(request, services, principal, made=made)


@router.post("/account/tokens/{uid}/revoke")
def revoke(services: CurrentServices, principal: FormSender, uid: Uid) -> Response:
    """Have a token refused from now on."""
    with services.database.writing() as session:
        revoke_token(session, principal, uid)
    return go_on("/account/tokens")


def _scopes(words: list[str]) -> list[Scope]:
    unknown = sorted(set(words) - {*Scope})
    if unknown or not words:
        raise UsageError(f"a token is for some of {', '.join(Scope)}; got {', '.join(unknown) or 'nothing'}")
    return [Scope(word) for word in words]


def _days(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        days = float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} days: expected a number") from error
    if not 0 < days < 1e6:
        raise UsageError(f"{text!r} days: expected a number above 0")
    return days


def _account(
    request: Request,
    services: Services,
    principal: Principal,
    *,
    error: PZCenterError | None = None,
    done: str | None = None,
) -> Response:
    with services.database.reading() as session:
        usage = usage_of(services, session, principal)
        user = session.scalars(select(User).where(User.id == principal.user_id)).one()
        names = {each.issuer: each.title for each in services.settings.oidc}
        return page(
            request, "account.html", status=200 if error is None else status_of(error), user=user, usage=usage,
            identities=[(each, names.get(each.issuer, each.issuer)) for each in identities_of(session, principal)],
            providers=services.settings.oidc, local_accounts=services.settings.local_accounts,
            releases=list_releases(session, principal), groups=list_groups(session, principal, limit=200),
            error=None if error is None else str(error), done=done,
        )  # fmt: skip


def _tokens(
    request: Request,
    services: Services,
    principal: Principal,
    *,
    made: dict[str, object] | None = None,
    error: PZCenterError | None = None,
) -> Response:
    with services.database.reading() as session:
        return page(
            request, "tokens.html", status=200 if error is None else status_of(error),
            tokens=tokens_of(session, principal), made=made, error=None if error is None else str(error), now=now(),
            scopes=[each.value for each in Scope if each is not Scope.ADMIN or principal.role is not Role.USER],
            longest=services.settings.token_days, base_url=services.settings.base_url,
        )  # fmt: skip
