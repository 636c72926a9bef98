"""The command ``pz`` as a whole: its verbs, what holds for all of them, and its exit status."""

from __future__ import annotations

import inspect
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

import pzcenter
from pzcenter.cli import catalog, demo, doctor, estimate, lists, plot, simulate, train
from pzcenter.cli.failures import PzGroup, show_debug_log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["app", "main"]

START, MAIN_LINE, LOOK_UP = "Start here", "The main line", "Look up"
SETTINGS = {"help_option_names": ["-h", "--help"]}

EXAMPLES = (
    ("pz demo", "see everything once, on a simulated sky"),
    ("pz estimate galaxies.parquet my-pz", "p(z) of your own catalogue"),
    ("pz estimate -h", "help on one command; each has examples"),
)
CATALOG_EXAMPLES = (("pz catalog info galaxies.parquet", "what is in a table, and which mapping fits"),)


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    """Commands with what they do, for the end of a help."""
    lines = [f"[dim]# {words}[/dim]\n[bold]{command}[/bold]" for command, words in examples]
    return "\n\n".join(["Examples:" if len(lines) > 1 else "Example:", *lines])


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
    epilog=_examples(EXAMPLES),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pz {pzcenter.__version__}")
        raise typer.Exit


@app.callback()
def settings(
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", metavar="", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", metavar="", envvar="PZ_DEBUG", help="Show log and tracebacks; may stand anywhere on the line."
        ),
    ] = False,
) -> None:
    """Take what stands before the verb."""
    if debug:
        show_debug_log()


def _add(
    group: typer.Typer, command: Callable[..., None], examples: Sequence[tuple[str, str]], *, panel: str | None = None
) -> None:
    """Add a verb; its help is its docstring, each paragraph in one line."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    words = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    name = command.__name__
    group.command(name, help=words, epilog=_examples(examples), rich_help_panel=panel, context_settings=SETTINGS)(
        command
    )


_add(app, demo.demo, demo.EXAMPLES, panel=START)
_add(app, doctor.doctor, doctor.EXAMPLES, panel=START)
_add(app, estimate.estimate, estimate.EXAMPLES, panel=MAIN_LINE)
_add(app, train.train, train.EXAMPLES, panel=MAIN_LINE)
_add(app, plot.plot, plot.EXAMPLES, panel=MAIN_LINE)
catalog_app = typer.Typer(
    help="Look at tables, make skinny ones, convert them, verify them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings=SETTINGS,
    epilog=_examples(CATALOG_EXAMPLES),
)
_add(catalog_app, catalog.info, catalog.INFO_EXAMPLES)
_add(catalog_app, catalog.skinny, catalog.SKINNY_EXAMPLES)
_add(catalog_app, catalog.convert, catalog.CONVERT_EXAMPLES)
_add(catalog_app, catalog.verify, catalog.VERIFY_EXAMPLES)
app.add_typer(catalog_app, name="catalog", rich_help_panel=MAIN_LINE)
_add(app, simulate.simulate, simulate.EXAMPLES, panel=MAIN_LINE)
_add(app, lists.methods, lists.METHODS_EXAMPLES, panel=LOOK_UP)
_add(app, lists.mappings, lists.MAPPINGS_EXAMPLES, panel=LOOK_UP)


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
