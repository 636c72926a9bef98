"""People and their invitations, for coordinators and admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import Response

from pzcenter.errors import NotFoundError, QuotaError, UsageError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.fields import Number, ShortText, words_of
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.accounts import reset_password
from pzcenter.server.services.approvals import approve, refuse
from pzcenter.server.services.invitations import invite, list_invitations, withdraw_invitation
from pzcenter.server.services.releases import list_releases
from pzcenter.server.services.users import list_users, set_quota, set_role, set_state, user_named
from pzcenter.server.storage.accounts import Role, UserState
from pzcenter.server.storage.base import now

if TYPE_CHECKING:
    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
PAGE_SIZE = 50
ALL = 2**62
GIGABYTE = 10**9
FOR_PEOPLE = (UsageError, NotFoundError, QuotaError)
Name = Annotated[str, Path(max_length=255)]
Word = Annotated[str, Query(max_length=200)]


@router.get("/admin/users")
def users(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    *,
    q: Word = "",
    state: Word = "",
    after: Word = "",
) -> Response:
    """People, in the order of their names."""
    principal.need_curator()
    wanted = UserState(state) if state in {*UserState} else None
    with services.database.reading() as session:
        rows = list_users(
            session, principal, search=q.replace("\0", ""), state=wanted, after=after.replace("\0", ""),
            limit=PAGE_SIZE + 1,
        )  # fmt: skip
        states = [("", "any"), *((each.value, each.value) for each in UserState)]
        return page(
            request, "admin_users.html", users=rows[:PAGE_SIZE], more=len(rows) > PAGE_SIZE, q=q, state=state,
            states=states,
        )  # fmt: skip


@router.get("/admin/users/{username}")
def user(request: Request, services: CurrentServices, principal: SignedIn, username: Name) -> Response:
    """One person."""
    principal.need_curator()
    return _user(request, services, principal, username)


@router.post("/admin/users/{username}/approve")
def let_in(services: CurrentServices, principal: FormSender, username: Name, releases: ShortText = "") -> Response:
    """Let somebody in who waits."""
    with services.database.writing() as session:
        approve(session, principal, username, releases=words_of(releases))
    return go_on("/admin")


@router.post("/admin/users/{username}/refuse")
def keep_out(services: CurrentServices, principal: FormSender, username: Name, reason: ShortText = "") -> Response:
    """Do not let somebody in who waits."""
    with services.database.writing() as session:
        refuse(session, principal, username, reason=reason.strip())
    return go_on("/admin")


@router.post("/admin/users/{username}")
def change(
    services: CurrentServices,
    principal: FormSender,
    username: Name,
    *,
    role: ShortText = "",
    state: ShortText = "",
    quota_gb: ShortText = "",
) -> Response:
    """Change role, state and quota of somebody; for admins."""
    principal.need_admin()
    quota = _bytes(quota_gb)
    if role not in {*Role}:
        raise UsageError(f"role {role!r}; accepted are {', '.join(Role)}")
    with services.database.writing() as session:
        person = user_named(session, principal, username)
        if person.role != role:
            set_role(session, principal, username, Role(role))
        if person.state != state and state:
            if state not in {*UserState}:
                raise UsageError(f"state {state!r}; accepted are active, disabled")
            set_state(session, principal, username, UserState(state))
        if person.quota_bytes != quota:
            set_quota(session, principal, username, quota)
    return go_on(f"/admin/users/{username}")


@router.post("/admin/users/{username}/password")
def new_password(request: Request, services: CurrentServices, principal: FormSender, username: Name) -> Response:
    """Give somebody a new password, shown this once."""
    secret = reset_password(services, principal, username)
    return _user(request, services, principal, username, secret=secret)


@router.get("/admin/invitations")
def invitations(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """Invitations, the newest first."""
    return _invitations(request, services, principal)


@router.post("/admin/invitations")
def make(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    email: ShortText = "",
    role: ShortText = "user",
    groups: ShortText = "",
    releases: Annotated[list[str] | None, Form(max_length=100)] = None,
    days: ShortText = "14",
) -> Response:
    """Invite somebody; the answer shows the address, this once."""
    try:
        if role not in {*Role}:
            raise UsageError(f"role {role!r}; accepted are {', '.join(Role)}")
        if not days.strip().isdecimal() or not days.isascii() or len(days) > 5:
            raise UsageError(f"{days!r} days: expected a whole number")
        with services.database.writing() as session:
            _, code = invite(
                session, principal, email=email.strip() or None, role=Role(role), groups=words_of(groups),
                releases=releases or [], days=float(days),
            )  # fmt: skip
    except FOR_PEOPLE as error:
        return _invitations(request, services, principal, error=error)
    return _invitations(request, services, principal, address=f"{services.settings.base_url}/invitation/{code}")


@router.post("/admin/invitations/{number}/withdraw")
def withdraw(services: CurrentServices, principal: FormSender, number: Number) -> Response:
    """Close an invitation."""
    with services.database.writing() as session:
        withdraw_invitation(session, principal, number)
    return go_on("/admin/invitations")


def _bytes(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise UsageError(f"quota {text!r}: expected gigabytes") from error
    if not 0 <= value < 1e9:
        raise UsageError(f"quota {text!r}: expected gigabytes from 0")
    return round(value * GIGABYTE)


def _user(
    request: Request, services: Services, principal: Principal, username: str, *, secret: str | None = None
) -> Response:
    with services.database.reading() as session:
        person = user_named(session, principal, username)
        return page(
            request, "admin_user.html", person=person, secret_word=secret, roles=[(each, each) for each in Role],
            states=[(each, each) for each in UserState if each is not UserState.PENDING],
            quota_gb="" if person.quota_bytes is None else f"{person.quota_bytes / GIGABYTE:g}",
            usual_gb=f"{services.settings.quota_bytes / GIGABYTE:.4g}", memberships=list(person.memberships),
            local_accounts=services.settings.local_accounts,
        )  # fmt: skip


def _invitations(
    request: Request,
    services: Services,
    principal: Principal,
    *,
    address: str | None = None,
    error: PZCenterError | None = None,
) -> Response:
    principal.need_curator()
    with services.database.reading() as session:
        return page(
            request, "admin_invitations.html", status=200 if error is None else status_of(error),
            invitations=list_invitations(session, principal, before=ALL), now=now(), address=address,
            releases=list_releases(session, principal),
            roles=[(each, each) for each in Role if each is Role.USER or principal.administers],
            error=None if error is None else str(error),
        )  # fmt: skip
