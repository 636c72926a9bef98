"""One session of a campaign: what is still to be done, step after step, in graphs that are executed and collected."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.catalogs.storage import storage_errors
from pzcenter.errors import EmptyTableError
from pzcenter.pipelines.campaign.bps import BpsExecutor
from pzcenter.pipelines.campaign.bps_outcome import NOT_TRIED
from pzcenter.pipelines.campaign.collect import collect
from pzcenter.pipelines.campaign.completeness import missing_quanta
from pzcenter.pipelines.campaign.graph import PIPELINE, Overrides, build_graph, load_pipeline
from pzcenter.pipelines.campaign.local_pool import LocalExecutor
from pzcenter.pipelines.campaign.state import STOP_NAME, StepState, journal_of, now, read_state
from pzcenter.pipelines.campaign.steps import Step, steps_of
from pzcenter.pipelines.delivery.fast_tier import QUOTA_VARIABLE, TIER_VARIABLE
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pzcenter.pipelines.campaign.collect import CollectReport
    from pzcenter.pipelines.campaign.config import CampaignConfig

__all__ = ["CampaignEnd", "Driver"]

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


class Driver:
    """One session of a campaign. The lock of the campaign must be held.

    Parameters
    ----------
    directory : Path
        Of the campaign.
    config : CampaignConfig
    patch : Overrides
        Changed settings for what is still to be done.
    progress : callable
        Called with each event of the journal.
    """

    def __init__(
        self, directory: Path, config: CampaignConfig, patch: Overrides, progress: Callable[[dict[str, Any]], None]
    ) -> None:
        self.directory, self.config, self.patch, self.progress = directory, config, patch, progress
        self.journal = journal_of(directory)
        self.stop_asked = False
        self.objects: dict[int, int] = {}

    # ---- the whole -------------------------------------------------------------------------------------------------

    def run(self, until: str | None) -> CampaignEnd:
        """Go on until all is done, a step must be signed, or has failed."""
        for step in steps_of(self.config):
            state = self._state(step)
            if not state.passed:
                if not (state.finished and not state.failures):
                    self._run_step(step, state)
                    state = self._state(step)
                if not state.passed:
                    return self._end(step, state)
            if step.name == until:
                break
        return CampaignEnd("done", "", "all steps are done" if until is None else f"done up to {until}")

    def _state(self, step: Step) -> StepState:
        return read_state(self.directory).step(step.name)

    def _end(self, step: Step, state: StepState) -> CampaignEnd:
        if not state.finished:
            self._tell("stopped", step=step.name, reason="asked to stop" if self.should_stop() else "a quantum failed")
            if state.failures and not self.should_stop():
                return CampaignEnd("failed", step.name, f"pz produce run {self.directory} tries again")
            return CampaignEnd("stopped", step.name, f"pz produce run {self.directory}")
        approve_words = f"pz produce approve {self.directory} {step.name} --by NAME --note NOTE"
        if state.failures:
            return CampaignEnd(
                "failed", step.name, f"pz produce run {self.directory} tries the failed ones again; "
                f"{approve_words} --accept-failures goes on without them"
            )  # fmt: skip
        return CampaignEnd("to be signed", step.name, approve_words)

    # ---- one step --------------------------------------------------------------------------------------------------

    def _run_step(self, step: Step, state: StepState) -> None:
        begin = time.monotonic()
        for event in state.open_graphs:
            self._collect(step, event, interrupted=True)
        state = self._state(step)
        completes = state.to_be_completed
        skip = list(state.runs)
        self.objects = self._objects_by_tract()
        submissions = [(completes, self.config.expression)] if completes else self._submissions(step)
        for labels, where in submissions:
            number = len(skip) + 1
            run = f"{self.config.chain}/{step.name}/{number:03d}"
            path = Path(GRAPHS) / f"{step.name}-{number:03d}.qg"
            graph = self._build(step, labels, where, path, run, skip)
            if graph is None:
                continue
            event = self._tell(
                "graph", step=step.name, round=state.n_round + 1, run=run, graph=str(path), n_quanta=graph.n_quanta,
                overrides=[list(value) for value in self.patch.values],
                files=[list(file) for file in self.patch.files], completes=bool(completes),
            )  # fmt: skip
            self._execute(step, event)
            stopped = self.should_stop()
            report = self._collect(step, event, interrupted=stopped or self.config.fail_fast)
            skip.append(run)
            if stopped or (self.config.fail_fast and report.failed):
                return
        self._tell(
            "finished", step=step.name, wall_s=time.monotonic() - begin,
            missing=[asdict(each) for each in self._missing(step)],
        )  # fmt: skip

    def _submissions(self, step: Step) -> Iterator[tuple[tuple[str, ...], str]]:
        """Tasks and data ids of each graph of a step."""
        tracts = self._tracts()
        at_once = self.config.tracts_per_submission
        if len(tracts) <= at_once:
            yield _labels(step), self.config.expression
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
        try:
            with storage_errors(self.directory / path):
                return build_graph(
                    self.config.repository, self.directory / path, pipeline=self._pipeline(step, labels),
                    inputs=self._inputs(), output_run=run, where=where, skip_existing_in=skip,
                )  # fmt: skip
        except EmptyTableError:
            if skip:
                return None
            raise

    def _inputs(self) -> list[str]:
        """All that the campaign made, the newest first, and what it began from."""
        with open_repository(self.config.repository) as butler:
            return [*butler.collections.query(self.config.chain, flatten_chains=True), self.config.inputs]

    def _pipeline(self, step: Step, labels: Sequence[str]) -> Any:
        return load_pipeline(PIPELINE, ",".join(labels), self._overrides(step, labels))

    def _overrides(self, step: Step, labels: Sequence[str]) -> Overrides:
        destination = self.config.destination or str((self.directory / CATALOG).resolve() / "{algo}")
        values: list[tuple[str, str, Any]] = [
            (label, "destination", destination) for label in ("consolidatePz", "finishCatalog")
        ]
        if self._accepted_tracts():
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

    def _accepted_tracts(self) -> set[int]:
        """Tracts that some step lacks, and that somebody said to go on without."""
        steps = [step for step in read_state(self.directory).steps if step.accepted]
        return {failure.data_id["tract"] for step in steps for failure in step.failures if "tract" in failure.data_id}

    def _missing(self, step: Step) -> Any:
        """What should have been planned and was not."""
        runs = set(self._state(step).runs)
        tracts, inputs, pipeline = self._tracts(), self._inputs(), self._pipeline(step, _labels(step))
        with open_repository(self.config.repository) as butler:
            return missing_quanta(
                butler, pipeline, tracts=tracts, excused=self._accepted_tracts(),
                failures=self._state(step).failures, runs=[name for name in inputs if name in runs], inputs=inputs,
                skymap=self.config.skymap,
            )  # fmt: skip

    # ---- executing -------------------------------------------------------------------------------------------------

    def _execute(self, step: Step, event: dict[str, Any]) -> None:
        path = self.directory / event["graph"]
        settings = self.config.executor
        self._use_fast_tier()
        if settings.kind == "bps":
            bps = settings.bps
            if settings.workers is not None and bps.workers is None:
                bps = bps.model_copy(update={"workers": settings.workers})
            BpsExecutor(
                bps, self.config.repository, self.directory / SUBMISSIONS, name=self.config.name,
                progress=lambda outcome, done: self._tell_quantum(step, event["run"], outcome, done),
                should_stop=self.should_stop,
            ).execute(path, event["run"])  # fmt: skip
            return
        LocalExecutor(
            self.config.repository,
            workers=settings.n_workers,
            fail_fast=self.config.fail_fast,
            progress=lambda outcome, done: self._tell_quantum(step, event["run"], outcome, done),
            should_stop=self.should_stop,
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
        os.environ[TIER_VARIABLE] = str(self.config.fast_tier.root.resolve())
        os.environ[QUOTA_VARIABLE] = str(int(self.config.fast_tier.quota_gb * 1e9))

    def _collect(self, step: Step, event: dict[str, Any], *, interrupted: bool) -> CollectReport:
        """Register what a graph made. Where it was interrupted, what nobody began is no failure."""
        report = collect(self.config.repository, self.directory / event["graph"])
        with open_repository(self.config.repository, writeable=True) as butler:
            if report.run not in butler.collections.get_info(self.config.chain).children:
                butler.collections.prepend_chain(self.config.chain, report.run)
        said = {
            _key(each["task"], each["data_id"]): each["error"]
            for each in self.journal.entries()
            if each["event"] == "quantum" and each.get("run") == event["run"] and each["error"]
        }
        failed = [
            {
                "task": each.task, "data_id": each.data_id, "state": each.state,
                "error": said.get(_key(each.task, each.data_id), each.error),
            }
            for each in report.failed
        ]  # fmt: skip
        if interrupted:
            failed = [each for each in failed if each["state"] == "failed" and each["error"] != NOT_TRIED]
        self._tell(
            "collected", step=step.name, run=report.run, graph=event["graph"], n_datasets=report.n_datasets,
            n_done=len(report.outcomes) - len(report.failed), failed=failed,
        )  # fmt: skip
        return report

    def _tell(self, event: str, **facts: Any) -> dict[str, Any]:
        entry = {"event": event, "time": now(), **facts}
        self.journal.append(entry)
        self.progress(entry)
        return entry

    # ---- stopping --------------------------------------------------------------------------------------------------

    def should_stop(self) -> bool:
        """Whether somebody asked for it."""
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


def _labels(step: Step) -> tuple[str, ...]:
    return tuple(label for stage in step.stages for label in stage.labels)


def _key(task: str, data_id: dict[str, Any]) -> str:
    return json.dumps([task, data_id], sort_keys=True)
