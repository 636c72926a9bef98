"""``pz simulate``: an LSST-like sky with its truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import ConfigFile, JsonOutput, Overwrite, Settings, Workers

__all__ = ["EXAMPLES", "simulate"]

EXAMPLES = (
    ("pz simulate sky --n-obj 100000", "ten years of survey"),
    ("pz simulate sky1 --n-obj 100000 --years 1 --seed 7", "shallower, another sky"),
    ("pz simulate clean --n-obj 5000 --set blend_fraction=0 --set star_fraction=0", "no blends, no stars"),
)


def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    *,
    n_obj: Annotated[int, typer.Option("--n-obj", "-n", metavar="N", help="Objects, stars included.", min=1)] = 100_000,
    years: Annotated[
        float | None, typer.Option(metavar="YEARS", help="Years of LSST survey; 10 by default.", min=0.0, max=20.0)
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed and settings give the same bytes.", min=0)] = 1,
    config: ConfigFile = None,
    settings: Settings = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """Make an LSST-like sky with its truth and redshift surveys.

    Galaxies of all types and redshifts, stars, blends, missing bands, dust, and the noise of so many years of survey.
    object/ is what an estimator may see, truth/ what it should find; specz.parquet holds redshifts as real surveys
    would select them, specz_representative.parquet those of a random choice of galaxies.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.screen import plain_table, print_json, print_paths, stdout
    from pzcenter.cli.settings import method_settings, simulation_config
    from pzcenter.pipelines import simulate_sky

    with StepProgress() as progress:
        made = simulate_sky(
            directory,
            n_obj=n_obj,
            seed=seed,
            years=years,
            config=simulation_config(method_settings(config, settings)),
            workers=workers,
            overwrite=overwrite,
            progress=progress.for_step("simulate"),
        )
    paths = {
        "objects": made.object_path,
        "truth": made.truth_path,
        "redshift surveys": made.spec_path,
        "representative redshifts": made.representative_path,
    }
    counts = {
        "objects": made.n_obj,
        "of these stars": made.n_star,
        **{f"redshifts of {survey}": n for survey, n in made.n_spec.items()},
        "representative redshifts": made.n_representative,
    }
    if as_json:
        print_json({"counts": counts, "area_deg2": made.area_deg2, "paths": paths})
        return
    table = plain_table(f"A sky of {made.area_deg2:.3g} square degrees", what="left", number="right")
    for name, number in counts.items():
        table.add_row(name, f"{number:,}")
    stdout().print(table)
    stdout().print()
    print_paths(paths)
