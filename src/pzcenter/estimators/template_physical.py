"""What a template fit says of an object besides its redshift: best template, chi-squared and absolute magnitudes.

All are taken at one redshift, that of the point estimate of whatever method; their errors, which the width of p(z)
dominates, are not in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ConfigError, ShapeError
from pzcenter.estimators.checks import check_photometry
from pzcenter.estimators.template_calibration import fit_at_redshift
from pzcenter.science.cosmology import Distances, tabulate_distances
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators.template import TemplateEstimator
    from pzcenter.schema import Photometry

__all__ = ["HUBBLE", "OMEGA_MATTER", "Z_MIN", "PhysicalQuantities", "physical_quantities"]

HUBBLE, OMEGA_MATTER = 70.0, 0.3
"""Of the distances: km/s/Mpc, and the share of matter in a flat universe."""
Z_MIN = 0.01
"""Below it motions of galaxies make a distance from a redshift meaningless."""
_PARSECS_10_PER_MPC = 1e5
_BEYOND = 1e-5
"""Of a redshift in single precision."""


@dataclass(frozen=True, eq=False)
class PhysicalQuantities:
    """Numbers of the best template at a redshift.

    Parameters
    ----------
    template_id : ndarray of int16, (n_obj,)
        -1 where there is none.
    chi2 : ndarray of float32, (n_obj,)
        NaN where there is none.
    mag_abs : ndarray of float32, (n_obj, n_band)
        AB, at rest; NaN below a redshift of 0.01.
    bands : tuple of str
        Of the second axis.
    """

    template_id: NDArray[np.int16]
    chi2: NDArray[np.float32]
    mag_abs: NDArray[np.float32]
    bands: tuple[str, ...]


def physical_quantities(model: TemplateEstimator, photometry: Photometry, z: NDArray[Any]) -> PhysicalQuantities:
    """Fit the templates at given redshifts.

    The template of least chi-squared at the nearest redshift of the model's grid is taken, without a prior. With its
    amplitude A, in units of the model fluxes F, the absolute magnitude in a band b is

        M_b = -2.5 log10[ A F_b(0) (1 + z) (d_L(z) / 10 pc)^2 ] + 31.4

    which is the magnitude of the fit minus distance modulus and K-correction. It exists in all bands, also in those
    where the object was not measured.

    Parameters
    ----------
    model : TemplateEstimator
        Its grid must begin at redshift 0.
    photometry : Photometry
        With the bands of the model.
    z : ndarray, (n_obj,)
        NaN where there is no redshift; one beyond the grid is treated alike.

    Returns
    -------
    PhysicalQuantities

    Raises
    ------
    ConfigError
        The grid does not begin at 0: the fluxes at rest are not known.
    ShapeError
        ``z`` is not one number per object.
    BandError
        The photometry lacks bands of the model.

    References
    ----------
    Hogg et al. 2002, arXiv:astro-ph/0210394, eqs. 2 and 8.
    """
    numbers = model.model
    if numbers.z_grid[0] != 0.0:
        raise ConfigError(
            f"absolute magnitudes need a redshift grid that begins at 0; that of the model begins at "
            f"{numbers.z_grid[0]:g}"
        )
    redshift = np.asarray(z, dtype=np.float64)
    if redshift.shape != (photometry.n_obj,):
        raise ShapeError(f"z must be ({photometry.n_obj},), one per object; got {redshift.shape}")
    checked = check_photometry(photometry, model.bands, model.declaration)
    factor = numbers.zero_point_factor
    flux, flux_err = checked.flux * factor, checked.flux_err * factor
    place = np.rint(np.interp(redshift, numbers.z_grid, np.arange(numbers.z_grid.size)))
    # A redshift beyond the grid has no model flux: it must not be given that of the grid's end.
    usable = np.isfinite(place) & checked.has_estimate & (redshift <= numbers.z_grid[-1] + _BEYOND)
    at = np.where(usable, place, 0).astype(np.int64)
    template, best_flux = fit_at_redshift(numbers, flux, flux_err, np.where(usable, redshift, 0.0))
    best_flux = np.where((best_flux > 0).any(axis=1, keepdims=True) & usable[:, None], best_flux, np.nan)
    found = np.isfinite(best_flux).any(axis=1)
    chi2 = _chi2(flux, flux_err, best_flux, _relative2(model, at))
    observed = numbers.model_flux[template, :, at].astype(np.float64)
    band = np.argmax(observed, axis=1)
    rows = np.arange(redshift.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        amplitude = best_flux[rows, band] / observed[rows, band]
    rest = numbers.model_flux[template, :, 0].astype(np.float64) * amplitude[:, None]
    grid_z = numbers.z_grid[at]
    distance = _distances(float(numbers.z_grid[-1])).luminosity(grid_z) * _PARSECS_10_PER_MPC
    dimming = np.where(found & (grid_z >= Z_MIN), (1.0 + grid_z) * distance**2, np.nan)
    at_10_pc = rest * dimming[:, None]
    return PhysicalQuantities(
        template_id=np.where(found, template, -1).astype(np.int16),
        chi2=np.where(found, chi2, np.nan).astype(np.float32),
        mag_abs=np.asarray(flux_to_mag(np.where(at_10_pc > 0, at_10_pc, np.nan)), dtype=np.float32),
        bands=model.bands,
    )


def _relative2(model: TemplateEstimator, at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Square of the relative error of zero points and templates, (n_obj, n_band)."""
    relative2 = np.broadcast_to(model.model.relative_err**2, (at.size, len(model.bands)))
    if model.model.template_err is not None:
        relative2 = relative2 + model.model.template_err[:, at].T ** 2
    return np.asarray(relative2)


def _chi2(
    flux: NDArray[Any], flux_err: NDArray[Any], best_flux: NDArray[np.float64], relative2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum over the bands that were measured."""
    usable = np.isfinite(flux) & np.isfinite(flux_err)
    variance = flux_err.astype(np.float64) ** 2 + relative2 * flux.astype(np.float64) ** 2
    part = (flux - best_flux) ** 2 / np.where(usable, variance, 1.0)
    return np.asarray(np.where(usable, part, 0.0).sum(axis=1))


@cache
def _distances(z_max: float) -> Distances:
    return tabulate_distances(z_max=z_max, hubble=HUBBLE, omega_matter=OMEGA_MATTER)
