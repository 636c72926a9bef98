"""The error of the templates as a function of the rest-frame wavelength: its shape, then its scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science.calibration.result import TemplateCalibration, error_on_grid, prior_on_grid
from pzcenter.science.calibration.sample import ErrorFunction, Sample, at_redshift, fit_at_redshift
from pzcenter.science.engines import TemplateProblem, get_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.science.filters import FilterCurve

__all__ = ["error_step", "scaled_error"]

ERROR_DAMPING = 0.5

RESIDUAL_VARIANCE = 0.75
"""Expected mean square of normalised residuals from the best of many templates, which takes about one of the
six bands' degrees of freedom in addition to the amplitude."""

ERROR_SCALES = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5)


def error_step(
    sample: Sample, error: ErrorFunction, *, z_nodes: NDArray[np.float64], model: NDArray[np.float64]
) -> ErrorFunction:
    """Half a step to the error function that gives residuals from the best templates their expected variance.

    Bands of signal-to-noise above 7 count, each at the nearest knot; knots of fewer than 20 keep their value.
    """
    residual2, noise2, flux2, knot = [], [], [], []
    for block in sample.blocks():
        weight = error.inverse_variance(block)
        here = at_redshift(model, z_nodes, block.z)
        amplitude, responsibility = fit_at_redshift(block, here, weight)
        best, row = responsibility.argmax(axis=1), np.arange(block.z.size)
        good = block.variance < (0.15 * block.flux) ** 2
        rest = error.log_rest_wavelength(block.z)
        knot.append(np.abs(rest[:, :, None] - np.log(error.knots)).argmin(axis=2)[good])
        residual2.append(((block.flux - amplitude[row, best, None] * here[row, best]) ** 2)[good])
        noise2.append(block.variance[good])
        flux2.append((block.flux**2)[good])
    r2, n2, f2, k = (np.concatenate(part) for part in (residual2, noise2, flux2, knot))
    new = error.fraction.copy()
    for i in range(new.size):
        at = k == i
        if at.sum() >= 20:
            solved = _solve_variance(r2[at], n2[at], f2[at])
            new[i] = (1 - ERROR_DAMPING) * new[i] + ERROR_DAMPING * np.clip(solved, 0.004, 0.3)
    return error.with_fraction(new)


def _solve_variance(residual2: Any, noise2: Any, flux2: Any) -> float:
    """Fraction tau with mean(residual2 / (noise2 + tau^2 flux2)) = RESIDUAL_VARIANCE, by bisection."""
    low, high = 1e-4, 0.5
    for _ in range(30):
        middle = 0.5 * (low + high)
        if np.mean(residual2 / (noise2 + middle**2 * flux2)) > RESIDUAL_VARIANCE:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def scaled_error(
    sample: Sample,
    found: TemplateCalibration,
    *,
    z_grid: NDArray[np.float64],
    model: NDArray[np.float64],
    template_type: NDArray[np.int64],
    filters: Sequence[FilterCurve],
) -> NDArray[np.float64]:
    """Error function times the factor that gives held-out objects the best logarithmic score."""
    if sample.z.size == 0:
        return found.err_fraction
    prior = prior_on_grid(found, template_type, z_grid)
    seen = np.isfinite(sample.variance)
    flux = np.where(seen, sample.flux, np.nan).astype(np.float32)
    err = np.sqrt(np.where(seen, sample.variance, np.nan)).astype(np.float32)
    scores = []
    for scale in ERROR_SCALES:
        scaled = replace(found, err_fraction=found.err_fraction * scale)
        problem = TemplateProblem(
            model_flux=model,
            z_grid=z_grid,
            log_prior=prior.log_prior,
            prior_mag_min=prior.mag_min,
            prior_mag_step=prior.mag_step,
            template_type=np.arange(model.shape[0]),
            relative_err=np.zeros(len(filters)),
            template_err=error_on_grid(scaled, filters, z_grid),
            marginalise_amplitude=True,
        )
        pdf = get_engine("auto").fit(problem, flux, err, sample.mag).pdf
        at_truth = np.array([np.interp(z, z_grid, row) for z, row in zip(sample.z, pdf, strict=True)])
        scores.append(np.mean(np.log(np.maximum(np.nan_to_num(at_truth), 1e-4))))
    return np.asarray(found.err_fraction * ERROR_SCALES[int(np.argmax(scores))])
