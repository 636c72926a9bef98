"""``pz model``: what a saved model is, and several of them side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli.options import JsonOutput, MappingName
from pzcenter.cli.verbs import add_verb, verb_group

if TYPE_CHECKING:
    from pzcenter.estimators.model_description import ModelDescription
    from pzcenter.pipelines.compare_models import ModelComparison

__all__ = ["COMPARE_EXAMPLES", "SHOW_EXAMPLES", "compare", "group", "show"]

SHOW_EXAMPLES = (
    ("pz model show my-model", "training data, domain, metrics, versions"),
    ("pz model show my-model --html card.html", "the same as a page, with figures"),
)
COMPARE_EXAMPLES = (
    ("pz model compare knn network", "what their cards say"),
    ("pz model compare knn network --on test.parquet --html models.html", "measured on the same objects"),
)

HtmlPage = Annotated[Path | None, typer.Option("--html", metavar="PAGE", help="Write a page that holds everything.")]


def show(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Directory of a model.")],
    *,
    html: HtmlPage = None,
    as_json: JsonOutput = False,
) -> None:
    """Show the card of a model: what it was trained on, where it holds, how good it is.

    Every checksum of the model is verified first. What a model does not say is 'not recorded'. A directory of
    'pz estimate' has its model in DIR/model.
    """
    from pzcenter.cli.screen import print_json, stdout
    from pzcenter.estimators.model_description import describe_model

    found = describe_model(model)
    if html is not None:
        from pzcenter.pipelines.model_pages import write_model_page

        write_model_page(html, found)
    if as_json:
        print_json(found.plain())
        return
    _print_card(found)
    if html is not None:
        stdout().print(f"\n[dim]page[/]  {html}", soft_wrap=True)


def compare(
    model: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="Directories of models.")],
    *,
    on: Annotated[
        Path | None,
        typer.Option("--on", metavar="TABLE", help="Catalogue with redshifts: all models are measured on it."),
    ] = None,
    redshifts: Annotated[
        Path | None, typer.Option("--redshifts", metavar="TABLE", help="Object ids and redshifts for --on.")
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option("--trained-on", metavar="TABLE", help="Redshift table of a training: its objects are left out."),
    ] = None,
    mapping: MappingName = None,
    n_max: Annotated[
        int, typer.Option("--n-max", metavar="N", help="Most objects; a random choice of them.", min=1)
    ] = 200_000,
    html: HtmlPage = None,
    as_json: JsonOutput = False,
) -> None:
    """Hold models against each other: metrics with their errors, side by side.

    With --on all are measured on the same objects, those that every model can estimate; without it the table shows
    what is recorded with each model, which need not be comparable.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.screen import print_json, stdout
    from pzcenter.pipelines.compare_models import compare_models

    with StepProgress() as progress:
        made = compare_models(
            model,
            on=on,
            redshifts=redshifts,
            trained_on=trained_on,
            mapping=mapping,
            n_max=n_max,
            progress=progress.for_step("compare"),
        )
    if html is not None:
        from pzcenter.pipelines.model_pages import write_models_page

        write_models_page(html, made)
    if as_json:
        print_json(made.plain())
    else:
        _print_comparison(made)
        if html is not None:
            stdout().print(f"[dim]page[/]  {html}", soft_wrap=True)
    if all(each.failure for each in made.models):
        raise typer.Exit(1)


def _print_card(found: ModelDescription) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, stdout
    from pzcenter.estimators.model_description import NOT_RECORDED

    plain = found.plain()
    table = plain_table(f"Model {found.name}", what="left", value="left")
    for name, value in _card_lines(plain).items():
        words = NOT_RECORDED if value in (None, "", [], {}) else str(value)
        table.add_row(name, escape(words) if words != NOT_RECORDED else f"[dim]{words}[/]")
    stdout().print(table)
    if plain["domain"] is not None:
        bands = plain_table(
            "Domain", band="left", filter="left", mag_1_percent="right", median="right", mag_99_percent="right",
            depth_5_sigma="right", measured="right",
        )  # fmt: skip
        for each in plain["domain"]["bands"]:
            numbers = (each[key] for key in ("mag_min", "mag_median", "mag_max", "depth"))
            shown = ("-" if value is None else f"{value:.2f}" for value in numbers)
            bands.add_row(each["band"], each["filter"] or "-", *shown, f"{100 * each['share_measured']:.1f} %")
        stdout().print(bands)
    if found.metrics:
        metrics = plain_table(f"Metrics: {plain['metrics_on']}", metric="left", of="left", value="right", error="right")
        for row in found.metrics:
            error = "-" if row.error is None else f"± {row.error:.4f}"
            metrics.add_row(row.metric, row.of, "-" if row.value is None else f"{row.value:.4f}", error)
        stdout().print(metrics)
    for note in plain["notes"]:
        stdout().print(note, markup=False, soft_wrap=True)


def _card_lines(plain: dict[str, Any]) -> dict[str, Any]:
    training, grid = plain["training"], plain["z_grid"]
    trained = f"{training['n_obj']:,}" if training["is_trained"] else "none: made from settings alone"
    reach = f"{training['z_min']:.4g} to {training['z_max']:.4g}" if training["is_trained"] else "-"
    lines = {
        "method": plain["method"] + ("" if plain["method_installed"] else " (cannot be used here)"),
        "digest": plain["digest"],
        "bands": ", ".join(plain["bands"]),
        "filters": ", ".join(f"{band}: {name}" for band, name in plain["filters"].items()),
        "redshift grid": f"{grid['n_z']} points from {grid['z_min']:g} to {grid['z_max']:g}",
        "training objects": trained,
        "their redshifts": reach,
        "SHA-256 of the rows used": training["sha256_of_rows_used"] if training["is_trained"] else "-",
    }
    sources = training["sources"] or [None]
    for number, source in enumerate(sources):
        name = "training file" if number == 0 else ""
        lines[name or " " * number] = None if source is None else f"{source['path']} ({source['role']})"
        if source is not None:
            lines[f"{' ' * (number + 1)}SHA-256"] = source["sha256"]
    return lines | {
        "held out": training["n_held_out"],
        "trained at": training["trained_at"],
        "command": None if training["command"] is None else " ".join(training["command"]),
        "curves": ", ".join(plain["curves"]),
        "metrics on": plain["metrics_on"],
        "licence of the data": plain["licence"],
        "to be cited": plain["citation"],
        "pzcenter": plain["versions"].get("pzcenter"),
        "python": plain["versions"].get("python"),
    }


def _print_comparison(made: ModelComparison) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import plain_table, stderr, stdout
    from pzcenter.pipelines.model_pages import comparison_rows

    title = f"{made.n_obj:,} objects of {made.on}" if made.on else "As recorded with each model"
    table = plain_table(title, metric="left")
    for each in made.models:
        table.add_column(escape(each.label), justify="right")
    for name, _, *cells in comparison_rows(made):
        table.add_row(escape(name), *(f"[bold]{text}[/]" if kind == "best" else text for text, _, kind in cells))
    stdout().print(table)
    if made.on:
        stdout().print("[dim]bold: better than all others by more than the errors[/]")
    for each in made.models:
        if each.failure:
            stderr().print(f"{each.label}: {each.failure}", markup=False, soft_wrap=True)
    for note in made.notes:
        stderr().print(note, markup=False, soft_wrap=True)


group = verb_group("Look at saved models: the card of one, or several side by side.", SHOW_EXAMPLES)
add_verb(group, show, SHOW_EXAMPLES)
add_verb(group, compare, COMPARE_EXAMPLES)
