"""The calibration from beginning to end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science.calibration.counted_prior import measure_prior, prior_magnitudes
from pzcenter.science.calibration.error_function import error_step, scaled_error
from pzcenter.science.calibration.repair import REPAIR_DAMPING, apply_operator, repair_step, slope_of_fluxes
from pzcenter.science.calibration.result import (
    REST_WAVELENGTHS,
    TemplateCalibration,
    calibrated_templates,
    hat_functions,
    on_common_grid,
)
from pzcenter.science.calibration.sample import ErrorFunction, Sample
from pzcenter.science.filters import FilterCurve, effective_wavelength
from pzcenter.science.synthetic import Transmission, flux_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pzcenter.science.sed import TemplateSet

__all__ = ["CalibrationSettings", "calibrate"]

KNOT_RANGE = (850.0, 11000.0)
"""Angstrom, rest frame: what ugrizy see between redshift 0 and 3; corrections and errors are constant beyond."""

FIRST_ERROR = 0.05
"""Template error that the rounds start from, fraction of the flux."""

Z_STEP = 0.01
"""Between the redshifts at which model fluxes are computed; they are interpolated between."""


@dataclass(frozen=True)
class CalibrationSettings:
    """How a calibration is done. The defaults were chosen on a training sample, see ``docs/explanation``.

    Parameters
    ----------
    n_between : int
        Templates interpolated between neighbours, for the prior and for the estimate.
    repair : bool
        Whether the shapes of the templates may change.
    n_iter : int
        Rounds of template repair and error function.
    ridge : float
        Stiffness of the corrections: inverse variance of their differences between knots. Larger trusts the
        library more.
    n_knot, n_err_knot : int
        Points of the corrections and of the error function between 850 and 11000 angstrom.
    err_floor : float
        Smallest template error, fraction of the flux.
    prior_mag_width : float
        Smoothing of the prior in magnitude.
    prior_z_width : float
        Smoothing of the prior in redshift, times 1 + z.
    analytic_fraction : float
        Weight of the analytic prior in the mix.
    held_out : float
        Fraction of the objects that choose the scale of the error function instead of taking part in the repair.
    n_max : int
        Objects used at most, drawn at random; more do not change a template.
    seed : int
        Of that draw.
    """

    n_between: int = 1
    repair: bool = True
    n_iter: int = 12
    ridge: float = 100.0
    n_knot: int = 26
    n_err_knot: int = 14
    err_floor: float = 0.01
    prior_mag_width: float = 0.4
    prior_z_width: float = 0.05
    analytic_fraction: float = 0.02
    held_out: float = 0.2
    n_max: int = 50_000
    seed: int = 20260


def calibrate(
    templates: TemplateSet,
    filters: Sequence[FilterCurve],
    flux: NDArray[Any],
    *,
    flux_err: NDArray[Any],
    z_spec: NDArray[Any],
    prior_mag: NDArray[Any],
    settings: CalibrationSettings | None = None,
    igm: Transmission | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> TemplateCalibration:
    """Repair templates, measure their errors and the prior on objects of known redshift.

    Parameters
    ----------
    templates : TemplateSet, (n_sed,)
    filters : sequence of FilterCurve, (n_band,)
    flux, flux_err : ndarray, (n_obj, n_band)
        nJy, dereddened; NaN, or an error that is not positive and finite, is a missing band.
    z_spec : ndarray, (n_obj,)
    prior_mag : ndarray, (n_obj,)
        Magnitude of the prior; objects of NaN take part in the repair but not in the prior.
    settings : CalibrationSettings, optional
    igm : callable, optional
        Transmission of the intergalactic medium.
    progress : callable, optional
        Called with the fraction done and what is being done.

    Returns
    -------
    TemplateCalibration
        The same for any order of the objects.

    Raises
    ------
    EmptyTableError
        Fewer than 50 objects with a redshift and three bands.
    """
    settings = settings or CalibrationSettings()
    tell = progress or (lambda _fraction, _text: None)
    sample = Sample.drawn(flux, flux_err, z_spec=z_spec, prior_mag=prior_mag, n_max=settings.n_max, seed=settings.seed)
    fitted, held_out = sample.split(settings.held_out)
    z_nodes = np.arange(int(np.ceil((sample.z.max() + 0.1) / Z_STEP)) + 1, dtype=np.float64) * Z_STEP
    operator = flux_operator(REST_WAVELENGTHS, filters, z_nodes, igm=igm)
    knots = np.geomspace(*KNOT_RANGE, settings.n_knot)
    error = ErrorFunction(
        knots=np.geomspace(*KNOT_RANGE, settings.n_err_knot),
        fraction=np.full(settings.n_err_knot, FIRST_ERROR),
        effective=np.array([effective_wavelength(curve) for curve in filters]),
    )
    correction = np.zeros((len(templates), settings.n_knot))
    library, hats = on_common_grid(templates), hat_functions(knots)
    for k in range(settings.n_iter):
        tell(0.7 * k / settings.n_iter, "repairing templates")
        if settings.repair:
            slope = slope_of_fluxes(operator, library * np.exp(correction @ hats), hats)
            step = repair_step(fitted, error, z_nodes=z_nodes, slope=slope, correction=correction, ridge=settings.ridge)
            correction += REPAIR_DAMPING * step
        repaired = apply_operator(operator, library * np.exp(correction @ hats))
        error = error_step(fitted, error, z_nodes=z_nodes, model=repaired)
    error = error.with_fraction(np.maximum(error.fraction, settings.err_floor))
    found = TemplateCalibration(
        knot_wavelength=knots,
        log_correction=correction,
        err_wavelength=error.knots,
        err_fraction=error.fraction,
        prior_mag=prior_magnitudes(),
        prior_z=np.linspace(0.0, z_nodes[-1], 2 + int(z_nodes[-1] / 0.03)),
        log_prior=np.zeros((1, 1, 1)),
        analytic_fraction=settings.analytic_fraction,
        n_between=settings.n_between,
    )
    tell(0.75, "measuring the prior")
    final = calibrated_templates(templates, found)
    model = apply_operator(operator, np.stack([sed.flux for sed in final.seds]))
    log_prior = measure_prior(
        sample,
        error,
        z_nodes=z_nodes,
        model=model,
        prior_mag=found.prior_mag,
        prior_z=found.prior_z,
        mag_width=settings.prior_mag_width,
        z_width=settings.prior_z_width,
    )
    found = replace(found, log_prior=log_prior)
    tell(0.85, "scaling the template error")
    scaled = scaled_error(held_out, found, z_grid=z_nodes, model=model, template_type=final.types, filters=filters)
    return replace(found, err_fraction=scaled)
