"""The command ``pz`` as a whole: its verbs, what holds for all of them, and its exit status."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

import pzcenter
from pzcenter.cli import (
    bundle,
    catalog,
    challenge,
    deliver,
    deliver_tiers,
    demo,
    doctor,
    estimate,
    lists,
    model,
    model_trust,
    nz,
    plot,
    produce,
    provenance,
    repo,
    run,
    serve,
    server,
    simulate,
    specz,
    train,
    training,
    validate,
)
from pzcenter.cli.failures import PzGroup, show_debug_log
from pzcenter.cli.verbs import SETTINGS, add_verb, examples_text, verb_group

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

START, MAIN_LINE, LOOK_UP = "Start here", "The main line", "Look up"
TRAINING = "Training sets"
PRODUCTION = "Production"
VALIDATION = "Validation"
SERVER = "PZ Server"

EXAMPLES = (
    ("pz demo", "see everything once, on a simulated sky"),
    ("pz estimate galaxies.parquet my-pz", "p(z) of your own catalogue"),
    ("pz estimate -h", "help on one command; each has examples"),
)
CATALOG_EXAMPLES = (("pz catalog info galaxies.parquet", "what is in a table, and which mapping fits"),)


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
    epilog=examples_text(EXAMPLES),
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


add_verb(app, demo.demo, demo.EXAMPLES, panel=START)
add_verb(app, doctor.doctor, doctor.EXAMPLES, panel=START)
add_verb(app, estimate.estimate, estimate.EXAMPLES, panel=MAIN_LINE)
add_verb(app, train.train, train.EXAMPLES, panel=MAIN_LINE)
add_verb(model.group, model_trust.trust, model_trust.EXAMPLES)
app.add_typer(model.group, name="model", rich_help_panel=MAIN_LINE)
app.add_typer(nz.group, name="nz", rich_help_panel=MAIN_LINE)
add_verb(app, plot.plot, plot.EXAMPLES, panel=MAIN_LINE)
catalog_app = verb_group("Look at tables, make skinny ones, convert them, verify them.", CATALOG_EXAMPLES)
add_verb(catalog_app, catalog.info, catalog.INFO_EXAMPLES)
add_verb(catalog_app, catalog.skinny, catalog.SKINNY_EXAMPLES)
add_verb(catalog_app, catalog.convert, catalog.CONVERT_EXAMPLES)
add_verb(catalog_app, catalog.verify, catalog.VERIFY_EXAMPLES)
app.add_typer(catalog_app, name="catalog", rich_help_panel=MAIN_LINE)
add_verb(app, simulate.simulate, simulate.EXAMPLES, panel=MAIN_LINE)
app.add_typer(specz.group, name="specz", rich_help_panel=TRAINING)
app.add_typer(training.group, name="training", rich_help_panel=TRAINING)
add_verb(repo.group, bundle.export_run, bundle.EXPORT_EXAMPLES, name="export-run")
add_verb(repo.group, bundle.import_run, bundle.IMPORT_EXAMPLES, name="import-run")
add_verb(repo.group, bundle.imported, bundle.IMPORTED_EXAMPLES)
app.add_typer(repo.group, name="repo", rich_help_panel=PRODUCTION)
app.add_typer(produce.group, name="produce", rich_help_panel=PRODUCTION)
add_verb(app, run.run, run.EXAMPLES, panel=PRODUCTION)
deliver_app = verb_group("Take data in, give packages out: receive, promote, build, verify, send.", deliver.EXAMPLES)
add_verb(deliver_app, deliver_tiers.receive, deliver_tiers.RECEIVE_EXAMPLES)
add_verb(deliver_app, deliver_tiers.promote, deliver_tiers.PROMOTE_EXAMPLES)
add_verb(deliver_app, deliver_tiers.scrub, deliver_tiers.SCRUB_EXAMPLES)
add_verb(deliver_app, deliver.build, deliver.BUILD_EXAMPLES)
add_verb(deliver_app, deliver.verify, deliver.VERIFY_EXAMPLES)
add_verb(deliver_app, deliver.state, deliver.STATE_EXAMPLES)
add_verb(deliver_app, deliver_tiers.send, deliver_tiers.SEND_EXAMPLES)
app.add_typer(deliver_app, name="deliver", rich_help_panel=PRODUCTION)
add_verb(app, provenance.provenance, provenance.EXAMPLES, panel=PRODUCTION)
validate_app = verb_group("Hold photo-z results against true redshifts.", validate.EXAMPLES)
add_verb(validate_app, validate.run, validate.RUN_EXAMPLES)
app.add_typer(validate_app, name="validate", rich_help_panel=VALIDATION)
app.add_typer(challenge.group, name="challenge", rich_help_panel=VALIDATION)
add_verb(app, serve.serve, serve.EXAMPLES, panel=SERVER)
app.add_typer(server.group, name="server", rich_help_panel=SERVER)
add_verb(app, lists.methods, lists.METHODS_EXAMPLES, panel=LOOK_UP)
add_verb(app, lists.mappings, lists.MAPPINGS_EXAMPLES, panel=LOOK_UP)


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
