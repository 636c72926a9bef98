r"""Calibration of a template fit on objects of known redshift.

Three things that no library of templates gets right for a new survey are measured from spectroscopic redshifts, and
nothing else is learned:

* the **shape of each template**: a smooth factor on its SED, piecewise linear in the logarithm of the rest-frame
  wavelength, :math:`T_t(\lambda) \to T_t(\lambda)\, e^{\delta_t(\lambda)}`;
* the **error of the templates**: a fraction :math:`\tau(\lambda)` of the flux at each rest-frame wavelength;
* the **prior** :math:`p(z, t \mid m)`: a smoothed count of objects in redshift, template and magnitude, mixed with
  an analytic prior that speaks where there are few objects.

Shape and prior follow by expectation and maximisation: with the redshift known, the responsibilities
:math:`p(t \mid f, z)` are one row of the fit, and given these the corrections are a linear least-squares problem.

References
----------
Budavari et al. 2000, AJ 120, 1588 (templates from photometry); Feldmann et al. 2006, MNRAS 372, 565 (repair with a
smoothness term); Brammer et al. 2008, ApJ 686, 1503 (template error function); Benitez 2000, ApJ 536, 571 (prior).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import EmptyTableError, ShapeError
from pzcenter.science.engines import TemplateProblem, get_engine
from pzcenter.science.filters import FilterCurve, effective_wavelength
from pzcenter.science.prior import HDFN_PRIOR, PriorTable, magnitude_prior
from pzcenter.science.sed import Sed, TemplateSet, interpolate_templates
from pzcenter.science.synthetic import Transmission, flux_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "CalibrationSettings",
    "TemplateCalibration",
    "calibrate",
    "calibrated_templates",
    "error_on_grid",
    "prior_on_grid",
]

REST_WAVELENGTHS = np.geomspace(600.0, 30000.0, 4000)
"""Angstrom: the common grid, R = 1000, on which templates are repaired; it covers ugrizy from z = 0 to 6."""

PRIOR_MAG_STEP = 0.1
"""Magnitudes between the rows of the table that an engine is given."""


@dataclass(frozen=True)
class CalibrationSettings:
    """How a calibration is done. The defaults were chosen on a training sample, see ``docs/explanation``.

    Parameters
    ----------
    n_between : int
        Templates interpolated between neighbours, for the prior and for the estimate.
    n_iter : int
        Rounds of template repair; 0 leaves the templates as they are.
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
    spectra = _on_common_grid(templates)
    factor = np.exp(calibration.log_correction @ _hat_functions(calibration.knot_wavelength))
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
    low, high = calibration.prior_mag[[0, -1]]
    mag = low + PRIOR_MAG_STEP * np.arange(round((high - low) / PRIOR_MAG_STEP) + 1)
    counted = _interpolate_prior(calibration, mag, z_grid)
    width = _trapezoid_weights(z_grid)
    counted /= np.sum(counted * width, axis=(1, 2), keepdims=True)
    eps = calibration.analytic_fraction
    mixed = (1 - eps) * counted + eps * _analytic_prior(mag, template_type, z_grid)
    return PriorTable(np.log(mixed).astype(np.float32), float(low), PRIOR_MAG_STEP)


def calibrate(
    templates: TemplateSet,
    filters: Sequence[FilterCurve],
    flux: NDArray[Any],
    flux_err: NDArray[Any],
    z_spec: NDArray[Any],
    prior_mag: NDArray[Any],
    *,
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
    sample = _Sample.drawn(flux, flux_err, z_spec, prior_mag, settings)
    fitted, held_out = sample.split(settings.held_out)
    z_nodes = np.linspace(0.0, np.ceil(sample.z.max() * 10) / 10 + 0.1, 2 + int(sample.z.max() * 100 + 10))
    effective = np.array([effective_wavelength(curve) for curve in filters])

    operator = flux_operator(REST_WAVELENGTHS, filters, z_nodes, igm=igm)
    knots = np.geomspace(850.0, 11000.0, settings.n_knot)
    err_knots = np.geomspace(850.0, 11000.0, settings.n_err_knot)
    err = np.full(settings.n_err_knot, 0.05)
    correction = np.zeros((len(templates), settings.n_knot))
    library, hats = _on_common_grid(templates), _hat_functions(knots)
    for k in range(settings.n_iter):
        tell(0.7 * k / settings.n_iter, "repairing templates")
        spectra = library * np.exp(correction @ hats)
        slope = _slope(operator, spectra, hats)
        step = _repair_step(fitted, z_nodes, slope.sum(axis=1), slope, correction, err_knots, err, effective, settings)
        correction += REPAIR_DAMPING * step
        repaired = _apply(operator, library * np.exp(correction @ hats))
        err = _error_step(fitted, z_nodes, repaired, err_knots, err, effective)
    found = TemplateCalibration(
        knot_wavelength=knots,
        log_correction=correction,
        err_wavelength=err_knots,
        err_fraction=np.maximum(err, settings.err_floor),
        prior_mag=np.arange(PRIOR_MAG_MIN, PRIOR_MAG_MAX + 0.25, PRIOR_ROW_STEP),
        prior_z=np.linspace(0.0, z_nodes[-1], 2 + int(z_nodes[-1] / 0.03)),
        log_prior=np.zeros((1, 1, 1)),
        analytic_fraction=settings.analytic_fraction,
        n_between=settings.n_between,
    )
    tell(0.75, "measuring the prior")
    final = calibrated_templates(templates, found)
    model = _apply(operator, np.stack([sed.flux for sed in final.seds]))
    found = replace(found, log_prior=_measure_prior(sample, z_nodes, model, found, effective, settings))
    tell(0.85, "scaling the template error")
    return replace(found, err_fraction=_scaled_error(held_out, z_nodes, model, found, final.types, filters))


# ---- steps of the calibration --------------------------------------------------------------------------------------

REPAIR_DAMPING = 0.7
"""Fraction of each least-squares step that is taken: the responsibilities move with the templates."""

ERROR_DAMPING = 0.5

N_OBJ_MIN = 50
"""Fewest objects for a calibration."""

RESIDUAL_VARIANCE = 0.75
"""Expected mean square of normalised residuals from the best of many templates, which takes about one of the
six bands' degrees of freedom in addition to the amplitude."""

ERROR_SCALES = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5)

PRIOR_MAG_MIN, PRIOR_MAG_MAX = 16.0, 28.0
"""AB magnitudes between which the prior is tabulated; the first and last row serve beyond."""

PRIOR_ROW_STEP = 0.5
"""Magnitudes between the rows that are stored; the width of the smoothing is about as large."""

PRIOR_ROUNDS = 3
RARE = 0.03
"""Part of the prior at each magnitude and redshift that goes to the templates in proportion to their total count."""

NEGLIGIBLE_RESPONSIBILITY = 0.02
BLOCK = 4096
"""Objects handled at once, so that memory does not grow with the sample."""


@dataclass(frozen=True, eq=False)
class _Sample:
    """Objects in an order that depends on their values alone, missing bands with weight zero."""

    flux: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: NDArray[np.float64]
    mag: NDArray[np.float64]

    @classmethod
    def drawn(cls, flux: Any, flux_err: Any, z_spec: Any, prior_mag: Any, settings: CalibrationSettings) -> _Sample:
        flux = np.asarray(flux, dtype=np.float64)
        err = np.asarray(flux_err, dtype=np.float64)
        z, mag = np.asarray(z_spec, dtype=np.float64), np.asarray(prior_mag, dtype=np.float64)
        measured = np.isfinite(flux) & np.isfinite(err) & (err > 0)
        usable = np.flatnonzero(np.isfinite(z) & (z >= 0) & (measured.sum(axis=1) >= 3))
        if usable.size < N_OBJ_MIN:
            raise EmptyTableError(
                f"a calibration needs at least {N_OBJ_MIN} objects with a redshift and three bands; got {usable.size}"
            )
        order = usable[np.lexsort((*flux[usable].T, z[usable]))]
        order = np.random.default_rng(settings.seed).permutation(order)[: settings.n_max]
        seen = measured[order]
        return cls(
            flux=np.where(seen, flux[order], 0.0),
            variance=np.where(seen, err[order] ** 2, np.inf),
            z=z[order],
            mag=mag[order],
        )

    def split(self, fraction: float) -> tuple[_Sample, _Sample]:
        n = round(self.z.size * (1 - fraction))
        return self.rows(slice(0, n)), self.rows(slice(n, None))

    def rows(self, which: Any) -> _Sample:
        return _Sample(self.flux[which], self.variance[which], self.z[which], self.mag[which])

    def blocks(self) -> list[_Sample]:
        return [self.rows(slice(start, start + BLOCK)) for start in range(0, self.z.size, BLOCK)]


def _at_redshift(table: NDArray[np.float64], z_nodes: NDArray[np.float64], z: NDArray[np.float64]) -> Any:
    """Last axis of ``table`` interpolated at each object's redshift; the object axis comes first."""
    left = np.clip(np.searchsorted(z_nodes, z, side="right") - 1, 0, z_nodes.size - 2)
    fraction = (z - z_nodes[left]) / (z_nodes[left + 1] - z_nodes[left])
    value = table[..., left] * (1 - fraction) + table[..., left + 1] * fraction
    return np.moveaxis(value, -1, 0)


def _weights(sample: _Sample, err_knots: Any, err: Any, effective: Any) -> NDArray[np.float64]:
    """Inverse variance (n_obj, n_band) with the template error at each object's rest-frame wavelengths."""
    rest = effective / (1.0 + sample.z[:, None])
    fraction = np.interp(np.log(rest), np.log(err_knots), err)
    return np.asarray(1.0 / (sample.variance + (fraction * sample.flux) ** 2))


def _fit_at_redshift(sample: _Sample, model: Any, weight: Any, log_prior: Any = 0.0) -> tuple[Any, Any]:
    """Amplitudes and responsibilities (n_obj, n_template) for model fluxes (n_obj, n_template, n_band)."""
    fot = np.einsum("nb,ntb->nt", weight * sample.flux, model)
    ftt = np.einsum("nb,ntb->nt", weight, model**2)
    amplitude = np.maximum(fot / np.maximum(ftt, 1e-300), 1e-9)
    log_p = 0.5 * amplitude * fot + log_prior
    responsibility = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return amplitude, responsibility / responsibility.sum(axis=1, keepdims=True)


def _repair_step(
    sample: _Sample,
    z_nodes: Any,
    model: Any,
    slope: Any,
    correction: Any,
    err_knots: Any,
    err: Any,
    effective: Any,
    settings: CalibrationSettings,
) -> NDArray[np.float64]:
    """Least-squares change of the corrections (n_sed, n_knot), the amplitude of each object projected out."""
    n_sed, n_knot = correction.shape
    normal, right = np.zeros((n_sed, n_knot, n_knot)), np.zeros((n_sed, n_knot))
    for block in sample.blocks():
        weight = _weights(block, err_knots, err, effective)
        here = _at_redshift(model, z_nodes, block.z)
        amplitude, responsibility = _fit_at_redshift(block, here, weight)
        for t in range(n_sed):
            rows = np.flatnonzero(responsibility[:, t] > NEGLIGIBLE_RESPONSIBILITY)
            if rows.size == 0:
                continue
            scale = amplitude[rows, t]
            flux = scale[:, None] * here[rows, t]
            design = scale[:, None, None] * _at_redshift(slope[t], z_nodes, block.z[rows]).swapaxes(1, 2)
            w = weight[rows] * responsibility[rows, t, None]
            along = np.einsum("nb,nbk->nk", w * flux, design) / np.sum(w * flux**2, axis=1)[:, None]
            design -= flux[:, :, None] * along[:, None, :]
            weighted = (w[:, :, None] * design).reshape(-1, n_knot)
            normal[t] += weighted.T @ design.reshape(-1, n_knot)
            right[t] += weighted.T @ (block.flux[rows] - flux).ravel()
    stiffness = settings.ridge * _stiffness(n_knot)
    return np.stack([np.linalg.solve(normal[t] + stiffness, right[t] - stiffness @ correction[t]) for t in range(n_sed)])


def _stiffness(n_knot: int) -> NDArray[np.float64]:
    """Quadratic form that prefers corrections that are straight, then flat, then zero."""
    identity = np.eye(n_knot)
    bend, slope = np.diff(identity, 2, axis=0), np.diff(identity, 1, axis=0)
    return np.asarray(bend.T @ bend + 0.3 * slope.T @ slope + 0.03 * identity)


def _error_step(
    sample: _Sample, z_nodes: Any, model: Any, err_knots: Any, err: Any, effective: Any
) -> NDArray[np.float64]:
    """Error function that gives the residuals from the best templates their expected variance, half-way from ``err``.

    Bands of signal-to-noise above 7 count, each at the nearest knot; knots of fewer than 20 keep their value.
    """
    residual2, noise2, flux2, knot = [], [], [], []
    for block in sample.blocks():
        weight = _weights(block, err_knots, err, effective)
        here = _at_redshift(model, z_nodes, block.z)
        amplitude, responsibility = _fit_at_redshift(block, here, weight)
        best, row = responsibility.argmax(axis=1), np.arange(block.z.size)
        good = block.variance < (0.15 * block.flux) ** 2
        rest = np.log(effective / (1.0 + block.z[:, None]))
        knot.append(np.abs(rest[:, :, None] - np.log(err_knots)).argmin(axis=2)[good])
        residual2.append(((block.flux - amplitude[row, best, None] * here[row, best]) ** 2)[good])
        noise2.append(block.variance[good])
        flux2.append((block.flux**2)[good])
    r2, n2, f2, k = (np.concatenate(part) for part in (residual2, noise2, flux2, knot))
    new = err.copy()
    for i in range(err.size):
        at = k == i
        if at.sum() >= 20:
            solved = _solve_variance(r2[at], n2[at], f2[at])
            new[i] = (1 - ERROR_DAMPING) * err[i] + ERROR_DAMPING * np.clip(solved, 0.004, 0.3)
    return np.asarray(new)


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


def _measure_prior(
    sample: _Sample,
    z_nodes: Any,
    model: Any,
    found: TemplateCalibration,
    effective: Any,
    settings: CalibrationSettings,
) -> NDArray[np.float64]:
    """Natural logarithm of the smoothed counts (n_mag, n_template, n_prior_z), by expectation and maximisation."""
    sample = sample.rows(np.isfinite(sample.mag))
    n_template, (n_mag, n_z) = model.shape[0], (found.prior_mag.size, found.prior_z.size)
    log_prior = np.zeros((n_mag, n_template, n_z))
    for _ in range(PRIOR_ROUNDS):
        counts, total = np.zeros((n_mag, n_template, n_z)), np.zeros(n_template)
        for block in sample.blocks():
            weight = _weights(block, found.err_wavelength, found.err_fraction, effective)
            mag_row = np.clip(np.searchsorted(found.prior_mag, block.mag - 0.5 * PRIOR_ROW_STEP), 0, n_mag - 1)
            z_row = np.clip(np.searchsorted(found.prior_z, block.z), 0, n_z - 1)
            _, responsibility = _fit_at_redshift(
                block, _at_redshift(model, z_nodes, block.z), weight, log_prior[mag_row, :, z_row]
            )
            width = settings.prior_z_width * (1 + block.z)[:, None]
            in_z = np.exp(-0.5 * ((found.prior_z - block.z[:, None]) / width) ** 2) / width
            distance = found.prior_mag - block.mag[:, None]
            in_mag = np.exp(-0.5 * (distance / settings.prior_mag_width) ** 2) + 1e-4 * np.exp(-np.abs(distance))
            counts += np.einsum("nm,nt,nz->mtz", in_mag, responsibility, in_z, optimize=True)
            total += responsibility.sum(axis=0)
        density = counts / counts.sum(axis=(1, 2), keepdims=True)
        shared = density.sum(axis=1, keepdims=True) * (total / total.sum())[:, None]
        log_prior = np.log((1 - RARE) * density + RARE * shared + 1e-8)
    return log_prior


def _scaled_error(
    sample: _Sample,
    z_grid: Any,
    model: Any,
    found: TemplateCalibration,
    template_type: Any,
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


# ---- small pieces --------------------------------------------------------------------------------------------------


def _hat_functions(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Piecewise-linear basis (n_knot, n_wave) in ln(wavelength), constant outside the knots."""
    x = np.log(REST_WAVELENGTHS)
    return np.stack([np.interp(x, np.log(knots), row) for row in np.eye(knots.size)])


def _on_common_grid(templates: TemplateSet) -> NDArray[np.float64]:
    """f_lambda (n_sed, n_wave) on ``REST_WAVELENGTHS``, mean-preserving enough at R = 1000 for broad bands."""
    return np.stack(
        [np.interp(REST_WAVELENGTHS, sed.wavelength, sed.flux, left=0.0, right=0.0) for sed in templates.seds]
    )


def _apply(operator: NDArray[np.float64], spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Model fluxes (n_sed, n_band, n_z) of spectra (n_sed, n_wave)."""
    return np.moveaxis(operator @ spectra.T, -1, 0)


def _slope(
    operator: NDArray[np.float64], spectra: NDArray[np.float64], hats: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Change of the model fluxes with the corrections, (n_sed, n_knot, n_band, n_z).

    The hat functions sum to one, so that the sum over knots is the model flux itself.
    """
    slope = np.empty((spectra.shape[0], hats.shape[0], *operator.shape[:2]))
    for k, hat in enumerate(hats):
        support = np.flatnonzero(hat)
        here = slice(support[0], support[-1] + 1)
        slope[:, k] = _apply(operator[:, :, here], spectra[:, here] * hat[here])
    return slope


def _as_set(templates: TemplateSet, spectra: NDArray[np.float64]) -> TemplateSet:
    seds = tuple(Sed(sed.name, REST_WAVELENGTHS, row) for sed, row in zip(templates.seds, spectra, strict=True))
    return TemplateSet(templates.name, seds, templates.types)


def _trapezoid_weights(z_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    step = np.diff(z_grid)
    return 0.5 * (np.append(step, 0.0) + np.insert(step, 0, 0.0))


def _interpolate_prior(calibration: TemplateCalibration, mag: Any, z_grid: Any) -> NDArray[np.float64]:
    """Counted prior on finer magnitudes and another redshift grid; zero beyond the last measured redshift."""
    step = calibration.prior_mag[1] - calibration.prior_mag[0]
    row = np.clip((mag - calibration.prior_mag[0]) / step, 0, calibration.prior_mag.size - 1 - 1e-9)
    low, share = row.astype(np.int64), (row % 1)[:, None, None]
    log_in_mag = (1 - share) * calibration.log_prior[low] + share * calibration.log_prior[low + 1]
    within = np.minimum(z_grid, calibration.prior_z[-1])
    density = np.moveaxis(_at_redshift(np.exp(log_in_mag), calibration.prior_z, within), 0, -1)
    return np.where(z_grid <= calibration.prior_z[-1], density, 0.0)


def _analytic_prior(mag: Any, template_type: Any, z_grid: Any) -> NDArray[np.float64]:
    """Prior of Benitez (2000) shared equally among the templates of each broad type (n_mag, n_template, n_z)."""
    by_type = magnitude_prior(mag, z_grid, replace(HDFN_PRIOR, tail_cut=0.0))
    n_of_type = np.bincount(template_type, minlength=by_type.shape[1])
    return np.asarray(by_type[:, template_type] / n_of_type[template_type][:, None])
