"""Drive a campaign: step after step, until it is done, somebody must sign, or something failed.

Killed at any moment it continues: what quanta left on disk is collected first, then the rest is done in a new run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pzcenter
from pzcenter.errors import ConfigError, EmptyTableError, OutputExistsError, SequencePointError
from pzcenter.pipelines.campaign.bps import BpsExecutor
from pzcenter.pipelines.campaign.collect import collect
from pzcenter.pipelines.campaign.config import CONFIG_NAME, HOW, CampaignConfig, read_config
from pzcenter.pipelines.campaign.graph import PIPELINE, Overrides, build_graph, load_pipeline
from pzcenter.pipelines.campaign.local_pool import LocalExecutor
from pzcenter.pipelines.campaign.state import (
    STOP_NAME,
    CampaignState,
    StepState,
    driver_lock,
    journal_of,
    now,
    read_state,
)
from pzcenter.pipelines.campaign.steps import Step, step_named, steps_of
from pzcenter.pipelines.repository.create import register_dataset_types
from pzcenter.pipelines.repository.open import open_repository

from lsst.daf.butler import CollectionType  # isort: skip - after the mending of zip files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pzcenter.pipelines.campaign.collect import CollectReport

__all__ = ["CampaignEnd", "approve", "run_campaign", "start_campaign", "stop_campaign"]

GRAPHS, SUBMISSIONS, CATALOG = "graphs", "submissions", "catalog"


@dataclass(frozen=True)
class CampaignEnd:
    """Where a session of a campaign ended.

    Parameters
    ----------
    state : str
        ``done``, ``to be signed``, ``failed`` or ``stopped``.
    step : str
        At which step; empty when all are done.
    words : str
        What to do next.
    """

    state: str
    step: str
    words: str


def start_campaign(config_path: str | os.PathLike[str], directory: str | os.PathLike[str]) -> CampaignState:
    """Begin a campaign: its directory, its collection.

    Parameters
    ----------
    config_path : path
    directory : path
        New or empty.

    Returns
    -------
    CampaignState

    Raises
    ------
    OutputExistsError
        The directory has something else in it, or the repository has a campaign of this name.
    ConfigError
        A step to be signed does not exist.
    """
    directory, config = Path(directory), read_config(config_path)
    known = {step.name.split("-")[0] for step in steps_of(config)}
    if unknown := sorted(set(config.sign_off) - known):
        raise ConfigError(f"sign_off names the steps {unknown}, which are not there; steps are {sorted(known)}")
    if directory.exists() and any(directory.iterdir()):
        raise OutputExistsError(f"{directory} is there already; 'pz produce run {directory}' continues a campaign")
    identity = uuid.uuid4().hex
    with open_repository(config.repository, writeable=True) as butler:
        if config.chain in butler.collections.query("*"):
            raise OutputExistsError(
                f"the repository {config.repository} has a campaign {config.name!r} of release {config.release!r} "
                "already; give this one another name"
            )
        butler.collections.register(config.chain, CollectionType.CHAINED, doc=f"PZ campaign {identity}")
        for algo in config.methods:
            register_dataset_types(butler, algo)
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(config_path, directory / CONFIG_NAME)
    journal_of(directory).append(
        {
            "event": "start", "time": now(), "id": identity, "pzcenter": pzcenter.__version__,
            "config": config.model_dump(mode="json"),
        }
    )  # fmt: skip
    return read_state(directory)


def run_campaign(
    directory: str | os.PathLike[str],
    *,
    until: str | None = None,
    workers: int | None = None,
    patch: Overrides | None = None,
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> CampaignEnd:
    """Go on with a campaign until it is done, must be signed, failed, or is told to stop.

    Failed quanta are tried again, each time in a new run; what is done stays.

    Parameters
    ----------
    directory : path
    until : str, optional
        Last step to do.
    workers : int, optional
        Processes on this machine, in place of the campaign's.
    patch : Overrides, optional
        Changed settings for what is done from now on; recorded with the graphs.
    progress : callable, optional
        Called with each event of the journal as it happens.

    Returns
    -------
    CampaignEnd

    Raises
    ------
    NotFoundError
        No campaign, no such step.
    OutputExistsError
        Another process drives it, or its file of settings was changed in what it makes.
    StorageError, RegistryError
        The disk is full or the registry does not answer: nothing is lost, the same call continues.
    """
    state = read_state(directory)
    _require_same_settings(state)
    if until is not None:
        step_named(state.config, until)
    config = state.config
    if workers is not None:
        config = config.model_copy(update={"executor": config.executor.model_copy(update={"workers": workers})})
    with driver_lock(directory):
        driver = _Driver(Path(directory), config, patch or Overrides(), progress or (lambda _event: None))
        with driver.stoppable():
            return driver.run(until)


def approve(
    directory: str | os.PathLike[str], step: str, *, by: str, note: str = "", accept_failures: bool = False
) -> None:
    """Sign a step off.

    Parameters
    ----------
    directory : path
    step : str
    by : str
        Who signs.
    note : str
    accept_failures : bool
        Go on without what failed; how much that is will be recorded.

    Raises
    ------
    SequencePointError
        The step is not finished, or has failures that are not accepted.
    ConfigError
        Nobody signs.
    """
    state = read_state(directory)
    step_named(state.config, step)
    reached = state.step(step)
    if not by.strip():
        raise ConfigError("a sign-off needs the name of who signs (--by)")
    if not reached.finished:
        done = f"{reached.n_done} of {reached.n_planned or '?'} done"
        raise SequencePointError(f"{step} is not finished ({done}): nothing to sign yet")
    if reached.failures and not accept_failures:
        raise SequencePointError(
            f"{step} has {len(reached.failures)} failures: try them again ('pz produce run'), "
            "or accept them (--accept-failures)"
        )
    journal_of(directory).append(
        {
            "event": "approved", "time": now(), "step": step, "by": by.strip(), "note": note,
            "accepted": len(reached.failures),
        }
    )  # fmt: skip


def stop_campaign(directory: str | os.PathLike[str]) -> bool:
    """Ask the process that drives a campaign to stop after the quanta in flight; whether there is one."""
    if read_state(directory).driver is None:
        return False
    (Path(directory) / STOP_NAME).touch()
    return True


def _require_same_settings(state: CampaignState) -> None:
    """Settings of what is made may not change under way."""
    begun = journal_of(state.directory).entries()[0]["config"]
    current = json.loads(state.config.model_dump_json())
    changed = [name for name in current if name not in HOW and current[name] != begun.get(name)]
    if changed:
        name = changed[0]
        raise OutputExistsError(
            f"{state.directory / CONFIG_NAME} was changed since the campaign began: {name} was {begun.get(name)!r} "
            f"and is {current[name]!r}; take it back, or start another campaign. Only "
            f"{', '.join(sorted(HOW))} may change"
        )


class _Driver:
    """One session of a campaign."""

    def __init__(
        self, directory: Path, config: CampaignConfig, patch: Overrides, progress: Callable[[dict[str, Any]], None]
    ) -> None:
        self.directory, self.config, self.patch, self.progress = directory, config, patch, progress
        self.journal = journal_of(directory)
        self.stop_asked = False
        self.objects: dict[int, int] = {}

    # ---- the whole -------------------------------------------------------------------------------------------------

    def run(self, until: str | None) -> CampaignEnd:
        for step in steps_of(self.config):
            state = read_state(self.directory).step(step.name)
            if not state.passed:
                if not (state.finished and not state.failures):
                    self._run_step(step, state)
                    state = read_state(self.directory).step(step.name)
                if not state.passed:
                    return self._end(step, state)
            if step.name == until:
                break
        return CampaignEnd("done", "", "all steps are done" if until is None else f"done up to {until}")

    def _end(self, step: Step, state: StepState) -> CampaignEnd:
        if not state.finished:
            self._tell("stopped", step=step.name, reason="asked to stop" if self._should_stop() else "a quantum failed")
            return CampaignEnd("stopped", step.name, f"pz produce run {self.directory}")
        approve_words = f"pz produce approve {self.directory} {step.name} --by NAME --note NOTE"
        if state.failures:
            return CampaignEnd(
                "failed", step.name, f"pz produce run {self.directory} tries the failed ones again; "
                f"{approve_words} --accept-failures goes on without them"
            )  # fmt: skip
        return CampaignEnd("to be signed", step.name, approve_words)

    def _run_step(self, step: Step, state: StepState) -> None:
        begin = time.monotonic()
        for event in state.open_graphs:
            self._collect(step, event)
        number = state.n_round + 1
        skip = list(state.runs)
        complete = True
        self.objects = self._objects_by_tract()
        for index, (labels, where) in enumerate(self._submissions(step)):
            run = f"{self.config.chain}/{step.name}/{number:03d}"
            path = Path(GRAPHS) / f"{step.name}-{number:03d}-{index:03d}.qg"
            graph = self._build(step, labels, where, path, run, skip)
            if graph is None:
                continue
            event = self._tell(
                "graph", step=step.name, round=number, run=run, graph=str(path), n_quanta=graph.n_quanta,
                overrides=[list(value) for value in self.patch.values],
            )  # fmt: skip
            self._execute(step, event)
            report = self._collect(step, event)
            skip = list(dict.fromkeys([*skip, run]))
            if self._should_stop() or (self.config.fail_fast and report.failed):
                complete = False
                break
        if complete:
            self._tell("finished", step=step.name, wall_s=time.monotonic() - begin)

    # ---- graphs

    def _submissions(self, step: Step) -> Iterator[tuple[tuple[str, ...], str]]:
        """Tasks and data ids of each graph of a step."""
        tracts = self._tracts()
        at_once = self.config.tracts_per_submission
        if len(tracts) <= at_once:
            yield tuple(label for stage in step.stages for label in stage.labels), self.config.expression
            return
        for stage in step.stages:
            if not stage.per_tract:
                yield stage.labels, self.config.expression
                continue
            for start in range(0, len(tracts), at_once):
                chosen = tracts[start : start + at_once]
                yield stage.labels, f"{self.config.expression} AND tract >= {chosen[0]} AND tract <= {chosen[-1]}"

    def _tracts(self) -> list[int]:
        with open_repository(self.config.repository) as butler:
            refs = butler.query_datasets(
                "object", collections=self.config.inputs, where=self.config.expression, limit=None, explain=False
            )
            return sorted({int(ref.dataId["tract"]) for ref in refs})

    def _objects_by_tract(self) -> dict[int, int]:
        """From the plan of the release, once there is one."""
        with open_repository(self.config.repository) as butler:
            found = butler.find_dataset("pz_tract_plan", collections=self.config.chain, skymap=self.config.skymap)
            plan = None if found is None else butler.get(found)
        if plan is None:
            return {}
        return dict(zip(plan.column("tract").to_pylist(), plan.column("n_obj").to_pylist(), strict=True))

    def _build(  # noqa: PLR0917 - one caller, in this order
        self, step: Step, labels: Sequence[str], where: str, path: Path, run: str, skip: Sequence[str]
    ) -> Any:
        pipeline = load_pipeline(PIPELINE, ",".join(labels), self._overrides(step, labels))
        with open_repository(self.config.repository) as butler:
            made = list(butler.collections.query(self.config.chain, flatten_chains=True))
        try:
            return build_graph(
                self.config.repository, self.directory / path, pipeline=pipeline, inputs=[*made, self.config.inputs],
                output_run=run, where=where, skip_existing_in=skip,
            )  # fmt: skip
        except EmptyTableError:
            if skip:
                return None
            raise

    def _overrides(self, step: Step, labels: Sequence[str]) -> Overrides:
        destination = self.config.destination or str((self.directory / CATALOG).resolve() / "{algo}")
        values: list[tuple[str, str, Any]] = [
            (label, "destination", destination) for label in ("consolidatePz", "finishCatalog")
        ]
        if self._failures_accepted():
            values.append(("finishCatalog", "allow_missing_tracts", True))
        values += [
            (label, name, value) for label, fields in self.config.overrides.items() for name, value in fields.items()
        ]
        values += list(self.patch.values)
        return Overrides(
            parameters={"algo": step.algo},
            files=tuple(entry for entry in self.patch.files if entry[0] in labels),
            values=tuple(entry for entry in values if entry[0] in labels),
        )

    def _failures_accepted(self) -> bool:
        return any(step.accepted and step.failures for step in read_state(self.directory).steps)

    # ---- executing -------------------------------------------------------------------------------------------------

    def _execute(self, step: Step, event: dict[str, Any]) -> None:
        path = self.directory / event["graph"]
        settings = self.config.executor
        self._use_fast_tier()
        if settings.kind == "bps":
            bps = settings.bps
            if settings.workers is not None and bps.workers is None:
                bps = bps.model_copy(update={"workers": settings.workers})
            executor = BpsExecutor(
                bps, self.config.repository, self.directory / SUBMISSIONS, name=self.config.name,
                should_stop=self._should_stop,
            )  # fmt: skip
            for outcome in executor.execute(path, event["run"]):
                self._tell_quantum(step, event["run"], outcome, None)
            return
        LocalExecutor(
            self.config.repository,
            workers=settings.n_workers,
            fail_fast=self.config.fail_fast,
            progress=lambda outcome, done: self._tell_quantum(step, event["run"], outcome, done),
            should_stop=self._should_stop,
        ).execute(path, event["run"])

    def _tell_quantum(self, step: Step, run: str, outcome: Any, done: Any) -> None:
        self._tell(
            "quantum", step=step.name, run=run, task=outcome.task, data_id=outcome.data_id, state=outcome.state,
            error=outcome.error, wall_s=done and done.wall_s, cpu_s=done and done.cpu_s,
            peak_bytes=done and done.peak_bytes, n_obj=self.objects.get(outcome.data_id.get("tract", -1), 0),
        )  # fmt: skip

    def _use_fast_tier(self) -> None:
        """Let the workers, who inherit the environment, read through the fast disk."""
        if self.config.fast_tier is None:
            return
        os.environ["PZ_FAST_TIER"] = str(self.config.fast_tier.root.resolve())
        os.environ["PZ_FAST_TIER_QUOTA"] = str(int(self.config.fast_tier.quota_gb * 1e9))

    def _collect(self, step: Step, event: dict[str, Any]) -> CollectReport:
        report = collect(self.config.repository, self.directory / event["graph"])
        said = {
            (each["task"], json.dumps(each["data_id"], sort_keys=True)): each["error"]
            for each in self.journal.entries()
            if each["event"] == "quantum" and each.get("run") == event["run"] and each["error"]
        }
        with open_repository(self.config.repository, writeable=True) as butler:
            if report.run not in butler.collections.get_info(self.config.chain).children:
                butler.collections.prepend_chain(self.config.chain, report.run)
        self._tell(
            "collected", step=step.name, run=report.run, graph=event["graph"], n_datasets=report.n_datasets,
            n_done=len(report.outcomes) - len(report.failed),
            failed=[
                {
                    "task": each.task, "data_id": each.data_id,
                    "error": said.get((each.task, json.dumps(each.data_id, sort_keys=True)), each.error),
                }
                for each in report.failed
            ],
        )  # fmt: skip
        return report

    def _tell(self, event: str, **facts: Any) -> dict[str, Any]:
        entry = {"event": event, "time": now(), **facts}
        self.journal.append(entry)
        self.progress(entry)
        return entry

    # ---- stopping --------------------------------------------------------------------------------------------------

    def _should_stop(self) -> bool:
        return self.stop_asked or (self.directory / STOP_NAME).exists()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Let the first signal stop the campaign after the quanta in flight; the second ends it at once."""

        def ask(_number: int, _frame: Any) -> None:
            if self.stop_asked:
                raise KeyboardInterrupt
            self.stop_asked = True

        try:
            before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: whoever runs this handles signals
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
