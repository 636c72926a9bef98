"""What a step should have planned and did not: a quantum without inputs is not in the graph, and nobody misses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.pipelines.campaign.state import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["missing_quanta"]


def missing_quanta(
    butler: Any,
    pipeline: Any,
    *,
    tracts: Sequence[int],
    excused: Collection[int],
    failures: Sequence[Failure],
    runs: Sequence[str],
    inputs: Sequence[str],
    skymap: str,
) -> list[Failure]:
    """Quanta that a step should have, that are not done, and that did not fail either.

    Parameters
    ----------
    butler : Butler
    pipeline : Pipeline
        Tasks of the step.
    tracts : sequence of int
        Those that the release has.
    excused : collection of int
        Tracts of which an earlier step failed, which somebody accepted.
    failures : sequence of Failure
        What is known to be not done.
    runs : sequence of str
        Of the step.
    inputs : sequence of str
        Collections that the step reads.
    skymap : str

    Returns
    -------
    list of Failure
        In state ``missing``; the error names the dataset types that are not there.
    """
    known = {(failure.task, failure.data_id.get("tract")) for failure in failures}
    missing = []
    for label, node in pipeline.to_graph().tasks.items():
        done = _tracts_of(butler, node.metadata_output.parent_dataset_type_name, runs, skymap)
        expected = [tract for tract in tracts if tract not in excused] if "tract" in node.raw_dimensions else [None]
        lacking = [tract for tract in expected if tract not in done and (label, tract) not in known]
        if not lacking:
            continue
        there = {
            edge.parent_dataset_type_name: _tracts_of(butler, edge.parent_dataset_type_name, inputs, skymap)
            for edge in node.iter_all_inputs()
            if not node.is_optional(edge.connection_name)
        }
        for tract in lacking:
            absent = sorted(
                name for name, found in there.items() if not (found if tract is None else found & {tract, None})
            )
            data_id = ({"skymap": skymap} if node.raw_dimensions else {}) | ({} if tract is None else {"tract": tract})
            words = (
                f"it was not planned: its inputs {', '.join(absent)} are not there" if absent else "it was not planned"
            )
            missing.append(Failure(label, data_id, words, "missing"))
    return missing


def _tracts_of(butler: Any, name: str, collections: Sequence[str], skymap: str) -> set[int | None]:
    """Tracts of which there is a dataset of a type; None stands for one that has no tract."""
    if not collections or not butler.registry.queryDatasetTypes(name):
        return set()
    refs = butler.query_datasets(name, collections=list(collections), find_first=False, limit=None, explain=False)
    return {
        int(ref.dataId["tract"]) if "tract" in ref.dataId else None
        for ref in refs
        if "skymap" not in ref.dataId or ref.dataId["skymap"] == skymap
    }
