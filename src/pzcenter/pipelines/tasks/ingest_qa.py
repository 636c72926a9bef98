"""Step 1, per tract: what the objects look like as they were delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.ingest_qa import ingest_qa, require_plausible_magnitudes, sky_counts
from pzcenter.catalogs.photometry import bands_of
from pzcenter.pipelines.repository.dataset_types import PARTITION

from .work_record import recorded_work

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["IngestQaConfig", "IngestQaConnections", "IngestQaTask"]


class IngestQaConnections(PipelineTaskConnections, dimensions=PARTITION):
    """Skinny rows in, which are every object in one unit; counts and depths out."""

    skinny = Input(doc="Skinny table.", name="pz_skinny", storageClass="ArrowTable", dimensions=PARTITION)
    qa = Output(doc="One row per band.", name="pz_ingest_qa", storageClass="ArrowTable", dimensions=PARTITION)
    counts = Output(
        doc="Objects and flux errors by HEALPix pixel.",
        name="pz_sky_counts",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )


class IngestQaConfig(PipelineTaskConfig, pipelineConnections=IngestQaConnections):
    """What is refused."""

    check_magnitudes = pex_config.Field[bool](  # type: ignore[no-untyped-call]
        doc="Refuse a tract whose median magnitudes no survey has: the unit of its fluxes is not the declared one.",
        default=True,
    )


class IngestQaTask(PipelineTask):
    """Look at a tract before anything is made of it."""

    ConfigClass = IngestQaConfig
    _DefaultName = "ingestQa"
    config: IngestQaConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, look, write."""
        tract = int(butlerQC.quantum.dataId["tract"])
        with recorded_work(self.metadata):
            butlerQC.put(self.run(butlerQC.get(inputRefs)["skinny"], tract=tract), outputRefs)

    def run(self, skinny: pa.Table, *, tract: int) -> Struct:
        """Look, in memory.

        Parameters
        ----------
        skinny : pa.Table
        tract : int
            For messages.

        Returns
        -------
        Struct
            ``qa`` and ``counts``, both pa.Table.

        Raises
        ------
        UnitError
            The median magnitude of a band is none that a survey has.
        """
        bands = bands_of(skinny.schema)
        qa = ingest_qa(skinny, bands)
        if self.config.check_magnitudes:
            mapping = (skinny.schema.metadata or {}).get(b"pz.mapping", b"").decode()
            require_plausible_magnitudes(qa, f"tract {tract}", mapping)
        self.metadata["n_obj"] = skinny.num_rows
        return Struct(qa=qa, counts=sky_counts(skinny, bands))
