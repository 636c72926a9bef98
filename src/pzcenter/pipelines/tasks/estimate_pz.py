"""Step 3, per tract: photometric redshifts of the skinny rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import lsst.pex.config as pex_config
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output, PrerequisiteInput

from pzcenter.catalogs.exporters.qp import qp_ensemble
from pzcenter.catalogs.photometry import bands_of
from pzcenter.errors import BandError, ConfigError, NotFoundError
from pzcenter.estimators import estimator_names
from pzcenter.pipelines.partition import estimate_partition
from pzcenter.pipelines.quality import model_facts, quality_row, table_of_rows
from pzcenter.pipelines.repository.dataset_types import PARTITION, RELEASE
from pzcenter.schema import PZFlag

from .estimator_subtask import STORED, bands_of_text, estimator_registry
from .loaded_models import loaded_models
from .work_record import recorded_work

if TYPE_CHECKING:
    from pzcenter.estimators import Estimator, ModelSet

__all__ = ["EstimatePzConfig", "EstimatePzConnections", "EstimatePzTask"]


class EstimatePzConnections(PipelineTaskConnections, dimensions=PARTITION, defaultTemplates={"algo": "template"}):
    """Skinny table and models in; estimates, densities and quality out."""

    skinny = Input(doc="Skinny table.", name="pz_skinny", storageClass="ArrowTable", dimensions=PARTITION)
    plan = Input(
        doc="Bands to be used in each tract.", name="pz_tract_plan", storageClass="ArrowTable", dimensions=RELEASE
    )
    models = PrerequisiteInput(
        doc="Models of the method, one for each set of bands.",
        name="photoz_model_{algo}",
        storageClass="PZModelSet",
        dimensions=(),
        deferLoad=True,
    )
    estimate = Output(
        doc="Core PZ table, same rows as the skinny table.",
        name="pz_estimate_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    pdf = Output(doc="Packed p(z), same rows.", name="pz_pdf_{algo}", storageClass="ArrowTable", dimensions=PARTITION)
    quality = Output(
        doc="One row: counts, model, versions.",
        name="pz_quality_{algo}",
        storageClass="ArrowTable",
        dimensions=PARTITION,
    )
    ensemble = Output(
        doc="The same p(z) as a qp ensemble.",
        name="photoz_ensemble_{algo}",
        storageClass="QPEnsemble",
        dimensions=PARTITION,
    )

    def __init__(self, *, config: Any = None) -> None:
        super().__init__(config=config)
        if not config.write_ensemble:
            del self.ensemble
        if not config.needs_stored_models:
            del self.models


class EstimatePzConfig(PipelineTaskConfig, pipelineConnections=EstimatePzConnections):
    """Which method, and what is written."""

    estimator = estimator_registry.makeField(
        doc="Method: model for the stored models of whatever method; a method that needs no training makes its models "
        "from the settings here; any other asserts that the stored models are of this method.",
        default=STORED,
    )
    band_sets = pex_config.ListField[str](  # type: ignore[no-untyped-call]
        doc="Bands of the models that are made from settings, such as ugrizy, or g,r,J,Ks.",
        default=["ugrizy", "griz"],
        itemCheck=lambda text: bool(bands_of_text(text)),
        minLength=1,
    )
    write_ensemble = pex_config.Field[bool](  # type: ignore[no-untyped-call]
        doc="Write p(z) as a qp ensemble too, 1.2 kB per object.", default=False
    )

    @property
    def needs_stored_models(self) -> bool:
        """Whether the models are a dataset, and not made from settings."""
        return bool(self.estimator.target.needs_stored)

    def validate(self) -> None:
        """Refuse estimates of one method under the name of another.

        Raises
        ------
        ConfigError
            ``connections.algo`` is the name of another method.
        """
        super().validate()  # type: ignore[no-untyped-call]
        algo, method = self.connections.algo, self.estimator.name
        if method not in (STORED, algo) and algo in estimator_names():
            raise ConfigError(
                f"estimator.name is {method!r}, and the results would be called {algo!r}, which is another method: "
                f"set connections.algo (the parameter algo of the pipeline) to {method!r}, or to a name of your own"
            )


class EstimatePzTask(PipelineTask):
    """Choose the model of a tract, estimate, and say what was done."""

    ConfigClass = EstimatePzConfig
    _DefaultName = "estimatePz"
    config: EstimatePzConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, estimate, write; the models are read once per process."""
        data_id = butlerQC.quantum.dataId
        with recorded_work(self.metadata):
            inputs = butlerQC.get(inputRefs)
            models = self.models(inputs.pop("models", None))
            outputs = self.run(
                inputs.pop("skinny"),
                inputs.pop("plan"),
                models,
                skymap=str(data_id["skymap"]),
                tract=int(data_id["tract"]),
                run=outputRefs.estimate.run,
            )
            butlerQC.put(outputs, outputRefs)

    def models(self, stored: Any) -> ModelSet:
        """Models of this configuration.

        Parameters
        ----------
        stored : DeferredDatasetHandle or None
            The stored models; None where they are made from settings.

        Raises
        ------
        ModelError
            The stored models are damaged, or of another method.
        """
        choice = self.config.estimator.apply()
        if stored is not None:
            found: ModelSet = choice.models(loaded_models(str(stored.ref.id), stored.get), ())
            return found
        band_sets = tuple(bands_of_text(text) for text in self.config.band_sets)
        key = f"{choice.method} {band_sets} {choice.config.method_settings().model_dump_json()}"
        return loaded_models(key, lambda: choice.models(None, band_sets))

    def run(
        self, skinny: pa.Table, plan: pa.Table, models: ModelSet, *, skymap: str, tract: int, run: str = ""
    ) -> Struct:
        """Estimate the rows of a tract, in memory.

        Parameters
        ----------
        skinny : pa.Table
            Skinny table of the tract.
        plan : pa.Table
            Columns ``skymap``, ``tract`` and ``bands``, of all tracts.
        models : ModelSet
        skymap : str
        tract : int
        run : str
            Name of the run, for the record.

        Returns
        -------
        Struct
            ``estimate``, ``pdf`` and ``quality``, and ``ensemble`` where it is configured. The first two have the
            rows of ``skinny`` in their order.

        Raises
        ------
        NotFoundError
            The plan has no such tract.
        BandError
            No model does with the bands of the tract.
        """
        begin = time.process_time()
        index, model = _choose(skinny, plan, models, skymap, tract)
        product = estimate_partition(skinny, model)
        estimate = product.pz if index == 0 else _flagged(product.pz, PZFlag.fallback_model)
        manifest = models.manifests[index]
        facts = model_facts(model, checksum=manifest.digest, model_version=manifest.packages.get("pzcenter"))
        row = quality_row(f"tract_{tract}", estimate, skinny, time.process_time() - begin)
        self.metadata["n_obj"] = estimate.num_rows
        self.metadata["n_estimate"] = row["n_estimate"]
        self.metadata["n_flagged"] = row["n_flagged"]
        self.metadata["estimate_cpu_s"] = row["cpu_s"]
        self.metadata["model"] = models.names[index]
        self.metadata["model_checksum"] = manifest.digest
        quality = table_of_rows("pz_quality", [{**row, **facts, "tract": tract, "run": run or None}])
        self.log.info("%d objects with %s", estimate.num_rows, models.names[index])
        ensemble = qp_ensemble(product.pz_pdf) if self.config.write_ensemble else None
        return Struct(estimate=estimate, pdf=product.pz_pdf, quality=quality, ensemble=ensemble)


def _choose(skinny: pa.Table, plan: pa.Table, models: ModelSet, skymap: str, tract: int) -> tuple[int, Estimator]:
    """Largest model that does with the bands of the tract, and its place in the set."""
    planned = _planned_bands(plan, skymap, tract)
    columns = bands_of(skinny.schema)
    there = [band for band in planned if band in columns]
    if not skinny.num_rows:
        # Nothing was measured: any model whose columns are there makes an empty table.
        there = list(columns)
    try:
        return models.choose(there)
    except BandError as error:
        measured = [band for band in columns if _has_values(skinny.column(f"flux_{band}"))]
        raise BandError(
            f"tract {tract} of {skymap}: {error}. The plan gives it {list(planned)}, its skinny table has columns for "
            f"{list(columns)} and values in {measured}; summariseRelease:band_sets decides what is planned"
        ) from None


def _planned_bands(plan: pa.Table, skymap: str, tract: int) -> tuple[str, ...]:
    rows = plan.filter((pc.field("tract") == tract) & (pc.field("skymap") == skymap))
    if rows.num_rows != 1:
        raise NotFoundError(
            f"tract {tract} of {skymap} is {rows.num_rows} times in the plan of {plan.num_rows} tracts, and must be "
            "once: was step 2 made of the same objects?"
        )
    text = rows.column("bands")[0].as_py() or ""
    return tuple(band for band in text.split(",") if band)


def _has_values(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.is_finite(column)).as_py())


def _flagged(pz: pa.Table, flag: PZFlag) -> pa.Table:
    """Table with one more flag on each row."""
    place = pz.schema.get_field_index("flags")
    flags = pz.column("flags").to_numpy() | np.uint32(flag)
    return pz.set_column(place, pz.schema.field(place), pa.array(flags, type=pa.uint32()))
