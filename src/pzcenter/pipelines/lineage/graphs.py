"""What went into a quantum, and what came out: read from the graph files that a campaign keeps, else from the pipeline.

A graph file has the dataset ids themselves, so what it says is certain. Where no graph is left, such as for a run that
was merged from elsewhere, the inputs follow from the pipeline and the order of the collections.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lsst.pipe.base.pipeline_graph import TaskImportMode
from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

from pzcenter.pipelines.campaign.graph import Overrides, load_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["GraphShelf", "QuantumEdges", "inputs_of_label"]


@dataclass(frozen=True)
class QuantumEdges:
    """Inputs and outputs of a quantum, as a graph has them.

    Parameters
    ----------
    quantum_id, label : str
    inputs, outputs : tuple of (str, str)
        Dataset type and dataset id.
    """

    quantum_id: str
    label: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]


class GraphShelf:
    """Graph files by the run that they wrote to; each is opened once, and only its headers stay in memory.

    Parameters
    ----------
    paths : iterable of Path
        Graph files, or directories in which they are looked for.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._files = sorted({file for path in paths for file in _graph_files(path)})
        self._runs: dict[str, list[Path]] | None = None

    def quantum(self, *, run: str, label: str, data_id: Sequence[Any], dataset: str) -> QuantumEdges | None:
        """Quantum that made a dataset.

        Parameters
        ----------
        run, label : str
        data_id : sequence
            Values in the order of the dimensions.
        dataset : str
            Id of the output.

        Returns
        -------
        QuantumEdges or None
            None where no graph on the shelf has it.
        """
        for path in self._by_run().get(run, []):
            with PredictedQuantumGraph.open(path, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
                reader.read_thin_graph()
                numbers = [
                    quantum.quantum_id
                    for quantum in reader.components.thin_graph.quanta.get(label, [])
                    if list(quantum.data_coordinate) == list(data_id)
                ]
                reader.read_quantum_datasets(numbers)
                for number in numbers:
                    edges = _edges(reader.components.quantum_datasets[number])
                    if dataset in {name for _, name in edges.outputs}:
                        return edges
        return None

    def _by_run(self) -> dict[str, list[Path]]:
        if self._runs is None:
            self._runs = {}
            for path in self._files:
                with PredictedQuantumGraph.open(path, import_mode=TaskImportMode.DO_NOT_IMPORT) as reader:
                    self._runs.setdefault(reader.header.output_run, []).append(path)
        return self._runs


def _graph_files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.qg")) if path.is_dir() else [path]


def _edges(datasets: Any) -> QuantumEdges:
    def listed(connections: dict[str, list[Any]]) -> tuple[tuple[str, str], ...]:
        return tuple((each.dataset_type_name, str(each.dataset_id)) for group in connections.values() for each in group)

    return QuantumEdges(
        str(datasets.quantum_id), datasets.task_label, listed(datasets.inputs), listed(datasets.outputs)
    )


@cache
def inputs_of_label(label: str, algo: str) -> tuple[str, ...]:
    """Dataset types that a task reads, by the definition of the pipeline.

    Parameters
    ----------
    label, algo : str

    Returns
    -------
    tuple of str
    """
    pipeline = load_pipeline(overrides=Overrides(parameters={"algo": algo}))
    node = pipeline.to_graph().tasks[label]
    edges = [*node.inputs.values(), *node.prerequisite_inputs.values()]
    return tuple(sorted({edge.parent_dataset_type_name for edge in edges}))
