"""``pz plot``: figures of a finished run, or of single objects in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import JsonOutput

__all__ = ["EXAMPLES", "plot"]

EXAMPLES = (
    ("pz plot my-pz", "n(z) and widths; against redshifts where they are known"),
    ("pz plot my-pz --truth specz.csv -o figures", "against other redshifts"),
    ("pz plot my-pz --object-id 1227 --object-id 5114", "p(z) of two objects"),
)


def plot(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Directory of a finished 'pz estimate'.")],
    *,
    object_id: Annotated[
        list[int] | None,
        typer.Option("--object-id", metavar="ID", help="Draw p(z) of this object; may be given several times."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            "--truth", metavar="TABLE", help="Object ids and known redshifts; those of the catalogue by default."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Directory for the PNG files; RUN_DIR/report by default."),
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Draw the figures of a finished run, or p(z) of single objects, as PNG files."""
    from pzcenter.cli.screen import print_json, print_paths
    from pzcenter.pipelines.figures import plot_objects, plot_run

    if object_id:
        paths = plot_objects(run_dir, object_id, output, truth=truth)
    else:
        paths = plot_run(run_dir, output, truth=truth)
    if as_json:
        print_json(paths)
    else:
        print_paths(paths)
