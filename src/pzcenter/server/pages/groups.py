"""Groups with which products are shared, and releases with those who have rights to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from pzcenter.errors import UsageError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.pages.fields import Flag, LongText, ShortText
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.groups import (
    add_member,
    create_group,
    delete_group,
    edit_group,
    group_for,
    list_groups,
    remove_member,
)
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

router = APIRouter(include_in_schema=False)
MOST = 1000
Name = Annotated[str, Path(max_length=255)]


@router.get("/groups")
def groups(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """Groups that the asker is in."""
    with services.database.reading() as session:
        return page(request, "groups.html", groups=list_groups(session, principal, limit=MOST))


@router.post("/groups")
def make_group(
    services: CurrentServices,
    principal: FormSender,
    *,
    name: ShortText = "",
    display_name: ShortText = "",
    description: ShortText = "",
) -> Response:
    """Make a group."""
    with services.database.writing() as session:
        create_group(
            session, principal, name.strip(), display_name=display_name.strip(), description=description.strip()
        )
    return go_on(f"/groups/{name.strip()}")


@router.get("/groups/{name}")
def group(request: Request, services: CurrentServices, principal: SignedIn, name: Name) -> Response:
    """A group and its members."""
    with services.database.reading() as session:
        found = group_for(session, principal, name)
        members = sorted(found.memberships, key=lambda each: each.user.username)
        mine = any(each.user_id == principal.user_id and each.manager for each in members)
        return page(
            request, "group.html", group=found, members=members,
            manages=(mine or principal.curates) and found.source == "local",
        )  # fmt: skip


@router.post("/groups/{name}")
def save_group(
    services: CurrentServices,
    principal: FormSender,
    name: Name,
    *,
    display_name: ShortText = "",
    description: ShortText = "",
) -> Response:
    """Change the words of a group."""
    with services.database.writing() as session:
        edit_group(session, principal, name, display_name=display_name.strip(), description=description.strip())
    return go_on(f"/groups/{name}")


@router.post("/groups/{name}/members")
def add(
    services: CurrentServices, principal: FormSender, name: Name, *, username: ShortText = "", manager: Flag = ""
) -> Response:
    """Take somebody in."""
    with services.database.writing() as session:
        add_member(session, principal, name, username.strip(), manager=bool(manager))
    return go_on(f"/groups/{name}")


@router.post("/groups/{name}/members/remove")
def remove(services: CurrentServices, principal: FormSender, name: Name, username: ShortText = "") -> Response:
    """Put somebody out, or leave."""
    with services.database.writing() as session:
        remove_member(session, principal, name, username.strip())
    return go_on("/groups" if username.strip() == principal.username else f"/groups/{name}")


@router.post("/groups/{name}/delete")
def end_group(services: CurrentServices, principal: FormSender, name: Name, typed: ShortText = "") -> Response:
    """Delete a group whose name was typed."""
    if typed.strip() != name:
        raise UsageError(f"type {name!r} to delete the group; got {typed!r}")
    with services.database.writing() as session:
        delete_group(session, principal, name)
    return go_on("/groups")


@router.get("/admin/releases")
def releases(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """All releases."""
    principal.need_curator()
    with services.database.reading() as session:
        return page(request, "admin_releases.html", releases=list_releases(session, principal))


@router.post("/admin/releases")
def make_release(
    services: CurrentServices, principal: FormSender, *, name: ShortText = "", display_name: ShortText = ""
) -> Response:
    """Make a release; for admins."""
    with services.database.writing() as session:
        create_release(session, principal, name.strip(), display_name=display_name.strip())
    return go_on(f"/admin/releases/{name.strip()}")


@router.get("/admin/releases/{name}")
def release(request: Request, services: CurrentServices, principal: SignedIn, name: Name) -> Response:
    """A release, and who has rights to it."""
    principal.need_curator()
    with services.database.reading() as session:
        found = release_for(session, principal, name)
        return page(
            request, "admin_release.html", release=found, rights=rights_of(session, principal, name)[:MOST],
            states=[(each, each) for each in ReleaseState],
        )  # fmt: skip


@router.post("/admin/releases/{name}")
def save_release(
    services: CurrentServices,
    principal: FormSender,
    name: Name,
    *,
    display_name: ShortText = "",
    description: LongText = "",
    state: ShortText = "open",
    is_public: Flag = "",
    public_extract: Flag = "",
) -> Response:
    """Change a release; for admins."""
    if state not in {*ReleaseState}:
        raise UsageError(f"state {state!r}; accepted are {', '.join(ReleaseState)}")
    with services.database.writing() as session:
        edit_release(
            session, principal, name, display_name=display_name.strip(), description=description.strip(),
            state=ReleaseState(state), is_public=bool(is_public), public_extract=bool(public_extract),
        )  # fmt: skip
    return go_on(f"/admin/releases/{name}")


@router.post("/admin/releases/{name}/rights")
def change_right(
    services: CurrentServices,
    principal: FormSender,
    name: Name,
    *,
    kind: ShortText = "user",
    who: ShortText = "",
    take: Flag = "",
) -> Response:
    """Give a right, or take it."""
    act = take_right if take else give_right
    with services.database.writing() as session:
        if kind == "group":
            act(session, principal, name, group=who.strip())
        else:
            act(session, principal, name, user=who.strip())
    return go_on(f"/admin/releases/{name}")
