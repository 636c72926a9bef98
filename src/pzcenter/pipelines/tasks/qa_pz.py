"""Step 7, per tract: what the tract adds to n(z), maps and metrics of the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput

from pzcenter.pipelines.repository.dataset_types import PARTITION
from pzcenter.validation.release_maps import MAP_ORDER
from pzcenter.validation.tract_sums import sum_tract

from .work_record import recorded_work

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["QaPzConfig", "QaPzConnections", "QaPzTask"]


class QaPzConnections(PipelineTaskConnections, dimensions=PARTITION, defaultTemplates={"algo": "template"}):
    """Core table, densities and, where there are any, known redshifts in; sums out."""

    pz = Input(
        doc="Core PZ table, one row per object.", name="pz_{algo}", storageClass="ArrowTable", dimensions=PARTITION
    )
    pdf = Input(doc="Packed p(z).", name="pz_pdf_{algo}", storageClass="ArrowTable", dimensions=PARTITION)
    # A prerequisite, because an ordinary input that is missing would leave the tract out.
    truth = PrerequisiteInput(
        doc="Known redshifts: objectId, z_spec.",
        name="pz_truth",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        minimum=0,
    )
    qa = Output(doc="Sums of the tract.", name="pz_qa_{algo}", storageClass="ArrowTable", dimensions=PARTITION)


class QaPzConfig(PipelineTaskConfig, pipelineConnections=QaPzConnections):
    """How fine the maps are."""

    map_order = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=int,
        doc="HEALPix order of the maps: 8 are pixels of 0.05 square degrees; more for a small area.",
        default=MAP_ORDER,
        min=0,
        max=12,
    )


class QaPzTask(PipelineTask):
    """Count what a release report needs of one tract."""

    ConfigClass = QaPzConfig
    _DefaultName = "qaPz"
    config: QaPzConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, count, write."""
        with recorded_work(self.metadata):
            inputs = butlerQC.get(inputRefs)
            truth = inputs.get("truth")
            outputs = self.run(inputs["pz"], inputs["pdf"], truth, tract=int(butlerQC.quantum.dataId["tract"]))
            butlerQC.put(outputs, outputRefs)

    def run(self, pz: pa.Table, pdf: pa.Table, truth: pa.Table | None = None, *, tract: int) -> Struct:
        """Count, in memory.

        Parameters
        ----------
        pz : pa.Table
            Core table, one row per object.
        pdf : pa.Table
            Packed densities.
        truth : pa.Table, optional
            Columns ``objectId`` and ``z_spec``.
        tract : int

        Returns
        -------
        Struct
            ``qa``: pa.Table, see :meth:`pzcenter.validation.release_sums.ReleaseSums.to_table`.
        """
        sums = sum_tract(pz, pdf, truth, tract=tract, map_order=self.config.map_order)
        for name in ("n_obj", "n_estimate", "n_flagged", "n_truth"):
            self.metadata[name] = sums.total(name)
        return Struct(qa=sums.to_table())
