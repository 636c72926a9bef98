"""Step 1, per tract: what the objects look like as they were delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.ingest_qa import ingest_qa
from pzcenter.catalogs.tiling import MAX_TILE_ORDER
from pzcenter.pipelines.repository.dataset_types import PARTITION

from .object_columns import read_needed
from .work_record import recorded_work

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["IngestQaConfig", "IngestQaConnections", "IngestQaTask"]


class IngestQaConnections(PipelineTaskConnections, dimensions=PARTITION):
    """Objects in; counts, ranges and depths out."""

    objects = Input(
        doc="Object table, as delivered.",
        name="object",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        deferLoad=True,
    )
    qa = Output(
        doc="Counts, ranges and depths, one row per band.",
        name="pz_ingest_qa",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    counts = Output(
        doc="Objects and flux errors by HEALPix pixel.",
        name="pz_sky_counts",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )


class IngestQaConfig(PipelineTaskConfig, pipelineConnections=IngestQaConnections):
    """How the object table is read, and what is refused."""

    mapping = pex_config.Field[str](  # type: ignore[no-untyped-call]
        doc="Mapping of the object table's columns, a shipped name or a file; empty: the one that fits.", default=""
    )
    check_magnitudes = pex_config.Field[bool](  # type: ignore[no-untyped-call]
        doc="Refuse a tract whose magnitudes show that its fluxes are not in the unit that the mapping declares: the "
        "median of the detected objects is one that no survey has, or the depth is out of the mapping's "
        "plausible_depth.",
        default=True,
    )


class IngestQaTask(PipelineTask):
    """Look at a tract before anything is made of it."""

    ConfigClass = IngestQaConfig
    _DefaultName = "ingestQa"
    config: IngestQaConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read the columns that are needed, look, write."""
        tract = int(butlerQC.quantum.dataId["tract"])
        with recorded_work(self.metadata):
            objects = read_needed(butlerQC.get(inputRefs)["objects"], self.config.mapping, where=f"tract {tract}")
            butlerQC.put(self.run(objects, tract=tract), outputRefs)

    def run(self, objects: pa.Table, *, tract: int) -> Struct:
        """Look, in memory.

        Parameters
        ----------
        objects : pa.Table
            Columns of the object table.
        tract : int
            For messages.

        Returns
        -------
        Struct
            ``qa`` and ``counts``, both pa.Table: see :class:`pzcenter.catalogs.ingest_qa.IngestQa`.

        Raises
        ------
        ColumnError, SchemaError, EmptyTableError
            See :func:`pzcenter.catalogs.ingest_qa.ingest_qa`.
        DuplicateIdError
            An object is there twice.
        UnitError
            The magnitudes are none that the survey has.
        """
        where = f"tract {tract}"
        found = ingest_qa(objects, self.config.mapping or None, order=MAX_TILE_ORDER, where=where)
        found.require_usable(where, magnitudes=self.config.check_magnitudes)
        self.metadata["n_obj"] = objects.num_rows
        self.metadata["mapping"] = found.mapping.name
        for band, level in found.levels.items():
            self.metadata[f"n_measured_{band}"] = level.n_measured
        for note in found.notes:
            self.log.info("%s: %s", where, note)
        return Struct(qa=found.bands, counts=found.sky)
