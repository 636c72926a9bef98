"""The template fit inside the density networks: its densities on a coarse grid, and templates moved in redshift."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.estimators.template import TemplateEstimator
from pzcenter.estimators.template_model import TemplateConfig
from pzcenter.schema import Photometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators.checks import TrainingSample
    from pzcenter.estimators.density_network.config import DensityNetworkConfig

__all__ = ["COARSE_GROUP", "TemplatePart", "coarse_grid", "fit_templates"]

log = logging.getLogger(__name__)

COARSE_GROUP = 3
"""Grid points of the coarse grid whose probabilities make one feature."""
_COARSE_STEP = 0.03
_FINE_PER_COARSE = 3
_N_CALIBRATE_MAX = 20_000
_MODEL_ERR = 0.03
"""Error of the templates, fraction of the flux, when the best one at a known redshift is sought."""
_MIN_BANDS = 3


@dataclass(frozen=True, eq=False)
class TemplatePart:
    """Templates of a training.

    Parameters
    ----------
    estimator : TemplateEstimator
        On the coarse grid.
    columns : tuple of int
        Its bands among those of the sample.
    fine_flux : ndarray of float64, (n_template, n_band, n_fine)
        Model fluxes on a fine grid; needed in training only.
    fine_grid : ndarray of float64, (n_fine,)
        In equal steps.
    """

    estimator: TemplateEstimator
    columns: tuple[int, ...]
    fine_flux: NDArray[np.float64]
    fine_grid: NDArray[np.float64]

    def flux_at(self, template: NDArray[np.int64], z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Model fluxes of one template for each object at its redshift, (n_obj, n_band)."""
        step = self.fine_grid[1] - self.fine_grid[0]
        place = np.clip((z - self.fine_grid[0]) / step, 0, self.fine_grid.size - 1.000001)
        cell = place.astype(np.int64)
        part = (place - cell)[:, None]
        values: NDArray[np.float64] = (1 - part) * self.fine_flux[template, :, cell]
        values += part * self.fine_flux[template, :, cell + 1]
        return values

    def misfits(
        self, flux: NDArray[np.float32], flux_err: NDArray[np.float32], z: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Chi-square of each template at the known redshifts, (n_obj, n_template)."""
        columns = list(self.columns)
        known = np.isfinite(flux[:, columns])
        f = np.where(known, flux[:, columns], 0.0).astype(np.float64)
        e = np.where(known, flux_err[:, columns], 1.0).astype(np.float64)
        weight = known / (e**2 + (_MODEL_ERR * f) ** 2)
        out = np.empty((z.size, self.fine_flux.shape[0]), dtype=np.float32)
        for template in range(out.shape[1]):
            model = self.flux_at(np.full(z.size, template), z)
            amplitude = (weight * f * model).sum(axis=1) / np.maximum((weight * model**2).sum(axis=1), 1e-300)
            out[:, template] = (weight * (f - np.maximum(amplitude, 0.0)[:, None] * model) ** 2).sum(axis=1)
        return out

    def densities(
        self, flux: NDArray[np.float32], flux_err: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Densities on the coarse grid and chi-squares, NaN without a fit."""
        return coarse_densities(self.estimator, self.columns, flux, flux_err)


def coarse_densities(
    estimator: TemplateEstimator,
    columns: tuple[int, ...],
    flux: NDArray[np.float32],
    flux_err: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit templates.

    Parameters
    ----------
    estimator : TemplateEstimator
        On the coarse grid.
    columns : tuple of int
        Its bands.
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy.

    Returns
    -------
    pdf : ndarray of float32, (n_obj, n_coarse)
        NaN without a fit.
    chi2 : ndarray of float32, (n_obj,)
    """
    some = list(columns)
    fit = estimator.estimate(
        Photometry(
            flux=np.ascontiguousarray(flux[:, some]),
            flux_err=np.ascontiguousarray(flux_err[:, some]),
            bands=estimator.bands,
        )
    )
    assert fit.chi2 is not None
    return np.asarray(fit.pdf, dtype=np.float32), np.asarray(fit.chi2, dtype=np.float32)


def coarse_grid(z_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Grid of the template fit: equal steps of about 0.03 over the range of the model's grid."""
    n_cell = int(np.clip(round((z_grid[-1] - z_grid[0]) / _COARSE_STEP), 10, 300))
    return np.linspace(z_grid[0], z_grid[-1], n_cell + 1)


def fit_templates(sample: TrainingSample, config: DensityNetworkConfig) -> TemplatePart | None:
    """Prepare the templates of a training.

    Parameters
    ----------
    sample : TrainingSample
        Objects of known redshift.
    config : DensityNetworkConfig
        Settings.

    Returns
    -------
    TemplatePart or None
        None when the settings ask for none, or fewer than three bands have a filter.
    """
    if config.templates == "none":
        return None
    settings = TemplateConfig(filters=config.filters, n_between=0, calibration="none")
    known = settings.filter_of_band
    bands = tuple(band for band in known if band in sample.bands)
    if len(bands) < _MIN_BANDS:
        log.warning("too few bands have a filter: %s of %s; no templates are used", list(bands), list(sample.bands))
        return None
    settings = settings.for_bands(bands)
    coarse = coarse_grid(sample.z_grid)
    fine = np.linspace(coarse[0], coarse[-1], _FINE_PER_COARSE * (coarse.size - 1) + 1)
    columns = tuple(sample.bands.index(band) for band in bands)
    on_fine = _templates_on(
        fine, sample, columns, settings, calibrated=config.templates == "calibrated", seed=config.seed
    )
    model = on_fine.model
    every = slice(None, None, _FINE_PER_COARSE)
    small: dict[str, Any] = {
        "z_grid": coarse,
        "model_flux": np.ascontiguousarray(model.model_flux[:, :, every]),
        "log_prior": np.ascontiguousarray(model.log_prior[:, :, every]),
        "template_err": None if model.template_err is None else np.ascontiguousarray(model.template_err[:, every]),
    }
    on_coarse = TemplateEstimator(config=settings, bands=bands, model=replace(model, **small), training=None)
    return TemplatePart(
        estimator=on_coarse, columns=columns, fine_flux=model.model_flux.astype(np.float64), fine_grid=fine
    )


def _templates_on(
    grid: NDArray[np.float64],
    sample: TrainingSample,
    columns: tuple[int, ...],
    settings: TemplateConfig,
    *,
    calibrated: bool,
    seed: int,
) -> TemplateEstimator:
    if not calibrated:
        return TemplateEstimator.default(config=settings, z_grid=grid)
    rows = np.arange(sample.z_spec.size)
    if rows.size > _N_CALIBRATE_MAX:
        rows = np.sort(np.random.default_rng(seed).permutation(rows.size)[:_N_CALIBRATE_MAX])
    some = list(columns)
    photometry = Photometry(
        flux=np.ascontiguousarray(sample.flux[rows][:, some]),
        flux_err=np.ascontiguousarray(sample.flux_err[rows][:, some]),
        bands=tuple(sample.bands[column] for column in columns),
    )
    return TemplateEstimator.train(photometry, sample.z_spec[rows], config=settings, z_grid=grid)
