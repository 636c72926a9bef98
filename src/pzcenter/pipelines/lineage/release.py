"""Provenance of a whole release, small enough to travel with it: a PROV document and one row for each tract.

The document has what the tracts share: collections, tasks with their configurations and versions, models, sign-offs.
What differs from tract to tract is a table, since a release has 10^5 tracts. Together they answer, without the
repository, where a row comes from. Paths, hosts and users stay out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from lsst.daf.butler import Butler

from pzcenter.catalogs.storage import atomic_file, write_text_atomically
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import NotFoundError
from pzcenter.pipelines.lineage.evidence import Evidence, open_for_reading
from pzcenter.pipelines.lineage.find import datasets_of
from pzcenter.pipelines.lineage.graphs import inputs_of_label
from pzcenter.pipelines.lineage.prov import ProvDocument, add_config, add_sign_off, add_software
from pzcenter.pipelines.lineage.records import LINEAGE_NAME, PROV_NAME
from pzcenter.pipelines.lineage.steps import base_step, label_of_type, pipeline_definition, step_of_label, steps_before
from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES, PARTITION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsst.daf.butler import DatasetRef

    from pzcenter.pipelines.lineage.records import Campaign

__all__ = ["ReleaseProvenance", "release_provenance"]


@dataclass(frozen=True)
class ReleaseProvenance:
    """Provenance of a release.

    Parameters
    ----------
    document : dict
        PROV-JSON.
    tracts : pa.Table
        One row per tract: ``skymap``, ``tract``, ``id_min``, ``id_max``, ``n_obj``, ``object_file``,
        ``object_sha256``, ``model_digest``, and ``run_LABEL`` of each task that works on partitions.
    """

    document: dict[str, Any]
    tracts: pa.Table

    def write(self, directory: str | Path) -> tuple[Path, Path]:
        """Write both, each whole or not at all.

        Parameters
        ----------
        directory : path

        Returns
        -------
        (Path, Path)
            ``provenance.prov.json`` and ``pz_lineage.parquet``.

        Raises
        ------
        StorageError
            The file system refused.
        """
        document, table = Path(directory) / PROV_NAME, Path(directory) / LINEAGE_NAME
        write_text_atomically(document, json.dumps(self.document, indent=1) + "\n")
        with atomic_file(table) as sink:
            pq.write_table(self.tracts, sink, **parquet_options(self.tracts.schema))
        return document, table


def release_provenance(
    root: str | Path | Butler,
    *,
    collections: str | Sequence[str],
    method: str = "template",
    campaign: Campaign | None = None,
) -> ReleaseProvenance:
    """Gather the provenance of all that a chain of collections holds of one method.

    Parameters
    ----------
    root : path or Butler
        Repository.
    collections : str or sequence of str
        Such as the chain of a campaign.
    method : str
    campaign : Campaign, optional
        With the sign-offs.

    Returns
    -------
    ReleaseProvenance

    Raises
    ------
    NotFoundError
        There is no table of the method.
    """
    butler = root if isinstance(root, Butler) else open_for_reading(root)
    found = {
        spec.named(method): datasets_of(butler, spec.named(method), collections)
        for spec in DATASET_TYPES
        if spec.name != "photoz_ensemble_{algo}"
    }
    if not found[f"pz_{method}"] and not found[f"pz_estimate_{method}"]:
        raise NotFoundError(f"no PZ table of the method {method!r} in {collections}")
    gathered = _Release(butler, found, collections, method)
    return ReleaseProvenance(gathered.document(campaign), gathered.table())


class _Release:
    """Datasets of a release by type."""

    def __init__(
        self, butler: Butler, found: dict[str, list[DatasetRef]], collections: str | Sequence[str], method: str
    ) -> None:
        self.butler, self.found, self.collections, self.method = butler, found, collections, method
        self.evidence = Evidence(butler)
        self.labels = [label for label in pipeline_definition()["tasks"] if any(self._outputs(label))]

    def _outputs(self, label: str) -> list[DatasetRef]:
        return [ref for name, refs in self.found.items() if label_of_type(name)[0] == label for ref in refs]

    # ---- what tracts share ---------------------------------------------------------------------------------------

    def document(self, campaign: Campaign | None) -> dict[str, Any]:
        document = ProvDocument()
        parts = self._parts(document)
        activities: dict[str, list[str]] = defaultdict(list)
        for label in self.labels:
            for run in self._runs(label):
                activities[label].append(self._activity(document, label, run, parts))
        self._models(document)
        if campaign is not None:
            for sign_off in campaign.sign_offs:
                approval = add_sign_off(document, campaign, sign_off)
                for label, numbers in activities.items():
                    if base_step(sign_off.step) in steps_before(step_of_label(label)):
                        for number in numbers:
                            document.relate("wasInformedBy", number, approval)
        return document.as_dict()

    def _runs(self, label: str) -> list[str]:
        """Runs in which the task ran; what was brought in from elsewhere has none."""
        some = {ref.run: ref for ref in self._outputs(label)}
        return sorted(run for run, ref in some.items() if self.evidence.ran(label, ref))

    def _parts(self, document: ProvDocument) -> dict[str, dict[str, str]]:
        """For each dataset type and run a collection of datasets."""
        parts: dict[str, dict[str, str]] = defaultdict(dict)
        for name, refs in self.found.items():
            for run, number in sorted(Counter(ref.run for ref in refs).items()):
                parts[name][run] = document.add(
                    "entity",
                    f"collection/{run}/{name}",
                    prov__type="prov:Collection",
                    voprov__name=name,
                    pz__run=run,
                    pz__datasets=number,
                )
        return parts

    def _activity(self, document: ProvDocument, label: str, run: str, parts: dict[str, dict[str, str]]) -> str:
        """All quanta of a task in one run."""
        outputs = [ref for ref in self._outputs(label) if ref.run == run]
        activity = document.add(
            "activity",
            f"task/{run}/{label}",
            prov__type="voprov:Activity",
            voprov__name=label,
            pz__run=run,
            pz__quanta=len({ref.dataId for ref in outputs}),
            **self._times(label, outputs),
        )
        inputs = [part for name in inputs_of_label(label, self.method) for part in parts.get(name, {}).values()]
        for part in inputs:
            document.relate("used", activity, part, role="input")
        for name, of_run in parts.items():
            if label_of_type(name)[0] == label and run in of_run:
                document.relate("wasGeneratedBy", of_run[run], activity)
                for part in inputs:
                    document.relate("wasDerivedFrom", of_run[run], part)
        if (config := self.evidence.config_sha256(label, run)) is not None:
            document.relate("used", activity, add_config(document, label, config), role="configuration")
        document.relate("wasAssociatedWith", activity, add_software(document, self.evidence.versions(run)), "operator")
        return activity

    def _times(self, label: str, outputs: list[DatasetRef]) -> dict[str, str | None]:
        """Times of the first and the last quantum by tract, which cost two reads whatever the size of the release."""
        ends = sorted(outputs, key=lambda ref: tuple(ref.dataId.required_values))
        facts = [self.evidence.measured(label, ref) for ref in {ends[0], ends[-1]}]
        begun = [each["started"] for each in facts if each.get("started")]
        ended = [each["finished"] for each in facts if each.get("finished")]
        return {"prov__startTime": min(begun, default=None), "prov__endTime": max(ended, default=None)}

    def _models(self, document: ProvDocument) -> None:
        """Models by their numbers, as the rows have them."""
        for ref in self.found[f"pz_model_{self.method}"]:
            source = f"collection/{ref.run}/{ref.datasetType.name}"
            for row in self.butler.get(ref).to_pylist():
                model = document.add(
                    "entity",
                    f"model/{row['checksum']}/{row.get('code_version') or ''}",
                    prov__type="voprov:DatasetEntity",
                    voprov__name=f"{row['algorithm']} {row['bands']}",
                    pz__sha256=row["checksum"],
                    pz__version=row["version"],
                    pz__code_version=row.get("code_version"),
                    pz__bands=row["bands"],
                    pz__model_id=row["model_id"],
                    pz__config=row["config"],
                    pz__training_sha256=row["training_checksum"],
                    pz__training_rows=row["n_train"],
                )
                document.relate("hadMember", document.add("entity", source), model)

    # ---- what differs --------------------------------------------------------------------------------------------

    def table(self) -> pa.Table:
        """Facts of each tract."""
        rows: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
        for name, refs in self.found.items():
            label = label_of_type(name)[0]
            for ref in refs:
                if set(ref.dataId.dimensions.required) != set(PARTITION):
                    continue
                row = rows[str(ref.dataId["skymap"]), int(ref.dataId["tract"])]
                if label in self.labels:
                    row[f"run_{label}"] = ref.run
                elif name == "object":
                    row["object_file"] = self.butler.getURI(ref).basename()
                    row["object_sha256"] = self.evidence.recorded_sha256(ref)
        self._add_plan(rows)
        self._add_quality(rows)
        labels = [label for label in self.labels if any(f"run_{label}" in row for row in rows.values())]
        schema = pa.schema(
            [("skymap", pa.string()), ("tract", pa.int64()), ("id_min", pa.int64()), ("id_max", pa.int64()),
             ("n_obj", pa.int64()), ("object_file", pa.string()), ("object_sha256", pa.string()),
             ("model_digest", pa.string()), *((f"run_{label}", pa.string()) for label in labels)]
        )  # fmt: skip
        listed = [{"skymap": skymap, "tract": tract, **row} for (skymap, tract), row in sorted(rows.items())]
        return pa.Table.from_pylist(listed, schema=schema)

    def _add_plan(self, rows: dict[tuple[str, int], dict[str, Any]]) -> None:
        for ref in self.found["pz_tract_plan"]:
            for entry in self.butler.get(ref).select(["tract", "id_min", "id_max", "n_obj"]).to_pylist():
                place = str(ref.dataId["skymap"]), entry.pop("tract")
                if place in rows:
                    rows[place].update(entry)

    def _add_quality(self, rows: dict[tuple[str, int], dict[str, Any]]) -> None:
        for ref in self.found[f"pz_quality_{self.method}"]:
            table = self.butler.get(ref)
            if "model_checksum" in table.column_names and table.num_rows:
                place = str(ref.dataId["skymap"]), int(ref.dataId["tract"])
                rows[place]["model_digest"] = table["model_checksum"][0].as_py()
