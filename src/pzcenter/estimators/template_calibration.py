"""What a template fit learns from objects of known redshift: zero points, templates, their error and the prior.

All start from a model that settings describe (:func:`pzcenter.estimators.template_model.build_model`) and give a model
of the same form, so that the estimate does not know which it has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.estimators.template_model import calibrated_model, filters_of, transmission_of
from pzcenter.science.calibration import CalibrationSettings, calibrate
from pzcenter.science.sed import load_template_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pzcenter.estimators.checks import TrainingSample
    from pzcenter.estimators.protocol import Progress
    from pzcenter.estimators.template_model import TemplateConfig, TemplateModel

__all__ = ["calibrate_model", "calibrate_zero_points", "fit_at_redshift"]

_N_ROUND = 8
_CONVERGED = 1e-4
"""Zero points are found when no factor changes by more than this."""
_LARGEST_FACTOR = 1.3
"""A zero point further off than this is not a zero point: the factor is held."""
_MIN_SIGNAL_TO_NOISE = 5.0
_N_ZERO_POINT = 20_000
_N_MIN_PER_BAND = 20


def calibrate_model(
    model: TemplateModel,
    sample: TrainingSample,
    config: TemplateConfig,
    *,
    prior_mag_of: Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]],
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
    if config.calibrate_templates or config.calibrate_prior:
        flux, flux_err = _corrected(model, sample)
        found = calibrate(
            load_template_set(config.template_set),
            filters_of(config, sample.bands),
            flux,
            flux_err=flux_err,
            z_spec=sample.z_spec,
            prior_mag=prior_mag_of(flux, flux_err),
            settings=CalibrationSettings(repair=config.calibrate_templates, n_between=config.n_between),
            igm=transmission_of(config),
            progress=lambda done, text: tell(0.1 + 0.9 * done, text),
        )
        measured = calibrated_model(config, found, sample.bands, sample.z_grid)
        if config.calibrate_templates:
            model = replace(
                model,
                model_flux=measured.model_flux,
                template_err=measured.template_err,
                relative_err=measured.relative_err,
            )
        if config.calibrate_prior:
            model = replace(
                model,
                log_prior=measured.log_prior,
                prior_mag_min=measured.prior_mag_min,
                prior_mag_step=measured.prior_mag_step,
                template_type=measured.template_type,
            )
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


def _corrected(model: TemplateModel, sample: TrainingSample) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    factor = model.zero_point_factor.astype(np.float32)
    return sample.flux * factor, sample.flux_err * factor
