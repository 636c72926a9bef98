"""``pz train``: a model from objects of known redshift."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import NZ, ConfigFile, JsonOutput, MappingName, Settings, ZMax

__all__ = ["EXAMPLES", "train"]

EXAMPLES = (
    ("pz train template galaxies.parquet my-model --redshifts specz.csv", "calibrate the template fit"),
    ("pz train neighbours training.hdf5 knn --z-max 6", "redshifts are in the file itself"),
    ("pz train template cat.fits model --redshifts z.fits --set n_between=2", "with a setting"),
    ("pz train neighbours train.parquet knn --hold-out 0.1", "metrics on a tenth of it go to the model card"),
)
SHOWN = ("sigma_nmad", "outlier_fraction", "cde_loss", "pit_ks")
"""Metrics of the card on the screen."""


def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Name of a method, as in 'pz methods'.")],
    catalogue: Annotated[
        Path, typer.Argument(metavar="CATALOGUE", help="Object table of any format, or a skinny table.")
    ],
    model_dir: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="Directory to make for the model.")],
    *,
    redshifts: Annotated[
        Path | None,
        typer.Option(
            "--redshifts", metavar="TABLE", help="Object ids and redshifts; those in the catalogue by default."
        ),
    ] = None,
    mapping: MappingName = None,
    config: ConfigFile = None,
    settings: Settings = None,
    z_max: ZMax = None,
    n_z: NZ = None,
    hold_out: Annotated[
        float,
        typer.Option(
            "--hold-out",
            metavar="SHARE",
            help="Share of the objects to keep out of the training, on which the metrics of the card are measured.",
            min=0.0,
            max=0.9,
        ),
    ] = 0.0,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="TABLE", help="Table with redshifts to measure the metrics of the card on."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="TEXT", help="Licence of the training data, for the card.")
    ] = None,
    citation: Annotated[
        str | None, typer.Option("--citation", metavar="TEXT", help="What to cite for the training data.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Train or calibrate a method on objects of known redshift, and save the model with its card.

    For the template fit this is a calibration of templates, their error and the prior, for which some hundred
    redshifts do; they should be representative of the objects to be estimated.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.screen import print_json, seconds_text, stderr, stdout
    from pzcenter.cli.settings import method_settings, redshift_grid
    from pzcenter.pipelines import train_model

    with StepProgress() as progress:
        made = train_model(
            catalogue,
            model_dir,
            method,
            redshifts=redshifts,
            mapping=mapping,
            config=method_settings(config, settings),
            z_grid=redshift_grid(z_max, n_z),
            hold_out=hold_out,
            test=test,
            licence=licence,
            citation=citation,
            progress=progress.for_step("train"),
        )
    model = made.estimator
    facts = {
        "method": model.name,
        "model": made.model,
        "bands": list(model.bands),
        "z_min": float(model.z_grid[0]),
        "z_max": float(model.z_grid[-1]),
        "n_z": int(model.z_grid.size),
        "n_train": None if model.training is None else model.training.n_obj,
        "wall_s": made.wall_s,
        "metrics": {row.metric: {"value": row.value, "error": row.error} for row in made.card.metrics},
        "metrics_on": made.card.metrics_on,
        "notes": list(made.card.notes),
    }
    if as_json:
        print_json(facts)
        return
    console = stdout()
    console.print(
        f"[bold]{model.name}[/] in the bands {', '.join(model.bands)}, trained on {facts['n_train']:,} objects "
        f"in {seconds_text(made.wall_s)}; p(z) on {facts['n_z']} points from {facts['z_min']:g} to {facts['z_max']:g}.",
        soft_wrap=True,
    )
    if made.card.metrics:
        shown = ", ".join(
            f"{row.metric} {row.value:.4f} ± {row.error or 0.0:.4f}"
            for row in made.card.metrics
            if row.metric in SHOWN and row.value is not None
        )
        console.print(f"{shown}, on {made.card.metrics_on}.", soft_wrap=True)
    for note in made.card.notes:
        stderr().print(note, markup=False, soft_wrap=True)
    console.print(f"[dim]model[/]  {made.model}", soft_wrap=True)
    console.print(f"[dim]card[/]   pz model show {made.model}", soft_wrap=True)
    console.print(f"[dim]next[/]   pz estimate CATALOGUE DIR --model {made.model}", soft_wrap=True)
