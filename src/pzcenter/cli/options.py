"""Options that several commands share, each described once."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = [
    "FLAG",
    "NZ",
    "ConfigFile",
    "EbvMap",
    "JsonOutput",
    "MappingName",
    "Overwrite",
    "Settings",
    "Workers",
    "ZMax",
]

Workers = Annotated[int | None, typer.Option("--workers", "-j", help="Processes; one per processor by default.", min=1)]
FLAG = ""
"""Instead of a type beside the name of an option that takes no value."""

Overwrite = Annotated[bool, typer.Option("--overwrite", metavar=FLAG, help="Replace what an earlier run left there.")]
JsonOutput = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Results as JSON on stdout, for programs.")]
MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        "-m",
        help="What the columns mean: a name of 'pz mappings', or a YAML file of your own. Found by default.",
    ),
]
ConfigFile = Annotated[str | None, typer.Option("--config", help="YAML file with settings of the method.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, as KEY=VALUE; may be given several times.", metavar="KEY=VALUE"),
]
ZMax = Annotated[float | None, typer.Option("--z-max", help="End of the redshift grid. [default: 3]", min=0.01)]
NZ = Annotated[
    int | None, typer.Option("--n-z", help="Points of the redshift grid, from 0 on. [default: steps of 0.01]", min=2)
]
EbvMap = Annotated[
    str | None,
    typer.Option("--ebv-map", help="Dust map for catalogues without E(B-V): sfd, csfd or planck (extra 'dust')."),
]
