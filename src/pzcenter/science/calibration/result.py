"""What a calibration found, and how it enters a template fit: templates, their error and the prior on any grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ShapeError
from pzcenter.science.calibration.sample import at_redshift
from pzcenter.science.filters import FilterCurve, effective_wavelength
from pzcenter.science.prior import HDFN_PRIOR, PriorTable, magnitude_prior
from pzcenter.science.sed import Sed, TemplateSet, interpolate_templates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "REST_WAVELENGTHS",
    "TemplateCalibration",
    "calibrated_templates",
    "error_on_grid",
    "hat_functions",
    "on_common_grid",
    "prior_on_grid",
]

REST_WAVELENGTHS = np.geomspace(600.0, 30000.0, 4000)
"""Angstrom: the common grid, R = 1000, on which templates are repaired; it covers ugrizy from z = 0 to 6."""

PRIOR_MAG_STEP = 0.1
"""Magnitudes between the rows of the table that an engine is given."""


@dataclass(frozen=True, eq=False)
class TemplateCalibration:
    """What a calibration found; arrays only, so that it can be stored as data.

    Parameters
    ----------
    knot_wavelength : ndarray, (n_knot,)
        Angstrom, rest frame.
    log_correction : ndarray, (n_sed, n_knot)
        Natural logarithm of the factor on f_lambda; linear in ln(wavelength) between knots, constant outside.
    err_wavelength : ndarray, (n_err_knot,)
        Angstrom, rest frame.
    err_fraction : ndarray, (n_err_knot,)
        Template error as a fraction of the flux.
    prior_mag : ndarray, (n_mag,)
        Magnitudes of the prior.
    prior_z : ndarray, (n_prior_z,)
        Redshifts of the prior.
    log_prior : ndarray, (n_mag, n_template, n_prior_z)
        Natural logarithm of p(z, t | m) from the smoothed counts alone, for the interpolated templates.
    analytic_fraction : float
        Weight of the analytic prior that is mixed in on the final grid.
    n_between : int
        Templates interpolated between neighbours.
    """

    knot_wavelength: NDArray[np.float64]
    log_correction: NDArray[np.float64]
    err_wavelength: NDArray[np.float64]
    err_fraction: NDArray[np.float64]
    prior_mag: NDArray[np.float64]
    prior_z: NDArray[np.float64]
    log_prior: NDArray[np.float64]
    analytic_fraction: float
    n_between: int


def calibrated_templates(templates: TemplateSet, calibration: TemplateCalibration) -> TemplateSet:
    """Repaired and interpolated templates.

    Parameters
    ----------
    templates : TemplateSet, (n_sed,)
        The set that was calibrated, as published.
    calibration : TemplateCalibration

    Returns
    -------
    TemplateSet
        With ``calibration.n_between`` templates between neighbours, on one common wavelength grid.

    Raises
    ------
    ShapeError
        The calibration is of another number of templates.
    """
    if calibration.log_correction.shape[0] != len(templates):
        raise ShapeError(
            f"the calibration is of {calibration.log_correction.shape[0]} templates; "
            f"{templates.name!r} has {len(templates)}"
        )
    spectra = on_common_grid(templates)
    factor = np.exp(calibration.log_correction @ hat_functions(calibration.knot_wavelength))
    return interpolate_templates(_as_set(templates, spectra * factor), calibration.n_between)


def error_on_grid(
    calibration: TemplateCalibration, filters: Sequence[FilterCurve], z_grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Template error (n_band, n_z) as a fraction of the flux: the error function at each band's rest wavelength."""
    rest = np.array([effective_wavelength(curve) for curve in filters])[:, None] / (1.0 + z_grid)
    return np.interp(np.log(rest), np.log(calibration.err_wavelength), calibration.err_fraction)


def prior_on_grid(
    calibration: TemplateCalibration, template_type: NDArray[Any], z_grid: NDArray[np.float64]
) -> PriorTable:
    """Prior as the table that an engine takes.

    Parameters
    ----------
    calibration : TemplateCalibration
    template_type : ndarray of int, (n_template,)
        Broad type of each interpolated template, for the analytic part.
    z_grid : ndarray, (n_z,)

    Returns
    -------
    PriorTable
        Every template is its own type; unit integral over redshift and templates at each magnitude.
    """
    from pzcenter.science.pz.grid import trapezoid_weights  # late: its package compiles kernels

    low, high = calibration.prior_mag[[0, -1]]
    mag = low + PRIOR_MAG_STEP * np.arange(round((high - low) / PRIOR_MAG_STEP) + 1)
    counted = _interpolate_prior(calibration, mag, z_grid)
    width = trapezoid_weights(z_grid)
    counted /= np.sum(counted * width, axis=(1, 2), keepdims=True)
    eps = calibration.analytic_fraction
    mixed = (1 - eps) * counted + eps * _analytic_prior(mag, template_type, z_grid)
    return PriorTable(np.log(mixed).astype(np.float32), float(low), PRIOR_MAG_STEP)


def hat_functions(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Piecewise-linear basis (n_knot, n_wave) in ln(wavelength), constant outside the knots."""
    x = np.log(REST_WAVELENGTHS)
    return np.stack([np.interp(x, np.log(knots), row) for row in np.eye(knots.size)])


def on_common_grid(templates: TemplateSet) -> NDArray[np.float64]:
    """f_lambda (n_sed, n_wave) on ``REST_WAVELENGTHS``, mean-preserving enough at R = 1000 for broad bands."""
    return np.stack(
        [np.interp(REST_WAVELENGTHS, sed.wavelength, sed.flux, left=0.0, right=0.0) for sed in templates.seds]
    )


def _as_set(templates: TemplateSet, spectra: NDArray[np.float64]) -> TemplateSet:
    seds = tuple(Sed(sed.name, REST_WAVELENGTHS, row) for sed, row in zip(templates.seds, spectra, strict=True))
    return TemplateSet(templates.name, seds, templates.types)


def _interpolate_prior(calibration: TemplateCalibration, mag: Any, z_grid: Any) -> NDArray[np.float64]:
    """Counted prior on finer magnitudes and another redshift grid; zero beyond the last measured redshift."""
    step = calibration.prior_mag[1] - calibration.prior_mag[0]
    row = np.clip((mag - calibration.prior_mag[0]) / step, 0, calibration.prior_mag.size - 1 - 1e-9)
    low, share = row.astype(np.int64), (row % 1)[:, None, None]
    log_in_mag = (1 - share) * calibration.log_prior[low] + share * calibration.log_prior[low + 1]
    within = np.minimum(z_grid, calibration.prior_z[-1])
    density = np.moveaxis(at_redshift(np.exp(log_in_mag), calibration.prior_z, within), 0, -1)
    return np.where(z_grid <= calibration.prior_z[-1], density, 0.0)


def _analytic_prior(mag: Any, template_type: Any, z_grid: Any) -> NDArray[np.float64]:
    """Prior of Benitez (2000) shared equally among the templates of each broad type (n_mag, n_template, n_z)."""
    by_type = magnitude_prior(mag, z_grid, replace(HDFN_PRIOR, tail_cut=0.0))
    n_of_type = np.bincount(template_type, minlength=by_type.shape[1])
    return np.asarray(by_type[:, template_type] / n_of_type[template_type][:, None])
