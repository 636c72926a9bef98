"""Steps of taking part in challenges, and of running them; shared by both clients."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pzcenter.client import answers
from pzcenter.client.answers import read_as
from pzcenter.client.downloads import below, download_steps, safe_name
from pzcenter.client.exchange import Steps, pauses
from pzcenter.client.procedures import key_of
from pzcenter.errors import NotFoundError, TransientError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pzcenter.client.answers import Challenge, Product, Standing, Submission
    from pzcenter.client.downloads import Progress
    from pzcenter.client.procedures import Procedures

    Results = Path | Product | int | str

__all__ = [
    "add_challenge", "challenge", "challenges", "download_challenge", "leaderboard", "set_challenge_state",
    "submissions", "submit", "wait_for_scores",
]  # fmt: skip

RESULTS = "validation_results"


def challenges(do: Procedures) -> Steps[list[Challenge]]:
    """Challenges that the asker sees, the newest first."""
    told = yield from do.ask("GET", "challenges")
    return [read_as(answers.Challenge, each) for each in told]


def challenge(do: Procedures, name: str) -> Steps[Challenge]:
    """A challenge with its scenarios, rules and files."""
    return read_as(answers.Challenge, (yield from do.ask("GET", _path(name))))


def add_challenge(do: Procedures, name: str, release: str | None) -> Steps[Challenge]:
    """Show a challenge that was made on the server; a draft at first."""
    told = yield from do.ask("POST", "challenges", {"name": name, "release": release})
    return read_as(answers.Challenge, told)


def set_challenge_state(do: Procedures, name: str, state: str) -> Steps[Challenge]:
    """Open a challenge, or close it."""
    return read_as(answers.Challenge, (yield from do.ask("PUT", f"{_path(name)}/state", {"state": state})))


def download_challenge(
    do: Procedures,
    name: str,
    directory: Path,
    *,
    overwrite: bool,
    progress: Callable[[str], Progress] | None,
) -> Steps[Path]:
    """All files for participants, below a directory of the challenge's name; those that are there stay."""
    told = yield from challenge(do, name)
    root = directory / safe_name(told.name)
    for path in told.files:
        url = f"{_path(name)}/files/{quote(path)}"
        yield from download_steps(
            url, below(root, path), retries=do.retries, sha256=told.checksums.get(path), overwrite=overwrite,
            progress=None if progress is None else progress(path),
        )  # fmt: skip
    return root


def submit(
    do: Procedures,
    name: str,
    results: Mapping[str, Results],
    *,
    method: str,
    title: str,
    description: str,
    technical: Mapping[str, float],
    progress: Callable[[str], Progress] | None,
) -> Steps[Submission]:
    """Hand in results: files, which become products that their owner alone sees, or products that are there."""
    told = yield from challenge(do, name)
    if unknown := sorted(set(results) - set(told.scenarios)):
        raise UsageError(f"no scenario {', '.join(unknown)} in {name}; there are {', '.join(told.scenarios)}")
    if not results:
        raise UsageError(f"nothing to hand in; the scenarios of {name} are {', '.join(told.scenarios)}")
    for each in results.values():
        if isinstance(each, Path) and not each.is_file():
            raise NotFoundError(f"no file {each}")
    products: dict[str, int] = {}
    for scenario, given in results.items():
        if isinstance(given, Path):
            products[scenario] = yield from _uploaded(do, given, f"{title or method}, {name}, {scenario}", progress)
        else:
            products[scenario] = (yield from do.product(given)).id if isinstance(given, str) else int(key_of(given))
    body: dict[str, Any] = {"method": method, "products": products, "name": title, "description": description}
    body["technical"] = dict(technical)
    return read_as(answers.Submission, (yield from do.ask("POST", f"{_path(name)}/submissions", body)))


def _uploaded(do: Procedures, path: Path, title: str, progress: Callable[[str], Progress] | None) -> Steps[int]:
    """Number of a private product of a file."""
    product = yield from do.upload(
        path, title, RESULTS, words={"visibility": "private"}, auxiliary=(), columns={}, publish=True,
        progress=progress,
    )  # fmt: skip
    return product.id


def submissions(do: Procedures, name: str) -> Steps[list[Submission]]:
    """What the asker handed in, the newest first; for coordinators what everybody did."""
    told = yield from do.ask("GET", f"{_path(name)}/submissions")
    return [read_as(answers.Submission, each) for each in told]


def wait_for_scores(do: Procedures, name: str, submission: Submission | str, seconds: float) -> Steps[Submission]:
    """Look until a submission has its scores, or a reason for having none."""
    uid = submission if isinstance(submission, str) else submission.uid
    for pause in chain(pauses(seconds), [None]):
        mine = next((each for each in (yield from submissions(do, name)) if each.uid == uid), None)
        if mine is None:
            raise NotFoundError(f"no submission {uid} to {name}")
        if not mine.waits:
            return mine
        if pause is not None:
            yield pause
    raise TransientError(f"submission {uid} had no scores after {seconds:g} s; they may come later")


def leaderboard(do: Procedures, name: str) -> Steps[list[Standing]]:
    """The leaderboard as it was last scored; empty before."""
    told = yield from do.ask("GET", f"{_path(name)}/leaderboard")
    return [read_as(answers.Standing, each) for each in told]


def _path(name: str) -> str:
    return f"challenges/{quote(name, safe='')}"
