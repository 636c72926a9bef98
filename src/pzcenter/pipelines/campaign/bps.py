"""Graphs executed through BPS, Rubin's door to batch systems: Parsl here or on Slurm, HTCondor, PanDA.

``bps submit`` ends with 0 when quanta failed, and leaves the environment of its process in the submit directory. So it
runs in a clean environment, in directories that only their owner can enter; afterwards the datastore is asked what
there is, and what a run leaves besides its logs is removed.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import yaml
from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

from pzcenter.errors import ExecutorError
from pzcenter.pipelines.campaign.bps_environment import clean_environment, remove_traces
from pzcenter.pipelines.campaign.bps_outcome import QuantumOutcome, check_graph, quantum_outcomes
from pzcenter.pipelines.campaign.bps_submission import BpsSettings, clusters_of, submission_document
from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading

__all__ = ["BpsExecutor", "BpsSettings"]

_LOG = logging.getLogger(__name__)
_LOG_NAME = "bps.log"
_CANCEL_SECONDS = 120.0
_ERROR_LINE = re.compile(r"[\w.]*(Error|Exception)\b")
_WAITING_STATES = frozenset({"UNKNOWN", "UNREADY", "READY", "PENDING", "RUNNING", "HELD"})


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
    """

    def __init__(
        self, settings: BpsSettings, repository: str | Path, submit_root: Path, *, name: str = "campaign"
    ) -> None:
        self.settings = settings
        self.repository = str(repository)
        self.submit_root = Path(submit_root).resolve()
        self.name = name

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
            In the order of the graph.

        Raises
        ------
        ExecutorError
            The graph is of another run or lacks datastore records; BPS could not submit; time ran out. Quanta that
            fail raise nothing: they are outcomes.
        """
        mend_zip_reading()
        graph = PredictedQuantumGraph.read_execution_quanta(str(graph_path))
        if graph.header.output_run != run:
            raise ExecutorError(f"the graph {graph_path} writes into run {graph.header.output_run!r}, not into {run!r}")
        graph.build_execution_quanta()
        check_graph(graph)
        directory = self._new_directory(run)
        try:
            self._submit(directory, self._document(graph, graph_path, run, directory))
        finally:
            removed = remove_traces(directory)
            _LOG.debug("removed traces of a run: n=%d", len(removed))
        outcomes = quantum_outcomes(self.repository, graph, directory / "outcomes")
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

    def _submit(self, directory: Path, document: dict[str, Any]) -> None:
        """Submit, and wait until the batch system has nothing left to do."""
        path = directory / "submit.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        environment = clean_environment(directory, further=self.settings.environment)
        deadline = None if self.settings.time_limit is None else time.monotonic() + self.settings.time_limit
        log = directory / _LOG_NAME
        status = self._command(
            ["--end-with-parent", "bps", "--long-log", "--log-level", "INFO", "submit", str(path)],
            directory, environment, deadline, log,
        )  # fmt: skip
        if status != 0:
            raise ExecutorError(f"bps submit ended with {status}: {_last_words(log)} (all of it in {log})")
        if "parsl" not in document["wmsServiceClass"].lower():
            self._wait(directory, document, environment, deadline)

    def _wait(
        self, directory: Path, document: dict[str, Any], environment: dict[str, str], deadline: float | None
    ) -> None:
        """Ask a batch system that took the jobs and returned, until it has ended them."""
        run_id = _run_id(directory / _LOG_NAME)
        whose = ["--id", run_id, "--wms-service-class", str(document["wmsServiceClass"])]
        log = directory / "bps-status.log"
        states = _wms_states()
        try:
            while True:
                status = self._command(["bps", "status", *whose], directory, environment, deadline, log)
                state = states.get(status)
                if state is None:
                    raise ExecutorError(f"bps status of {run_id} ended with {status}: {_last_words(log)}")
                if state not in _WAITING_STATES:
                    return
                if deadline is not None and time.monotonic() > deadline:
                    raise ExecutorError(f"the run {run_id} is still {state} after {self.settings.time_limit:g} s")
                time.sleep(self.settings.poll_seconds)
        except BaseException:
            # Nobody waits for these jobs any more.
            self._command(["bps", "cancel", *whose], directory, environment, time.monotonic() + _CANCEL_SECONDS, log)
            raise

    def _command(
        self, words: list[str], directory: Path, environment: dict[str, str], deadline: float | None, log: Path
    ) -> int:
        """Run one of Rubin's commands; whatever happens here, it and all that it started is gone afterwards."""
        command = [sys.executable, "-m", "pzcenter.pipelines.campaign.rubin_command", *words]
        with log.open("ab") as stream:
            process = subprocess.Popen(  # noqa: S603 -- our own module, words from settings
                command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip
        try:
            return process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ExecutorError(f"bps did not end within {self.settings.time_limit:g} s; its log is {log}") from None
        finally:
            if process.poll() is None:
                _end_family(process.pid)
                process.wait()


def _end_family(pid: int) -> None:
    """Kill a process and all that descends from it."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family[1:], timeout=10)


def _last_words(log: Path) -> str:
    """The last line of a log that names an error, or the last that says anything."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return (errors or lines or ["it said nothing"])[-1][-500:]


def _run_id(log: Path) -> str:
    """What BPS calls the run."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("Run Id: "):
            return line.removeprefix("Run Id: ").strip()
    raise ExecutorError(f"bps submit named no run: {_last_words(log)}")


def _wms_states() -> dict[int, str]:
    from lsst.ctrl.bps import WmsStates

    return {state.value: state.name for state in WmsStates}
