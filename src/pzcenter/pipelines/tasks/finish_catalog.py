"""Step 6, per release: what makes the files of all tracts one HATS catalogue, and the checks that it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
import pyarrow as pa
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.content_hash import hash_of_parts, hash_of_records
from pzcenter.catalogs.hats_layout import MarginOf, write_collection
from pzcenter.catalogs.parquet_footers import require_schema
from pzcenter.catalogs.release_files import CATALOGS, MARGIN
from pzcenter.catalogs.tract_counts import require_every_object
from pzcenter.catalogs.tract_plan import tracts_without_counts
from pzcenter.catalogs.writers import finish_dataset
from pzcenter.errors import ChecksumError
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE
from pzcenter.schema import pz_flag_table

from .catalog_store import CatalogStore
from .consolidate_pz import MARGIN_ARCSEC, records_of
from .work_record import recorded_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow.parquet as pq

    from pzcenter.catalogs.manifest import FileRecord, Manifest

__all__ = ["FinishCatalogConfig", "FinishCatalogConnections", "FinishCatalogTask"]

_N_NAMED = 5


class FinishCatalogConnections(PipelineTaskConnections, dimensions=RELEASE, defaultTemplates={"algo": "template"}):
    """Lists of files of all tracts in, description of the catalogue out."""

    files = Input(
        doc="Files of each tract.",
        name="pz_files_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
    )
    quality = Input(
        doc="Quality of each tract.",
        name="pz_quality_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
    )
    plan = Input(
        doc="Number of objects of each tract.", name="pz_tract_plan", storageClass="ArrowTable", dimensions=RELEASE
    )
    models = Input(doc="Models of the release.", name="pz_model_{algo}", storageClass="ArrowTable", dimensions=RELEASE)
    catalog = Output(
        doc="Description of the finished catalogue.",
        name="pz_catalog_{algo}",
        storageClass="StructuredDataDict",
        dimensions=RELEASE,
    )


class FinishCatalogConfig(PipelineTaskConfig, pipelineConnections=FinishCatalogConnections):
    """Where the catalogue is, and what it may lack."""

    destination = pex_config.Field[str](  # type: ignore[no-untyped-call]
        doc="As for consolidatePz: directory or URI of the catalogue; {algo} in it is the name of the method.",
        default="",
    )
    margin_arcsec = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=float,
        doc="As for consolidatePz: width of the margins, arcsec.",
        default=MARGIN_ARCSEC,
        min=0.0,
        inclusiveMin=False,
        max=300.0,
    )
    allow_missing_tracts = pex_config.Field[bool](  # type: ignore[no-untyped-call]
        doc="Finish a catalogue that lacks tracts of the release; they are listed in pz_catalog_{algo}.", default=False
    )
    max_files_in_metadata = pex_config.Field[int](  # type: ignore[no-untyped-call]
        doc="Catalogues of more files have no _metadata, which would be larger than a reader wants to load.",
        default=50_000,
    )


class FinishCatalogTask(PipelineTask):
    """Check the files of all tracts against the release and write what belongs to the whole."""

    ConfigClass = FinishCatalogConfig
    _DefaultName = "finishCatalog"
    config: FinishCatalogConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, check, write."""
        store = CatalogStore(self.config.destination, algo=self.config.connections.algo)
        with recorded_work(self.metadata):
            tables = butlerQC.get(inputRefs)
            tracts = [int(ref.dataId["tract"]) for ref in inputRefs.files]
            facts = self.run(files=dict(zip(tracts, tables["files"], strict=True)), plan=tables["plan"])
            manifests = {name: self._finish(store, name, records) for name, records in facts.records.items() if records}
            companions = self._write_companions(store, tables["models"], tables["quality"])
            with store.workspace() as root:
                name = f"pz_{self.config.connections.algo}"
                write_collection(root, name=name, primary="pz", margins=[MARGIN] if MARGIN in manifests else [])
            butlerQC.put(self._describe(store, manifests, companions, facts), outputRefs.catalog)

    def run(self, files: dict[int, pa.Table], plan: pa.Table) -> Struct:
        """Check that each object of the release is in exactly one tract's files, in memory.

        Parameters
        ----------
        files : dict of int to pa.Table
            Files of each tract.
        plan : pa.Table
            Columns ``tract`` and ``n_obj``.

        Returns
        -------
        Struct
            ``records``: dict of catalogue to list of FileRecord; ``missing_tracts``: list of int; ``n_obj``: int.

        Raises
        ------
        PartitionError
            A tract is missing and ``allow_missing_tracts`` is not set, or a tract has not as many rows as objects.
        """
        records: dict[str, list[FileRecord]] = {name: [] for name in CATALOGS}
        rows: dict[int, int] = {}
        for tract, table in files.items():
            n_rows = dict.fromkeys(CATALOGS, 0)
            for catalog, record in records_of(table):
                records[catalog].append(record)
                n_rows[catalog] += record.n_rows or 0
            if n_rows["pz"] != n_rows["pz_pdf"]:
                raise ChecksumError(f"tract {tract} has {n_rows['pz']} rows in pz and {n_rows['pz_pdf']} in pz_pdf")
            rows[tract] = n_rows["pz"]
        planned = dict(zip(plan.column("tract").to_pylist(), plan.column("n_obj").to_pylist(), strict=True))
        missing = require_every_object(rows, planned, allow_missing=self.config.allow_missing_tracts)
        missing = sorted({*missing, *tracts_without_counts(plan)})
        if missing:
            self.log.warning("%d tracts are missing in the catalogue: %s", len(missing), missing[:_N_NAMED])
        n_obj = sum(rows.values())
        self.metadata["n_obj"] = n_obj
        self.metadata["n_tract"] = len(rows)
        self.metadata["n_missing_tract"] = len(missing)
        return Struct(
            records={name: sorted(found) for name, found in records.items()}, missing_tracts=missing, n_obj=n_obj
        )

    def _finish(self, store: CatalogStore, catalog: str, records: Sequence[FileRecord]) -> Manifest:
        """Write the properties, lists, footers and manifest of one catalogue."""
        store.remove_unfinished(catalog)
        _require_same_files(store.data_files(catalog), records, catalog)
        schema = store.footer(catalog, records[0].path).schema.to_arrow_schema()
        footers = None
        if len(records) <= self.config.max_files_in_metadata:
            footers = _footers(store, catalog, records)
        else:
            for record in records[:: max(1, len(records) // self.config.max_files_in_metadata)]:
                footer = store.footer(catalog, record.path)
                require_schema(record.path, footer.schema.to_arrow_schema(), schema)
        margin = MarginOf("pz", self.config.margin_arcsec) if catalog == MARGIN else None
        with store.workspace(catalog) as root:
            return finish_dataset(
                root,
                records,
                table="pz" if catalog == MARGIN else catalog,
                schema=schema,
                name=catalog,
                margin=margin,
                footers=footers,
            )

    @staticmethod
    def _write_companions(store: CatalogStore, models: pa.Table, quality: Sequence[pa.Table]) -> dict[str, FileRecord]:
        partitions = pa.concat_tables(quality, promote_options="default")
        tables = {
            "pz_model": models.sort_by("model_id"),
            "pz_flag": pz_flag_table(),
            "pz_quality": partitions.sort_by("partition"),
        }
        return {name: store.write_table(table, "", f"{name}.parquet") for name, table in tables.items()}

    def _describe(
        self, store: CatalogStore, manifests: dict[str, Manifest], companions: dict[str, FileRecord], facts: Struct
    ) -> dict[str, Any]:
        """What later steps and people want to know of the catalogue."""
        hashes = {name: hash_of_records(manifest.files) for name, manifest in manifests.items()}
        return {
            "path": str(store.directory or store.uri.geturl()),
            "content_hash": hash_of_parts(hashes),
            "n_rows": facts.n_obj,
            "n_bytes": sum(manifest.n_bytes for manifest in manifests.values()),
            "missing_tracts": list(facts.missing_tracts),
            "margin_arcsec": self.config.margin_arcsec,
            "catalogs": {
                name: {
                    "content_hash": hashes[name],
                    "n_rows": manifest.n_rows,
                    "n_files": len(manifest.files),
                    "n_bytes": manifest.n_bytes,
                }
                for name, manifest in manifests.items()
            },
            "companions": {name: {"sha256": r.sha256, "n_rows": r.n_rows} for name, r in companions.items()},
        }


def _footers(store: CatalogStore, catalog: str, records: Sequence[FileRecord]) -> Iterator[tuple[str, pq.FileMetaData]]:
    return ((record.path, store.footer(catalog, record.path)) for record in records)


def _require_same_files(found: dict[str, int], records: Sequence[FileRecord], catalog: str) -> None:
    """Refuse a place that holds other files than the tracts wrote: a HATS reader would read them too."""
    known = {record.path: record.n_bytes for record in records}
    lost = sorted(path for path, n_bytes in known.items() if found.get(path) != n_bytes)
    if lost:
        raise ChecksumError(
            f"{len(lost)} files of {catalog} are missing or have another size than their tracts wrote: "
            f"{', '.join(lost[:_N_NAMED])}; consolidate these tracts again"
        )
    foreign = sorted(set(found) - set(known))
    if foreign:
        raise ChecksumError(
            f"{catalog} holds {len(foreign)} files that no tract of this run wrote: {', '.join(foreign[:_N_NAMED])}; "
            "remove them, or give another destination"
        )
