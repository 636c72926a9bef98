"""``pz server``: upload, download, and look after products."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli.options import FLAG, JsonOutput
from pzcenter.cli.server_options import ProductKey, ServerName, bars, client_of, pairs_of, seen_by

if TYPE_CHECKING:
    from pzcenter.client import Product

__all__ = [
    "columns", "comment", "delete", "download", "edit", "failed_words", "new_version", "official", "publish", "share",
    "upload",
]  # fmt: skip

UPLOAD_EXAMPLES = (
    ("pz server upload train.parquet --type training_set --name 'Spectra of DP1' --release dp1", "columns are guessed"),
    ("pz server upload z.csv --type redshift_catalog --name VVDS --column redshift=z --publish", "say what one means"),
    ("pz server upload model.pkl --type training_results --name kNN --aux notes.md", "with another file"),
    ("pz server upload more.fits --to 17", "a file for a product that is there"),
    ("pz server upload corrected.csv --to 18", "in place of a main file that was refused"),
)
DOWNLOAD_EXAMPLES = (
    ("pz server download 17", "the main file, into this directory"),
    ("pz server download 17 data --all", "all files, as an archive"),
)
EDIT_EXAMPLES = (("pz server edit 17 --description 'Now with errors.' --tag spectra", "say something else of it"),)
COLUMNS_EXAMPLES = (
    ("pz server columns 17", "what its columns mean"),
    ("pz server columns 17 redshift=z e_redshift=z_err", "say what they mean, before it is published"),
)
SHARE_EXAMPLES = (
    ("pz server share 17", "who sees it"),
    ("pz server share 17 --visibility shared --group pz-team --user ada", "those alone"),
    ("pz server share 17 --embargo 2027-01-01", "others from then on"),
    ("pz server share 17 --embargo none", "now"),
)
PUBLISH_EXAMPLES = (("pz server publish 17", "finish a product: its data never change again"),)
NEW_VERSION_EXAMPLES = (("pz server new-version 17", "begin the next version; then upload to it"),)
OFFICIAL_EXAMPLES = (
    ("pz server official 17", "the coordination group stands behind it"),
    ("pz server official 17 --no", "no longer"),
)
COMMENT_EXAMPLES = (
    ("pz server comment 17", "what people said"),
    ("pz server comment 17 'The redshifts look shifted.'", "say something"),
)
DELETE_EXAMPLES = (("pz server delete 17", "asks first; --yes does not"),)


def upload(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The main file; with --to any file.")],
    *,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Type of product, such as training_set.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of the product; that of the file.")
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", metavar="NAME", help="Release whose rights are needed.")
    ] = None,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT", help="Markdown.")] = None,
    description_file: Annotated[
        Path | None, typer.Option("--description-file", metavar="FILE", help="The description, from a file.")
    ] = None,
    aux: Annotated[
        list[Path] | None, typer.Option("--aux", metavar="FILE", help="Another file; several times.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="COLUMN=NAME", help="What a column means: ID, RA, Dec, z, z_err, z_flag, survey."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="A word to find it by; several times.")
    ] = None,
    visibility: Annotated[
        str | None, typer.Option("--visibility", metavar="WHO", help="release, shared or private.")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", metavar="NAME", help="Such as CC-BY-4.0.")] = None,
    citation: Annotated[str | None, typer.Option("--citation", metavar="TEXT", help="What else to cite.")] = None,
    pz_code: Annotated[
        str | None, typer.Option("--pz-code", metavar="NAME", help="Code that made the estimates.")
    ] = None,
    command: Annotated[str | None, typer.Option("--command", metavar="LINE", help="What makes it again.")] = None,
    publish: Annotated[bool, typer.Option("--publish", metavar=FLAG, help="Finish the product.")] = False,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="PRODUCT", help="Add the file to this product: main if it has none."),
    ] = None,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Upload a file as a product, and tell what was found in it.

    An upload that was broken off goes on with the same command. Only you see the product until it is published.
    """
    from pzcenter.errors import ConfigError, NotFoundError

    if (kind is None) == (to is None):
        raise ConfigError("say --type for a new product, or --to for one that is there")
    if description_file is not None:
        if not description_file.is_file():
            raise NotFoundError(f"no file {description_file}")
        description = description_file.read_text(encoding="utf-8")
    with client_of(server) as client, bars() as bar:
        if to is not None:
            told = client.product(to)
            role = "auxiliary" if told.main_file and told.state != "failed" else "main"
            told = client.upload_file(told, path, role=role, progress=bar(path.name))
            if column:
                client.edit_columns(told, pairs_of(column, "--column"))
            told = client.publish(told) if publish else client.product(told)
        else:
            assert kind is not None
            words: dict[str, Any] = {
                "release": release, "description": description, "tags": tag, "visibility": visibility,
                "licence": licence, "citation": citation, "pz_code": pz_code, "command": command,
            }  # fmt: skip
            told = client.upload(
                path, name or path.stem, kind, auxiliary=aux or [], columns=pairs_of(column, "--column"),
                publish=publish, progress=bar, **words,
            )  # fmt: skip
        found = client.columns(told)
    if to is not None and role == "auxiliary" and not as_json:
        _tell_auxiliary(told, path.name)
    else:
        _tell(told, found, as_json=as_json)


def _tell_auxiliary(told: Product, name: str) -> None:
    """The file is no new data of the product, whatever its name."""
    from pzcenter.cli.screen import stdout

    main = "" if told.main_file is None else f"; its main file is still {told.main_file.name}"
    ways = {
        "published": f"; for corrected data: pz server new-version {told.id}",
        "registering": f"; for other data delete the product and upload anew: pz server delete {told.id}",
    }
    words = f"{name} was added as an auxiliary file of product {told.id}, {told.state}{main}{ways.get(told.state, '')}"
    stdout().print(words, markup=False, soft_wrap=True)


def _tell(told: Product, found: list[Any], *, as_json: bool) -> None:
    from pzcenter.cli.screen import print_json, stderr, stdout

    if as_json:
        words = ("id", "uid", "display_name", "state", "failure", "n_rows", "size", "report")
        facts = {name: getattr(told, name) for name in words}
        print_json(facts | {"columns": {each.name: each.alias for each in found}, "missing": told.missing_columns})
        return
    out = stdout()
    rows = "" if told.n_rows is None else f", {told.n_rows:,} rows"
    out.print(f"product {told.id} ({told.uid}): {told.display_name}, {told.state}{rows}", markup=False, soft_wrap=True)
    named = ", ".join(f"{each.name} = {each.alias}" for each in found if each.alias)
    if named:
        out.print(f"  columns: {named}", markup=False, soft_wrap=True)
    report = told.report or {}
    for words in report.get("warnings", ()):
        stderr().print(f"warning: {_words(words)}", markup=False, soft_wrap=True)
    if report.get("warnings") and not report.get("complete", True):
        n_read, of = report.get("rows_read"), "" if told.n_rows is None else f" of {told.n_rows:,}"
        read = "the first rows alone" if n_read is None else f"{n_read:,} rows{of}"
        stderr().print(f"warnings are about what was read of this long file: {read}", markup=False, soft_wrap=True)
    if told.state == "failed":
        stderr().print(failed_words(told), markup=False, soft_wrap=True)
    elif told.missing_columns:
        missing = ", ".join(told.missing_columns)
        stderr().print(
            f"to publish it, say which columns are {missing}: pz server columns {told.id} COLUMN=NAME",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    elif told.state == "registering":
        following = f"next: pz server publish {told.id}; then {seen_by(told)} can see it"
        stderr().print(following, markup=False, soft_wrap=True)


def failed_words(told: Product) -> str:
    """Why a product is failed, and the next step."""
    why = told.failure or "its making did not end"
    if told.main_file is None:
        return f"product {told.id} failed: {why}"
    return (
        f"product {told.id} cannot be published; {told.main_file.name} was refused: {why}. "
        f"Hand in a corrected file: pz server upload FILE --to {told.id}"
    )


def _words(warning: Any) -> str:
    return str(warning.get("message", warning)) if isinstance(warning, dict) else str(warning)


def download(
    key: ProductKey,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to.")] = Path(),
    *,
    everything: Annotated[bool, typer.Option("--all", metavar=FLAG, help="All files, as a ZIP archive.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar=FLAG, help="Replace a file of this name.")] = False,
    server: ServerName = None,
) -> None:
    """Download a product, and check it against its SHA-256.

    A download that was broken off goes on with the same command.
    """
    import sys

    with client_of(server) as client, bars() as bar:
        path = client.download(
            key, directory, everything=everything, overwrite=overwrite, progress=bar(f"product {key}")
        )
    sys.stdout.write(f"{path}\n")


def edit(
    key: ProductKey,
    *,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Its name.")] = None,
    description: Annotated[str | None, typer.Option("--description", metavar="TEXT", help="Markdown.")] = None,
    licence: Annotated[str | None, typer.Option("--licence", metavar="NAME", help="Such as CC-BY-4.0.")] = None,
    citation: Annotated[str | None, typer.Option("--citation", metavar="TEXT", help="What else to cite.")] = None,
    doi: Annotated[str | None, typer.Option("--doi", metavar="DOI", help="Its DOI, where it has one.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Tags in place of those there.")] = None,
    server: ServerName = None,
) -> None:
    """Change what is said of a product; its data stay."""
    words: dict[str, Any] = {
        "display_name": name, "description": description, "licence": licence, "citation": citation, "doi": doi,
        "tags": tag,
    }  # fmt: skip
    from pzcenter.cli.screen import stdout

    given = {word: value for word, value in words.items() if value is not None}
    with client_of(server) as client:
        told = client.edit_product(client.product(key), **given)
    out = stdout()
    out.print(f"product {told.id} ({told.uid}) is changed:", markup=False, soft_wrap=True)
    for word in given:
        value = getattr(told, word)
        shown = ", ".join(value) if isinstance(value, list) else str(value)
        out.print(f"  {word.replace('_', ' ')}: {shown or 'none'}", markup=False, soft_wrap=True)


def columns(
    key: ProductKey,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COLUMN=NAME]...", help="ID, RA, Dec, z, z_err, z_flag, survey, or a name of your own."
        ),
    ] = None,
    *,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Show what the columns of a product mean, or say it."""
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        found = client.edit_columns(key, pairs_of(changes, "column")) if changes else client.columns(key)
        told = None if found else client.product(key)
    if told is not None and told.state == "failed":
        from pzcenter.errors import FileFormatError

        raise FileFormatError(failed_words(told))
    if as_json:
        print_json([vars(each) for each in found])
        return
    table = plain_table(column="left", stands_for="left", unit="left", ucd="left")
    for each in found:
        table.add_row(each.name, each.alias or "", each.unit or "", each.ucd or "")
    stdout().print(table, markup=False)


def share(
    key: ProductKey,
    *,
    visibility: Annotated[
        str | None,
        typer.Option("--visibility", metavar="WHO", help="release (all with its rights), shared, or private."),
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME", help="Groups, in place of those there.")
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="NAME", help="Users, in place of those there.")
    ] = None,
    embargo: Annotated[
        str | None, typer.Option("--embargo", metavar="DATE", help="Others see it from then on; 'none' lifts it.")
    ] = None,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Say who sees a product, or show it."""
    from pzcenter.cli.screen import print_json, stdout

    with client_of(server) as client:
        if visibility is None and group is None and user is None and embargo is None:
            told = client.sharing(key)
        else:
            until = {} if embargo is None else {"embargo_until": None if embargo == "none" else embargo}
            told = client.share(key, visibility=visibility, groups=group, users=user, **until)
    if as_json:
        print_json(vars(told))
        return
    until_text = f", embargo until {told.embargo_until}" if told.embargo_until else ""
    whom = ", ".join([*(f"group {name}" for name in told.groups), *told.users]) or "nobody by name"
    stdout().print(f"{told.visibility}{until_text}; shared with {whom}", markup=False, soft_wrap=True)


def publish(key: ProductKey, *, server: ServerName = None) -> None:
    """Finish a product: from now on its main file and columns never change."""
    from pzcenter.cli.screen import stdout

    with client_of(server) as client:
        told = client.publish(key)
    stdout().print(f"product {told.id} ({told.uid}) is published, version {told.version}", markup=False, soft_wrap=True)


def new_version(key: ProductKey, *, server: ServerName = None) -> None:
    """Begin the next version of a published product, with its words and without its files."""
    from pzcenter.cli.screen import stderr

    with client_of(server) as client:
        told = client.new_version(key)
    typer.echo(str(told.id))
    stderr().print(
        f"version {told.version}; next: pz server upload FILE --to {told.id} --publish", markup=False, soft_wrap=True
    )


def official(
    key: ProductKey,
    *,
    no: Annotated[bool, typer.Option("--no", metavar=FLAG, help="No longer.")] = False,
    server: ServerName = None,
) -> None:
    """Call a product official; for coordinators."""
    with client_of(server) as client:
        client.set_official(key, official=not no)


def comment(
    key: ProductKey,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What to say; Markdown.")] = None,
    *,
    server: ServerName = None,
) -> None:
    """Say something of a product, or show what people said."""
    from pzcenter.cli.screen import stdout

    with client_of(server) as client:
        said = [client.add_comment(key, text)] if text else client.comments(key)
    for each in said:
        at = "" if each.created_at is None else f"{each.created_at:%Y-%m-%d %H:%M} "
        stdout().print(f"{at}{each.author.username}: {each.text}", markup=False, soft_wrap=True)


def delete(
    key: ProductKey,
    *,
    yes: Annotated[bool, typer.Option("--yes", metavar=FLAG, help="Do not ask.")] = False,
    server: ServerName = None,
) -> None:
    """Delete a product; what was made from it keeps saying so."""
    with client_of(server) as client:
        told = client.product(key)
        if not yes:
            typer.confirm(f"Delete {told.display_name} (product {told.id})?", abort=True, err=True)
        client.delete_product(told)
