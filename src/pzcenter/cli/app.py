"""The command ``pz`` as a whole: its verbs, what holds for all of them, and its exit status."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

import pzcenter
from pzcenter.cli import demo
from pzcenter.cli.failures import PzGroup, show_debug_log

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

START, MAIN_LINE, LOOK_UP = "Start here", "The main line", "Look up"
SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="pz",
    cls=PzGroup,
    context_settings=SETTINGS,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help=(
        "Photometric redshifts of a galaxy catalogue, with the whole probability p(z) of each object.\n\n"
        "From an object table (fluxes or magnitudes in a few bands) to a PZ table, its quality numbers, figures and a "
        "report. Nothing to start, nothing to download: begin with [bold]pz demo[/bold]."
    ),
    epilog=(
        "Examples:\n\n"
        "[bold]pz demo[/bold]    see everything once, on a simulated sky\n\n"
        "[bold]pz estimate galaxies.parquet my-pz[/bold]    p(z) of your own catalogue\n\n"
        "[bold]pz estimate -h[/bold]    help on one command; each has examples"
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pz {pzcenter.__version__}")
        raise typer.Exit


@app.callback()
def settings(
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="PZ_DEBUG", help="Show log and tracebacks; may stand anywhere on the line."),
    ] = False,
) -> None:
    """Take what stands before the verb."""
    if debug:
        show_debug_log()


app.command("demo", rich_help_panel=START, epilog=demo.EXAMPLES)(demo.demo)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``pz``; ends the process with 0 (done), 1 (failed), 2 (misuse) or 130 (interrupted).

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``pz``; those of this process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    end = words.index("--") if "--" in words else len(words)
    if "--debug" in words[:end]:
        words.remove("--debug")
        words.insert(0, "--debug")
    # Figures go to files: no window system is looked for.
    os.environ.setdefault("MPLBACKEND", "Agg")
    app(words, prog_name="pz")
