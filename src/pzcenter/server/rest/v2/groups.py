"""Groups of people who share products."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page, PersonAnswer
from pzcenter.server.rest.v2.fields import Body, LongText, Word
from pzcenter.server.rest.v2.paging import PER_PAGE, Cursor, Limit, key_of, tell_next, wanted_rows
from pzcenter.server.rest.v2.people_fields import GroupName, Line, Username
from pzcenter.server.services.groups import (
    add_member,
    create_group,
    delete_group,
    edit_group,
    group_for,
    list_groups,
    remove_member,
)
from pzcenter.server.storage.accounts import Group, GroupSource

__all__ = ["router"]

router = APIRouter(tags=["groups"])


class GroupSummary(BaseModel):
    """A group in a list."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    display_name: str
    source: GroupSource = Field(description="provider: an identity provider says who is in it.")


class MemberAnswer(PersonAnswer):
    """Somebody in a group."""

    manager: bool


class GroupAnswer(GroupSummary):
    """A group and who is in it."""

    description: str
    members: list[MemberAnswer]

    @classmethod
    def of(cls, group: Group) -> GroupAnswer:
        """Of a row."""
        members = [
            MemberAnswer(username=each.user.username, name=each.user.name, manager=each.manager)
            for each in group.memberships
        ]
        return cls(
            name=group.name, display_name=group.display_name, source=group.source, description=group.description,
            members=sorted(members, key=lambda each: each.username),
        )  # fmt: skip


class NewGroupBody(Body):
    """A group to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "pz-team", "display_name": "The PZ team"}]})

    name: Word = Field(description="Small letters, digits, '.', '_', '-'.")
    display_name: Line = ""
    description: LongText = Field(default="", max_length=20_000)


class GroupBody(Body):
    """New words of a group; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"description": "Meets on Mondays."}]})

    display_name: Line = ""
    description: LongText = Field(default="", max_length=20_000)


class MemberBody(Body):
    """What somebody is in a group."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"manager": False}]})

    manager: bool = Field(default=False, description="May take people in and put them out.")


@router.get("/groups", operation_id="list_groups")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    request: Request,
    response: Response,
    cursor: Cursor = None,
    limit: Limit = PER_PAGE,
) -> Page[GroupSummary]:
    """Groups that you are in; all of them for coordinators and admins."""
    number = wanted_rows(services, limit)
    with services.database.reading() as session:
        rows = list_groups(session, principal, after=key_of(cursor), limit=number)
        following = tell_next(request, response, rows, number, "name")
        return Page[GroupSummary](items=[GroupSummary.model_validate(each) for each in rows], next_cursor=following)


@router.post("/groups", operation_id="make_group", status_code=201)
def make(services: CurrentServices, principal: SignedIn, body: NewGroupBody) -> GroupAnswer:
    """Make a group, which you manage."""
    with services.database.writing() as session:
        group = create_group(
            session, principal, body.name, display_name=body.display_name, description=body.description
        )
        return GroupAnswer.of(group)


@router.get("/groups/{name}", operation_id="get_group")
def read_one(services: CurrentServices, principal: SignedIn, name: GroupName) -> GroupAnswer:
    """A group that you are in."""
    with services.database.reading() as session:
        return GroupAnswer.of(group_for(session, principal, name))


@router.patch("/groups/{name}", operation_id="edit_group")
def edit(services: CurrentServices, principal: SignedIn, name: GroupName, body: GroupBody) -> GroupAnswer:
    """Change the words of a group that you manage."""
    with services.database.writing() as session:
        return GroupAnswer.of(edit_group(session, principal, name, **body.model_dump(exclude_unset=True)))


@router.delete("/groups/{name}", operation_id="delete_group", status_code=204)
def remove(services: CurrentServices, principal: SignedIn, name: GroupName) -> None:
    """Delete a group that you manage; what was shared with it no longer is."""
    with services.database.writing() as session:
        delete_group(session, principal, name)


@router.put("/groups/{name}/members/{username}", operation_id="add_member")
def take_in(
    services: CurrentServices, principal: SignedIn, name: GroupName, username: Username, body: MemberBody
) -> GroupAnswer:
    """Take somebody into a group that you manage, or say whether a member manages it."""
    with services.database.writing() as session:
        add_member(session, principal, name, username, manager=body.manager)
        return GroupAnswer.of(group_for(session, principal, name))


@router.delete("/groups/{name}/members/{username}", operation_id="remove_member", status_code=204)
def put_out(services: CurrentServices, principal: SignedIn, name: GroupName, username: Username) -> None:
    """Put somebody out of a group that you manage, or leave a group."""
    with services.database.writing() as session:
        remove_member(session, principal, name, username)
