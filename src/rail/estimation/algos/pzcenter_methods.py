# ruff: noqa: INP001 -- the folders are RAIL's namespace
"""Our methods as stages of RAIL: an informer and an estimator for each.

This folder is where RAIL keeps its methods; ``rail.pz_center`` is what it imports to find them. Only RAIL imports this
file. The models stay data: a zip of the files of a model, and no pickle.

The stages are here and not in our package because ceci starts a stage by its full name only when its top package is a
namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import qp
from rail.core.common_params import SharedParams
from rail.core.data import ModelHandle, TableHandle
from rail.core.enums import DistributionType
from rail.estimation.estimator import CatEstimator
from rail.estimation.informer import CatInformer

from pzcenter.errors import ModelError
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.rail.model_file import MODEL_SUFFIX, read_model_file, write_model_file
from pzcenter.estimators.rail.tables import photometry_of_table
from pzcenter.estimators.registry import get_estimator

if TYPE_CHECKING:
    from pzcenter.estimators.protocol import Estimator
    from pzcenter.schema import Photometry

__all__ = [
    "PZCenterDensityNetworkEstimator",
    "PZCenterDensityNetworkInformer",
    "PZCenterModelHandle",
    "PZCenterNeighboursEstimator",
    "PZCenterNeighboursInformer",
    "PZCenterTemplateEstimator",
    "PZCenterTemplateInformer",
    "PZCenterTrainZEstimator",
    "PZCenterTrainZInformer",
]

# The parameter class of ceci, which RAIL's own parameters are of.
Parameter: Any = type(SharedParams.copy_param("zmin"))
_OPTIONAL = ("chi2", "template_id", "in_train_domain")
_COLUMNS = {
    name: SharedParams.copy_param(name)
    for name in ("bands", "err_bands", "mag_limits", "nondetect_val", "nonobserved_val")
} | {
    "dereddened": Parameter(bool, True, msg="whether Galactic extinction is out of the magnitudes"),
}


class PZCenterModelHandle(ModelHandle):  # type: ignore[misc]  # RAIL carries no types
    """A model of ours in a file, which holds data only."""

    suffix = MODEL_SUFFIX

    @classmethod
    def _read(cls, path: str, **_options: Any) -> Estimator:
        return read_model_file(path)

    @classmethod
    def _open(cls, path: str, **_options: Any) -> Estimator:
        return read_model_file(path)

    @classmethod
    def _write(cls, data: Estimator, path: str, **_options: Any) -> None:
        write_model_file(data, path)


def _settings_of(method: str) -> dict[str, Any]:
    """Settings of a method as parameters of a stage; the method itself checks their values."""
    found = {}
    for name, field in get_estimator(method).Config.model_fields.items():
        default = field.get_default(call_default_factory=True)
        plain = default.model_dump(mode="json") if hasattr(default, "model_dump") else default
        # Of the others, RAIL would cut decimals of a whole number, and take any text for true.
        kind = field.annotation if field.annotation in (float, str) else None
        found[name] = Parameter(
            kind,
            list(plain) if isinstance(plain, tuple) else plain,
            required=False,
            msg=f"{field.title}. {field.description}",
        )
    return found


class _Informing:
    """What the informers do."""

    method: ClassVar[str]
    config: Any
    get_data: Any
    add_data: Any

    def run(self) -> None:
        """Train on the table."""
        table = self.get_data("input")
        if self.config.hdf5_groupname:
            table = table[self.config.hdf5_groupname]
        method = get_estimator(self.method)
        settings = {name: self.config[name] for name in method.Config.model_fields}
        self.model = method.train(
            _photometry(table, self.config),
            np.asarray(table[self.config.redshift_col], dtype=np.float64),
            config=checked_config(method.Config, settings),
            z_grid=np.linspace(self.config.zmin, self.config.zmax, self.config.nzbins),
        )
        self.add_data("model", self.model)


class _Estimating:
    """What the estimators do, on the grid that their model was trained for."""

    method: ClassVar[str]
    name: ClassVar[str]
    config: Any
    model: Any
    _do_chunk_output: Any

    def open_model(self, **kwargs: Any) -> Estimator | None:
        """Read the model, which must be of this method."""
        model: Estimator | None = CatEstimator.open_model(self, **kwargs)
        if model is not None and getattr(model, "name", None) != self.method:
            raise ModelError(f"{self.name} takes a model of {self.method!r}; got {getattr(model, 'name', model)!r}")
        return model

    @classmethod
    def default_distribution_type(cls) -> DistributionType:
        """Our densities are posteriors."""
        return DistributionType.posterior

    def _process_chunk(self, start: int, end: int, data: Any, first: bool) -> None:
        pz = self.model.estimate(_photometry(data, self.config))
        # Their integral is one already; rows without an estimate are NaN.
        ensemble = qp.Ensemble(qp.interp, data={"xvals": pz.z_grid, "yvals": pz.pdf, "norm": False, "warn": False})
        known = ~np.isnan(pz.pdf[:, 0])
        zmode = np.where(known, pz.z_grid[np.argmax(np.where(known[:, None], pz.pdf, 0), axis=1)], np.nan)
        optional = {name: getattr(pz, name) for name in _OPTIONAL if getattr(pz, name) is not None}
        ensemble.set_ancil({"zmode": zmode, "flags": pz.flags, **optional})
        self._do_chunk_output(ensemble, start, end, first, data=data)


def _photometry(table: Any, config: Any) -> Photometry:
    return photometry_of_table(
        table,
        list(config.bands),
        list(config.err_bands),
        mag_limits=dict(config.mag_limits),
        nondetect_val=config.nondetect_val,
        nonobserved_val=config.nonobserved_val,
        dereddened=config.dereddened,
    )


_GRID = {name: SharedParams.copy_param(name) for name in ("zmin", "zmax", "nzbins", "redshift_col")}
_INFORMER: dict[str, Any] = {**CatInformer.config_options, **_GRID, **_COLUMNS}
_ESTIMATOR: dict[str, Any] = {**CatEstimator.config_options, **_COLUMNS}
_TRAINED = [("model", PZCenterModelHandle)]
_TAKEN = [("model", PZCenterModelHandle), ("input", TableHandle)]


class PZCenterTemplateInformer(_Informing, CatInformer):  # type: ignore[misc]
    """Calibrate the template fit of pzcenter."""

    method = "template"
    name = "PZCenterTemplateInformer"
    entrypoint_function = "inform"
    interactive_function = "pzcenter_template_informer"
    config_options: ClassVar = _INFORMER | _settings_of(method)
    outputs: ClassVar = _TRAINED


class PZCenterTemplateEstimator(_Estimating, CatEstimator):  # type: ignore[misc]
    """Template fit of pzcenter."""

    method = "template"
    name = "PZCenterTemplateEstimator"
    entrypoint_function = "estimate"
    interactive_function = "pzcenter_template_estimator"
    config_options: ClassVar = _ESTIMATOR
    inputs: ClassVar = _TAKEN


class PZCenterDensityNetworkInformer(_Informing, CatInformer):  # type: ignore[misc]
    """Train the density networks of pzcenter."""

    method = "density_network"
    name = "PZCenterDensityNetworkInformer"
    entrypoint_function = "inform"
    interactive_function = "pzcenter_density_network_informer"
    config_options: ClassVar = _INFORMER | _settings_of(method)
    outputs: ClassVar = _TRAINED


class PZCenterDensityNetworkEstimator(_Estimating, CatEstimator):  # type: ignore[misc]
    """Density networks of pzcenter."""

    method = "density_network"
    name = "PZCenterDensityNetworkEstimator"
    entrypoint_function = "estimate"
    interactive_function = "pzcenter_density_network_estimator"
    config_options: ClassVar = _ESTIMATOR
    inputs: ClassVar = _TAKEN


class PZCenterNeighboursInformer(_Informing, CatInformer):  # type: ignore[misc]
    """Tune the nearest neighbours of pzcenter."""

    method = "neighbours"
    name = "PZCenterNeighboursInformer"
    entrypoint_function = "inform"
    interactive_function = "pzcenter_neighbours_informer"
    config_options: ClassVar = _INFORMER | _settings_of(method)
    outputs: ClassVar = _TRAINED


class PZCenterNeighboursEstimator(_Estimating, CatEstimator):  # type: ignore[misc]
    """Nearest neighbours of pzcenter."""

    method = "neighbours"
    name = "PZCenterNeighboursEstimator"
    entrypoint_function = "estimate"
    interactive_function = "pzcenter_neighbours_estimator"
    config_options: ClassVar = _ESTIMATOR
    inputs: ClassVar = _TAKEN


class PZCenterTrainZInformer(_Informing, CatInformer):  # type: ignore[misc]
    """Draw the redshift distribution of the training set."""

    method = "trainz"
    name = "PZCenterTrainZInformer"
    entrypoint_function = "inform"
    interactive_function = "pzcenter_train_z_informer"
    config_options: ClassVar = _INFORMER | _settings_of(method)
    outputs: ClassVar = _TRAINED


class PZCenterTrainZEstimator(_Estimating, CatEstimator):  # type: ignore[misc]
    """Give every object the redshift distribution of the training set."""

    method = "trainz"
    name = "PZCenterTrainZEstimator"
    entrypoint_function = "estimate"
    interactive_function = "pzcenter_train_z_estimator"
    config_options: ClassVar = _ESTIMATOR
    inputs: ClassVar = _TAKEN
