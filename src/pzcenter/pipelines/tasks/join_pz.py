"""Step 5, per tract: the core PZ table with exactly one row for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
import pyarrow as pa
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs.join_objects import join_objects, object_positions
from pzcenter.errors import ModelError, PZCenterError
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE
from pzcenter.schema.mapping import detect_mapping, load_mapping

from .work_record import recorded_work

if TYPE_CHECKING:
    from pzcenter.schema import Mapping

__all__ = ["JoinPzConfig", "JoinPzConnections", "JoinPzTask"]

_COUNTS = ("n_object", "n_joined", "n_added", "n_estimate")
_SCHEMA = pa.schema(
    [
        pa.field("skymap", pa.string(), nullable=False),
        pa.field("tract", pa.int32(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in _COUNTS),
        pa.field("model_id", pa.int16(), nullable=False),
    ]
)


class JoinPzConnections(PipelineTaskConnections, dimensions=PARTITION, defaultTemplates={"algo": "template"}):
    """Estimates, objects and models in; the joined table and its counts out."""

    objects = Input(
        doc="Object table, as delivered.",
        name="object",
        storageClass="ArrowTable",
        dimensions=PARTITION,
        deferLoad=True,
    )
    estimate = Input(
        doc="Core PZ table of the skinny rows.",
        name="pz_estimate_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    quality = Input(
        doc="Names the model of the tract.",
        name="pz_quality_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    models = Input(doc="Numbers of the models.", name="pz_model_{algo}", storageClass="ArrowTable", dimensions=RELEASE)
    joined = Output(
        doc="Core PZ table, exactly one row per object.",
        name="pz_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    counts = Output(
        doc="One row: counts of the join.", name="pz_join_{algo}", storageClass="ArrowTable", dimensions=PARTITION
    )


class JoinPzConfig(PipelineTaskConfig, pipelineConnections=JoinPzConnections):
    """How the object table is read."""

    mapping = pex_config.Field[str](  # type: ignore[no-untyped-call]
        doc="Mapping of the object table's columns, a shipped name or a file; empty: the one that fits.", default=""
    )


class JoinPzTask(PipelineTask):
    """Give every object of a tract its estimate, or a flag that says that there is none."""

    ConfigClass = JoinPzConfig
    _DefaultName = "joinPz"
    config: JoinPzConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read the ids and positions of the objects and the estimates, join, write."""
        data_id = butlerQC.quantum.dataId
        tract = int(data_id["tract"])
        with recorded_work(self.metadata):
            inputs = butlerQC.get(inputRefs)
            objects = self.read_objects(inputs.pop("objects"), tract)
            butlerQC.put(self.run(objects, **inputs, skymap=str(data_id["skymap"]), tract=tract), outputRefs)

    def read_objects(self, handle: Any, tract: int) -> pa.Table:
        """Ids and positions of the objects; no other column is read.

        Parameters
        ----------
        handle : DeferredDatasetHandle
            Of the object table.
        tract : int
            For tables that have no column for it.

        Raises
        ------
        ColumnError, SchemaError
            A column is missing, or not what the mapping says.
        """
        names = list(handle.get(component="columns"))
        mapping: Mapping = load_mapping(self.config.mapping) if self.config.mapping else detect_mapping(names)
        wanted = [mapping.object_id, mapping.ra, mapping.dec, mapping.tract]
        columns = [name for name in wanted if name is not None and name in names]
        return object_positions(handle.get(parameters={"columns": columns}), mapping, tract=tract)

    def run(
        self,
        objects: pa.Table,
        estimate: pa.Table,
        quality: pa.Table,
        models: pa.Table,
        *,
        skymap: str,
        tract: int,
    ) -> Struct:
        """Join, in memory.

        Parameters
        ----------
        objects : pa.Table
            ``objectId, ra, dec, tract`` of every object of the tract.
        estimate : pa.Table
            Core table of some or all of them.
        quality : pa.Table
            One row that names the model.
        models : pa.Table
            Definition ``pz_model``.
        skymap : str
        tract : int

        Returns
        -------
        Struct
            ``joined``: one row per object, in order along the sky. ``counts``: one row.

        Raises
        ------
        DuplicateIdError
            An object is there twice.
        SchemaError
            Estimates of objects that are not in the tract, or objects without a position.
        ModelError
            The model of the tract has no number.
        """
        model_id = _model_id(quality, models, tract)
        try:
            joined, counts = join_objects(objects, estimate, model_id=model_id)
        except PZCenterError as error:
            raise type(error)(f"tract {tract} of {skymap}: {error}") from error
        row = {"skymap": skymap, "tract": tract, **counts.as_dict(), "model_id": model_id}
        for name in _COUNTS:
            self.metadata[name] = row[name]
        self.metadata["model_id"] = model_id
        self.log.info("%d objects, %d added without estimate", counts.n_object, counts.n_added)
        return Struct(joined=joined, counts=pa.Table.from_pylist([row], schema=_SCHEMA))


def _model_id(quality: pa.Table, models: pa.Table, tract: int) -> int:
    """Number of the model that made the estimates of a tract."""
    (row,) = quality.select(["model_checksum", "code_version"]).to_pylist()
    found = [
        entry["model_id"]
        for entry in models.select(["model_id", "checksum", "code_version"]).to_pylist()
        if (entry["checksum"], entry["code_version"]) == (row["model_checksum"], row["code_version"])
    ]
    if len(found) != 1:
        raise ModelError(
            f"tract {tract}: its model {row['model_checksum']} of version {row['code_version']} is {len(found)} times "
            f"among the {models.num_rows} numbered models; modelIndex must run after the last estimates"
        )
    return int(found[0])
