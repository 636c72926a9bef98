"""Execute a graph on this machine, by processes that last.

``pipetask run -j`` starts a process for each quantum, which costs seconds of imports. Here a worker reads the graph
once, keeps one quantum-backed butler, and executes quantum after quantum. Nothing is written to the registry: see
:mod:`pzcenter.pipelines.campaign.collect`.

The parts of the middleware that are half public are used in this file and in ``graph.py`` alone.
"""

from __future__ import annotations

import copy
import errno
import logging
import os
import resource
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx

from pzcenter.errors import ConfigError, StorageError
from pzcenter.pipelines.campaign.bps_outcome import QuantumOutcome, check_graph
from pzcenter.pipelines.campaign.graph import init_outputs, read_graph
from pzcenter.pipelines.pool import run_tasks

from lsst.daf.butler import ButlerConfig, QuantumBackedButler  # isort: skip - after the mending of zip files
from lsst.pipe.base.single_quantum_executor import SingleQuantumExecutor  # isort: skip
from lsst.utils.threads import disable_implicit_threading  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["LocalExecutor", "QuantumDone", "quantum_backed_butler"]

# That there is no EUPS here is no news.
logging.getLogger("lsst.utils.packages").setLevel(logging.ERROR)

PRELOAD = (
    "pzcenter.pipelines.campaign.local_pool",
    "pzcenter.pipelines.tasks.skinny",
    "pzcenter.pipelines.tasks.ingest_qa",
    "pzcenter.pipelines.tasks.estimate_pz",
    "pzcenter.pipelines.tasks.join_pz",
    "pzcenter.pipelines.tasks.consolidate_pz",
    "pzcenter.pipelines.tasks.qa_pz",
    "pzcenter.pipelines.repository.formatters",
    "pandas",
)
"""What workers need and what is slow to import."""


@dataclass(frozen=True)
class QuantumDone:
    """What a worker says of a quantum that it executed.

    Parameters
    ----------
    quantum_id : str
    wall_s, cpu_s : float
    peak_bytes : int
        Largest resident memory of the worker so far.
    skipped : bool
        It was done already.
    """

    quantum_id: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    skipped: bool


class LocalExecutor:
    """Executes ready graphs on this machine.

    Parameters
    ----------
    repository : path or URI
    workers : int
        Processes.
    fail_fast : bool
        Begin nothing after the first failure; what is in flight is finished.
    debug : bool
        Import ``debug.py`` before each task, where there is one.
    progress : callable, optional
        Called with each outcome as it comes.
    should_stop : callable, optional
        Asked after each quantum whether to stop; those in flight are finished.
    """

    def __init__(
        self,
        repository: str | os.PathLike[str],
        *,
        workers: int = 1,
        fail_fast: bool = False,
        debug: bool = False,
        progress: Callable[[QuantumOutcome, QuantumDone | None], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.repository = str(repository)
        self.workers = workers
        self.fail_fast = fail_fast
        self.debug = debug
        self.progress = progress or (lambda _outcome, _done: None)
        self.should_stop = should_stop or (lambda: False)

    def execute(self, graph_path: Path, run: str) -> list[QuantumOutcome]:
        """Execute a graph and say how each of its quanta ended. Again with the same graph, only what is missing runs.

        Parameters
        ----------
        graph_path : Path
            With datastore records.
        run : str
            Its output run.

        Returns
        -------
        list of QuantumOutcome
            Of the quanta that were tried or blocked; fewer than the graph has where it was stopped.

        Raises
        ------
        StorageError
            The disk is full: the others would meet the same.
        """
        graph = read_graph(graph_path)
        check_graph(graph)
        self._write_init_outputs(graph, run)
        walk = _Walk(graph.quantum_only_xgraph)
        given_up = False
        running = run_tasks(
            walk.first(),
            _execute_quantum,
            workers=min(self.workers, len(walk.tasks)),
            initializer=_prepare_worker,
            initargs=(self.repository, str(graph_path), self.debug, _tier_settings()),
            more=walk.more,
            preload=PRELOAD,
            should_stop=lambda: given_up or self.should_stop(),
        )
        try:
            for each in running:
                outcome = walk.ended(each)
                self.progress(outcome, each.result)
                for blocked in walk.newly_blocked():
                    self.progress(blocked, None)
                given_up = given_up or (self.fail_fast and outcome.state == "failed")
        finally:
            running.close()
        return list(walk.outcomes.values())

    def _write_init_outputs(self, graph: Any, run: str) -> None:
        """Configurations and versions, once for a run; refuses those of another configuration."""
        butler = quantum_backed_butler(self.repository, graph)
        try:
            graph.init_output_run(butler)
        except Exception as error:
            raise ConfigError(
                f"run {run!r} was begun with another configuration or other versions: {str(error).strip()}; "
                "continue in a new run"
            ) from error
        finally:
            butler.close()


def quantum_backed_butler(repository: str, graph: Any) -> Any:
    """Butler that reads and writes the datasets of a graph without asking a registry."""
    inputs, outputs = set(), set()
    records: dict[str, Any] = {}
    for node in graph.quantum_only_xgraph.nodes.values():
        quantum = node["quantum"]
        inputs |= {ref.id for refs in quantum.inputs.values() for ref in refs}
        inputs |= {ref.id for ref in quantum.initInputs.values()}
        outputs |= {ref.id for refs in quantum.outputs.values() for ref in refs}
        for name, data in (quantum.datastore_records or {}).items():
            if name in records:
                records[name].update(data)
            else:
                records[name] = copy.deepcopy(data)
    outputs |= {ref.id for ref in init_outputs(graph)}
    return QuantumBackedButler.from_predicted(
        config=ButlerConfig(repository),
        predicted_inputs=inputs - outputs,
        predicted_outputs=outputs,
        dimensions=graph.pipeline_graph.universe,
        datastore_records=records,
        dataset_types={node.name: node.dataset_type for node in graph.pipeline_graph.dataset_types.values()},
    )


class _Walk:
    """Which quanta of a graph may begin, and how those that were tried have ended."""

    def __init__(self, tasks: Any) -> None:
        self.tasks = tasks
        self.outcomes: dict[uuid.UUID, QuantumOutcome] = {}
        self._waits_for = {quantum_id: tasks.in_degree(quantum_id) for quantum_id in tasks.nodes}
        self._blocked: list[QuantumOutcome] = []

    def first(self) -> list[str]:
        """Quanta that wait for no other."""
        return self._ordered([quantum_id for quantum_id, n in self._waits_for.items() if n == 0])

    def ended(self, each: Any) -> QuantumOutcome:
        """Take note of a quantum that was tried."""
        quantum_id = uuid.UUID(each.task)
        if _is_full_disk(each.exception):
            raise StorageError(f"no space left for {_label(self.tasks, quantum_id)}: {each.error}") from each.exception
        state, words = ("done", "") if each.result is not None else ("failed", each.error)
        self.outcomes[quantum_id] = _outcome(self.tasks, quantum_id, state, words)
        if state == "failed":
            self._block(quantum_id)
        return self.outcomes[quantum_id]

    def more(self, each: Any) -> list[str]:
        """Quanta for which the last one was the last to wait for."""
        quantum_id = uuid.UUID(each.task)
        if self.outcomes[quantum_id].state != "done":
            return []
        ready = []
        for following in self.tasks.successors(quantum_id):
            self._waits_for[following] -= 1
            if self._waits_for[following] == 0 and following not in self.outcomes:
                ready.append(following)
        return self._ordered(ready)

    def newly_blocked(self) -> list[QuantumOutcome]:
        """Quanta that nobody will try, since the last call."""
        blocked, self._blocked = self._blocked, []
        return blocked

    def _block(self, quantum_id: uuid.UUID) -> None:
        failed = self.outcomes[quantum_id]
        reason = f"{failed.task} ({_words(failed.data_id)}) failed"
        for following in nx.descendants(self.tasks, quantum_id):
            if following not in self.outcomes:
                self.outcomes[following] = _outcome(self.tasks, following, "blocked", reason)
                self._blocked.append(self.outcomes[following])

    def _ordered(self, quanta: list[uuid.UUID]) -> list[str]:
        """By task and data id, so that a run is the same whenever it is repeated."""
        return [str(each) for each in sorted(quanta, key=lambda each: _label(self.tasks, each))]


# ---- in the workers ------------------------------------------------------------------------------------------------

_WORKER: dict[str, Any] = {}


def _prepare_worker(repository: str, graph_path: str, debug: bool, settings: dict[str, str]) -> None:
    """Read the graph and open its datasets; once per process."""
    os.environ.update(settings)
    disable_implicit_threading()
    graph = read_graph(graph_path)
    butler = quantum_backed_butler(repository, graph)
    # The executor closes the butler after each quantum; this one lasts.
    butler.close = lambda: None
    executor = SingleQuantumExecutor(
        limited_butler_factory=lambda _quantum: butler,
        skip_existing=True,
        clobber_outputs=True,
        enable_lsst_debug=debug,
    )
    _WORKER.update(nodes=graph.quantum_only_xgraph.nodes, executor=executor)


def _execute_quantum(quantum_id: str) -> QuantumDone:
    wall, cpu = time.monotonic(), time.process_time()
    node = _WORKER["nodes"][uuid.UUID(quantum_id)]
    result = _WORKER["executor"].execute(node["pipeline_node"], node["quantum"], quantum_id=uuid.UUID(quantum_id))
    return QuantumDone(
        quantum_id,
        wall_s=time.monotonic() - wall,
        cpu_s=time.process_time() - cpu,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        skipped=bool(result.skipped_existing),
    )


def _tier_settings() -> dict[str, str]:
    """Environment of the fast tier: the server that workers are forked from may be older than it."""
    return {name: value for name, value in os.environ.items() if name.startswith("PZ_FAST_TIER")}


# ---- small things --------------------------------------------------------------------------------------------------


def _data_id(tasks: Any, quantum_id: uuid.UUID) -> dict[str, Any]:
    required = tasks.nodes[quantum_id]["quantum"].dataId.required
    return {str(name): value for name, value in required.items()}


def _words(data_id: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value:08d}" if isinstance(value, int) else f"{name}={value}" for name, value in data_id.items()
    )


def _label(tasks: Any, quantum_id: uuid.UUID) -> str:
    return f"{tasks.nodes[quantum_id]['task_label']} ({_words(_data_id(tasks, quantum_id))})"


def _outcome(tasks: Any, quantum_id: uuid.UUID, state: Any, error: str) -> QuantumOutcome:
    label = tasks.nodes[quantum_id]["task_label"]
    return QuantumOutcome(str(quantum_id), label, _data_id(tasks, quantum_id), state, error)


def _is_full_disk(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
