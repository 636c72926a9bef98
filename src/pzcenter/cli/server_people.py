"""``pz server``: releases, groups and invitations, for those who look after a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import FLAG, JsonOutput
from pzcenter.cli.server_options import ServerName, client_of

if TYPE_CHECKING:
    from typing import Any

__all__ = ["add_member", "invite", "make_group", "make_release", "releases"]

RELEASES_EXAMPLES = (("pz server releases", "releases that you have rights to"),)
MAKE_RELEASE_EXAMPLES = (
    ("pz server make-release dp1 --title 'Data Preview 1'", "its name is that of the data right"),
    ("pz server make-release simulations --public", "everybody with an account has rights to it"),
)
MAKE_GROUP_EXAMPLES = (("pz server make-group pz-team --title 'The PZ team'", "people to share products with"),)
ADD_MEMBER_EXAMPLES = (("pz server add-member pz-team ada", "take somebody into a group"),)
INVITE_EXAMPLES = (
    ("pz server invite --email ada@example.org --release dp1 --group pz-team", "prints an address for that person"),
)


def releases(*, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """List the data releases that you have rights to."""
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        found = client.releases()
    if as_json:
        print_json([vars(each) for each in found])
        return
    table = plain_table(name="left", title_="left", state="left")
    for each in found:
        table.add_row(each.name, each.display_name, each.state)
    stdout().print(table, markup=False)


def make_release(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the identity provider calls it.")],
    *,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="How it is shown.")] = None,
    public: Annotated[
        bool, typer.Option("--public", metavar=FLAG, help="Everybody with an account has rights to it.")
    ] = False,
    server: ServerName = None,
) -> None:
    """Make a data release; for admins."""
    body: dict[str, Any] = {"name": name, "display_name": title or name.upper(), "is_public": public}
    with client_of(server) as client:
        client.request("POST", "releases", body)


def make_group(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, '.', '_', '-'.")],
    *,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="How it is shown.")] = None,
    server: ServerName = None,
) -> None:
    """Make a group of people to share products with; you manage it."""
    with client_of(server) as client:
        client.request("POST", "groups", {"name": name, "display_name": title or name})


def add_member(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A group that you manage.")],
    user: Annotated[str, typer.Argument(metavar="USER", help="User name.")],
    *,
    manager: Annotated[
        bool, typer.Option("--manager", metavar=FLAG, help="May take people in and put them out.")
    ] = False,
    server: ServerName = None,
) -> None:
    """Take somebody into a group that you manage."""
    with client_of(server) as client:
        client.request("PUT", f"groups/{group}/members/{user}", {"manager": manager})


def invite(
    *,
    email: Annotated[
        str | None,
        typer.Option("--email", metavar="ADDRESS", help="Whom it is for, so that others know; nothing is sent."),
    ] = None,
    release: Annotated[
        list[str] | None, typer.Option("--release", metavar="NAME", help="Release that the person gets rights to.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME", help="Group that the person joins.")
    ] = None,
    role: Annotated[str, typer.Option("--role", metavar="ROLE", help="user, coordinator or admin.")] = "user",
    days: Annotated[float, typer.Option("--days", metavar="N", help="How long it is open.")] = 14.0,
    server: ServerName = None,
) -> None:
    """Invite one person: print an address for an account, good once; for coordinators and admins."""
    body: dict[str, Any] = {
        "email": email, "releases": release or [], "groups": group or [], "role": role, "days": days,
    }  # fmt: skip
    with client_of(server) as client:
        told = client.request("POST", "invitations", body)
    sys.stdout.write(f"{told['address']}\n")
