"""``pz model trust``: which models of RAIL, that others trained, are opened here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import JsonOutput

__all__ = ["EXAMPLES", "trust"]

EXAMPLES = (
    ("pz model trust their-model", "open this model of RAIL from now on"),
    ("pz model trust their-model --withdraw", "and do not any more"),
)


def trust(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Directory of a model of RAIL.")],
    *,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Do not open it any more.")] = False,
    as_json: JsonOutput = False,
) -> None:
    """Open a model of RAIL that somebody else trained.

    RAIL's models are pickles: opening one runs whatever its author wrote into it, with your rights. What you trained
    yourself is trusted; trust others' models when you trust who made them. The record is yours and is about the bytes
    of the pickle: a changed model is another one.
    """
    from pzcenter.cli.screen import print_json, stdout
    from pzcenter.estimators.rail import trust_model, withdraw_model
    from pzcenter.estimators.storage import read_manifest

    sha256 = withdraw_model(model) if withdraw else trust_model(model)
    manifest = read_manifest(model)
    if as_json:
        print_json({"model": model, "method": manifest.estimator, "sha256": sha256, "trusted": not withdraw})
        return
    words = "is not opened here any more" if withdraw else "is opened here from now on"
    stdout().print(f"{model} ({manifest.estimator}) {words}.", soft_wrap=True)
    stdout().print(f"[dim]SHA-256 of the pickle[/]  {sha256}", soft_wrap=True)
