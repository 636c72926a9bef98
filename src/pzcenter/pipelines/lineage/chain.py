"""From an object id back to the files it was made from: tables, quanta, model, training set, campaign, sign-offs."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lsst.daf.butler import Butler

from pzcenter.errors import NotFoundError
from pzcenter.pipelines.lineage.evidence import Evidence, open_for_reading
from pzcenter.pipelines.lineage.find import datasets_of, find_tract
from pzcenter.pipelines.lineage.graphs import GraphShelf, inputs_of_label
from pzcenter.pipelines.lineage.records import SHOWN, DatasetFacts, Lineage, ModelFacts, QuantumFacts
from pzcenter.pipelines.lineage.steps import label_of_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa
    from lsst.daf.butler import DatasetRef

    from pzcenter.pipelines.lineage.records import Campaign

__all__ = ["trace_object"]


def trace_object(
    root: str | Path | Butler,
    object_id: int,
    *,
    collections: str | Sequence[str],
    method: str = "template",
    table: str | None = None,
    skymap: str | None = None,
    graphs: Iterable[Path] = (),
    checksums: bool = True,
    campaign: Campaign | None = None,
) -> Lineage:
    """Tell where the row of an object comes from.

    Parameters
    ----------
    root : path or Butler
        Repository.
    object_id : int
    collections : str or sequence of str
        Where to look, such as the chain of a campaign.
    method : str
        Whose table.
    table : str, optional
        Dataset type of a table of partitions; ``pz_{method}``, or ``pz_estimate_{method}`` where that is not there yet.
    skymap : str, optional
        Needed where the collections hold several.
    graphs : iterable of Path
        Graph files of the runs, or directories that hold them.
    checksums : bool
        Read the files to take their SHA-256.
    campaign : Campaign, optional
        That made the table; it is only passed on.

    Returns
    -------
    Lineage

    Raises
    ------
    NotFoundError
        No table here has a row of this id.
    DataIdError
        There are several skymaps, and none is named.
    """
    butler = root if isinstance(root, Butler) else open_for_reading(root)
    tracer = _Tracer(butler, collections, GraphShelf(graphs), checksums=checksums)
    lineage = tracer.trace(object_id, [table] if table else [f"pz_{method}", f"pz_estimate_{method}"], skymap)
    return replace(lineage, campaign=campaign)


class _Tracer:
    """Walks from a table to everything before it."""

    def __init__(self, butler: Butler, collections: str | Sequence[str], shelf: GraphShelf, *, checksums: bool) -> None:
        self.butler, self.shelf, self.checksums = butler, shelf, checksums
        self.collections = [collections] if isinstance(collections, str) else list(collections)
        self.datasets: dict[str, DatasetFacts] = {}
        self.quanta: dict[str, QuantumFacts] = {}
        self.notes: list[str] = []
        self.evidence = Evidence(butler)

    def trace(self, object_id: int, tables: Sequence[str], skymap: str | None) -> Lineage:
        ref, row = self._row(object_id, tables, skymap)
        self.tract = ref.dataId["tract"]
        waiting = [ref]
        while waiting:
            found = waiting.pop(0)
            if str(found.id) in self.datasets:
                continue
            before = self._made_by(found)
            self.datasets[str(found.id)] = self._facts(found, None if before is None else before[0].id)
            if before is not None:
                quantum, inputs = before
                self._add_quantum(quantum, str(found.id))
                waiting.extend(inputs)
        return Lineage(
            object_id=object_id,
            skymap=str(ref.dataId["skymap"]),
            tract=int(self.tract),
            table=ref.datasetType.name,
            row={name: row[name][0].as_py() for name in SHOWN if name in row.column_names},
            datasets=tuple(self.datasets.values()),
            quanta=tuple(self.quanta.values()),
            model=self._model(row),
            notes=tuple(self.notes),
        )

    def _row(self, object_id: int, tables: Sequence[str], skymap: str | None) -> tuple[DatasetRef, pa.Table]:
        problem: NotFoundError | None = None
        for table in tables:
            try:
                return find_tract(self.butler, object_id, table, collections=self.collections, skymap=skymap)
            except NotFoundError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    # ---- quanta ------------------------------------------------------------------------------------------------

    def _made_by(self, ref: DatasetRef) -> tuple[QuantumFacts, list[DatasetRef]] | None:
        """Quantum that made a dataset, with its inputs that this row comes from; None for what was brought in."""
        label, algo = label_of_type(ref.datasetType.name)
        if label in {"", "ingest"} or not self.evidence.ran(label, ref):
            return None
        edges = self.shelf.quantum(run=ref.run, label=label, data_id=ref.dataId.full_values, dataset=str(ref.id))
        if edges is not None:
            known = [self.butler.get_dataset(UUID(number)) for _, number in edges.inputs]
            everything = [found for found in known if found is not None]
            number, evidence = edges.quantum_id, "graph"
        else:
            everything = [
                found
                for name in inputs_of_label(label, algo or "template")
                for found in datasets_of(self.butler, name, self.collections)
            ]
            if "tract" in ref.dataId.dimensions:
                everything = [found for found in everything if self._concerns_the_row(found)]
            number = hashlib.sha256(f"{ref.run}/{label}/{ref.dataId}".encode()).hexdigest()[:32]
            evidence = "pipeline"
        inputs = [found for found in everything if self._concerns_the_row(found)]
        facts = QuantumFacts(
            id=number,
            label=label,
            run=ref.run,
            data_id=dict(ref.dataId.required),
            inputs=tuple(str(found.id) for found in inputs),
            n_other_inputs=len(everything) - len(inputs),
            evidence=evidence,
            versions=self.evidence.versions(ref.run),
            config_sha256=self.evidence.config_sha256(label, ref.run),
            **self.evidence.measured(label, ref),
        )
        return facts, inputs

    def _concerns_the_row(self, ref: DatasetRef) -> bool:
        return "tract" not in ref.dataId.dimensions or ref.dataId["tract"] == self.tract

    def _add_quantum(self, quantum: QuantumFacts, output: str) -> None:
        known = self.quanta.get(quantum.id, quantum)
        self.quanta[quantum.id] = replace(known, outputs=(*known.outputs, output))

    # ---- datasets ----------------------------------------------------------------------------------------------

    def _facts(self, ref: DatasetRef, made_by: str | None) -> DatasetFacts:
        uri = self.butler.getURI(ref)
        exists = uri.exists()
        if not exists:
            self.notes.append(f"the file of {ref.datasetType.name} {dict(ref.dataId.required)} is not there: {uri}")
        return DatasetFacts(
            id=str(ref.id),
            dataset_type=ref.datasetType.name,
            data_id=dict(ref.dataId.required),
            run=ref.run,
            uri=str(uri),
            sha256=self.evidence.sha256(ref) if exists and self.checksums else None,
            n_bytes=uri.size() if exists else None,
            recorded_sha256=self.evidence.recorded_sha256(ref),
            made_by=made_by,
        )

    def _get(self, number: str) -> Any:
        ref = self.butler.get_dataset(UUID(number))
        assert ref is not None
        return self.butler.get(ref)

    # ---- model -------------------------------------------------------------------------------------------------

    def _model(self, row: pa.Table) -> ModelFacts | None:
        """Model of the row: by its number in ``pz_model``, or what the quality row of the tract says."""
        held = self._ids_of("photoz_model_")
        dataset = held[0] if held else None
        if "model_id" not in row.column_names:
            return None
        number = row["model_id"][0].as_py()
        for index in self._ids_of("pz_model_"):
            for found in self._get(index).to_pylist():
                if found["model_id"] == number:
                    return _model_facts(found, found["checksum"], found["version"], dataset, number)
        return self._model_of_tract(dataset)

    def _model_of_tract(self, dataset: str | None) -> ModelFacts | None:
        """Before the join rows have no number yet; a tract has one model."""
        for quantum in (found for found in self.quanta.values() if found.label == "estimatePz"):
            algo = label_of_type(self.datasets[quantum.outputs[0]].dataset_type)[1]
            ref = self.butler.find_dataset(f"pz_quality_{algo}", quantum.data_id, collections=quantum.run)
            if ref is not None:
                found = self.butler.get(ref).to_pylist()[0]
                return _model_facts(found, found["model_checksum"], found["model_version"], dataset, None)
        return None

    def _ids_of(self, prefix: str) -> list[str]:
        return [facts.id for facts in self.datasets.values() if facts.dataset_type.startswith(prefix)]


def _model_facts(
    found: dict[str, Any], digest: str, version: str, dataset: str | None, number: int | None
) -> ModelFacts:
    return ModelFacts(
        digest=digest,
        algorithm=found["algorithm"],
        version=version,
        bands=found["bands"],
        code_version=found.get("code_version"),
        model_id=number,
        dataset=dataset,
        config=found["config"] or "",
        n_train=found["n_train"],
        training_sha256=found["training_checksum"],
    )
