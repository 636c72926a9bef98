"""Bayesian template fitting: the method that needs no training set, and gains from a small one.

The equations are in :mod:`pzcenter.science.likelihood`, the machines in :mod:`pzcenter.science.engines`; here they meet
the protocol of the estimators.

References
----------
Benitez 2000, ApJ 536, 571.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pzcenter.errors import BandError, ModelError, UsageError
from pzcenter.estimators.checks import (
    check_photometry,
    check_training,
    check_z_grid,
    require_different_redshifts,
)
from pzcenter.estimators.protocol import Declaration, EstimatorConfig, TrainingFacts, checked_config, default_z_grid
from pzcenter.estimators.storage import read_model, write_model
from pzcenter.estimators.template_calibration import calibrate_model
from pzcenter.estimators.template_model import TemplateConfig, TemplateModel, build_model, template_problem
from pzcenter.schema import PZ, PZFlag
from pzcenter.science.engines import get_engine
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import Progress
    from pzcenter.schema import Photometry

__all__ = ["TemplateConfig", "TemplateEstimator", "prior_magnitude"]


class TemplateEstimator:
    """A model of the template fit: model fluxes, prior, errors and zero points.

    Parameters
    ----------
    config : TemplateConfig
        Settings.
    bands : tuple of str
        In the model's order.
    model : TemplateModel
        The numbers.
    training : TrainingFacts or None
        None for a model that was not calibrated.
    """

    name: ClassVar[str] = "template"
    needs_training: ClassVar[bool] = False
    citation: ClassVar[str] = "Benitez 2000, ApJ 536, 571 (method)"
    Config: ClassVar[type[EstimatorConfig]] = TemplateConfig
    declaration: ClassVar[Declaration] = Declaration(fills=frozenset({"chi2", "template_id"}), n_train_min=50)

    def __init__(
        self, *, config: TemplateConfig, bands: tuple[str, ...], model: TemplateModel, training: TrainingFacts | None
    ) -> None:
        self.config = config
        self.bands = bands
        self.model = model
        self.training = training
        self._problem = template_problem(model, config)

    @property
    def z_grid(self) -> NDArray[np.float64]:
        """Grid of the densities, (n_z,)."""
        return self.model.z_grid

    @classmethod
    def default(cls, *, config: EstimatorConfig | None = None, z_grid: NDArray[Any] | None = None) -> Self:
        """Make the model of the settings alone, in all bands that have a filter."""
        settings = checked_config(TemplateConfig, config)
        bands = tuple(settings.filter_of_band)
        grid = check_z_grid(default_z_grid() if z_grid is None else z_grid)
        return cls(config=settings, bands=bands, model=build_model(settings, bands, grid), training=None)

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
        """Calibrate templates, their error and the prior; see :meth:`pzcenter.estimators.Estimator.train`.

        The model has the bands of the photometry that have a filter in the settings.

        Raises
        ------
        BandError
            No band has a filter.
        ModelError
            All redshifts are the same.
        """
        # The calibration of a trained model is its own.
        settings = checked_config(TemplateConfig, config).model_copy(update={"calibration": "none"})
        bands = tuple(band for band in settings.filter_of_band if band in photometry.bands)
        if not bands:
            raise BandError(
                f"filters are set for {list(settings.filter_of_band)}; the photometry has {list(photometry.bands)}"
            )
        sample = check_training(photometry.with_bands(bands), z_spec, z_grid, cls.declaration)
        require_different_redshifts(sample.facts)
        model = build_model(settings, bands, sample.z_grid)
        prior_mag_of = partial(prior_magnitude, bands=bands, config=settings)
        model = calibrate_model(model, sample, settings, prior_mag_of=prior_mag_of, progress=progress)
        return cls(config=settings, bands=bands, model=model, training=sample.facts)

    def estimate(self, photometry: Photometry) -> PZ:
        """Fit all templates at all redshifts; see :meth:`pzcenter.estimators.Estimator.estimate`."""
        checked = check_photometry(photometry, self.bands, self.declaration)
        factor = self.model.zero_point_factor.astype(np.float32)
        with np.errstate(over="ignore"):
            # A flux near the end of float32 becomes infinite, which the engine takes as missing.
            flux, flux_err = checked.flux * factor, checked.flux_err * factor
        mag = prior_magnitude(flux, flux_err, self.bands, self.config)
        fit = get_engine(self.config.engine).fit(self._problem, flux, flux_err, mag)
        checked.flags[~np.isfinite(fit.chi2)] |= np.uint32(PZFlag.no_estimate)
        return PZ(
            pdf=fit.pdf,
            z_grid=self.z_grid,
            flags=checked.flags,
            chi2=fit.chi2,
            template_id=fit.template_id,
        )

    def save(self, directory: Path | str) -> None:
        """Write the model; see :func:`pzcenter.estimators.storage.write_model`."""
        model = self.model
        arrays: dict[str, NDArray[Any]] = {
            "model_flux": model.model_flux,
            "log_prior": model.log_prior,
            "template_type": model.template_type,
            "relative_err": model.relative_err,
            "zero_point_factor": model.zero_point_factor,
        }
        if model.template_err is not None:
            arrays["template_err"] = model.template_err
        write_model(
            directory,
            estimator=self.name,
            config=self.config,
            bands=self.bands,
            z_grid=self.z_grid,
            arrays=arrays,
            training=self.training,
            facts={"prior_mag_min": model.prior_mag_min, "prior_mag_step": model.prior_mag_step},
        )

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a model; see :func:`pzcenter.estimators.storage.read_model`."""
        stored = read_model(directory, estimator=cls.name)
        n_band, n_z = len(stored.manifest.bands), stored.z_grid.size
        model_flux = stored.array("model_flux", (None, n_band, n_z), np.float32)
        factor = stored.array("zero_point_factor", (n_band,), np.float64)
        facts = stored.manifest.facts
        mag_min, mag_step = facts.get("prior_mag_min"), facts.get("prior_mag_step")
        if not isinstance(mag_min, int | float) or not isinstance(mag_step, int | float) or mag_step <= 0:
            raise ModelError(f"{directory}: the manifest must give prior_mag_min and a positive prior_mag_step")
        if not (np.all(np.isfinite(factor)) and np.all(factor > 0)):
            raise ModelError(f"{directory}: zero point factors must be positive; got {factor.tolist()}")
        with_err = "template_err" in stored.arrays
        model = TemplateModel(
            model_flux=model_flux,
            z_grid=stored.z_grid,
            log_prior=stored.array("log_prior", (None, None, n_z), np.float32),
            prior_mag_min=float(mag_min),
            prior_mag_step=float(mag_step),
            template_type=stored.array("template_type", (model_flux.shape[0],), np.int64),
            relative_err=stored.array("relative_err", (n_band,), np.float64),
            template_err=stored.array("template_err", (n_band, n_z), np.float64) if with_err else None,
            zero_point_factor=factor,
        )
        config = checked_config(TemplateConfig, stored.manifest.config)
        try:
            return cls(config=config, bands=stored.manifest.bands, model=model, training=stored.training)
        except UsageError as error:
            raise ModelError(f"{directory}: the numbers of the model do not make a template fit: {error}") from None


def prior_magnitude(
    flux: NDArray[np.float32], flux_err: NDArray[np.float32], bands: tuple[str, ...], config: TemplateConfig
) -> NDArray[np.float64]:
    """Magnitude that enters the prior.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, both NaN where missing.
    bands : tuple of str
        Of the second axis.
    config : TemplateConfig
        Names the band, and those that stand in for it.

    Returns
    -------
    ndarray of float64, (n_obj,)
        AB; the one-sigma limit for a flux below its error; NaN without any of the bands.
    """
    limited = np.maximum(flux, flux_err).astype(np.float64)
    chosen = np.full(flux.shape[0], np.nan)
    for band in (config.prior_band, *config.prior_fallback):
        if band in bands:
            chosen = np.where(np.isnan(chosen), limited[:, bands.index(band)], chosen)
    return np.asarray(flux_to_mag(chosen), dtype=np.float64)
