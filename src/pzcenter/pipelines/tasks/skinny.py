"""Step 1, per tract: the skinny table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.skinny_partition import skinny_partition
from pzcenter.pipelines.repository.dataset_types import PARTITION

from .object_columns import read_needed
from .work_record import recorded_work

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SkinnyConfig", "SkinnyConnections", "SkinnyTask"]


class SkinnyConnections(PipelineTaskConnections, dimensions=PARTITION):
    """Objects in; what a photo-z method needs of them out."""

    objects = Input(
        doc="Object table, as delivered.",
        name="object",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        deferLoad=True,
    )
    skinny = Output(
        doc="Fluxes in nJy, dereddened, one row per object.",
        name="pz_skinny",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    report = Output(
        doc="Rows in, out, cut and flagged; mapping, bands, and what the table lacks.",
        name="pz_skinny_report",
        storageClass="StructuredDataDict",
        dimensions=PARTITION,
    )


class SkinnyConfig(PipelineTaskConfig, pipelineConnections=SkinnyConnections):
    """How the object table is read."""

    mapping = pex_config.Field[str](  # type: ignore[no-untyped-call]
        doc="Mapping of the object table's columns, a shipped name or a file; empty: the one that fits.", default=""
    )
    cuts = pex_config.ListField[str](  # type: ignore[no-untyped-call]
        doc="Conditions that rows must fulfil, such as 'refExtendedness > 0.5'; none by default, so that every object "
        "gets a row in the PZ table.",
        default=[],
    )
    deredden = pex_config.Field[bool](  # type: ignore[no-untyped-call]
        doc="Take Galactic extinction out where the mapping says that it is still in.", default=True
    )
    check_magnitudes = pex_config.Field[bool](  # type: ignore[no-untyped-call]
        doc="Refuse a tract whose magnitudes show that its fluxes are not in the unit that the mapping declares.",
        default=True,
    )


class SkinnyTask(PipelineTask):
    """Make the skinny table of a tract."""

    ConfigClass = SkinnyConfig
    _DefaultName = "skinny"
    config: SkinnyConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read the columns that are needed, convert, write."""
        tract = int(butlerQC.quantum.dataId["tract"])
        with recorded_work(self.metadata):
            handle = butlerQC.get(inputRefs)["objects"]
            objects = read_needed(handle, self.config.mapping, cuts=tuple(self.config.cuts), where=f"tract {tract}")
            butlerQC.put(self.run(objects, tract=tract), outputRefs)

    def run(self, objects: pa.Table, *, tract: int) -> Struct:
        """Convert, in memory.

        Parameters
        ----------
        objects : pa.Table
            Columns of the object table.
        tract : int
            For tables that have no column for it.

        Returns
        -------
        Struct
            ``skinny`` : pa.Table, definition ``skinny``; ``report`` : dict of counts.

        Raises
        ------
        ColumnError, UnitError, SchemaError, DuplicateIdError, EmptyTableError
            See :func:`pzcenter.catalogs.skinny_partition.skinny_partition`.
        """
        made = skinny_partition(
            objects,
            self.config.mapping or None,
            cuts=tuple(self.config.cuts),
            deredden=self.config.deredden,
            check_magnitudes=self.config.check_magnitudes,
            tract=tract,
            where=f"tract {tract}",
        )
        self.metadata["n_in"], self.metadata["n_out"] = made.n_in, made.n_out
        for name, n_obj in made.n_flagged.items():
            self.metadata[f"n_{name}"] = n_obj
        return Struct(skinny=made.table, report=made.report())
