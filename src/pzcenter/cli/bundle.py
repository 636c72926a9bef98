"""``pz repo export-run``, ``import-run`` and ``imported``: runs that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import JsonOutput

__all__ = ["EXPORT_EXAMPLES", "IMPORTED_EXAMPLES", "IMPORT_EXAMPLES", "export_run", "import_run", "imported"]

EXPORT_EXAMPLES = (
    ("pz repo export-run repo dp1/trial/step3-template/001 step3.tar", "one run as one file"),
    ("pz repo export-run repo dp1/trial trial", "all runs of a campaign, as a directory"),
)
IMPORT_EXAMPLES = (
    ("pz repo import-run repo step3.tar", "what is known already is left alone"),
    ("pz repo import-run repo step3.tar --rename dp1/trial/step3-template/001=dp1/lyon/step3", "under another name"),
)
IMPORTED_EXAMPLES = (("pz repo imported repo", "runs from elsewhere: name here, name there"),)

Repository = Annotated[str, typer.Argument(metavar="REPO", help="Root of the repository, or its URI.")]


def export_run(
    repository: Repository,
    run: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, or the chain of a campaign.")],
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory to make, or file NAME.tar.")],
    *,
    as_json: JsonOutput = False,
) -> None:
    """Write all datasets of a run, with their checksums, as a bundle that another repository can import."""
    from dataclasses import asdict

    from pzcenter.cli.screen import bytes_text, print_json, stdout
    from pzcenter.pipelines.campaign.bundle import export_run as write_bundle

    made = write_bundle(repository, run, bundle)
    if as_json:
        print_json(asdict(made))
        return
    stdout().print(
        f"{made.n_datasets:,} datasets of {len(made.runs):,} runs, {bytes_text(made.n_bytes)}, in  {made.path}",
        soft_wrap=True,
    )
    stdout().print(f"[dim]SHA-256[/]  {made.digest}", soft_wrap=True)


def import_run(
    repository: Repository,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="What 'pz repo export-run' wrote.")],
    *,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="Name of a run or chain here; may be repeated."),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Merge a bundle into a repository: all of it, or nothing.

    Datasets that are there with the same content are left alone, so that importing again does nothing. Datasets that
    are there with another content are named and stop the import. Every file is checked against its SHA-256 first.
    """
    from dataclasses import asdict

    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.pipelines.campaign.bundle import import_run as merge_bundle

    names = {}
    for pair in rename or ():
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise typer.BadParameter(f"{pair!r} is not OLD=NEW", param_hint="--rename")
        names[old] = new
    merged = merge_bundle(repository, bundle, names=names)
    if as_json:
        print_json(asdict(merged))
        return
    table = plain_table("Datasets", what="left", number="right")
    for name, number in sorted(merged.n_by_type.items()):
        table.add_row(f"new {escape(name)}", f"{number:,}")
    table.add_row("known already", f"{merged.n_known:,}")
    table.add_row("metadata and logs kept as they are here", f"{merged.n_kept:,}")
    stdout().print(table)
    for old, new in merged.runs.items():
        stdout().print(f"{escape(old)} -> {escape(new)}" if old != new else escape(old), soft_wrap=True)


def imported(repository: Repository, *, as_json: JsonOutput = False) -> None:
    """List the runs that came from elsewhere, with the names they had there."""
    from dataclasses import asdict

    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.pipelines.campaign.bundle import imported_runs

    found = imported_runs(repository)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    table = plain_table(f"{len(found)} imports", run="left", there="left", bundle="left")
    for each in found:
        table.add_row(escape(each.run), escape(each.original), each.digest[:12])
    stdout().print(table)
