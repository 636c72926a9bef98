"""``pz server``: sign in to PZ Servers, and see what is there."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli import server_accounts as accounts
from pzcenter.cli import server_challenges as cooperative
from pzcenter.cli import server_mirror as many
from pzcenter.cli import server_operation as operation
from pzcenter.cli import server_people as people
from pzcenter.cli import server_products as work
from pzcenter.cli.options import FLAG, JsonOutput
from pzcenter.cli.server_options import ProductKey, ServerName, client_of, seen_by
from pzcenter.cli.verbs import add_verb, verb_group

if TYPE_CHECKING:
    from pzcenter.client import Product

__all__ = ["group"]

EXAMPLES = (
    ("pz server login https://pz.example.org", "sign in with a token of yours"),
    ("pz server products spectra --type training_set", "look for products"),
    ("pz server download 17", "get one"),
)
LOGIN_EXAMPLES = (
    ("pz server login https://pz.example.org", "asks for a token, as the page of tokens of the server shows it"),
    ("pz server login http://localhost:8000 --name here", "another server, by a name of its own"),
)
LOGOUT_EXAMPLES = (("pz server logout", "forget the token of the default server"),)
WHOAMI_EXAMPLES = (("pz server whoami", "who you are there, and what you may see"),)
KNOWN_EXAMPLES = (("pz server known", "servers that you have signed in to"),)
PRODUCTS_EXAMPLES = (
    ("pz server products", "all that you may see, the newest first"),
    ("pz server products VVDS --type redshift_catalog --official", "official catalogues with a word"),
    ("pz server products --owner ada --sort -size --limit 10 --json", "for programs"),
)
PRODUCT_EXAMPLES = (("pz server product 17", "all that is said of a product"),)
CITE_EXAMPLES = (("pz server cite 17", "BibTeX of a product"),)
PROVENANCE_EXAMPLES = (("pz server provenance 17", "what it was made from, and what was made from it"),)
TOKENS_EXAMPLES = (("pz server tokens", "tokens of yours, without their secrets"),)
MAKE_TOKEN_EXAMPLES = (
    ("pz server make-token notebook", "a token to look and download with"),
    ("pz server make-token pipeline --scope read --scope write --days 30", "one that may upload, for a month"),
)
REVOKE_TOKEN_EXAMPLES = (("pz server revoke-token k3m9x2v7qa4t", "have a token refused from now on"),)
N_SHOWN = 100


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the server.")],
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it here.")] = "default",
    insecure: Annotated[
        bool, typer.Option("--insecure", metavar=FLAG, help="Send the token to another machine by http.")
    ] = False,
) -> None:
    """Sign in to a server: check a token, and keep it in a file that only you may read.

    The token is asked for; it may also come from the standard input or from PZ_SERVER_TOKEN. It is never on the
    command line, where others could read it.
    """
    from pzcenter.cli.screen import stdout
    from pzcenter.client import KnownServer, KnownServers, PZClient

    token = _token()
    with PZClient(url, token, insecure=insecure) as client:
        me = client.whoami()
    known = KnownServers()
    known.keep(name, KnownServer(url, token))
    stdout().print(
        f"signed in to {url} as {me.username} ({me.role}); kept in {known.path}", markup=False, soft_wrap=True
    )


def _token() -> str:
    """The token, from wherever it comes.

    Raises
    ------
    ConfigError
        None came.
    """
    from pzcenter.client.servers import TOKEN_VARIABLE
    from pzcenter.errors import ConfigError

    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token and sys.stdin.isatty():
        token = typer.prompt("Token", hide_input=True, err=True)
    elif not token:
        token = sys.stdin.readline()
    if not token.strip():
        raise ConfigError("no token came: type it, pass it by the standard input, or set PZ_SERVER_TOKEN")
    return token.strip()


def logout(*, name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the server.")] = "default") -> None:
    """Forget the token of a server; it stays good there until it is revoked or expires."""
    from pzcenter.cli.screen import stderr
    from pzcenter.client import KnownServers

    KnownServers().forget(name)
    stderr().print(
        f"the token of {name} is forgotten here; revoke it on the server if others may have seen it", soft_wrap=True
    )


def whoami(*, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """Say who you are on a server: role, groups, releases, what the token is for."""
    from pzcenter.cli.screen import print_json, stdout

    with client_of(server) as client:
        me, base = client.whoami(), client.base.removesuffix("/api/v2/")
    if as_json:
        print_json({"server": base, **vars(me)})
        return
    out = stdout()
    out.print(f"{me.username} ({me.role}) at {base}", markup=False, soft_wrap=True)
    for word, names in (("groups", me.groups), ("releases", me.releases), ("this token", me.scopes)):
        out.print(f"  {word}: {', '.join(names) or 'none'}", markup=False, soft_wrap=True)


def known(*, as_json: JsonOutput = False) -> None:
    """List the servers that you have signed in to from here."""
    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.client import KnownServers

    servers = KnownServers().all()
    if as_json:
        print_json({name: each.url for name, each in servers.items()})
        return
    table = plain_table(name="left", address="left")
    for name, each in servers.items():
        table.add_row(name, each.url)
    stdout().print(table, markup=False)


def products(
    text: Annotated[
        str | None, typer.Argument(metavar="[WORDS]", help="Words in name, owner, tags, description.")
    ] = None,
    *,
    kind: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Type, such as training_set.")
    ] = None,
    release: Annotated[list[str] | None, typer.Option("--release", metavar="NAME", help="Data release.")] = None,
    owner: Annotated[list[str] | None, typer.Option("--owner", metavar="USER", help="User name.")] = None,
    state: Annotated[list[str] | None, typer.Option("--state", metavar="STATE", help="Such as published.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="All of these tags.")] = None,
    official: Annotated[bool, typer.Option("--official", metavar=FLAG, help="Official ones only.")] = False,
    latest: Annotated[bool, typer.Option("--latest", metavar=FLAG, help="The newest versions only.")] = False,
    sort: Annotated[
        str,
        typer.Option(
            "--sort", metavar="ORDER", help="created_at, updated_at, display_name, size, id; '-' turns round."
        ),
    ] = "-created_at",
    limit: Annotated[int, typer.Option("--limit", metavar="N", help="At most.", min=1)] = N_SHOWN,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """List products that you may see."""
    from pzcenter.cli.screen import bytes_text, plain_table, print_json, stderr, stdout

    with client_of(server) as client:
        found = list(
            client.products(
                text, product_type=kind, release=release, owner=owner, state=state, tag=tag,
                official=official or None, latest=latest or None, sort=sort, limit=limit,
            )
        )  # fmt: skip
    if as_json:
        print_json([_facts(each) for each in found])
        return
    table = plain_table(id="right", name="left", type="left", release="left", owner="left", state="left", size="right")
    for each in found:
        table.add_row(
            str(each.id), each.display_name + (" *" if each.official else ""), each.product_type, each.release or "-",
            each.owner.username, each.state, bytes_text(each.size),
        )  # fmt: skip
    stdout().print(table, markup=False)
    if len(found) == limit:
        stderr().print(f"the first {limit}; --limit shows more", soft_wrap=True)


def product(key: ProductKey, *, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """Show a product: what is said of it, its files, its columns."""
    from pzcenter.cli.screen import print_json

    with client_of(server) as client:
        told = client.product(key)
        columns = client.columns(told) if told.n_columns else []
    if as_json:
        print_json(_facts(told) | {"columns": [vars(each) for each in columns]})
        return
    _show(told)
    if columns:
        from pzcenter.cli.screen import plain_table, stdout

        table = plain_table(column="left", stands_for="left", unit="left", type="left")
        for each in columns:
            table.add_row(each.name, each.alias or "", each.unit or "", each.datatype or "")
        stdout().print(table, markup=False)


def _facts(told: Product) -> dict[str, object]:
    facts = {name: value for name, value in vars(told).items() if name != "detailed"}
    return facts | {"owner": vars(told.owner), "files": [vars(each) for each in told.files]}


def _show(told: Product) -> None:
    from pzcenter.cli.screen import bytes_text, stdout

    out = stdout()
    marks = ", ".join(word for word, holds in (("official", told.official), (told.visibility, True)) if holds)
    lines = [
        f"{told.display_name} (version {told.version}, {told.state}, {marks})",
        f"  number {told.id}, public name {told.uid}, by {told.owner.username}",
        f"  {told.product_type}, release {told.release or '-'}, {bytes_text(told.size)}"
        + ("" if told.n_rows is None else f", {told.n_rows:,} rows"),
    ]
    lines.append(f"  seen by {seen_by(told)}" + ("" if told.state == "published" else ", once it is published"))
    lines += [f"  tags: {', '.join(told.tags)}"] if told.tags else []
    lines += [f"  embargo until {told.embargo_until}"] if told.embargo_until else []
    if told.state == "failed":
        lines += [f"  {work.failed_words(told)}"]
    elif told.missing_columns:
        lines += [f"  needed to publish: {', '.join(told.missing_columns)}"]
    lines += [f"  {each.role:<12}{each.name}  {bytes_text(each.size)}" for each in told.files]
    lines += ["", told.description] if told.description else []
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def cite(key: ProductKey, *, server: ServerName = None) -> None:
    """Print how to cite a product, as BibTeX."""
    with client_of(server) as client:
        sys.stdout.write(client.citation(key))


def provenance(key: ProductKey, *, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """Say what a product was made from and what was made from it, as far as you may know."""
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        graph = client.provenance(key)
    if as_json:
        parts: dict[str, list[Any]] = {"nodes": graph.nodes, "edges": graph.edges, "activities": graph.activities}
        print_json({"root": graph.root} | {name: [vars(each) for each in items] for name, items in parts.items()})
        return
    table = plain_table(steps="right", product="left", name="left", type="left")
    for node in graph.nodes:
        table.add_row(
            f"{node.distance:+d}" if node.distance else "0", str(node.id or "-"), node.label, node.product_type or ""
        )
    stdout().print(table, markup=False)


def tokens(*, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """List your tokens: what each may, until when, when it was last used."""
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        found = client.tokens()
    if as_json:
        print_json([{name: value for name, value in vars(each).items() if name != "secret"} for each in found])
        return
    table = plain_table(id="left", name="left", begins="left", may="left", until="left", last_used="left")
    for each in found:
        used = "never" if each.last_used_at is None else f"{each.last_used_at:%Y-%m-%d}"
        until = "" if each.expires_at is None else f"{each.expires_at:%Y-%m-%d}"
        table.add_row(each.id, each.name, each.hint, ", ".join(each.scopes), until, used)
    stdout().print(table, markup=False)


def make_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    *,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="SCOPE", help="read, write or admin; read alone by default.")
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", metavar="N", help="How long it lives; as long as it may by default.")
    ] = None,
    server: ServerName = None,
) -> None:
    """Make a token for a program; it is printed this once."""
    from pzcenter.cli.screen import stderr

    with client_of(server) as client:
        token = client.make_token(name, scopes=scope or ["read"], days=days)
    until = "" if token.expires_at is None else f" until {token.expires_at:%Y-%m-%d}"
    stderr().print(
        f"token {token.id} for {', '.join(token.scopes)}{until}; shown this once:", markup=False, soft_wrap=True
    )
    sys.stdout.write(f"{token.secret}\n")


def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", help="As 'pz server tokens' shows it.")],
    *,
    server: ServerName = None,
) -> None:
    """Have a token refused from now on."""
    with client_of(server) as client:
        client.revoke_token(token)


group = verb_group("Share products on a PZ Server: sign in, look, upload, download.", EXAMPLES)
add_verb(group, login, LOGIN_EXAMPLES)
add_verb(group, logout, LOGOUT_EXAMPLES)
add_verb(group, whoami, WHOAMI_EXAMPLES)
add_verb(group, known, KNOWN_EXAMPLES)
add_verb(group, products, PRODUCTS_EXAMPLES)
add_verb(group, product, PRODUCT_EXAMPLES)
add_verb(group, work.upload, work.UPLOAD_EXAMPLES)
add_verb(group, work.download, work.DOWNLOAD_EXAMPLES)
add_verb(group, many.mirror, many.MIRROR_EXAMPLES)
add_verb(group, work.edit, work.EDIT_EXAMPLES)
add_verb(group, work.columns, work.COLUMNS_EXAMPLES)
add_verb(group, work.share, work.SHARE_EXAMPLES)
add_verb(group, work.publish, work.PUBLISH_EXAMPLES)
add_verb(group, work.new_version, work.NEW_VERSION_EXAMPLES, name="new-version")
add_verb(group, work.official, work.OFFICIAL_EXAMPLES)
add_verb(group, work.comment, work.COMMENT_EXAMPLES)
add_verb(group, work.delete, work.DELETE_EXAMPLES)
add_verb(group, cite, CITE_EXAMPLES)
add_verb(group, provenance, PROVENANCE_EXAMPLES)
add_verb(group, tokens, TOKENS_EXAMPLES)
add_verb(group, make_token, MAKE_TOKEN_EXAMPLES, name="make-token")
add_verb(group, revoke_token, REVOKE_TOKEN_EXAMPLES, name="revoke-token")
add_verb(group, people.releases, people.RELEASES_EXAMPLES)
add_verb(group, people.make_release, people.MAKE_RELEASE_EXAMPLES, name="make-release")
add_verb(group, people.make_group, people.MAKE_GROUP_EXAMPLES, name="make-group")
add_verb(group, people.add_member, people.ADD_MEMBER_EXAMPLES, name="add-member")
add_verb(group, people.invite, people.INVITE_EXAMPLES)
add_verb(group, accounts.users, accounts.USERS_EXAMPLES)
add_verb(group, accounts.approve, accounts.APPROVE_EXAMPLES)
add_verb(group, accounts.refuse, accounts.REFUSE_EXAMPLES)
add_verb(group, accounts.rights, accounts.RIGHTS_EXAMPLES)
add_verb(group, accounts.edit_user, accounts.EDIT_USER_EXAMPLES, name="edit-user")
add_verb(group, cooperative.challenges, cooperative.CHALLENGES_EXAMPLES)
add_verb(group, cooperative.challenge, cooperative.CHALLENGE_EXAMPLES)
add_verb(group, cooperative.download_challenge, cooperative.DOWNLOAD_CHALLENGE_EXAMPLES, name="download-challenge")
add_verb(group, cooperative.submit, cooperative.SUBMIT_EXAMPLES)
add_verb(group, cooperative.submissions, cooperative.SUBMISSIONS_EXAMPLES)
add_verb(group, cooperative.leaderboard, cooperative.LEADERBOARD_EXAMPLES)
add_verb(group, cooperative.add_challenge, cooperative.ADD_CHALLENGE_EXAMPLES, name="add-challenge")
add_verb(group, cooperative.set_challenge, cooperative.SET_CHALLENGE_EXAMPLES, name="set-challenge")
add_verb(group, operation.backup, operation.BACKUP_EXAMPLES)
add_verb(group, operation.restore, operation.RESTORE_EXAMPLES)
add_verb(group, operation.verify, operation.VERIFY_EXAMPLES)
add_verb(group, operation.sweep, operation.SWEEP_EXAMPLES)
add_verb(group, operation.work, operation.WORK_EXAMPLES)
