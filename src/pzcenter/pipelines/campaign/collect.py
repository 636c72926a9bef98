"""Bring what a graph's quanta wrote into the registry, and see whether it is all that they should have written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pzcenter.errors import RegistryError
from pzcenter.pipelines.campaign.bps_outcome import QuantumOutcome, quantum_outcomes
from pzcenter.pipelines.campaign.graph import init_outputs, read_graph
from pzcenter.pipelines.campaign.local_pool import quantum_backed_butler
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["CollectReport", "collect"]

AT_ONCE = 20_000


@dataclass(frozen=True)
class CollectReport:
    """What the registry was told.

    Parameters
    ----------
    run : str
    n_datasets : int
        New in the registry.
    n_predicted, n_there : dict of str to int
        Datasets that the graph promised, and those that are there, by type.
    outcomes : tuple of QuantumOutcome
        Of every quantum.
    """

    run: str
    n_datasets: int
    n_predicted: dict[str, int]
    n_there: dict[str, int]
    outcomes: tuple[QuantumOutcome, ...]

    @property
    def failed(self) -> tuple[QuantumOutcome, ...]:
        """Quanta that are not done."""
        return tuple(each for each in self.outcomes if each.state != "done")


def collect(
    root: str | os.PathLike[str], graph_path: str | os.PathLike[str], *, reports: Path | None = None
) -> CollectReport:
    """Register the outputs of a graph. Doing it again changes nothing.

    Of a quantum that failed only its log is registered: it tells why, and half of its products are none.

    Parameters
    ----------
    root : path or URI
        Repository.
    graph_path : path
    reports : Path, optional
        What batch jobs said, in files.

    Returns
    -------
    CollectReport

    Raises
    ------
    RegistryError
        The registry does not answer.
    """
    graph = read_graph(graph_path)
    outcomes = quantum_outcomes(str(root), graph, reports)
    done = {each.quantum_id for each in outcomes if each.state == "done"}
    predicted: Counter[str] = Counter()
    wanted = init_outputs(graph)
    for quantum_id, node in graph.quantum_only_xgraph.nodes.items():
        task = graph.pipeline_graph.tasks[node["task_label"]]
        log = None if task.log_output is None else task.log_output.parent_dataset_type_name
        for kind, refs in node["quantum"].outputs.items():
            predicted[kind.name] += len(refs)
            if str(quantum_id) in done or kind.name == log:
                wanted.extend(refs)
    run = graph.header.output_run
    kinds = {kind.name: kind.dataset_type for kind in graph.pipeline_graph.dataset_types.values()}
    wanted = [
        ref.overrideStorageClass(kinds[ref.datasetType.name].storageClass) if ref.datasetType.name in kinds else ref
        for ref in wanted
    ]
    source = quantum_backed_butler(str(root), graph)
    try:
        stored = source.stored_many(wanted)
        there = [ref for ref in wanted if stored[ref]]
        n_new = _transfer(root, source, there, run)
    finally:
        source.close()
    return CollectReport(
        run=run,
        n_datasets=n_new,
        n_predicted=dict(sorted(predicted.items())),
        n_there={
            name: n for name, n in sorted(Counter(ref.datasetType.name for ref in there).items()) if name in predicted
        },
        outcomes=tuple(outcomes),
    )


def _transfer(root: str | os.PathLike[str], source: Any, refs: list[Any], run: str) -> int:
    from sqlalchemy.exc import DBAPIError

    n_new = 0
    with open_repository(root, writeable=True) as butler:
        try:
            butler.collections.register(run)
            known = {ref.id for name in {ref.datasetType.name for ref in refs} for ref in _refs_in(butler, name, run)}
            new = [ref for ref in refs if ref.id not in known]
            for start in range(0, len(new), AT_ONCE):
                sent = butler.transfer_from(
                    source, new[start : start + AT_ONCE], transfer="auto", register_dataset_types=True,
                    transfer_dimensions=False,
                )  # fmt: skip
                n_new += len(sent)
        except DBAPIError as error:
            raise RegistryError(f"the registry of {root} went away: {str(error.orig).strip()}") from error
    return n_new


def _refs_in(butler: Any, name: str, run: str) -> list[Any]:
    if not butler.registry.queryDatasetTypes(name):
        return []
    return list(butler.query_datasets(name, collections=run, find_first=False, limit=None, explain=False))
