"""``pz estimate``: from a catalogue to a PZ table with its report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli.options import (
    FLAG,
    NZ,
    ConfigFile,
    EbvMap,
    JsonOutput,
    MappingName,
    Overwrite,
    Settings,
    Workers,
    ZMax,
)

if TYPE_CHECKING:
    from pzcenter.pipelines import EstimatePlan, MainLineReport

__all__ = ["EXAMPLES", "estimate"]

EXAMPLES = (
    ("pz estimate galaxies.parquet my-pz --dry-run", "what would be done, and how long it would take"),
    ("pz estimate galaxies.parquet my-pz", "templates and prior of the package"),
    ("pz estimate cat.fits my-pz --model my-model --truth specz.csv", "own model, measured on redshifts"),
    ("pz estimate cat.fits my-pz --physical --classes stars.parquet", "absolute magnitudes; p_star from elsewhere"),
    ("pz estimate cat.csv my-pz --mapping mine.yaml --cut 'i_extendedness > 0.5'", "own columns and cut"),
)


def estimate(
    catalogue: Annotated[
        Path,
        typer.Argument(metavar="CATALOGUE", help="Object table (Parquet, HATS, FITS, HDF5, CSV), or a skinny table."),
    ],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory to make for the results.")],
    *,
    model: Annotated[
        str,
        typer.Option(
            "--model", metavar="MODEL", help="Directory of a trained model, or a method that needs no training."
        ),
    ] = "template",
    mapping: MappingName = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth",
            metavar="TABLE",
            help="Object ids and known redshifts to measure the quality on; by default those of the catalogue.",
        ),
    ] = None,
    trained_on: Annotated[
        Path | None,
        typer.Option(
            "--trained-on",
            metavar="TABLE",
            help="Redshift table of the training: its objects are kept out of the test.",
        ),
    ] = None,
    physical: Annotated[
        bool,
        typer.Option(
            "--physical", metavar=FLAG, help="Add the best template at z_best, its chi-squared and absolute magnitudes."
        ),
    ] = False,
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes", metavar="TABLE", help="Object ids with p_star, p_agn or both, to be joined to the PZ table."
        ),
    ] = None,
    mag_max: Annotated[
        float | None,
        typer.Option("--mag-max", metavar="MAG", help="Measure the quality on objects brighter than this in i, AB."),
    ] = None,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            "--cut", metavar="CUT", help="Keep rows that fulfil this, in place of the mapping's cuts; may be repeated."
        ),
    ] = None,
    no_cuts: Annotated[bool, typer.Option("--no-cuts", metavar=FLAG, help="Keep all rows.")] = False,
    row_numbers: Annotated[
        bool, typer.Option("--row-numbers", metavar=FLAG, help="Number the rows in place of an id column.")
    ] = False,
    ebv_map: EbvMap = None,
    config: ConfigFile = None,
    settings: Settings = None,
    z_max: ZMax = None,
    n_z: NZ = None,
    workers: Workers = None,
    rows_per_partition: Annotated[
        int, typer.Option("--rows-per-partition", metavar="N", help="Most rows of one output file.", min=1)
    ] = 150_000,
    overwrite: Overwrite = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar=FLAG, help="Say what would be done, and write nothing.")
    ] = False,
    as_json: JsonOutput = False,
) -> None:
    """Estimate p(z) of every object of a catalogue, and make the PZ table.

    Writes the skinny table, the PZ table and the packed p(z) (both HATS), and, where redshifts are known, quality
    numbers, figures and a report. Finished files stay when it is interrupted: the same command continues.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.settings import dust_map, method_settings, redshift_grid
    from pzcenter.pipelines import estimate_catalog, plan_estimate, read_redshifts

    if cut and no_cuts:
        raise typer.BadParameter("give either --cut or --no-cuts")
    arguments: dict[str, Any] = {
        "model": model,
        "mapping": mapping,
        "config": method_settings(config, settings),
        "z_grid": redshift_grid(z_max, n_z),
        "cuts": [] if no_cuts else cut or None,
        "truth": truth,
        "workers": workers,
        "rows_per_partition": rows_per_partition,
        "overwrite": overwrite,
    }
    if dry_run:
        _print_plan(plan_estimate(catalogue, directory, **arguments), directory, as_json=as_json)
        return
    with StepProgress() as progress:
        made = estimate_catalog(
            catalogue,
            directory,
            row_numbers=row_numbers,
            ebv_map=dust_map(ebv_map),
            mag_max=math.inf if mag_max is None else mag_max,
            physical=physical,
            classes=classes,
            training_ids=None if trained_on is None else read_redshifts(trained_on).object_id,
            progress=progress,
            **arguments,
        )
    _print_report(made, as_json=as_json)


def _print_plan(plan: EstimatePlan, directory: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.markup import escape

    from pzcenter.cli.screen import bytes_text, plain_table, print_json, seconds_text, stdout

    if as_json:
        print_json({**asdict(plan), "destination": directory})
        return
    rows = f"{plan.n_rows:,}" if plan.n_rows is not None else "not known before they are read"
    time = "not known" if plan.wall_s is None else f"about {seconds_text(plan.wall_s)}"
    size = "not known" if plan.n_bytes is None else f"about {bytes_text(plan.n_bytes)}"
    low, high, n_z = plan.z_grid
    lines = {
        "catalogue": f"{plan.source} ({plan.format})",
        "rows": rows,
        "columns": plan.mapping or "a skinny table",
        "cuts": "; ".join(plan.cuts) or "none",
        "model": plan.model,
        "bands": ", ".join(plan.bands),
        "redshift grid": f"{n_z} points from {low:g} to {high:g}",
        "partitions": "not known" if plan.n_partitions is None else f"{plan.n_partitions} or more",
        "workers": f"{plan.workers}, {plan.objects_per_s:,.0f} objects/s each",
        "time": time,
        "size": size,
        "quality numbers": "yes" if plan.has_redshifts else "no: no known redshifts",
        "results to": str(directory),
    }
    table = plain_table("Dry run: nothing was written", what="left", value="left")
    for name, words in lines.items():
        table.add_row(name, escape(words))
    stdout().print(table)


def _print_report(made: MainLineReport, *, as_json: bool) -> None:
    from pzcenter.cli.quality import metrics_json, print_metrics
    from pzcenter.cli.screen import bytes_text, plain_table, print_json, print_paths, seconds_text, stdout

    counts: dict[str, int] = {}
    if made.skinny is not None:
        counts["rows read"] = made.skinny.n_in
        counts |= {f"removed by the cut '{name}'": n for name, n in made.skinny.n_cut.items()}
    counts["objects with p(z)"] = made.run.n_obj
    notes = [] if made.skinny is None else list(made.skinny.notes)
    if made.n_train_in_reach:
        notes.append(
            f"the model was trained on {made.n_train_in_reach:,} objects; any of them that are here took part in the "
            "test: --trained-on TABLE keeps them out"
        )
    flagged = ({} if made.skinny is None else made.skinny.n_flagged) | made.n_flagged
    notes += made.notes
    quality = None if made.metrics is None else metrics_json(made.metrics)
    if as_json:
        print_json(
            {
                "counts": counts,
                "flagged": flagged,
                "notes": notes,
                "n_partition": made.run.n_partition,
                "n_resumed": made.run.n_resumed,
                "cpu_s": made.run.cpu_s,
                "wall_s": made.run.wall_s,
                "peak_bytes": made.run.peak_bytes,
                **(quality or {"metrics": None, "requirements": None}),
                "paths": made.paths,
            }
        )
        return
    console = stdout()
    table = plain_table("Objects", step="left", number="right")
    for name, number in counts.items():
        table.add_row(name, f"{number:,}")
    for name, number in flagged.items():
        table.add_row(f"[dim]flagged {name}[/]", f"[dim]{number:,}[/]")
    console.print(table)
    for note in notes:
        console.print(f"[yellow]note[/]  {note}", soft_wrap=True)
    console.print()
    if made.metrics is None:
        console.print("No quality numbers: no redshifts are known. --truth TABLE gives them.\n")
    else:
        print_metrics(made.metrics)
        console.print()
    console.print("[bold]Products[/]")
    print_paths(made.paths)
    resumed = f", {made.run.n_resumed} of them from an earlier session" if made.run.n_resumed else ""
    partitions = "1 partition" if made.run.n_partition == 1 else f"{made.run.n_partition} partitions"
    console.print(
        f"\n{partitions}{resumed}, {seconds_text(made.run.cpu_s)} of processor time "
        f"({made.run.n_obj / max(made.run.cpu_s, 1e-9):,.0f} objects per second), "
        f"at most {bytes_text(made.run.peak_bytes)} of memory per process."
    )
