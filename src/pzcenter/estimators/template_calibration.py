"""What a template fit learns from objects of known redshift: zero points and the prior.

Both start from a model that settings describe (:func:`pzcenter.estimators.template_model.build_model`) and give a model
of the same form, so that the estimate does not know which it has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pzcenter.estimators.checks import TrainingSample
    from pzcenter.estimators.protocol import Progress
    from pzcenter.estimators.template_model import TemplateConfig, TemplateModel

__all__ = ["calibrate_model", "calibrate_zero_points", "counted_prior", "fit_at_redshift"]

_N_ROUND = 8
_CONVERGED = 1e-4
"""Zero points are found when no factor changes by more than this."""
_LARGEST_FACTOR = 1.3
"""A zero point further off than this is not a zero point: the factor is held."""
_MIN_SIGNAL_TO_NOISE = 5.0
_N_ZERO_POINT = 20_000
_N_MIN_PER_BAND = 20

_MAG_WIDTH = 0.5
_Z_WIDTH = 0.05
_MAG_STEP = 0.1
_ANALYTIC_FRACTION = 0.05
"""Weight of the prior of the settings beside the counts: it speaks where there are no objects."""


def calibrate_model(
    model: TemplateModel,
    sample: TrainingSample,
    config: TemplateConfig,
    prior_mag_of: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]],
    *,
    progress: Progress | None = None,
) -> TemplateModel:
    """Calibrate what the settings ask for.

    Parameters
    ----------
    model : TemplateModel
        To start from, in the bands of the sample.
    sample : TrainingSample
        Objects of known redshift.
    config : TemplateConfig
        Settings.
    prior_mag_of : callable
        Gives the magnitude of the prior for fluxes and errors that zero points have been applied to.
    progress : callable, optional
        Told after each part.

    Returns
    -------
    TemplateModel
    """
    tell = progress or (lambda _fraction, _text: None)
    if config.calibrate_zero_points:
        tell(0.0, "calibrating zero points")
        model = replace(model, zero_point_factor=calibrate_zero_points(model, sample))
    if config.calibrate_prior:
        tell(0.5, "calibrating the prior")
        log_prior, mag_min, mag_step = counted_prior(model, sample, prior_mag_of(*_corrected(model, sample)))
        model = replace(model, log_prior=log_prior, prior_mag_min=mag_min, prior_mag_step=mag_step)
    tell(1.0, "calibrated")
    return model


def calibrate_zero_points(model: TemplateModel, sample: TrainingSample) -> NDArray[np.float64]:
    """Find factors that bring the measured fluxes to those of the best templates at the known redshifts.

    In each round every object takes its best template at its redshift, and each band's factor is multiplied by the
    median ratio of model to measured flux. The factors have a geometric mean of one, because the amplitude is free.

    Parameters
    ----------
    model : TemplateModel
        Its factors are where the search starts.
    sample : TrainingSample
        Objects of known redshift.

    Returns
    -------
    ndarray of float64, (n_band,)
        Factors; that of a band with too few good detections stays.

    References
    ----------
    Ilbert et al. 2006, A&A 457, 841, section 4.2.
    """
    start = model.zero_point_factor
    rows = np.linspace(0, sample.z_spec.size - 1, min(sample.z_spec.size, _N_ZERO_POINT)).astype(np.int64)
    flux, flux_err, z = (
        sample.flux[rows].astype(np.float64),
        sample.flux_err[rows].astype(np.float64),
        sample.z_spec[rows],
    )
    good = flux > _MIN_SIGNAL_TO_NOISE * flux_err
    factor = start.copy()
    for _ in range(_N_ROUND):
        _, best_flux = fit_at_redshift(model, flux * factor, flux_err * factor, z)
        step = np.ones(factor.size)
        for band in range(factor.size):
            use = good[:, band] & np.isfinite(best_flux[:, band]) & (best_flux[:, band] > 0)
            if np.count_nonzero(use) >= _N_MIN_PER_BAND:
                step[band] = np.median(best_flux[use, band] / (flux[use, band] * factor[band]))
        moved = factor * step
        moved /= np.exp(np.mean(np.log(moved / start)))
        moved = np.clip(moved, start / _LARGEST_FACTOR, start * _LARGEST_FACTOR)
        converged = np.max(np.abs(moved / factor - 1)) < _CONVERGED
        factor = moved
        if converged:
            break
    return factor


def fit_at_redshift(
    model: TemplateModel, flux: NDArray[np.float64], flux_err: NDArray[np.float64], z_spec: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Fit every object at its known redshift.

    Parameters
    ----------
    model : TemplateModel
        The nearest grid point is used.
    flux, flux_err : ndarray of float64, (n_obj, n_band)
        With zero points applied; NaN where missing.
    z_spec : ndarray of float64, (n_obj,)
        Known redshifts.

    Returns
    -------
    template : ndarray of int64, (n_obj,)
        Best template.
    best_flux : ndarray of float64, (n_obj, n_band)
        Its flux at the best amplitude.
    """
    template = np.zeros(z_spec.size, dtype=np.int64)
    best_flux = np.full(flux.shape, np.nan)
    at = np.clip(np.rint(np.interp(z_spec, model.z_grid, np.arange(model.z_grid.size))), 0, model.z_grid.size - 1)
    for j in np.unique(at).astype(np.int64):
        rows = np.flatnonzero(at == j)
        f, e = flux[rows], flux_err[rows]
        relative2 = model.relative_err**2
        if model.template_err is not None:
            relative2 = relative2 + model.template_err[:, j] ** 2
        usable = np.isfinite(f) & np.isfinite(e)
        f = np.where(usable, f, 0.0)
        weight = np.where(usable, 1.0 / (np.where(usable, e, 1.0) ** 2 + relative2 * f**2), 0.0)
        t = model.model_flux[:, :, j].astype(np.float64)
        # Scaled, so that squares of extreme model fluxes stay representable.
        t /= np.maximum(t.max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        cross, norm = (weight * f) @ t.T, weight @ (t**2).T
        amplitude = np.where((norm > 0) & (cross > 0), cross / np.where(norm > 0, norm, 1.0), 0.0)
        gain = amplitude * cross
        best = np.argmax(gain, axis=1)
        template[rows] = best
        best_flux[rows] = amplitude[np.arange(rows.size), best][:, None] * t[best]
    return template, best_flux


def counted_prior(
    model: TemplateModel, sample: TrainingSample, prior_mag: NDArray[np.float64]
) -> tuple[NDArray[np.float32], float, float]:
    """Measure p(z, type | magnitude) by smoothed counts, mixed with the prior of the model.

    Parameters
    ----------
    model : TemplateModel
        With zero points; its prior is mixed in.
    sample : TrainingSample
        Objects of known redshift, taken as representative.
    prior_mag : ndarray of float64, (n_obj,)
        Magnitudes; NaN leaves an object out.

    Returns
    -------
    log_prior : ndarray of float32, (n_mag, n_type, n_z)
        For one template of each type.
    mag_min, mag_step : float
        Of the first axis.

    References
    ----------
    Benitez 2000, ApJ 536, 571, section 5, with counts in place of a parametric form.
    """
    use = np.isfinite(prior_mag)
    flux = sample.flux[use].astype(np.float64) * model.zero_point_factor
    flux_err = sample.flux_err[use].astype(np.float64) * model.zero_point_factor
    z, mag = sample.z_spec[use], prior_mag[use]
    template, _ = fit_at_redshift(model, flux, flux_err, z)
    kind = model.template_type[template]
    n_type = int(model.template_type.max()) + 1
    low, high = np.floor(mag.min() / _MAG_STEP) * _MAG_STEP, np.ceil(mag.max() / _MAG_STEP) * _MAG_STEP
    mag_grid = low + _MAG_STEP * np.arange(round((high - low) / _MAG_STEP) + 1)
    counts = np.zeros((mag_grid.size, n_type, model.z_grid.size))
    mag_row = np.clip(np.rint((mag - low) / _MAG_STEP).astype(np.int64), 0, mag_grid.size - 1)
    z_row = np.rint(np.interp(z, model.z_grid, np.arange(model.z_grid.size))).astype(np.int64)
    np.add.at(counts, (mag_row, kind, z_row), 1.0)
    across_mag = np.exp(-0.5 * ((mag_grid[:, None] - mag_grid) / _MAG_WIDTH) ** 2)
    width = _Z_WIDTH * (1 + model.z_grid)
    across_z = np.exp(-0.5 * ((model.z_grid[:, None] - model.z_grid) / width[:, None]) ** 2)
    across_z /= np.trapezoid(across_z, model.z_grid, axis=1)[:, None]
    smooth = np.einsum("mn,ntz,zy->mty", across_mag, counts, across_z, optimize=True)
    smooth /= np.sum(np.trapezoid(smooth, model.z_grid, axis=2), axis=1)[:, None, None]
    n_of_type = np.maximum(np.bincount(model.template_type, minlength=n_type), 1)[:, None]
    row = np.rint(np.clip((mag_grid - model.prior_mag_min) / model.prior_mag_step, 0, model.log_prior.shape[0] - 1))
    analytic = np.exp(model.log_prior[row.astype(np.int64)].astype(np.float64))
    mixed = (1 - _ANALYTIC_FRACTION) * smooth / n_of_type + _ANALYTIC_FRACTION * analytic
    with np.errstate(divide="ignore"):
        return np.log(mixed).astype(np.float32), float(low), _MAG_STEP


def _corrected(model: TemplateModel, sample: TrainingSample) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    factor = model.zero_point_factor.astype(np.float32)
    return sample.flux * factor, sample.flux_err * factor
