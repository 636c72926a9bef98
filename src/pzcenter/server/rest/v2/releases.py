"""Releases, and who has rights to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import Body, LongText, Word
from pzcenter.server.rest.v2.people_fields import GroupName, Line, ReleaseName, Username
from pzcenter.server.services.releases import (
    create_release,
    edit_release,
    give_right,
    list_releases,
    release_for,
    rights_of,
    take_right,
)
from pzcenter.server.storage.releases import ReleaseState

__all__ = ["router"]

router = APIRouter(tags=["releases"])


class ReleaseAnswer(BaseModel):
    """A data release."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    display_name: str
    description: str
    state: ReleaseState
    is_public: bool = Field(description="Everybody with an account has rights to it.")
    public_extract: bool = Field(description="Counts and a coarse histogram are for everybody.")
    indexing_column: str
    object_catalog: dict[str, Any]
    created_at: datetime


class RightAnswer(BaseModel):
    """Who has a right to a release."""

    kind: str = Field(description="user or group.")
    name: str
    issuer: str | None = Field(description="Identity provider that says so; null: given here.")


class ReleaseBody(Body):
    """New words of a release; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "retired"}]})

    display_name: Line = Field(default="", min_length=1)
    description: LongText = Field(default="", max_length=20_000)
    state: ReleaseState = ReleaseState.OPEN
    is_public: bool = False
    public_extract: bool = False
    indexing_column: Line = "objectId"
    object_catalog: dict[str, Any] = Field(default_factory=dict, max_length=50)


class NewReleaseBody(ReleaseBody):
    """A release to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "dp1", "display_name": "DP1"}]})

    name: Word = Field(description="As the identity provider calls it.")


@router.get("/releases", operation_id="list_releases")
def read(services: CurrentServices, principal: SignedIn) -> list[ReleaseAnswer]:
    """Releases that you have rights to."""
    with services.database.reading() as session:
        return [ReleaseAnswer.model_validate(each) for each in list_releases(session, principal)]


@router.post("/releases", operation_id="make_release", status_code=201)
def make(services: CurrentServices, principal: SignedIn, body: NewReleaseBody) -> ReleaseAnswer:
    """Make a release; for admins."""
    words = body.model_dump(exclude_unset=True, exclude={"name"})
    with services.database.writing() as session:
        return ReleaseAnswer.model_validate(create_release(session, principal, body.name, **words))


@router.get("/releases/{name}", operation_id="get_release")
def read_one(services: CurrentServices, principal: SignedIn, name: ReleaseName) -> ReleaseAnswer:
    """A release that you have rights to."""
    with services.database.reading() as session:
        return ReleaseAnswer.model_validate(release_for(session, principal, name))


@router.patch("/releases/{name}", operation_id="edit_release")
def edit(services: CurrentServices, principal: SignedIn, name: ReleaseName, body: ReleaseBody) -> ReleaseAnswer:
    """Change a release; for admins."""
    with services.database.writing() as session:
        release = edit_release(session, principal, name, **body.model_dump(exclude_unset=True))
        return ReleaseAnswer.model_validate(release)


@router.get("/releases/{name}/rights", operation_id="list_rights")
def rights(services: CurrentServices, principal: SignedIn, name: ReleaseName) -> list[RightAnswer]:
    """Who has rights to a release; for coordinators and admins."""
    with services.database.reading() as session:
        found = rights_of(session, principal, name)
        return [RightAnswer(kind=kind, name=who, issuer=issuer) for kind, who, issuer in found]


@router.put("/releases/{name}/rights/users/{username}", operation_id="give_user_right", status_code=204)
def give_to_user(services: CurrentServices, principal: SignedIn, name: ReleaseName, username: Username) -> None:
    """Let a user see a release; for coordinators and admins."""
    with services.database.writing() as session:
        give_right(session, principal, name, user=username)


@router.delete("/releases/{name}/rights/users/{username}", operation_id="take_user_right", status_code=204)
def take_from_user(services: CurrentServices, principal: SignedIn, name: ReleaseName, username: Username) -> None:
    """Take the right to a release from a user; for coordinators and admins."""
    with services.database.writing() as session:
        take_right(session, principal, name, user=username)


@router.put("/releases/{name}/rights/groups/{group}", operation_id="give_group_right", status_code=204)
def give_to_group(services: CurrentServices, principal: SignedIn, name: ReleaseName, group: GroupName) -> None:
    """Let a group see a release; for coordinators and admins."""
    with services.database.writing() as session:
        give_right(session, principal, name, group=group)


@router.delete("/releases/{name}/rights/groups/{group}", operation_id="take_group_right", status_code=204)
def take_from_group(services: CurrentServices, principal: SignedIn, name: ReleaseName, group: GroupName) -> None:
    """Take the right to a release from a group; for coordinators and admins."""
    with services.database.writing() as session:
        take_right(session, principal, name, group=group)
