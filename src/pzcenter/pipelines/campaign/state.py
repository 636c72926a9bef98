"""What has happened in a campaign: a journal that is only ever appended to, and what follows from it.

``state.jsonl`` holds one event for each line, each with ``event`` and ``time`` (UTC):

===========  ========================================================================================
event        further keys
===========  ========================================================================================
start        ``id``, ``config``, ``pzcenter``: the campaign began
graph        ``step``, ``round``, ``run``, ``graph`` (file below the campaign), ``n_quanta`` by label, ``overrides``,
             ``files`` (of settings), ``completes`` (only what can be made without failures that were accepted)
quantum      ``step``, ``run``, ``task``, ``data_id``, ``state``, ``error``, ``wall_s``, ``cpu_s``, ``peak_bytes``,
             ``n_obj``
collected    ``step``, ``run``, ``graph``, ``n_datasets``, ``n_done``, ``failed`` (``task``, ``data_id``, ``error``,
             ``state``)
finished     ``step``, ``wall_s``, ``missing`` (as ``failed``: what should have been planned and was not): nothing of
             the step is left to do but its failures
approved     ``step``, ``by``, ``note``, ``accepted`` (number of failures that the signer accepts)
stopped      ``step``, ``reason``
===========  ========================================================================================

A round is one attempt at all that a step still lacks; it has several graphs where a release is cut into submissions.
Each graph has a run of its own.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.catalogs import Journal
from pzcenter.errors import NotFoundError, OutputExistsError
from pzcenter.pipelines.campaign.config import CONFIG_NAME, CampaignConfig, read_config
from pzcenter.pipelines.campaign.steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CampaignState", "Failure", "StepState", "driver_lock", "journal_of", "read_state"]

JOURNAL_NAME, LOCK_NAME, STOP_NAME = "state.jsonl", "driver.lock", "stop"
LOCK_WAITS_S = (0.1, 0.2, 0.4)
"""Somebody who only looks whether there is a driver holds the lock for an instant too."""


@dataclass(frozen=True)
class Failure:
    """A quantum that is not done, and why.

    Parameters
    ----------
    task : str
    data_id : dict
    error : str
    state : str
        ``failed``; ``blocked``, because one that it needs failed; or ``missing``: it was never planned.
    """

    task: str
    data_id: dict[str, Any]
    error: str
    state: str = "failed"


@dataclass
class StepState:
    """Where a step stands.

    Parameters
    ----------
    name : str
    words : str
    needs_sign_off : bool
    gathers : frozenset of str
        Labels of the tasks that see the whole release.
    graphs : list of dict
        Events of the graphs of all attempts.
    done_in : dict of str to int
        Quanta done, by run.
    failed_in : dict of str to list of Failure
        By run of the last round.
    open_graphs : list of dict
        Graphs that nobody has collected yet.
    finished : bool
    approved : dict or None
        Event of the sign-off.
    first_event, last_event : str
        Time, UTC.
    wall_s, cpu_s : float
        Of the drivers' sessions, and of all quanta.
    n_obj : int
        Objects in the quanta that are done, where the plan of the release tells.
    peak_bytes : int
        Largest resident memory of a worker.
    """

    name: str
    words: str
    needs_sign_off: bool
    gathers: frozenset[str] = frozenset()
    graphs: list[dict[str, Any]] = field(default_factory=list)
    done_in: dict[str, int] = field(default_factory=dict)
    failed_in: dict[str, list[Failure]] = field(default_factory=dict)
    open_graphs: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    approved: dict[str, Any] | None = None
    first_event: str = ""
    last_event: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    n_obj: int = 0
    peak_bytes: int = 0

    @property
    def runs(self) -> list[str]:
        """Collections of all attempts, the oldest first."""
        return list(dict.fromkeys(graph["run"] for graph in self.graphs))

    @property
    def n_round(self) -> int:
        """Rounds so far."""
        return max((graph["round"] for graph in self.graphs), default=0)

    @property
    def n_done(self) -> int:
        """Quanta that are done."""
        return sum(self.done_in.values())

    @property
    def failures(self) -> list[Failure]:
        """Quanta of the last round that are not done."""
        return [failure for failures in self.failed_in.values() for failure in failures]

    @property
    def n_planned(self) -> int:
        """Quanta in all graphs so far, each counted once."""
        last = max((graph["round"] for graph in self.graphs if not graph.get("completes")), default=0)
        runs = {graph["run"] for graph in self.graphs if graph["round"] >= last}
        before = sum(n for run, n in self.done_in.items() if run not in runs)
        # What completes a step was planned, and blocked, in the round before.
        return before + sum(sum(graph["n_quanta"].values()) for graph in self.graphs if graph["round"] == last)

    @property
    def accepted(self) -> bool:
        """Whether somebody has signed for the failures that there are."""
        return self.approved is not None and (not self.failures or bool(self.approved.get("accepted")))

    @property
    def to_be_completed(self) -> tuple[str, ...]:
        """Tasks that wait for failures that were accepted, and can do without them."""
        if not (self.accepted and self.failures):
            return ()
        blocked = {failure.task for failure in self.failures if failure.state == "blocked"}
        return tuple(sorted(blocked & self.gathers))

    @property
    def passed(self) -> bool:
        """Whether the next step may begin."""
        if not self.finished:
            return False
        return self.accepted and not self.to_be_completed if (self.needs_sign_off or self.failures) else True

    @property
    def state(self) -> str:
        """One word or two."""
        if self.passed:
            return "done"
        if self.finished and not self.to_be_completed:
            return "failed" if self.failures else "to be signed"
        return "begun" if self.graphs else "waiting"


@dataclass
class CampaignState:
    """A campaign as its directory tells it."""

    directory: Path
    config: CampaignConfig
    identity: str
    steps: list[StepState]
    driver: dict[str, Any] | None

    def step(self, name: str) -> StepState:
        """Step by name."""
        return {step.name: step for step in self.steps}[name]

    @property
    def current(self) -> StepState | None:
        """First step that the next may not pass; None when all is done."""
        return next((step for step in self.steps if not step.passed), None)


def journal_of(directory: str | os.PathLike[str]) -> Journal:
    """Journal of a campaign."""
    return Journal(Path(directory) / JOURNAL_NAME)


def now() -> str:
    """Time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_state(directory: str | os.PathLike[str]) -> CampaignState:
    """Read a campaign.

    Raises
    ------
    NotFoundError
        The directory is no campaign.
    """
    directory = Path(directory)
    events = journal_of(directory).entries() if (directory / JOURNAL_NAME).is_file() else []
    if not events or events[0].get("event") != "start":
        raise NotFoundError(f"{directory} is not a campaign; 'pz produce start CONFIG {directory}' begins one")
    config = read_config(directory / CONFIG_NAME)
    states = {
        step.name: StepState(step.name, step.words, step.name.split("-")[0] in config.sign_off, step.gathers)
        for step in steps_of(config)
    }
    for event in events:
        if (state := states.get(event.get("step", ""))) is not None:
            _apply(state, event)
    return CampaignState(directory, config, events[0]["id"], list(states.values()), running_driver(directory))


def _apply(state: StepState, event: dict[str, Any]) -> None:
    kind = event["event"]
    state.first_event = state.first_event or event["time"]
    state.last_event = event["time"]
    run = event.get("run", "")
    if kind == "graph":
        if event.get("completes"):
            state.failed_in = {
                each: [failure for failure in failures if failure.task not in event["n_quanta"]]
                for each, failures in state.failed_in.items()
            }
        else:
            state.approved = None
            if event["round"] > state.n_round:
                state.failed_in = {}
        state.graphs.append(event)
        state.open_graphs.append(event)
        state.finished = False
    elif kind == "quantum":
        state.cpu_s += event.get("cpu_s") or 0.0
        state.peak_bytes = max(state.peak_bytes, event.get("peak_bytes") or 0)
        if event["state"] == "done":
            state.done_in[run] = state.done_in.get(run, 0) + 1
            state.n_obj += event.get("n_obj") or 0
        else:
            state.failed_in.setdefault(run, []).append(_failure(event))
    elif kind == "collected":
        if event["failed"] and any(graph["run"] == run and graph.get("completes") for graph in state.open_graphs):
            state.approved = None
        state.open_graphs = [graph for graph in state.open_graphs if graph["graph"] != event["graph"]]
        state.done_in[run] = event["n_done"]
        state.failed_in[run] = [_failure(each) for each in event["failed"]]
    elif kind == "finished":
        state.finished, state.wall_s = True, state.wall_s + event["wall_s"]
        state.failed_in[""] = [_failure(each) for each in event.get("missing", [])]
    elif kind == "approved":
        state.approved = event


def _failure(event: dict[str, Any]) -> Failure:
    return Failure(event["task"], event["data_id"], event["error"], event.get("state", "failed"))


@contextmanager
def driver_lock(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a campaign for this process; the lock is gone with the process, however that ends.

    Raises
    ------
    OutputExistsError
        Another process drives it.
    """
    path = Path(directory) / LOCK_NAME
    with path.open("a+", encoding="utf-8") as file:
        for wait in (*LOCK_WAITS_S, None):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if wait is not None:
                    time.sleep(wait)
                    continue
                other = running_driver(directory) or {}
                raise OutputExistsError(
                    f"{directory} is driven by process {other.get('pid', '?')} on {other.get('host', '?')}; "
                    "'pz produce status' shows it, 'pz produce stop' ends it"
                ) from error
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}, file)
        file.flush()
        (Path(directory) / STOP_NAME).unlink(missing_ok=True)
        yield


def running_driver(directory: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Process that drives a campaign, None where there is none."""
    path = Path(directory) / LOCK_NAME
    if not path.is_file():
        return None
    with path.open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            try:
                return dict(json.loads(file.read() or "{}"))
            except ValueError:
                return {}
    return None
