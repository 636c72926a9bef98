"""``pz run``: one step of the production, without a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli.options import FLAG, JsonOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pzcenter.pipelines.campaign.graph import Overrides

__all__ = ["EXAMPLES", "parse_overrides", "run"]

EXAMPLES = (
    ("pz run step1 --repo repo -i dp1/defaults -o u/me/try --id tract=9813..9815", "three tracts"),
    ("pz run step3 --repo repo -i dp1/first -o u/me/try -c estimatePz:estimator.name=template -j 8", "another method"),
    ("pz run step3 --show config", "all settings, as a file that -C reads"),
    ("pz run skinny --repo repo -i dp1/defaults --id tract=9813 --show graph", "what would be read and written"),
)


def run(
    step: Annotated[str, typer.Argument(metavar="STEP", help="Step, or labels of tasks separated by commas.")],
    *,
    repo: Annotated[str | None, typer.Option("--repo", "-b", metavar="REPO", help="Repository.")] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", "-i", metavar="COLL", help="Collection to read; may be repeated.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="COLL", help="Chain to write to; inputs stay untouched.")
    ] = None,
    identifier: Annotated[
        list[str] | None,
        typer.Option(
            "--id", metavar="KEY=VALUE ...", help="Data ids, as in 'tract=1..3:2^7 skymap=NAME'; several are united."
        ),
    ] = None,
    where: Annotated[
        str, typer.Option("--where", "-d", metavar="EXPR", help="Data ids, as an expression of the Butler.")
    ] = "",
    skymap: Annotated[
        str, typer.Option("--skymap", metavar="NAME", help="Tiling, where no data id names one.")
    ] = "lsst_cells_v1",
    algo: Annotated[str, typer.Option("--algo", metavar="NAME", help="Method.")] = "template",
    pipeline: Annotated[
        Path | None, typer.Option("--pipeline", "-p", metavar="FILE", help="Pipeline, in place of ours.")
    ] = None,
    show: Annotated[
        str | None,
        typer.Option("--show", metavar="WHAT", help="Only show config, tasks, graph or data; do nothing."),
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option("-c", "--config", metavar="TASK:FIELD=VALUE", help="One setting.")
    ] = None,
    config_file: Annotated[
        list[str] | None, typer.Option("-C", "--config-file", metavar="TASK:FILE", help="File of settings.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", "-j", metavar="N", help="Processes.", min=1)] = 1,
    extend_run: Annotated[
        bool, typer.Option("--extend-run", metavar=FLAG, help="Go on in the newest run of the output.")
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", metavar=FLAG, help="Leave out what the output has already.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", "--doraise", metavar=FLAG, help="End with the first failure.")
    ] = False,
    debug_module: Annotated[
        bool, typer.Option("--debug-module", metavar=FLAG, help="Import debug.py, if there is one, before each task.")
    ] = False,
    loglevel: Annotated[
        list[str] | None, typer.Option("--loglevel", metavar="[COMPONENT=]LEVEL", help="Such as DEBUG.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Run one step of the production on this machine.

    A failed partition harms no other; --fail-fast ends with the first failure. The results go into a new run at the
    head of the output chain. Ends with 0 when all is done, with 1 after failures.
    """
    from pzcenter.cli.screen import print_json, stderr, stdout
    from pzcenter.pipelines.campaign.graph import PIPELINE
    from pzcenter.pipelines.campaign.single_step import run_step, set_log_levels
    from pzcenter.pipelines.campaign.single_step import show as shown

    set_log_levels(loglevel or [])
    changes = parse_overrides(config, config_file, parameters={"algo": algo} if pipeline is None else None)
    common: dict[str, Any] = {
        "pipeline": str(pipeline or PIPELINE), "subset": step, "overrides": changes, "inputs": inputs or [],
        "where": _expression(identifier, where, skymap),
    }  # fmt: skip
    needs_repository = show is None or show in ("graph", "data")
    if needs_repository and (repo is None or not inputs):
        raise typer.BadParameter("give the repository (--repo) and a collection to read (--input)")
    if show is not None:
        stdout().print(shown(show, repo or "", **common), markup=False, highlight=False, soft_wrap=True)
        return
    if output is None:
        raise typer.BadParameter("give a collection to write to (--output)")
    console = stderr()

    def tell(outcome: Any, _done: Any) -> None:
        if outcome.state != "done":
            console.print(f"{outcome.state} {outcome.task} {outcome.data_id}: {outcome.error}", markup=False)

    report = run_step(
        repo or "", output=output, workers=workers, extend_run=extend_run, skip_existing=skip_existing,
        fail_fast=fail_fast, debug=debug_module, progress=tell, **common,
    )  # fmt: skip
    if report is None:
        console.print("nothing left to do")
        return
    n_done = len(report.outcomes) - len(report.failed)
    if as_json:
        print_json({"run": report.run, "n_done": n_done, "n_failed": len(report.failed), "datasets": report.n_there})
    else:
        stdout().print(f"{report.run}: {n_done} of {len(report.outcomes)} quanta done", markup=False, highlight=False)
    if report.failed:
        raise typer.Exit(1)


def _expression(identifier: Sequence[str] | None, where: str, skymap: str) -> str:
    """Expression of the Butler for what the options choose."""
    from pzcenter.pipelines.repository.data_ids import where_of

    parts = [where_of(identifier)] if identifier else []
    parts += [where] if where else []
    chosen = " AND ".join(f"({part})" for part in parts if part)
    if "skymap" in chosen:
        return chosen
    return f"skymap = '{skymap}'" + (f" AND {chosen}" if chosen else "")


def parse_overrides(
    config: Sequence[str] | None, config_file: Sequence[str] | None, *, parameters: dict[str, str] | None = None
) -> Overrides:
    """Settings of ``-c`` and ``-C``.

    Parameters
    ----------
    config : sequence of str
        ``TASK:FIELD=VALUE``.
    config_file : sequence of str
        ``TASK:FILE``.
    parameters : dict of str to str, optional

    Raises
    ------
    BadParameter
        One is not of that form.
    """
    from pzcenter.pipelines.campaign.graph import Overrides

    values, files = [], []
    for text in config or []:
        label, colon, rest = text.partition(":")
        name, equals, value = rest.partition("=")
        if not (label and colon and name and equals):
            raise typer.BadParameter(f"-c {text!r} is not of the form TASK:FIELD=VALUE")
        values.append((label, name, value))
    for text in config_file or []:
        label, colon, path = text.partition(":")
        if not (label and colon and path):
            raise typer.BadParameter(f"-C {text!r} is not of the form TASK:FILE")
        files.append((label, path))
    return Overrides(parameters=parameters, files=tuple(files), values=tuple(values))
