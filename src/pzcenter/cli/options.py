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
    "WithPage",
    "Workers",
    "ZMax",
]

Workers = Annotated[
    int | None, typer.Option("--workers", "-j", metavar="N", help="Processes; one per processor by default.", min=1)
]
FLAG = ""
"""Instead of a type beside the name of an option that takes no value."""

Overwrite = Annotated[bool, typer.Option("--overwrite", metavar=FLAG, help="Replace what an earlier run left there.")]
WithPage = Annotated[
    bool,
    typer.Option("--report/--no-report", metavar=FLAG, help="Make the page with figures, which takes some seconds."),
]
JsonOutput = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Results as JSON on stdout, for programs.")]
MappingName = Annotated[
    str | None,
    typer.Option(
        "--mapping",
        "-m",
        metavar="NAME",
        help="What the columns mean: a name of 'pz mappings', or a YAML file of your own. Found by default.",
    ),
]
ConfigFile = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="YAML file with settings of the method.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, as KEY=VALUE; may be given several times.", metavar="KEY=VALUE"),
]
ZMax = Annotated[
    float | None, typer.Option("--z-max", metavar="Z", help="End of the redshift grid; 3 by default.", min=0.01)
]
NZ = Annotated[
    int | None,
    typer.Option(
        "--n-z", metavar="N", help="Points of the redshift grid from 0 on; by default in steps of 0.01.", min=2
    ),
]
EbvMap = Annotated[
    str | None,
    typer.Option(
        "--ebv-map", metavar="NAME", help="Dust map for catalogues without E(B-V): sfd, csfd or planck (extra 'dust')."
    ),
]
