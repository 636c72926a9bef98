"""What a graph's quanta left in the datastore, and what the jobs said: an exit code is not trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import networkx as nx
from lsst.daf.butler import ButlerConfig, QuantumBackedButler

from pzcenter.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

__all__ = [
    "BLOCKED",
    "NOT_TRIED",
    "QuantumOutcome",
    "Report",
    "check_graph",
    "quantum_key",
    "quantum_outcomes",
    "read_reports",
]

SILENT = "it ended without an error and without any output: its inputs could not be read where it ran"
BLOCKED = "a quantum that it needs failed"
NOT_TRIED = "it left neither outputs nor an error: its job was ended from outside, or never began"


@dataclass(frozen=True)
class QuantumOutcome:
    """How one quantum ended.

    Parameters
    ----------
    quantum_id : str
    task : str
        Label.
    data_id : dict
    state : {"done", "failed", "blocked"}
        ``done``: its outputs are in the datastore. ``blocked``: not tried, because one that it needs failed.
    error : str
        Class and words of the exception, or what is known instead; empty where it is done.
    """

    quantum_id: str
    task: str
    data_id: dict[str, Any]
    state: Literal["done", "failed", "blocked"]
    error: str = ""


class Report(NamedTuple):
    """What a job said of a quantum: which, its status in the words of the middleware, and its error."""

    key: str
    status: str
    error: str


def check_graph(graph: PredictedQuantumGraph) -> None:
    """Refuse a graph whose quanta could not find their inputs.

    Without the datastore's records of its inputs, a quantum that runs away from the registry finds no file that was
    ingested in place, calls that "nothing to do" and reports success.

    Raises
    ------
    ExecutorError
        A quantum reads what no quantum of the graph writes, and the graph has no record of any of it.
    """
    produced = {
        ref.id
        for _, node in graph.quantum_only_xgraph.nodes.items()
        for refs in node["quantum"].outputs.values()
        for ref in refs
    }
    for quantum_id, node in graph.quantum_only_xgraph.nodes.items():
        quantum = node["quantum"]
        outside = {ref.id for refs in quantum.inputs.values() for ref in refs} - produced
        if outside and not any(data.records for data in (quantum.datastore_records or {}).values()):
            raise ExecutorError(
                f"the graph has no datastore records for the {len(outside)} inputs of quantum {quantum_id} "
                f"({node['task_label']} {dict(quantum.dataId.required)}): build it with them "
                "(pipetask qgraph --qgraph-datastore-records)"
            )


def quantum_outcomes(
    repository: str, graph: PredictedQuantumGraph, reports: Path | None = None
) -> list[QuantumOutcome]:
    """How every quantum of a graph ended, by what is in the datastore.

    Parameters
    ----------
    repository : str
    graph : PredictedQuantumGraph
        With its execution quanta.
    reports : Path, optional
        Directory of the reports that jobs leave; they tell why something failed.

    Returns
    -------
    list of QuantumOutcome
        In the order of the graph.
    """
    nodes = graph.quantum_only_xgraph.nodes
    refs = {
        quantum_id: [ref for written in node["quantum"].outputs.values() for ref in written]
        for quantum_id, node in nodes.items()
    }
    stored = _stored(repository, graph, [ref for written in refs.values() for ref in written])
    said = {report.key: report.error for report in read_reports(reports, set()) if report.error}
    found: list[QuantumOutcome] = []
    failed: set[Any] = set()
    for quantum_id, node in _in_order(graph):
        label = node["task_label"]
        data_id = {str(name): value for name, value in node["quantum"].dataId.required.items()}
        diary = _diary_types(graph, label)
        products = [ref for ref in refs[quantum_id] if ref.datasetType.name not in diary]
        diaries = [ref for ref in refs[quantum_id] if ref.datasetType.name in diary]
        ended_well = all(stored[ref.id] for ref in diaries)
        any_product = not products or any(stored[ref.id] for ref in products)
        state: Literal["done", "failed", "blocked"]
        if ended_well and any_product:
            state, error = "done", ""
        elif failed.intersection(graph.quantum_only_xgraph.predecessors(quantum_id)):
            state, error = "blocked", BLOCKED
        else:
            state, error = "failed", said.get(quantum_key(label, data_id)) or (SILENT if ended_well else NOT_TRIED)
        if state != "done":
            failed.add(quantum_id)
        found.append(QuantumOutcome(str(quantum_id), label, data_id, state, error))
    return found


def _in_order(graph: PredictedQuantumGraph) -> list[tuple[Any, Any]]:
    nodes = graph.quantum_only_xgraph.nodes
    return [(quantum_id, nodes[quantum_id]) for quantum_id in nx.topological_sort(graph.quantum_only_xgraph)]


def _diary_types(graph: PredictedQuantumGraph, label: str) -> set[str]:
    """Names of a task's metadata and log."""
    task = graph.pipeline_graph.tasks[label]
    edges = [task.metadata_output, *([task.log_output] if task.log_output is not None else [])]
    return {edge.parent_dataset_type_name for edge in edges}


def _stored(repository: str, graph: PredictedQuantumGraph, refs: list[Any]) -> Mapping[Any, bool]:
    butler = QuantumBackedButler.from_predicted(
        config=ButlerConfig(repository),
        predicted_inputs=(),
        predicted_outputs=[ref.id for ref in refs],
        dimensions=graph.pipeline_graph.universe,
        datastore_records={},
        dataset_types={node.name: node.dataset_type for node in graph.pipeline_graph.dataset_types.values()},
    )
    try:
        return {ref.id: there for ref, there in butler.stored_many(refs).items()}
    finally:
        if hasattr(butler, "close"):
            butler.close()


def read_reports(reports: Path | None, seen: set[str]) -> Iterator[Report]:
    """What jobs said, oldest first, of those that have not been seen.

    Parameters
    ----------
    reports : Path, optional
        Directory; it need not be there.
    seen : set of str
        Names of reports that were read; those that are read now are added.

    Yields
    ------
    Report
        A failed quantum is named by task and data id alone.
    """
    if reports is None or not reports.is_dir():
        return
    for path in sorted(reports.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        if path.name in seen:
            continue
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            # Of a job that is writing it, or was ended while it did.
            continue
        seen.add(path.name)
        for quantum in document.get("quantaReports", []):
            error = quantum.get("exceptionInfo")
            words = f"{error['className'].rsplit('.', 1)[-1]}: {error['message']}" if error else ""
            yield Report(quantum_key(quantum["taskLabel"], quantum["dataId"]), quantum["status"], words)


def quantum_key(label: str, data_id: Mapping[str, Any]) -> str:
    """Name of a quantum that its reports use too."""
    return json.dumps([label, dict(data_id)], sort_keys=True)
