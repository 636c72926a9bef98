"""Step 5, per release: numbers of the models that made the estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.pipelines.quality import model_table
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE

from .work_record import recorded_work

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ModelIndexConfig", "ModelIndexConnections", "ModelIndexTask"]


class ModelIndexConnections(PipelineTaskConnections, dimensions=RELEASE, defaultTemplates={"algo": "template"}):
    """Quality of all tracts in, table of models out."""

    quality = Input(
        doc="Quality of each tract; it names the model.",
        name="pz_quality_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        multiple=True,
        deferLoad=True,
    )
    models = Output(
        doc="One row for each model and version.",
        name="pz_model_{algo}",
        storageClass="ArrowTable",
        dimensions=RELEASE,
    )


class ModelIndexConfig(PipelineTaskConfig, pipelineConnections=ModelIndexConnections):
    """No settings."""


class ModelIndexTask(PipelineTask):
    """Give each model and version of the code a number that holds for the whole release."""

    ConfigClass = ModelIndexConfig
    _DefaultName = "modelIndex"

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, number, write."""
        with recorded_work(self.metadata):
            handles = butlerQC.get(inputRefs)["quality"]
            butlerQC.put(self.run([handle.get() for handle in handles]), outputRefs)

    def run(self, quality: list[pa.Table]) -> Struct:
        """Number the models, in memory.

        Parameters
        ----------
        quality : list of pa.Table
            ``pz_quality`` of each tract, in any order.

        Returns
        -------
        Struct
            ``models``: definition ``pz_model``.

        Raises
        ------
        EmptyTableError
            No tract names its model.
        """
        models = model_table(quality)
        self.metadata["n_tract"] = len(quality)
        self.metadata["n_model"] = models.num_rows
        return Struct(models=models)
