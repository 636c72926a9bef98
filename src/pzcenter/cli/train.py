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
)


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
    as_json: JsonOutput = False,
) -> None:
    """Train or calibrate a method on objects of known redshift, and save the model.

    For the template fit this is a calibration of templates, their error and the prior, for which some hundred
    redshifts do; they should be representative of the objects to be estimated.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.screen import print_json, seconds_text, stdout
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
    console.print(f"[dim]model[/]  {made.model}", soft_wrap=True)
    console.print(f"[dim]next[/]   pz estimate CATALOGUE DIR --model {made.model}", soft_wrap=True)
