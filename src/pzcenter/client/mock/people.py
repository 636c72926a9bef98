"""What a mock answers to requests about accounts and rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.client.mock.reply import Reply
from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError

if TYPE_CHECKING:
    from pzcenter.client.mock.reply import Handler, Request
    from pzcenter.client.mock.state import MockUser

__all__ = ["PEOPLE_ROUTES"]

NAME = "([a-z0-9._-]+)"
ROLES, STATES = ("user", "coordinator", "admin"), ("active", "disabled")


def list_users(request: Request) -> Reply:
    """Users in the order of their names, in one page."""
    query = request.http.url.params
    wanted = query.get("state") if request.user.curates else "active"
    found = [
        _shape(request, each)
        for name, each in sorted(request.state.users.items())
        if query.get("q", "").lower() in name and wanted in {None, each.state}
    ]
    return Reply(body={"items": found, "next_cursor": None})


def approve(request: Request) -> Reply:
    """Let somebody in who waits."""
    user = _waiting(request)
    releases = request.body(("releases",)).get("releases", [])
    for name in releases:
        _need_release(request, name)
    user.state = "active"
    user.releases |= set(releases)
    return Reply(body=_shape(request, user))


def refuse(request: Request) -> Reply:
    """Do not let somebody in who waits."""
    user = _waiting(request)
    request.body(("reason",))
    user.state = "disabled"
    return Reply(body=_shape(request, user))


def edit(request: Request) -> Reply:
    """Change role, state or quota."""
    if request.user.role != "admin":
        raise PermissionDeniedError("this is for admins")
    words = request.body(("role", "state", "quota_bytes"))
    if not words:
        raise UsageError("nothing to change; accepted are role, state, quota_bytes")
    if words.get("role", ROLES[0]) not in ROLES or words.get("state", STATES[0]) not in STATES:
        raise UsageError(f"accepted are role {', '.join(ROLES)}; state {', '.join(STATES)}")
    user = _user(request)
    for name, value in words.items():
        setattr(user, name, value)
    return Reply(body=_shape(request, user))


def list_rights(request: Request) -> Reply:
    """Who has rights to a release."""
    _need_curator(request)
    _need_release(request, request.key)
    users = [("user", name) for name, each in sorted(request.state.users.items()) if request.key in each.releases]
    groups = [("group", name) for name in sorted(request.state.group_rights.get(request.key, set()))]
    return Reply(body=[{"kind": kind, "name": name, "issuer": None} for kind, name in users + groups])


def change_user_right(request: Request) -> Reply:
    """Give a right to a user, or take it."""
    _need_curator(request)
    release, username = request.parts
    _need_release(request, release)
    user = _user(request, username)
    if request.http.method == "PUT":
        user.releases.add(release)
    elif release not in user.releases:
        raise NotFoundError(f"{username!r} has no right of its own to release {release!r}")
    else:
        user.releases.discard(release)
    return Reply(204)


def change_group_right(request: Request) -> Reply:
    """Give a right to a group, or take it; a mock only keeps it."""
    _need_curator(request)
    release, group = request.parts
    _need_release(request, release)
    if group not in request.state.groups:
        raise NotFoundError(f"no group {group!r}")
    having = request.state.group_rights.setdefault(release, set())
    if request.http.method == "PUT":
        having.add(group)
    elif group not in having:
        raise NotFoundError(f"{group!r} has no right of its own to release {release!r}")
    else:
        having.discard(group)
    return Reply(204)


def _need_curator(request: Request) -> None:
    if not request.user.curates:
        raise PermissionDeniedError("this is for coordinators and admins")


def _need_release(request: Request, name: str) -> None:
    if name not in request.state.releases:
        raise NotFoundError(f"no release {name!r}")


def _user(request: Request, username: str | None = None) -> MockUser:
    name = request.key if username is None else username
    if name not in request.state.users:
        raise NotFoundError(f"no user {name!r}")
    return request.state.users[name]


def _waiting(request: Request) -> MockUser:
    _need_curator(request)
    user = _user(request)
    if user.state != "pending":
        raise ConflictError(f"{user.username} does not wait for approval; the account is {user.state}")
    return user


def _shape(request: Request, user: MockUser) -> dict[str, Any]:
    account = {
        "role": user.role, "state": user.state, "email": None, "quota_bytes": user.quota_bytes, "statement": None,
        "created_at": "2026-01-01T00:00:00+00:00", "last_seen_at": None,
    }  # fmt: skip
    return {"username": user.username, "name": "", "account": account if request.user.curates else None}


PEOPLE_ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", "users"): list_users,
    ("POST", f"users/{NAME}/approve"): approve,
    ("POST", f"users/{NAME}/refuse"): refuse,
    ("PATCH", f"users/{NAME}"): edit,
    ("GET", f"releases/{NAME}/rights"): list_rights,
    ("PUT", f"releases/{NAME}/rights/users/{NAME}"): change_user_right,
    ("DELETE", f"releases/{NAME}/rights/users/{NAME}"): change_user_right,
    ("PUT", f"releases/{NAME}/rights/groups/{NAME}"): change_group_right,
    ("DELETE", f"releases/{NAME}/rights/groups/{NAME}"): change_group_right,
}
