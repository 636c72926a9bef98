"""Networks that give the whole density, beside a template fit, calibrated on objects they did not see.

How it works and why: ``docs/decisions/0013-learned-densities.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pzcenter.errors import ModelError
from pzcenter.estimators.checks import check_photometry, check_training
from pzcenter.estimators.density_network.config import DensityNetworkConfig
from pzcenter.estimators.density_network.domain import BELIEF
from pzcenter.estimators.density_network.kernel import densities
from pzcenter.estimators.density_network.model import model_arrays, model_facts, model_from, writable
from pzcenter.estimators.density_network.template_part import COARSE_GROUP, coarse_densities, coarse_grid
from pzcenter.estimators.fingerprints import tell_known
from pzcenter.estimators.protocol import Declaration, EstimatorConfig, TrainingFacts, checked_config
from pzcenter.estimators.storage import read_model, write_model
from pzcenter.schema import PZ, PZFlag

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.estimators.density_network.model import DensityModel
    from pzcenter.estimators.protocol import Progress
    from pzcenter.schema import Photometry

__all__ = ["DensityNetworkEstimator"]

_BLOCK = 8192
"""Objects computed at a time, a multiple of the kernel's lanes: bounds the memory beside the result."""


class DensityNetworkEstimator:
    """A model of the density networks.

    Parameters
    ----------
    config : DensityNetworkConfig
        Settings.
    bands : tuple of str
        In the model's order.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    model : DensityModel
        The numbers.
    training : TrainingFacts
        Of the training set.
    held_out : dict of str to float
        Metrics on objects that members did not see.
    """

    name: ClassVar[str] = "density_network"
    needs_training: ClassVar[bool] = True
    Config: ClassVar[type[EstimatorConfig]] = DensityNetworkConfig
    declaration: ClassVar[Declaration] = Declaration(fills=frozenset({"in_train_domain"}), n_train_min=100)

    def __init__(
        self,
        *,
        config: DensityNetworkConfig,
        bands: tuple[str, ...],
        z_grid: NDArray[np.float64],
        model: DensityModel,
        training: TrainingFacts | None,
        held_out: dict[str, float],
    ) -> None:
        self.config = config
        self.bands = bands
        self.z_grid = z_grid
        self.model = writable(model)
        self.training = training
        self.held_out = held_out
        self._tables = self.model.tables(z_grid, config.resolution)
        self._coarse = coarse_grid(z_grid)

    @classmethod
    def default(cls, *, config: EstimatorConfig | None = None, z_grid: NDArray[Any] | None = None) -> Self:
        """Refuse: there is no model without data."""
        del config, z_grid
        raise ModelError(f"{cls.name} has no model without data: train it")

    @classmethod
    def train(
        cls,
        photometry: Photometry,
        z_spec: NDArray[Any],
        *,
        config: EstimatorConfig | None = None,
        z_grid: NDArray[Any] | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Train the networks and calibrate them; see :meth:`pzcenter.estimators.Estimator.train`.

        Raises
        ------
        MissingDependencyError
            JAX or optax is not installed.
        """
        from pzcenter.estimators.density_network.training import train_model

        settings = checked_config(DensityNetworkConfig, config)
        sample = check_training(photometry, z_spec, z_grid, cls.declaration)
        model, held_out = train_model(sample, settings, progress or (lambda _fraction, _text: None))
        return cls(
            config=settings,
            bands=sample.bands,
            z_grid=sample.z_grid,
            model=model,
            training=sample.facts,
            held_out=held_out,
        )

    def estimate(self, photometry: Photometry) -> PZ:
        """Give densities; see :meth:`pzcenter.estimators.Estimator.estimate`.

        Objects that were in the training set are counted in a warning of the log: metrics of them say nothing.
        """
        checked = check_photometry(photometry, self.bands, self.declaration)
        flux, flux_err = checked.flux, checked.flux_err
        tell_known(flux, flux_err, self.model.fingerprints)
        flux, flux_err = self._known_bands(flux, flux_err)
        pdf = np.empty((photometry.n_obj, self.z_grid.size), dtype=np.float32)
        inside = np.empty(photometry.n_obj, dtype=np.float32)
        for start in range(0, photometry.n_obj, _BLOCK):
            block = slice(start, start + _BLOCK)
            pdf[block], inside[block] = self._densities(flux[block], flux_err[block])
        none = np.isnan(flux).all(axis=1)
        pdf[none], inside[none] = np.nan, 0.0
        checked.flags[none] |= np.uint32(PZFlag.no_estimate)
        checked.flags[inside < self.config.domain_threshold] |= np.uint32(PZFlag.outside_domain)
        return PZ(pdf=pdf, z_grid=self.z_grid, flags=checked.flags, in_train_domain=inside)

    def save(self, directory: Path | str) -> None:
        """Write the model; see :func:`pzcenter.estimators.storage.write_model`."""
        write_model(
            directory,
            estimator=self.name,
            config=self.config,
            bands=self.bands,
            z_grid=self.z_grid,
            arrays=model_arrays(self.model),
            training=self.training,
            facts=model_facts(self.model, self.held_out),
        )

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a model; see :func:`pzcenter.estimators.storage.read_model`."""
        stored = read_model(directory, estimator=cls.name)
        config = checked_config(DensityNetworkConfig, stored.manifest.config)
        held_out = stored.manifest.facts.get("held_out")
        if not isinstance(held_out, dict):
            raise ModelError(f"{directory}: the manifest must give the metrics held_out")
        return cls(
            config=config,
            bands=stored.manifest.bands,
            z_grid=stored.z_grid,
            model=model_from(stored, config, str(directory)),
            training=stored.training,
            held_out={str(name): float(value) for name, value in held_out.items()},
        )

    def _known_bands(
        self, flux: NDArray[np.float32], flux_err: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.model.known.all():
            return flux, flux_err
        return tuple(np.where(self.model.known, values, np.float32(np.nan)) for values in (flux, flux_err))  # type: ignore[return-value]

    def _densities(
        self, flux: NDArray[np.float32], flux_err: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        model = self.model
        if model.templates is None:
            template_pdf = np.empty((flux.shape[0], 1), dtype=np.float32)
            misfit = np.empty(flux.shape[0], dtype=np.float32)
        else:
            template_pdf, misfit = coarse_densities(model.templates, model.template_columns, flux, flux_err)
        return densities(
            flux,
            flux_err,
            template_pdf=template_pdf,
            misfit=misfit,
            coarse=self._coarse,
            group=COARSE_GROUP,
            softening=model.softening,
            mean=model.mean,
            scale=model.scale,
            bare=model.bare,
            hybrid=model.hybrid,
            domain=model.domain,
            tables=self._tables,
            belief=BELIEF,
        )
