"""``pz server``: take part in challenges of a server, and run them."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pzcenter.cli.options import FLAG, JsonOutput
from pzcenter.cli.server_options import ServerName, bars, client_of, pairs_of

if TYPE_CHECKING:
    from pzcenter.client import Standing, Submission

__all__ = [
    "add_challenge", "challenge", "challenges", "download_challenge", "leaderboard", "set_challenge", "submissions",
    "submit",
]  # fmt: skip

CHALLENGES_EXAMPLES = (("pz server challenges", "challenges that you may take part in"),)
CHALLENGE_EXAMPLES = (("pz server challenge first_light", "scenarios, rules, files"),)
DOWNLOAD_CHALLENGE_EXAMPLES = (
    ("pz server download-challenge first_light", "training and blind test sets, into ./first_light"),
)
SUBMIT_EXAMPLES = (
    ("pz server submit first_light bright=bright.hdf5 --method neighbours", "one scenario; any format that is read"),
    ("pz server submit first_light bright=17 deep=deep.parquet --method mine --wait 600", "a product, a file; scores"),
)
SUBMISSIONS_EXAMPLES = (("pz server submissions first_light", "what you handed in, and what became of it"),)
LEADERBOARD_EXAMPLES = (
    ("pz server leaderboard first_light", "points of all scenarios"),
    ("pz server leaderboard first_light --scenario bright --metric biweight_sigma", "one metric"),
)
ADD_CHALLENGE_EXAMPLES = (
    ("pz server add-challenge first_light --open", "a directory below 'challenges' in the server's data"),
    ("pz server add-challenge first_light --release dp1", "for those with rights to a release; a draft"),
)
SET_CHALLENGE_EXAMPLES = (("pz server set-challenge first_light closed", "nothing more is taken; results stay"),)
OVERALL = "overall"

ChallengeName = Annotated[str, typer.Argument(metavar="CHALLENGE", help="Its name.")]


def challenges(*, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """List the challenges that you may take part in."""
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        found = client.challenges()
    if as_json:
        print_json([vars(each) for each in found])
        return
    table = plain_table(name="left", title_="left", state="left", release="left", closes="left")
    for each in found:
        closes = "-" if each.closes_at is None else f"{each.closes_at:%Y-%m-%d}"
        table.add_row(each.name, each.title, each.state, each.release or "-", closes)
    stdout().print(table, markup=False)


def challenge(name: ChallengeName, *, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """Show a challenge: scenarios, rules, files to download."""
    from pzcenter.cli.screen import bytes_text, print_json, stdout

    with client_of(server) as client:
        told = client.challenge(name)
    if as_json:
        print_json(vars(told))
        return
    lines = [f"{told.title} ({told.name}, {told.state})", *told.description.splitlines(), *told.rules.splitlines()]
    lines += [f"  scenario {each}" for each in told.scenarios]
    lines += [f"  {path}  {bytes_text(size)}" for path, size in told.files.items()]
    for line in lines:
        stdout().print(line, markup=False, soft_wrap=True)


def download_challenge(
    name: ChallengeName,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to.")] = Path(),
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar=FLAG, help="Replace files that differ.")] = False,
    server: ServerName = None,
) -> None:
    """Download training and blind test sets, and check every file against its SHA-256.

    A download that was broken off goes on with the same command.
    """
    with client_of(server) as client, bars() as bar:
        path = client.download_challenge(name, directory, overwrite=overwrite, progress=bar)
    sys.stdout.write(f"{path}\n")


def submit(
    name: ChallengeName,
    results: Annotated[
        list[str], typer.Argument(metavar="SCENARIO=FILE...", help="Results by scenario: a file, or your product.")
    ],
    *,
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="As the leaderboard calls it.")],
    title: Annotated[str, typer.Option("--name", metavar="NAME", help="Of this submission.")] = "",
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What the method does.")] = "",
    technical: Annotated[
        list[str] | None,
        typer.Option("--technical", metavar="KEY=NUMBER", help="train_s, estimate_ms, peak_gb, model_mb."),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", help="Wait that long for scores.", min=0.0)] = 0.0,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Hand in results: ids and densities are checked at once, scores come in the background.

    A file becomes a product that you alone see. What is accepted never changes; the same files are the same submission.
    """
    from pzcenter.cli.screen import print_json

    given = {
        scenario: int(value) if value.isdecimal() else Path(value)
        for scenario, value in pairs_of(results, "SCENARIO=FILE").items()
    }
    costs = {key: _number(key, value) for key, value in pairs_of(technical, "--technical").items()}
    with client_of(server) as client, bars() as bar:
        told = client.submit(
            name, given, method=method, name=title, description=description, technical=costs, progress=bar
        )
        if wait:
            told = client.wait_for_scores(name, told, seconds=wait)
        lines = client.leaderboard(name) if told.state == "scored" else []
    if as_json:
        print_json(vars(told))
        return
    _tell(told)
    _show([each for each in lines if each.submission_id == told.submission_id and each.scenario == OVERALL])


def _number(key: str, text: str) -> float:
    from pzcenter.errors import ConfigError

    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"--technical {key}={text}: expected a number") from error


def _tell(told: Submission) -> None:
    from pzcenter.cli.screen import stdout

    why = f": {told.refusal}" if told.refusal else ""
    stdout().print(f"{told.name} ({told.scenario}) is {told.state}{why}", markup=False, soft_wrap=True)


def submissions(name: ChallengeName, *, server: ServerName = None, as_json: JsonOutput = False) -> None:
    """List what you handed in for a challenge; coordinators see everybody's."""
    from pzcenter.cli.screen import plain_table, print_json, stdout

    with client_of(server) as client:
        found = client.submissions(name)
    if as_json:
        print_json([vars(each) for each in found])
        return
    table = plain_table(name="left", method="left", author="left", scenario="left", state="left", why="left")
    for each in found:
        table.add_row(each.name, each.method, each.author, each.scenario, each.state, each.refusal or "-")
    stdout().print(table, markup=False)


def leaderboard(
    name: ChallengeName,
    *,
    scenario: Annotated[
        str, typer.Option("--scenario", metavar="NAME", help="Of the challenge, or 'overall'.")
    ] = OVERALL,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="That of the ranks by default.")
    ] = None,
    server: ServerName = None,
    as_json: JsonOutput = False,
) -> None:
    """Show the leaderboard of a challenge as it was last scored."""
    from pzcenter.cli.screen import print_json, stderr

    with client_of(server) as client:
        lines = client.leaderboard(name)
    if as_json:
        print_json([vars(each) for each in lines])
        return
    names = list(dict.fromkeys(each.scenario for each in lines))
    wanted = scenario if scenario in names or scenario != OVERALL or not names else names[0]
    mine = [each for each in lines if each.scenario == wanted]
    metrics = list(dict.fromkeys(each.metric for each in mine))
    chosen = metric or (metrics[0] if metrics else None)
    shown = [each for each in mine if each.metric == chosen]
    if not shown:
        told = "nothing is scored yet" if not lines else f"no such lines; there are {', '.join(names)}"
        stderr().print(told + (f" with {', '.join(metrics)}" if metrics else ""), markup=False, soft_wrap=True)
        return
    _show(shown)


def _show(lines: list[Standing]) -> None:
    from pzcenter.cli.screen import plain_table, stdout

    if not lines:
        return
    table = plain_table(rank="right", method="left", author="left", value="right", error="right", points="right")
    for each in sorted(lines, key=lambda line: (line.rank is None, line.rank or 0)):
        points = "-" if each.possible is None else f"{each.points:g} of {each.possible:g}"
        rank = "control" if each.rank is None else str(each.rank)
        table.add_row(rank, each.method or each.name, each.author, _text(each.value), _text(each.error), points)
    stdout().print(f"{lines[0].scenario}: {lines[0].metric}", markup=False, soft_wrap=True)
    stdout().print(table, markup=False)


def _text(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"


def add_challenge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of its directory below 'challenges'.")],
    *,
    release: Annotated[
        str | None, typer.Option("--release", metavar="NAME", help="Whose rights are needed to take part.")
    ] = None,
    opened: Annotated[bool, typer.Option("--open", metavar=FLAG, help="Let people take part at once.")] = False,
    server: ServerName = None,
) -> None:
    """Show a challenge that 'pz challenge create' made on the server; for coordinators."""
    with client_of(server) as client:
        client.add_challenge(name, release=release)
        if opened:
            client.set_challenge_state(name, "open")


def set_challenge(
    name: ChallengeName,
    state: Annotated[str, typer.Argument(metavar="STATE", help="draft, open or closed.")],
    *,
    server: ServerName = None,
) -> None:
    """Open a challenge to participants, close it, or hide it; for coordinators."""
    with client_of(server) as client:
        client.set_challenge_state(name, state)
