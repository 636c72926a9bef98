"""Steps of looking after people: accounts, and rights to releases; shared by both clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pzcenter.client.answers import read_as
from pzcenter.client.people_answers import Right, User
from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pzcenter.client.exchange import Steps
    from pzcenter.client.procedures import Procedures

__all__ = ["approve_user", "change_right", "edit_user", "refuse_user", "rights", "users"]

PAGE = 500


def users(do: Procedures, search: str, *, state: str | None, limit: int) -> Steps[list[User]]:
    """Users in the order of their names."""
    found: list[User] = []
    cursor = None
    while len(found) < limit:
        query = {"q": search, "state": state, "limit": min(limit - len(found), PAGE), "cursor": cursor}
        told = yield from do.ask("GET", "users", query=query)
        found += [read_as(User, each) for each in told["items"]]
        cursor = told["next_cursor"]
        if cursor is None:
            break
    return found[:limit]


def approve_user(do: Procedures, username: str, releases: Iterable[str]) -> Steps[User]:
    """Let somebody in who waits."""
    return read_as(User, (yield from do.ask("POST", f"{_path(username)}/approve", {"releases": list(releases)})))


def refuse_user(do: Procedures, username: str, reason: str) -> Steps[User]:
    """Do not let somebody in who waits."""
    return read_as(User, (yield from do.ask("POST", f"{_path(username)}/refuse", {"reason": reason})))


def edit_user(do: Procedures, username: str, words: dict[str, Any]) -> Steps[User]:
    """Change role, state or quota."""
    return read_as(User, (yield from do.ask("PATCH", _path(username), words)))


def rights(do: Procedures, release: str) -> Steps[list[Right]]:
    """Who has rights to a release."""
    told = yield from do.ask("GET", f"releases/{quote(release, safe='')}/rights")
    return [read_as(Right, each) for each in told]


def change_right(do: Procedures, method: str, release: str, user: str | None, group: str | None) -> Steps[None]:
    """Give or take a right.

    Raises
    ------
    ConfigError
        Not one of a user and a group.
    """
    if (user is None) == (group is None):
        raise ConfigError("a right is that of a user or of a group: name one of them")
    whose = f"users/{quote(user, safe='')}" if user is not None else f"groups/{quote(group or '', safe='')}"
    yield from do.ask(method, f"releases/{quote(release, safe='')}/rights/{whose}")


def _path(username: str) -> str:
    return f"users/{quote(username, safe='')}"
