"""Step 6, per tract: the files that the tract adds to the HATS catalogue of the release."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Any

import lsst.pex.config as pex_config
import pyarrow as pa
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.manifest import FileRecord
from pzcenter.catalogs.pixel_split import PixelSet
from pzcenter.catalogs.release_files import MARGIN, release_files
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE
from pzcenter.pipelines.repository.tiling import HEALPIX_SKYMAP, order_and_pixel

from .catalog_store import CatalogStore
from .work_record import recorded_work

__all__ = ["ConsolidatePzConfig", "ConsolidatePzConnections", "ConsolidatePzTask", "records_of", "records_table"]

MARGIN_ARCSEC = 10.0

_SCHEMA = pa.schema(
    [
        pa.field("catalog", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("n_bytes", pa.int64(), nullable=False),
        pa.field("n_rows", pa.int64()),
        pa.field("id_min", pa.int64()),
        pa.field("id_max", pa.int64()),
    ]
)


class ConsolidatePzConnections(
    PipelineTaskConnections,
    dimensions=PARTITION,
    defaultTemplates={"algo": "template"},
):
    """Core table and densities of a tract in, list of files out."""

    pz = Input(
        doc="Core PZ table, one row per object.", name="pz_{algo}", storageClass="ArrowTable", dimensions=PARTITION
    )
    pdf = Input(doc="Packed p(z).", name="pz_pdf_{algo}", storageClass="ArrowTable", dimensions=PARTITION)
    pixels = Input(
        doc="HEALPix pixels of the release.", name="pz_pixels", storageClass="ArrowTable", dimensions=RELEASE
    )
    files = Output(
        doc="Files that were written.", name="pz_files_{algo}", storageClass="ArrowTable", dimensions=PARTITION
    )


class ConsolidatePzConfig(PipelineTaskConfig, pipelineConnections=ConsolidatePzConnections):
    """Where to, and how wide the margins are."""

    destination = pex_config.Field[str](  # type: ignore[no-untyped-call]
        doc="Directory or URI of the catalogue; {algo} in it is the name of the method. The campaign gives it.",
        default="",
    )
    margin_arcsec = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=float,
        doc="Rows within this distance of a pixel are in its margin, arcsec.",
        default=MARGIN_ARCSEC,
        min=0.0,
        inclusiveMin=False,
        max=300.0,
    )


class ConsolidatePzTask(PipelineTask):
    """Write the rows of a tract into the pixels of the release.

    Several tracts may fill one pixel: each writes a file of its own into the directory of the pixel, so that no tract
    waits for another and a tract that is done again replaces its own files alone.
    """

    ConfigClass = ConsolidatePzConfig
    _DefaultName = "consolidatePz"
    config: ConsolidatePzConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, cut, write the files, record them."""
        store = CatalogStore(self.config.destination, algo=self.config.connections.algo)
        data_id = butlerQC.quantum.dataId
        with recorded_work(self.metadata):
            inputs = butlerQC.get(inputRefs)
            tables = self.run(**inputs, tract=int(data_id["tract"]), skymap=str(data_id["skymap"])).tables
            entries = [
                (catalog, store.write_table(rows, catalog, path))
                for catalog, files in tables.items()
                for path, rows in files.items()
            ]
            self.metadata["n_files"] = len(entries)
            self.metadata["n_bytes"] = sum(record.n_bytes for _, record in entries)
            butlerQC.put(records_table(entries), outputRefs.files)

    def run(self, pz: pa.Table, pdf: pa.Table, pixels: pa.Table, *, tract: int, skymap: str = "") -> Struct:
        """Cut the tables into files, in memory.

        Parameters
        ----------
        pz : pa.Table
            Core table.
        pdf : pa.Table
            Packed densities.
        pixels : pa.Table
            Columns ``order`` and ``pixel``.
        tract : int
        skymap : str
            Tells whether the tracts are the pixels themselves.

        Returns
        -------
        Struct
            ``tables``: see :func:`pzcenter.catalogs.release_files.release_files`.
        """
        own_pixel = order_and_pixel(tract) if skymap == HEALPIX_SKYMAP else None
        tables = release_files(
            pz,
            pdf,
            PixelSet.of_table(pixels),
            tract=tract,
            margin_arcsec=self.config.margin_arcsec,
            own_pixel=own_pixel,
        )
        self.metadata["n_obj"] = pz.num_rows
        self.metadata["n_pixel"] = len(tables["pz"])
        self.metadata["n_margin_rows"] = sum(rows.num_rows for rows in tables[MARGIN].values())
        self.log.info("%d objects in %d pixels", pz.num_rows, len(tables["pz"]))
        return Struct(tables=tables)


def records_table(entries: list[tuple[str, FileRecord]]) -> pa.Table:
    """Files of several catalogues as a table, sorted by catalogue and path."""
    names = [field.name for field in fields(FileRecord)]
    rows = [
        {"catalog": catalog, **dict(zip(names, astuple(record), strict=True))} for catalog, record in sorted(entries)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def records_of(table: pa.Table) -> list[tuple[str, FileRecord]]:
    """Files of a table that :func:`records_table` made."""
    return [(row.pop("catalog"), FileRecord(**row)) for row in table.select(_SCHEMA.names).to_pylist()]
