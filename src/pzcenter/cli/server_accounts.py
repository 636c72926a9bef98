"""``pz server``: who has an account, and rights to releases; for those who look after a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import JsonOutput
from pzcenter.cli.server_options import ServerName, client_of

if TYPE_CHECKING:
    from typing import Any

    from pzcenter.client import User

__all__ = [
    "APPROVE_EXAMPLES",
    "EDIT_USER_EXAMPLES",
    "REFUSE_EXAMPLES",
    "RIGHTS_EXAMPLES",
    "USERS_EXAMPLES",
    "approve",
    "edit_user",
    "refuse",
    "rights",
    "users",
]

USERS_EXAMPLES = (
    ("pz server users --state pending", "people who wait to be let in, and what they wrote"),
    ("pz server users ada --json", "those with a part of a name, for programs"),
)
APPROVE_EXAMPLES = (("pz server approve ada --release dp1", "let somebody in who waits, with rights to a release"),)
REFUSE_EXAMPLES = (("pz server refuse eve --reason 'no data rights'", "eve can read the reason"),)
RIGHTS_EXAMPLES = (
    ("pz server rights dp1", "who has rights to a release"),
    ("pz server rights dp1 --give ada --give-group pz-team", "give rights to a person, and to all of a group"),
    ("pz server rights dp1 --take ada", "take one back"),
)
EDIT_USER_EXAMPLES = (
    ("pz server edit-user ada --quota '500 GB'", "what ada may keep; 'none': as everybody"),
    ("pz server edit-user ada --role coordinator", "another role"),
    ("pz server edit-user eve --state disabled", "put somebody out at once"),
)
UserName = Annotated[str, typer.Argument(metavar="USER", help="User name.")]


def users(
    text: Annotated[str | None, typer.Argument(metavar="[WORDS]", help="Part of the name.")] = None,
    *,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="STATE", help="active, pending or disabled; for coordinators and admins."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most.", min=1)] = 1000,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """List people with an account; coordinators and admins also see roles, states, and who waits."""
    from pzcenter.cli.screen import bytes_text, plain_table, print_json, stderr, stdout

    with client_of(server) as client:
        found = client.users(text or "", state=state, limit=limit)
    if as_json:
        print_json([_facts(each) for each in found])
        return
    table = plain_table(user="left", name="left", role="left", state="left", quota="right", wrote="left")
    for each in found:
        told = each.account
        quota = "" if told is None or told.quota_bytes is None else bytes_text(told.quota_bytes)
        table.add_row(
            each.username, each.name, told.role if told else "", told.state if told else "", quota,
            " ".join((told.statement or "").split()) if told else "",
        )  # fmt: skip
    stdout().print(table, markup=False)
    if len(found) == limit:
        stderr().print(f"the first {limit}; --limit shows more", soft_wrap=True)


def approve(
    username: UserName,
    *,
    release: Annotated[
        list[str] | None, typer.Option("--release", metavar="NAME", help="Release that the person gets rights to.")
    ] = None,
    server: ServerName = None,
) -> None:
    """Let somebody in who asked for an account; for coordinators and admins."""
    with client_of(server) as client:
        client.approve_user(username, releases=release or [])
    _say(f"{username} may come in")


def refuse(
    username: UserName,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="The person can read it.")] = "",
    server: ServerName = None,
) -> None:
    """Do not let somebody in who asked for an account; for coordinators and admins."""
    with client_of(server) as client:
        client.refuse_user(username, reason=reason)
    _say(f"{username} does not come in")


def rights(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="Name of a release.")],
    *,
    give: Annotated[list[str] | None, typer.Option("--give", metavar="USER", help="Give a right to a user.")] = None,
    give_group: Annotated[
        list[str] | None, typer.Option("--give-group", metavar="GROUP", help="Give a right to all of a group.")
    ] = None,
    take: Annotated[
        list[str] | None, typer.Option("--take", metavar="USER", help="Take the right of a user back.")
    ] = None,
    take_group: Annotated[
        list[str] | None, typer.Option("--take-group", metavar="GROUP", help="Take the right of a group back.")
    ] = None,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Give and take rights to a release, and list who has them; for coordinators and admins.

    A right that an identity provider gives can only be taken back there.
    """
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        for username in give or ():
            client.give_right(release, user=username)
        for group in give_group or ():
            client.give_right(release, group=group)
        for username in take or ():
            client.take_right(release, user=username)
        for group in take_group or ():
            client.take_right(release, group=group)
        found = client.rights(release)
    if as_json:
        print_json([vars(each) for each in found])
        return
    table = plain_table(kind="left", name="left", given_by="left")
    for each in found:
        table.add_row(each.kind, each.name, each.issuer or "this server")
    stdout().print(table, markup=False)


def edit_user(
    username: UserName,
    *,
    role: Annotated[str | None, typer.Option("--role", metavar="ROLE", help="user, coordinator or admin.")] = None,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="active or disabled.")] = None,
    quota: Annotated[
        str | None,
        typer.Option("--quota", metavar="BYTES", help="What the person may keep, such as '500 GB'; none: as others."),
    ] = None,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Change somebody's role, state or quota; for admins."""
    from pzcenter.cli.screen import print_json
    from pzcenter.errors import ConfigError

    words: dict[str, Any] = {name: value for name, value in (("role", role), ("state", state)) if value is not None}
    if quota is not None:
        words["quota_bytes"] = None if quota.strip().lower() == "none" else _bytes(quota)
    if not words:
        raise ConfigError("nothing to change; accepted are --role, --state and --quota")
    with client_of(server) as client:
        changed = client.edit_user(username, **words)
    if as_json:
        print_json(_facts(changed))
        return
    _say(f"{username}: " + ", ".join(f"{name} {value}" for name, value in words.items()))


def _bytes(text: str) -> object:
    """Bytes of an amount with a unit.

    Raises
    ------
    ConfigError
    """
    from pzcenter.errors import ConfigError
    from pzcenter.server.settings_values import bytes_of

    try:
        return bytes_of(text)
    except ValueError as error:
        raise ConfigError(f"--quota {error}") from error


def _facts(user: User) -> dict[str, Any]:
    return vars(user) | {"account": None if user.account is None else vars(user.account)}


def _say(words: str) -> None:
    from pzcenter.cli.screen import stderr

    stderr().print(words, markup=False, soft_wrap=True)
