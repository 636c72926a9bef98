"""``pz server mirror``: many products at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pzcenter.cli.options import FLAG
from pzcenter.cli.server_options import ServerName, bars, client_of

__all__ = ["MIRROR_EXAMPLES", "mirror"]

MIRROR_EXAMPLES = (
    ("pz server mirror 17 18 k3m9x2v7qa4t --to copies", "all files of these, and a signed list of them"),
    ("pz server mirror --to copies", "go on with the list that is there"),
)


def mirror(
    products: Annotated[
        list[str] | None, typer.Argument(metavar="[PRODUCT...]", help="Numbers or public names; none: go on.")
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where to.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar=FLAG, help="Replace files that differ.")] = False,
    server: ServerName = None,
) -> None:
    """Download all files of many products, each checked against its SHA-256.

    DIR/manifest.json is the signed list. What is there and right is not fetched again; the rights to each file are
    looked at when it is fetched.
    """
    with client_of(server) as client, bars() as bar:
        path = client.mirror(products or None, to, overwrite=overwrite, progress=bar)
    sys.stdout.write(f"{path}\n")
