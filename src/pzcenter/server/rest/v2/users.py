"""Users: names for everybody who is signed in; role, state and quota for admins; the queue for coordinators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.errors import UsageError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page
from pzcenter.server.rest.v2.fields import Body, ShortText, Word
from pzcenter.server.rest.v2.paging import PER_PAGE, Cursor, Limit, key_of, tell_next, wanted_rows
from pzcenter.server.rest.v2.people_fields import Statement, Username
from pzcenter.server.services.accounts import reset_password
from pzcenter.server.services.approvals import approve, refuse
from pzcenter.server.services.principal import Principal
from pzcenter.server.services.users import list_users, set_quota, set_role, set_state, user_named
from pzcenter.server.storage.accounts import Role, User, UserState

__all__ = ["router"]

router = APIRouter(tags=["users"])


class AccountAnswer(BaseModel):
    """What coordinators and admins see of an account."""

    model_config = ConfigDict(from_attributes=True)

    role: Role
    state: UserState
    email: str | None
    quota_bytes: int | None = Field(description="In place of the server's.")
    statement: str | None = Field(description="What somebody who asked for the account wrote.")
    created_at: datetime
    last_seen_at: datetime | None


class UserAnswer(BaseModel):
    """A user; others see the name alone."""

    username: str
    name: str
    account: AccountAnswer | None = Field(description="For coordinators and admins.")

    @classmethod
    def seen_by(cls, principal: Principal, user: User) -> UserAnswer:
        """Of a row, for somebody."""
        account = AccountAnswer.model_validate(user) if principal.curates else None
        return cls(username=user.username, name=user.name, account=account)


class UserBody(Body):
    """Changes of an account; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "coordinator"}, {"state": "disabled"}]})

    role: Role = Role.USER
    state: UserState = UserState.ACTIVE
    quota_bytes: int | None = Field(default=None, ge=0, lt=2**62, description="Null: as much as the server allows.")


class ApprovalBody(Body):
    """What somebody who is let in gets."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"releases": ["dp1"]}]})

    releases: list[Word] = Field(default_factory=list, max_length=100, description="Rights to give at once.")


class RefusalBody(Body):
    """Why somebody is not let in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "no data rights"}]})

    reason: Statement = ""


class NewPasswordAnswer(BaseModel):
    """A password that was just made."""

    password: str = Field(description="Shown this once.")


@router.get("/users", operation_id="list_users")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    request: Request,
    response: Response,
    q: Annotated[ShortText, Query(description="Part of the name.")] = "",
    state: Annotated[UserState | None, Query(description="For coordinators and admins.")] = None,
    cursor: Cursor = None,
    limit: Limit = PER_PAGE,
) -> Page[UserAnswer]:
    """Users, in the order of their names."""
    number = wanted_rows(services, limit)
    with services.database.reading() as session:
        rows = list_users(session, principal, search=q, state=state, after=key_of(cursor), limit=number)
        following = tell_next(request, response, rows, number, "username")
        return Page[UserAnswer](items=[UserAnswer.seen_by(principal, each) for each in rows], next_cursor=following)


@router.get("/users/{username}", operation_id="get_user")
def read_one(services: CurrentServices, principal: SignedIn, username: Username) -> UserAnswer:
    """A user."""
    with services.database.reading() as session:
        return UserAnswer.seen_by(principal, user_named(session, principal, username))


@router.patch("/users/{username}", operation_id="edit_user")
def edit(services: CurrentServices, principal: SignedIn, username: Username, body: UserBody) -> UserAnswer:
    """Change role, state or quota; for admins."""
    principal.need_admin()
    words = body.model_dump(exclude_unset=True)
    if not words:
        raise UsageError(f"nothing to change; accepted are {', '.join(UserBody.model_fields)}")
    with services.database.writing() as session:
        if "role" in words:
            set_role(session, principal, username, body.role)
        if "state" in words:
            set_state(session, principal, username, body.state)
        if "quota_bytes" in words:
            set_quota(session, principal, username, body.quota_bytes)
        return UserAnswer.seen_by(principal, user_named(session, principal, username))


@router.post("/users/{username}/password", operation_id="reset_password")
def new_password(
    services: CurrentServices, principal: SignedIn, username: Username, response: Response
) -> NewPasswordAnswer:
    """Give somebody a new password; all browsers are signed out, all tokens revoked. For admins."""
    response.headers["Cache-Control"] = "no-store"
    return NewPasswordAnswer(password=reset_password(services, principal, username))


@router.post("/users/{username}/approve", operation_id="approve_user")
def let_in(services: CurrentServices, principal: SignedIn, username: Username, body: ApprovalBody) -> UserAnswer:
    """Let somebody in who waits; for coordinators and admins."""
    with services.database.writing() as session:
        user = approve(session, principal, username, releases=body.releases)
        return UserAnswer.seen_by(principal, user)


@router.post("/users/{username}/refuse", operation_id="refuse_user")
def keep_out(services: CurrentServices, principal: SignedIn, username: Username, body: RefusalBody) -> UserAnswer:
    """Do not let somebody in who waits; for coordinators and admins."""
    with services.database.writing() as session:
        user = refuse(session, principal, username, reason=body.reason)
        return UserAnswer.seen_by(principal, user)
