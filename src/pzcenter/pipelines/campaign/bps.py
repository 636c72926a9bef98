"""Graphs executed through BPS, Rubin's door to batch systems: Parsl here or on Slurm, HTCondor, PanDA.

``bps submit`` ends with 0 when quanta failed, and leaves the environment of its process in the submit directory. So it
runs in a clean environment, in directories that only their owner can enter; afterwards the datastore is asked what
there is, and what a run leaves besides its logs is removed.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading

mend_zip_reading()

from lsst.pipe.base.quantum_graph import PredictedQuantumGraph  # noqa: E402 -- after the mending

from pzcenter.errors import ExecutorError  # noqa: E402
from pzcenter.pipelines.campaign.bps_environment import clean_environment, remove_traces  # noqa: E402
from pzcenter.pipelines.campaign.bps_outcome import (  # noqa: E402
    BLOCKED,
    NOT_TRIED,
    QuantumOutcome,
    check_graph,
    quantum_key,
    quantum_outcomes,
    read_reports,
)
from pzcenter.pipelines.campaign.bps_process import Submission  # noqa: E402
from pzcenter.pipelines.campaign.bps_submission import (  # noqa: E402
    BpsSettings,
    clusters_of,
    submission_document,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BpsExecutor", "BpsSettings"]

_LOG = logging.getLogger(__name__)


class _Stop(Exception):  # noqa: N818 -- no error
    """Somebody wants the run to end."""


class BpsExecutor:
    """Executes ready graphs through BPS.

    Parameters
    ----------
    settings : BpsSettings
    repository : str or Path
        Root of the repository, as the workers see it.
    submit_root : Path
        Where the submit directories are made; on a cluster, on the shared file system.
    name : str, optional
        Of the campaign: batch systems show it.
    progress : callable, optional
        Called with the outcome of each quantum as jobs tell of it, and None.
    should_stop : callable, optional
        Asked twice a second whether to stop; jobs in flight are ended.

    Attributes
    ----------
    reports : Path or None
        What the jobs of the last run said, for :func:`~pzcenter.pipelines.campaign.collect.collect`.
    """

    def __init__(
        self,
        settings: BpsSettings,
        repository: str | Path,
        submit_root: Path,
        *,
        name: str = "campaign",
        progress: Callable[[QuantumOutcome, Any], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.settings = settings
        # Jobs begin in another directory.
        self.repository = str(repository) if "://" in str(repository) else str(Path(repository).resolve())
        self.submit_root = Path(submit_root).resolve()
        self.name = name
        self.progress = progress or (lambda _outcome, _done: None)
        self.should_stop = should_stop or (lambda: False)
        self.reports: Path | None = None

    def execute(self, graph_path: Path, run: str) -> list[QuantumOutcome]:
        """Execute a graph and say how each of its quanta ended. Again with the same graph, only what is missing runs.

        Parameters
        ----------
        graph_path : Path
            A quantum graph (``.qg``) with datastore records.
        run : str
            Its output run.

        Returns
        -------
        list of QuantumOutcome
            In the order of the graph; where it was stopped, of those that were tried.

        Raises
        ------
        ExecutorError
            The graph is of another run or lacks datastore records; BPS could not submit; time ran out. Quanta that
            fail raise nothing: they are outcomes.
        """
        graph = PredictedQuantumGraph.read_execution_quanta(str(graph_path))
        if graph.header.output_run != run:
            raise ExecutorError(f"the graph {graph_path} writes into run {graph.header.output_run!r}, not into {run!r}")
        graph.build_execution_quanta()
        check_graph(graph)
        directory = self._new_directory(run)
        self.reports = directory / "outcomes"
        told = _Told(graph, self.reports, self.progress)

        def tick() -> None:
            told.look()
            if self.should_stop():
                raise _Stop

        stopped = False
        try:
            Submission(
                directory,
                self._document(graph, graph_path, run, directory),
                clean_environment(directory, further=self.settings.environment),
                tick,
                time_limit=self.settings.time_limit,
                poll_seconds=self.settings.poll_seconds,
            ).run()
        except _Stop:
            stopped = True
        finally:
            removed = remove_traces(directory)
            _LOG.debug("removed traces of a run: n=%d", len(removed))
        outcomes = quantum_outcomes(self.repository, graph, self.reports)
        if stopped:
            outcomes = [each for each in outcomes if each.state == "done" or each.error not in {NOT_TRIED, BLOCKED}]
        told.rest(outcomes)
        counts = Counter(outcome.state for outcome in outcomes)
        _LOG.info("bps run ended: run=%s done=%d failed=%d", run, counts["done"], counts["failed"])
        return outcomes

    def _document(self, graph: PredictedQuantumGraph, graph_path: Path, run: str, directory: Path) -> dict[str, Any]:
        pipeline = graph.pipeline_graph
        tasks = {label: node.dimensions.names for label, node in pipeline.tasks.items()}
        edges = [(before.name, after.name) for before, after in pipeline.make_task_xgraph().edges]
        return submission_document(
            self.settings,
            repository=self.repository,
            graph_path=Path(graph_path).resolve(),
            run=run,
            directory=directory,
            clusters=clusters_of(tasks, edges, tracts_per_job=self.settings.tracts_per_job),
            name=self.name,
        )

    def _new_directory(self, run: str) -> Path:
        """A directory of this submission alone, closed to others."""
        self.submit_root.mkdir(parents=True, exist_ok=True, mode=0o700)
        stem = run.replace("/", "_")
        for number in range(1, 10_000):
            directory = self.submit_root / f"{stem}-{number:03d}"
            try:
                directory.mkdir(mode=0o700)
            except FileExistsError:
                # What a submission left that was killed before it could clean up.
                remove_traces(directory)
                continue
            (directory / "outcomes").mkdir()
            return directory
        raise ExecutorError(f"10,000 submissions of run {run} in {self.submit_root}: remove old ones")


class _Told:
    """Tell of quanta as the reports of jobs come in, of each once."""

    def __init__(
        self, graph: PredictedQuantumGraph, reports: Path, progress: Callable[[QuantumOutcome, Any], None]
    ) -> None:
        self._reports = reports
        self._progress = progress
        self._seen: set[str] = set()
        self._told: set[str] = set()
        self._quanta = {}
        for quantum_id, node in graph.quantum_only_xgraph.nodes.items():
            data_id = {str(name): value for name, value in node["quantum"].dataId.required.items()}
            label = node["task_label"]
            self._quanta[quantum_key(label, data_id)] = (str(quantum_id), label, data_id)

    def look(self) -> None:
        """Tell of what came in since the last look. A quantum that failed may yet be tried again with its job."""
        for report in read_reports(self._reports, self._seen):
            quantum = self._quanta.get(report.key)
            if quantum is not None and report.status in {"success", "failure"} and quantum[0] not in self._told:
                self._told.add(quantum[0])
                self._progress(QuantumOutcome(*quantum, "failed" if report.error else "done", report.error), None)

    def rest(self, outcomes: list[QuantumOutcome]) -> None:
        """Tell of those of which no job told."""
        for outcome in outcomes:
            if outcome.quantum_id not in self._told:
                self._progress(outcome, None)
