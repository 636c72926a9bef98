"""Steps of having the server make something; shared by both clients."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pzcenter.client import answers
from pzcenter.client.answers import read_as
from pzcenter.client.exchange import Steps, pauses
from pzcenter.client.procedures import key_of
from pzcenter.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pzcenter.client.answers import Job, Pipeline
    from pzcenter.client.procedures import Procedures, Which

__all__ = ["job", "job_log", "jobs", "pipelines", "rerun_job", "start_job", "stop_job", "wait_for_job"]


def pipelines(do: Procedures) -> Steps[list[Pipeline]]:
    """What the server can make."""
    return [read_as(answers.Pipeline, each) for each in (yield from do.ask("GET", "pipelines"))]


def jobs(do: Procedures, states: Iterable[str], *, mine: bool, limit: int) -> Steps[list[Job]]:
    """Jobs that the asker sees, the newest first."""
    found: list[Job] = []
    cursor = None
    while len(found) < limit:
        query = {"state": list(states), "mine": mine, "limit": min(limit - len(found), 500), "cursor": cursor}
        told = yield from do.ask("GET", "jobs", query=query)
        found += [read_as(answers.Job, each) for each in told["items"]]
        cursor = told["next_cursor"]
        if cursor is None:
            break
    return found[:limit]


def start_job(
    do: Procedures,
    pipeline: str,
    name: str,
    inputs: Iterable[Which],
    *,
    release: str | None,
    settings: Mapping[str, Any],
    private: bool,
) -> Steps[Job]:
    """Ask for a job."""
    numbers: list[int] = []
    for each in inputs:
        number = (yield from do.product(each)).id if isinstance(each, str) else int(key_of(each))
        numbers.append(number)
    body = {"pipeline": pipeline, "display_name": name, "inputs": numbers, "release": release, "private": private}
    return read_as(answers.Job, (yield from do.ask("POST", "jobs", body | {"settings": dict(settings)})))


def job(do: Procedures, which: Job | str) -> Steps[Job]:
    """A job as it is now."""
    return read_as(answers.Job, (yield from do.ask("GET", _path(which))))


def job_log(do: Procedures, which: Job | str) -> Steps[str]:
    """Last lines that it said."""
    return (yield from do.text(f"{_path(which)}/log"))


def stop_job(do: Procedures, which: Job | str) -> Steps[Job]:
    """Have it stopped."""
    return read_as(answers.Job, (yield from do.ask("POST", f"{_path(which)}/stop")))


def rerun_job(do: Procedures, which: Job | str) -> Steps[Job]:
    """Ask for the same again."""
    return read_as(answers.Job, (yield from do.ask("POST", f"{_path(which)}/rerun")))


def wait_for_job(
    do: Procedures, which: Job | str, seconds: float, progress: Callable[[Job], None] | None
) -> Steps[Job]:
    """Look until it has ended."""
    for pause in chain(pauses(seconds), [None]):
        told = yield from job(do, which)
        if progress is not None:
            progress(told)
        if told.ended:
            return told
        if pause is not None:
            yield pause
    raise TransientError(f"job {told.uid} had not ended after {seconds:g} s; it is {told.state}")


def _path(which: Job | str) -> str:
    return f"jobs/{quote(which if isinstance(which, str) else which.uid, safe='')}"
