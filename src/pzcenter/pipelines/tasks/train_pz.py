"""Before step 3, where a method learns: train its models, one for each set of bands."""

from __future__ import annotations

from typing import Any

import lsst.pex.config as pex_config
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base.connectionTypes import Input, Output

from pzcenter.catalogs import photometry_of
from pzcenter.errors import BandError, ColumnError, ConfigError, EmptyTableError
from pzcenter.estimators import ModelSet, estimator_names, get_estimator

from .estimator_subtask import bands_of_text, method_registry
from .work_record import recorded_work

__all__ = ["TrainPzConfig", "TrainPzConnections", "TrainPzTask"]


Z_MAX, Z_STEP = 3.0, 0.01
"""The grid that methods have by default."""


class TrainPzConnections(PipelineTaskConnections, dimensions=(), defaultTemplates={"algo": "template"}):
    """Objects of known redshift in; models out."""

    training_set = Input(
        doc="Skinny rows with z_spec.", name="pz_training_set", storageClass="ArrowTable", dimensions=()
    )
    models = Output(
        doc="Trained models, one for each set of bands.",
        name="photoz_model_{algo}",
        storageClass="PZModelSet",
        dimensions=(),
    )


class TrainPzConfig(PipelineTaskConfig, pipelineConnections=TrainPzConnections):
    """Which method, and for which bands."""

    estimator = method_registry.makeField(
        doc="Method to train, with its settings; by default the one that the models are named after.",
        default=None,
        optional=True,
    )
    band_sets = pex_config.ListField[str](  # type: ignore[no-untyped-call]
        doc="Bands of the models, such as ugrizy, or g,r,J,Ks: one model for each.",
        default=["ugrizy", "griz"],
        itemCheck=lambda text: bool(bands_of_text(text)),
        minLength=1,
    )

    z_max = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=float, doc="End of the redshift grid.", default=Z_MAX, min=0.0, inclusiveMin=False, max=20.0
    )
    z_step = pex_config.RangeField(  # type: ignore[no-untyped-call]
        dtype=float, doc="Step of the redshift grid.", default=Z_STEP, min=1e-4, max=1.0
    )

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.estimator.name or self.connections.algo)

    def validate(self) -> None:
        """Refuse models of one method under the name of another.

        Raises
        ------
        ConfigError
            ``connections.algo`` is the name of another method.
        """
        super().validate()  # type: ignore[no-untyped-call]
        algo, method = self.connections.algo, self.method
        if method != algo and algo in estimator_names():
            raise ConfigError(
                f"estimator.name is {method!r}, and the models would be called {algo!r}, which is another method: set "
                f"connections.algo (the parameter algo of the pipeline) to {method!r}, or to a name of your own"
            )


class TrainPzTask(PipelineTask):
    """Train one method for each set of bands."""

    ConfigClass = TrainPzConfig
    _DefaultName = "trainPz"
    config: TrainPzConfig

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Read, train, write."""
        with recorded_work(self.metadata):
            butlerQC.put(self.run(butlerQC.get(inputRefs)["training_set"]), outputRefs)

    def run(self, training_set: pa.Table) -> Struct:
        """Train, in memory.

        Parameters
        ----------
        training_set : pa.Table
            Skinny rows with ``z_spec``; rows without a redshift are left out.

        Returns
        -------
        Struct
            ``models`` : ModelSet

        Raises
        ------
        ColumnError, EmptyTableError
            There is no ``z_spec``, or no row has one.
        BandError
            The training set lacks bands of a model.
        NotFoundError
            The models are named after no method, and no method is configured.
        """
        if "z_spec" not in training_set.column_names:
            raise ColumnError(f"the training set has no column z_spec; it has {training_set.column_names}")
        known = training_set.filter(pc.is_finite(training_set.column("z_spec").cast(pa.float64())))
        if known.num_rows == 0:
            raise EmptyTableError(f"none of the {training_set.num_rows} objects of the training set has a redshift")
        z_spec = np.asarray(known.column("z_spec").to_numpy(), dtype=np.float64)
        method = get_estimator(self.config.method)
        settings = self.config.estimator[self.config.method].method_settings()
        z_grid = np.linspace(0.0, self.config.z_max, round(self.config.z_max / self.config.z_step) + 1)
        models = []
        for text in self.config.band_sets:
            bands = bands_of_text(text)
            absent = [band for band in bands if f"flux_{band}" not in known.column_names]
            if absent:
                raise BandError(f"a model for {text} needs the bands {absent}, which the training set lacks")
            models.append(method.train(photometry_of(known, bands), z_spec, config=settings, z_grid=z_grid))
            self.log.info("trained %s on %d objects in %s", self.config.method, known.num_rows, text)
        self.metadata["n_train"] = known.num_rows
        return Struct(models=ModelSet(tuple(models)))
