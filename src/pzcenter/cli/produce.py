"""``pz produce``: a release, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pzcenter.cli import produce_plan
from pzcenter.cli.options import FLAG, JsonOutput, Overwrite
from pzcenter.cli.verbs import add_verb, verb_group

if TYPE_CHECKING:
    from pzcenter.pipelines.campaign.status import CampaignStatus

__all__ = ["group"]

EXAMPLES = (
    ("pz produce init campaign.yaml --name first --repo repo --release dp1", "a file of settings to begin with"),
    ("pz produce start campaign.yaml first", "begin"),
    ("pz produce run first", "go on until it is done, must be signed, or something failed"),
    ("pz produce status first", "where it stands, and what to do next"),
    ('pz produce approve first step2 --by "A. Name" --note "depths as expected"', "sign a sequence point"),
)
INIT_EXAMPLES = EXAMPLES[:1]
START_EXAMPLES = EXAMPLES[1:2]
RUN_EXAMPLES = (
    ("pz produce run first", "go on from wherever it is"),
    ("pz produce run first --until step3 -j 8", "not further than step 3, on 8 processes"),
    ("pz produce run first -c skinny:mapping=mine.yaml", "what is still to be done, with another setting"),
)
STATUS_EXAMPLES = (("pz produce status first --json", "for programs"),)
APPROVE_EXAMPLES = (
    EXAMPLES[4],
    ('pz produce approve first step3 --by "A. Name" --note "tract 9813 is empty" --accept-failures', "without them"),
)
STOP_EXAMPLES = (("pz produce stop first", "after the quanta in flight"),)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the campaign.")]

group = verb_group(
    "Produce the PZ table of a release: steps, sequence points, restart, on this machine or by BPS.", EXAMPLES
)


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file to write.")],
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the campaign.")],
    repo: Annotated[str, typer.Option("--repo", metavar="REPO", help="Repository.")],
    release: Annotated[str, typer.Option("--release", metavar="NAME", help="Release whose objects are used.")],
    skymap: Annotated[
        str, typer.Option("--skymap", metavar="NAME", help="Tiling; healpix_nuniq for objects from HATS.")
    ] = "lsst_cells_v1",
    overwrite: Overwrite = False,
) -> None:
    """Write a file of settings with all defaults, to be edited."""
    from pzcenter.cli.screen import stderr
    from pzcenter.errors import OutputExistsError
    from pzcenter.pipelines.campaign.config import CampaignConfig, write_config

    if file.exists() and not overwrite:
        raise OutputExistsError(f"{file} is there already; give another name, or overwrite it (--overwrite)")
    write_config(file, CampaignConfig(name=name, repository=repo, release=release, skymap=skymap))
    stderr().print(f"wrote {file}", markup=False)


def start(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="File of settings, such as 'init' writes.")],
    directory: Directory,
) -> None:
    """Begin a campaign: make its directory, and its collection in the repository."""
    from pzcenter.cli.screen import stderr
    from pzcenter.pipelines.campaign.produce import start_campaign

    state = start_campaign(config, directory)
    stderr().print(f"campaign {state.config.name} begun; next: pz produce run {directory}", markup=False)


def run(
    directory: Directory,
    *,
    until: Annotated[str | None, typer.Option("--until", metavar="STEP", help="Last step to do.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-j", metavar="N", help="Processes, in place of the campaign's.", min=1)
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("-c", "--config", metavar="TASK:FIELD=VALUE", help="Setting for what is still to be done."),
    ] = None,
    config_file: Annotated[
        list[str] | None, typer.Option("-C", "--config-file", metavar="TASK:FILE", help="File of such settings.")
    ] = None,
    as_json: JsonOutput = False,
) -> None:
    """Go on with a campaign until it is done, must be signed off, or something failed.

    What failed is tried again, in a new run; what is done stays. Ctrl-C stops after the quanta in flight; the same
    command continues. Ends with 0 when all is done or waits for a sign-off, with 1 after failures, with 130 when it
    was stopped.
    """
    from pzcenter.cli.campaign_progress import CampaignProgress
    from pzcenter.cli.failures import FAILED, INTERRUPTED
    from pzcenter.cli.run import parse_overrides
    from pzcenter.cli.screen import print_json, stderr
    from pzcenter.pipelines.campaign.produce import run_campaign
    from pzcenter.pipelines.campaign.status import campaign_status

    with CampaignProgress() as progress:
        end = run_campaign(
            directory, until=until, workers=workers, patch=parse_overrides(config, config_file), progress=progress
        )
    status = campaign_status(directory)
    if as_json:
        print_json({"state": end.state, "step": end.step, "next": end.words, **status.as_dict()})
    else:
        _print_status(status)
    if end.state == "stopped":
        stderr().print(f"stopped at {end.step}; {end.words} goes on", markup=False)
        raise typer.Exit(INTERRUPTED)
    if end.state == "failed":
        raise typer.Exit(FAILED)


def status(directory: Directory, *, as_json: JsonOutput = False) -> None:
    """Say where a campaign stands: steps, counts, failures with their reasons, rates, and what to do next."""
    from pzcenter.cli.screen import print_json
    from pzcenter.pipelines.campaign.status import campaign_status

    found = campaign_status(directory)
    if as_json:
        print_json(found.as_dict())
    else:
        _print_status(found)


def approve(
    directory: Directory,
    step: Annotated[str, typer.Argument(metavar="STEP", help="Such as step2.")],
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who signs.")],
    note: Annotated[str, typer.Option("--note", metavar="WORDS", help="Why.")] = "",
    accept_failures: Annotated[
        bool, typer.Option("--accept-failures", metavar=FLAG, help="Go on without what failed.")
    ] = False,
) -> None:
    """Sign a step off, so that the next may begin. Who, when and why is kept with the release."""
    from pzcenter.cli.screen import stderr
    from pzcenter.pipelines.campaign.produce import approve as sign

    sign(directory, step, by=by, note=note, accept_failures=accept_failures)
    stderr().print(f"{step} signed by {by}; next: pz produce run {directory}", markup=False)


def stop(directory: Directory) -> None:
    """Ask the process that drives a campaign to stop after the quanta in flight."""
    from pzcenter.cli.screen import stderr
    from pzcenter.pipelines.campaign.produce import stop_campaign

    asked = stop_campaign(directory)
    stderr().print("asked to stop" if asked else "nobody is at work on it", markup=False)


def _print_status(found: CampaignStatus) -> None:
    from rich.markup import escape

    from pzcenter.cli.screen import bytes_text, plain_table, seconds_text, stdout

    console = stdout()
    columns: dict[str, str] = {
        "step": "left", "what": "left", "state": "left", "done": "right", "failed": "right", "objects/s": "right",
        "memory": "right", "signed": "left",
    }  # fmt: skip
    table = plain_table(f"Campaign {found.name} of {found.release}", **columns)
    for step in found.steps:
        row: list[Any] = [
            step.name,
            step.words,
            step.state + (f", {seconds_text(step.eta_s)} left" if step.eta_s else ""),
            f"{step.n_done} of {step.n_planned}" if step.n_planned else "",
            str(step.n_failed) if step.n_failed else "",
            f"{step.objects_per_s:,.0f}" if step.objects_per_s else "",
            bytes_text(step.peak_bytes) if step.peak_bytes else "",
            escape(step.signed),
        ]
        table.add_row(*row)
    console.print(table)
    for step in found.steps:
        for failure in step.failures[:10]:
            where = ", ".join(f"{name}={value}" for name, value in failure["data_id"].items())
            console.print(f"[red]failed[/] {failure['task']} {where}: {escape(failure['error'])}", soft_wrap=True)
        if len(step.failures) > 10:
            console.print(f"... and {len(step.failures) - 10} more of {step.name} (--json has all)")
    if found.stalled_minutes is not None:
        console.print(f"[yellow]stalled[/] nothing has happened for {found.stalled_minutes:.0f} minutes")
    console.print(f"next: {escape(found.next_action)}", soft_wrap=True)


add_verb(group, init, INIT_EXAMPLES)
add_verb(group, start, START_EXAMPLES)
add_verb(group, run, RUN_EXAMPLES)
add_verb(group, status, STATUS_EXAMPLES)
add_verb(group, approve, APPROVE_EXAMPLES)
add_verb(group, stop, STOP_EXAMPLES)
add_verb(group, produce_plan.plan, produce_plan.EXAMPLES)
