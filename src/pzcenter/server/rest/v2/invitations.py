"""Invitations, for coordinators and admins."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page
from pzcenter.server.rest.v2.fields import Body, Identifier, Word
from pzcenter.server.rest.v2.paging import PER_PAGE, Cursor, Limit, number_of, tell_next, wanted_rows
from pzcenter.server.rest.v2.people_fields import Email
from pzcenter.server.services.invitations import invite, list_invitations, withdraw_invitation
from pzcenter.server.storage.accounts import Role

__all__ = ["router"]

router = APIRouter(tags=["invitations"])


class InvitationBody(Body):
    """An invitation to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "ada@example.org", "releases": ["dp1"], "days": 14}]}
    )

    email: Email | None = Field(default=None, description="Whom it is for, so that others know.")
    role: Role = Field(default=Role.USER, description="Only admins invite those who are more than users.")
    groups: list[Word] = Field(default_factory=list, max_length=100)
    releases: list[Word] = Field(default_factory=list, max_length=100)
    days: float = Field(default=14.0, gt=0, le=90, allow_inf_nan=False, description="How long it is open.")


class InvitationAnswer(BaseModel):
    """An invitation, without its code."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str | None
    role: Role
    groups: list[str]
    releases: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class NewInvitationAnswer(InvitationAnswer):
    """An invitation that was just made."""

    address: str = Field(description="To be sent to the person; shown this once, and good for one account.")


@router.get("/invitations", operation_id="list_invitations")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    request: Request,
    response: Response,
    cursor: Cursor = None,
    limit: Limit = PER_PAGE,
) -> Page[InvitationAnswer]:
    """Invitations, the newest first."""
    number = wanted_rows(services, limit)
    with services.database.reading() as session:
        rows = list_invitations(session, principal, before=number_of(cursor), limit=number)
        following = tell_next(request, response, rows, number, "id")
        items = [InvitationAnswer.model_validate(each) for each in rows]
        return Page[InvitationAnswer](items=items, next_cursor=following)


@router.post("/invitations", operation_id="make_invitation", status_code=201)
def make(
    services: CurrentServices, principal: SignedIn, body: InvitationBody, response: Response
) -> NewInvitationAnswer:
    """Invite one person."""
    response.headers["Cache-Control"] = "no-store"
    with services.database.writing() as session:
        row, code = invite(
            session, principal, email=body.email, role=body.role, groups=body.groups, releases=body.releases,
            days=body.days,
        )  # fmt: skip
        words = InvitationAnswer.model_validate(row).model_dump()
        return NewInvitationAnswer(**words, address=f"{services.settings.base_url}/invitation/{code}")


@router.delete("/invitations/{invitation_id}", operation_id="withdraw_invitation", status_code=204)
def withdraw(services: CurrentServices, principal: SignedIn, invitation_id: Identifier) -> None:
    """Close an invitation that nobody has accepted yet."""
    with services.database.writing() as session:
        withdraw_invitation(session, principal, invitation_id)
