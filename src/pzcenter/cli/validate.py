"""``pz validate``: many submissions on one truth set, one comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli.options import FLAG, JsonOutput, MappingName

if TYPE_CHECKING:
    from pzcenter.validation.comparison import Comparison, ComparisonSettings

__all__ = ["EXAMPLES", "RUN_EXAMPLES", "run"]

EXAMPLES = (
    ("pz validate run truth.parquet one.hdf5 two.parquet --out comparison", "score and compare two submissions"),
)
RUN_EXAMPLES = (
    ("pz validate run truth.parquet one.hdf5 two.parquet my-pz --out comparison", "files of any format, and a run"),
    ("pz validate run truth.parquet submissions/ --training train.parquet --out comparison", "with the controls"),
    ("pz validate run comparison.yaml --out comparison", "all settings from one file"),
    ("pz validate run truth.parquet submissions/ --out comparison --dry-run", "look at the files, score nothing"),
)


def run(
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH", help="Table with object ids and true redshifts; or a YAML file with all settings."
        ),
    ],
    submissions: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SUBMISSION]...",
            help="What was handed in: files of any format, runs of 'pz estimate', directories or archives of several.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Directory for the results.")],
    photometry: Annotated[
        Path | None,
        typer.Option("--photometry", metavar="TABLE", help="Object table of the truth set, if it has no photometry."),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(
            "--training",
            metavar="TABLE",
            help="Training set: the controls are trained on it, and its objects are left out of the test.",
        ),
    ] = None,
    mapping: MappingName = None,
    mag_band: Annotated[
        str | None, typer.Option("--mag-band", metavar="BAND", help="Band of the magnitudes; i by default.")
    ] = None,
    mag_max: Annotated[
        float | None, typer.Option("--mag-max", metavar="MAG", help="Test objects brighter than this, AB.")
    ] = None,
    bad_rows: Annotated[
        str | None,
        typer.Option(
            "--bad-rows",
            metavar="error|count",
            help="A density in error makes its submission fail, or counts as without estimate.",
        ),
    ] = None,
    n_bootstrap: Annotated[
        int | None, typer.Option("--bootstrap", metavar="N", help="Resamples for the errors; 100 by default.", min=0)
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Of the resampling.", min=0)] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Of the page.")] = None,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", metavar=FLAG, help="Write the pages, a few seconds for each method.")
    ] = True,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", metavar=FLAG, help="Write the pages as PDF too.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", metavar=FLAG, help="Score everything again, also what has not changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar=FLAG, help="Open all files, compare their ids, and write nothing.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Score every submission on a truth set, compare them, and write the pages.

    All metrics with bootstrap errors, requirement lines, points of the data challenge, and ranks on the objects that
    all methods have. With a training set the controls trainz and neighbours run beside them. A submission that cannot
    be scored is told with its reason and does not stop the others; the exit status is then 1. What is there already
    from the same files and settings is not scored again.
    """
    from pzcenter.cli.failures import FAILED
    from pzcenter.cli.screen import print_json, stderr

    given = {
        "photometry": photometry,
        "training": training,
        "mapping": mapping,
        "mag_band": mag_band,
        "mag_max": mag_max,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
        "title": title,
    }
    settings = _settings(truth, submissions or [], given, bad_rows)
    if dry_run:
        if _print_look(settings, as_json=as_json):
            raise typer.Exit(FAILED)
        return
    from pzcenter.validation.comparison import compare

    console = stderr()
    made = compare(
        settings,
        out,
        overwrite=overwrite,
        pages=pages,
        pdf=pdf,
        progress=lambda done, n_all, text: console.print(f"{done}/{n_all} {text}", markup=False, soft_wrap=True),
    )
    if as_json:
        print_json(_summary(made))
    else:
        _print_comparison(made)
    if made.failures:
        raise typer.Exit(FAILED)


def _settings(truth: Path, submissions: list[Path], given: dict[str, Any], bad_rows: str | None) -> ComparisonSettings:
    """Settings of the YAML file, under what was typed; or all of them as typed."""
    from pzcenter.validation.comparison import checked_settings, load_comparison_settings

    typed = {
        name: str(value) if isinstance(value, Path) else value for name, value in given.items() if value is not None
    }
    each = {} if bad_rows is None else {"bad_rows": bad_rows}
    more = [{"path": str(path), **each} for path in submissions]
    if truth.suffix.lower() not in (".yaml", ".yml"):
        if not more:
            raise typer.BadParameter("give at least one submission, or a YAML file with all settings")
        return checked_settings({"truth": str(truth), "submissions": more, **typed}, "command line")
    stored = load_comparison_settings(truth).model_dump()
    known = [{**entry, **each} for entry in stored["submissions"]]
    return checked_settings({**stored, **typed, "submissions": [*known, *more]}, str(truth))


def _print_look(settings: ComparisonSettings, *, as_json: bool) -> bool:
    """What a run would read; whether something is wrong."""
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_json, stdout
    from pzcenter.validation.comparison.look import look_at

    found = look_at(settings)
    if as_json:
        print_json(found)
        return bool(found["failures"])
    console = stdout()
    console.print(f"{found['n_truth']:,} objects with known redshift")
    for note in found["notes"]:
        console.print(f"[yellow]note[/]  {escape(note)}", soft_wrap=True)
    table = plain_table("Dry run: nothing was written", submission="left", form="left", rows="right", coverage="right")
    for each in found["submissions"]:
        table.add_row(escape(each["name"]), each["form"], f"{each['n_rows']:,}", f"{each['coverage']:.1%}")
    console.print(table)
    for each in found["submissions"]:
        for sentence in each["sentences"]:
            console.print(f"[dim]{escape(each['name'])}[/]  {escape(sentence)}", soft_wrap=True)
    _print_failures(found["failures"])
    return bool(found["failures"])


def _print_failures(failures: Any) -> None:
    from pzcenter.cli.screen import stderr

    for failure in failures:
        line = f"not scored: {failure['name']}: error[{failure['code']}]: {failure['message']}"
        stderr().print(line, markup=False, soft_wrap=True)


def _summary(made: Comparison) -> dict[str, Any]:
    """What programs read: key metrics of each method, ranks, failures, paths."""
    from dataclasses import asdict

    from pzcenter.validation.comparison.page_tables import KEY_METRICS, key_row

    methods = []
    for method in made.methods:
        rows = {name: key_row(method.table, name) for name in KEY_METRICS}
        values = {name: None if row is None else {"value": row.value, "error": row.error} for name, row in rows.items()}
        met = {f"{v.requirement.selection.name}: {v.requirement.words}": v.met for v in method.table.verdicts}
        methods.append(
            {
                "name": method.name,
                "kind": method.facts.kind,
                "n_obj": method.n_obj,
                "coverage": method.coverage,
                "resumed": method.is_resumed,
                "metrics": values,
                "requirements": met,
                "challenge": method.challenge.total,
            }
        )
    return {
        "n_truth": made.truth.n_obj,
        "n_common": made.n_common,
        "methods": methods,
        "ranks": [asdict(ranking) for ranking in made.rankings],
        "failures": [asdict(failure) for failure in made.failures],
        "notes": made.notes,
        "paths": made.paths,
    }


def _print_comparison(made: Comparison) -> None:
    from dataclasses import asdict

    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, print_paths, stdout
    from pzcenter.validation.comparison.page_parts import with_error
    from pzcenter.validation.comparison.page_tables import KEY_METRICS, key_row
    from pzcenter.validation.comparison.sentences import comparison_sentences

    console = stdout()
    heads = {title.replace(" ", "_").replace(",", ""): "right" for title, _, _ in KEY_METRICS.values()}
    table = plain_table(None, method="left", coverage="right", **heads)
    for method in made.methods:
        cells = []
        for metric, (_, scale, unit) in KEY_METRICS.items():
            row = key_row(method.table, metric)
            cells.append("-" if row is None else with_error(row.value, row.error, scale=scale, unit=unit))
        name = escape(method.name) + (" [dim](control)[/]" if method.is_control else "")
        table.add_row(name, f"{method.coverage:.1%}", *cells)
    console.print(table)
    console.print()
    for sentence in comparison_sentences(made):
        console.print(sentence, markup=False, soft_wrap=True)
    for note in made.notes:
        console.print(f"[yellow]note[/]  {escape(note)}", soft_wrap=True)
    console.print("\n[bold]Products[/]")
    print_paths(made.paths)
    resumed = sum(method.is_resumed for method in made.methods)
    if resumed:
        console.print(f"\n{resumed} of {len(made.methods)} methods were scored by an earlier run.")
    _print_failures([asdict(failure) for failure in made.failures])
