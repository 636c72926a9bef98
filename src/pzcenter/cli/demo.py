"""``pz demo``: the whole main line once, on a sky of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import JsonOutput, Overwrite, Workers

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = (
    ("pz demo", "everything in ./pz-demo, in about two minutes"),
    ("pz demo small --n-obj 5000", "faster, with coarser numbers"),
    ("pz demo --overwrite --seed 2", "another sky in place of the first"),
)


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put everything.")] = Path("pz-demo"),
    *,
    n_obj: Annotated[
        int, typer.Option("--n-obj", "-n", metavar="N", help="Objects on the sky, stars included.")
    ] = 100_000,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the sky: the same seed, the same sky.", min=0)] = 1,
    years: Annotated[float, typer.Option(metavar="YEARS", help="Years of LSST survey, which set the depth.")] = 10.0,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: JsonOutput = False,
) -> None:
    """See the whole main line once: sky, skinny table, model, p(z), PZ table, quality numbers, report.

    A sky of 100,000 objects is simulated, with its truth and a sample of spectroscopic redshifts. The template fit is
    calibrated on half of the representative redshifts, gives p(z) of all objects, and is held against the true
    redshifts of the other galaxies of the gold sample (i < 25.3). When it is interrupted, the same command continues.
    """
    from pzcenter.cli.progress import StepProgress
    from pzcenter.cli.quality import metrics_json, print_metrics
    from pzcenter.cli.screen import plain_table, print_json, print_paths, seconds_text, stdout
    from pzcenter.pipelines.demo import run_demo

    with StepProgress() as progress:
        made = run_demo(
            directory,
            n_obj=n_obj,
            seed=seed,
            years=years,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        print_json({"counts": made.counts, **metrics_json(made.metrics), "rates": made.rates, "paths": made.paths})
        return
    console = stdout()
    counts = plain_table("Objects", step="left", number="right")
    for name, number in made.counts.items():
        counts.add_row(name, f"{number:,}")
    console.print()
    console.print(counts)
    console.print(
        "The model was calibrated on half of the representative redshifts; the test is on the other\n"
        "galaxies to the limit of LSST's gold sample.\n"
    )
    print_metrics(made.metrics)
    console.print("\n[bold]Products[/]")
    print_paths(made.paths)
    console.print(
        f"\nMade in {seconds_text(made.rates['wall_s'])}; "
        f"p(z) of {made.rates['objects_per_cpu_s']:,.0f} objects per processor second."
    )
    console.print(f"Open [bold]{made.paths['report']}[/] in a browser.", soft_wrap=True)
