"""``pz deliver``: data in, packages out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli.options import FLAG, JsonOutput, Overwrite

if TYPE_CHECKING:
    from datetime import date

    from pzcenter.pipelines.delivery.storage_costs import StorageReport

__all__ = ["BUILD_EXAMPLES", "EXAMPLES", "STATE_EXAMPLES", "VERIFY_EXAMPLES", "build", "state", "verify"]

EXAMPLES = (
    ("pz deliver build first package", "the package of a campaign"),
    ("pz deliver verify package", "every byte and count of it"),
)
BUILD_EXAMPLES = (
    ("pz deliver build first package", "of a campaign, as a draft"),
    (
        "pz deliver build first package --state released --by 'Your Name' --about about.yaml",
        "with authors, contacts and licence",
    ),
    ("pz deliver build --catalog release/template package", "of a finished catalogue, without a campaign"),
    ("pz deliver build first package --embargo 2027-06-30 --embargoed-copy", "for a site that keeps it closed"),
)
VERIFY_EXAMPLES = (
    ("pz deliver verify package", "every byte, every count"),
    ("pz deliver verify package --objects object", "and one row for each object of a catalogue"),
)
STATE_EXAMPLES = (
    ("pz deliver state package", "what it is, and what it was"),
    ("pz deliver state package released --by 'Your Name' --note 'announced'", "let it out"),
)

EmbargoDate = Annotated[
    datetime | None,
    typer.Option("--embargo", metavar="DATE", formats=["%Y-%m-%d"], help="Date before which it may not leave."),
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides it.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why.")]
EmbargoedCopy = Annotated[
    bool,
    typer.Option("--embargoed-copy", metavar=FLAG, help="Before the date, for a site that keeps it closed."),
]


def build(
    first: Annotated[
        Path, typer.Argument(metavar="CAMPAIGN", help="Directory of the campaign; with --catalog, the package.")
    ],
    second: Annotated[Path | None, typer.Argument(metavar="PACKAGE", help="Directory to make.")] = None,
    *,
    catalog: Annotated[
        str | None,
        typer.Option(
            "--catalog", metavar="DIR", help="Finished catalogue in place of a campaign: directory or s3:// URI."
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option("--method", metavar="NAME", help="Of the campaign; its main one by default.")
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option("--about", metavar="FILE", help="YAML with title, authors, contacts, licence, doi, description."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Of the package.")] = None,
    release: Annotated[str | None, typer.Option("--release", metavar="NAME", help="Of the objects.")] = None,
    state: Annotated[
        str,
        typer.Option("--state", metavar="STATE", help="draft, internal, delegates or released."),
    ] = "draft",
    by: By = "",
    note: Note = "",
    embargo: EmbargoDate = None,
    embargoed_copy: EmbargoedCopy = False,
    copy: Annotated[
        bool, typer.Option("--copy", metavar=FLAG, help="Copy the files of the catalogue where they could be linked.")
    ] = False,
    cost_per_tb: Annotated[
        float, typer.Option("--cost-per-tb", metavar="PRICE", help="Of keeping 10^12 bytes for a year.", min=0)
    ] = 0.0,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Build a delivery package: tables, definitions, models, provenance, quality report, checksums, licence, notebooks.

    It appears whole or not at all; when it is interrupted, the same command continues.
    """
    from pzcenter.cli.screen import bytes_text, print_json, stdout
    from pzcenter.pipelines.delivery.about import read_about

    if (catalog is None) == (second is None):
        raise typer.BadParameter("give CAMPAIGN and PACKAGE, or --catalog DIR and PACKAGE")
    options: dict[str, Any] = {
        "about": read_about(about, name=name, release=release, method=method),
        "state": state,
        "by": by,
        "note": note,
        "embargo_until": _date(embargo),
        "embargoed_copy": embargoed_copy,
        "links": not copy,
        "cost_per_tb_year": cost_per_tb,
        "overwrite": overwrite,
    }
    if catalog is not None:
        from pzcenter.pipelines.delivery.package import build_package

        made = build_package(catalog, first, **options)
    else:
        from pzcenter.pipelines.delivery.campaign_package import build_from_campaign

        made = build_from_campaign(first, str(second), method=method, **options)
    if as_json:
        print_json(made.as_dict())
        return
    _print_storage(made.storage)
    stdout().print(
        f"\n{made.n_obj:,} objects, {made.n_files:,} files, {bytes_text(made.n_bytes)}, {made.state}, in  {made.path}",
        soft_wrap=True,
    )


def verify(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="Directory of the package.")],
    *,
    objects: Annotated[
        Path | None,
        typer.Option("--objects", metavar="CATALOGUE", help="Object catalogue: one row for each object, both ways."),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Check every byte and every count of a package, and say all that is wrong.

    Nothing but the package is needed. The status is 1 where anything is wrong.
    """
    from pzcenter.cli.failures import FAILED
    from pzcenter.cli.screen import bytes_text, plain_table, print_json, seconds_text, stderr, stdout
    from pzcenter.pipelines.delivery.verify import verify_package

    found = verify_package(package, objects=objects)
    if as_json:
        print_json(found.as_dict())
    else:
        table = plain_table(check="left", result="left")
        for check in found.checks:
            number = sum(fault.check == check for fault in found.faults)
            table.add_row(check, "[green]as it should be[/]" if not number else f"[red]{number} wrong[/]")
        stdout().print(table)
        size = bytes_text(found.n_bytes)
        words = f"{found.n_files:,} files, {size}, {found.n_rows:,} rows read in {seconds_text(found.seconds)}"
        stdout().print(f"[dim]{words}[/]")
    for fault in found.faults:
        stderr().print(f"[red]{fault.check}[/]  ", end="")
        stderr().print(str(fault), markup=False, highlight=False, soft_wrap=True)
    if not found.ok:
        raise typer.Exit(FAILED)


def state(
    package: Annotated[Path, typer.Argument(metavar="PACKAGE", help="Directory of the package.")],
    new: Annotated[
        str | None, typer.Argument(metavar="STATE", help="draft, internal, delegates, released or retired.")
    ] = None,
    *,
    by: By = "",
    note: Note = "",
    embargo: EmbargoDate = None,
    as_json: JsonOutput = False,
) -> None:
    """Show the states of a package, or set the next one. States only go forward, and each is recorded."""
    from dataclasses import asdict

    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.pipelines.delivery.release_state import current_state, read_states, set_state

    if new is not None or embargo is not None:
        set_state(package, new or current_state(package).state, by=by, note=note, embargo_until=_date(embargo))
    states = read_states(package)
    if as_json:
        print_json([asdict(each) for each in states])
        return
    table = plain_table(state="left", since="left", by="left", embargo="left", note="left")
    for each in states:
        until = f"until {each.embargo_until}" if each.embargo_until else "-"
        table.add_row(each.state, each.at, escape(each.by), until, escape(each.note))
    stdout().print(table)


def _date(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _print_storage(report: StorageReport) -> None:
    from pzcenter.cli.screen import bytes_text, plain_table, stdout

    priced = {"cost_per_year": "right"} if report.cost_per_tb_year else {}
    products = plain_table("Storage", product="left", files="right", rows="right", size="right", **priced)
    for product in report.products:
        rows = "-" if product.n_rows is None else f"{product.n_rows:,}"
        cost = [f"{product.cost:,.2f}"] if priced else []
        products.add_row(product.name, f"{product.n_files:,}", rows, bytes_text(product.n_bytes), *cost)
    stdout().print(products)
    encodings = plain_table(
        "p(z) by encoding", encoding="left", bytes_per_object="right", here="right", at_4_7e10="right"
    )
    for each in report.encodings:
        encodings.add_row(
            f"[bold]{each.name}[/]" if each.is_stored else each.name,
            f"{each.bytes_per_object:.0f}",
            bytes_text(each.n_bytes),
            bytes_text(each.full_scale_bytes),
        )
    stdout().print(encodings)
