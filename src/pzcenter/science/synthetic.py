"""Synthetic photometry: the flux of a redshifted SED through a filter.

The AB flux that a photon-counting detector measures is the photon-weighted mean of f_nu,

    f_b(z) = int f_lambda(lambda / (1+z)) T(lambda, z) R_b(lambda) lambda dlambda / (c int R_b(lambda) / lambda dlambda)

with R_b the throughput and T the transmission of the intergalactic medium. The surface-brightness and distance
factors of a real source, ``1 / ((1+z) 4 pi d_L^2)`` for f_lambda given as a luminosity density, are not in it:
template fits have a free amplitude at every redshift, and a simulation multiplies them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import GridError, ShapeError
from pzcenter.science.filters import SPEED_OF_LIGHT, FilterCurve
from pzcenter.science.sed import ERG_PER_NJY, Sed, TemplateSet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_STEP", "Transmission", "flux_operator", "synthetic_flux"]

Transmission = Callable[[Any, Any], Any]
"""``transmission(wavelength_obs (n_wave,), z (n_z,)) -> (n_z, n_wave)``, as in :mod:`pzcenter.science.igm`."""

MAX_STEP = 1.0
"""Angstrom. Coarser filter curves are refined to it, so that lines and breaks of the SED are not stepped over."""

WING = 1.0e-3
"""Fraction of the peak throughput below which a curve is not refined: all wings together carry about as little."""


def synthetic_flux(
    seds: TemplateSet | Sequence[Sed],
    filters: Sequence[FilterCurve],
    z_grid: ArrayLike,
    *,
    igm: Transmission | None = None,
    max_step: float = MAX_STEP,
) -> NDArray[np.float64]:
    """AB fluxes of SEDs through filters at redshifts.

    Parameters
    ----------
    seds : TemplateSet or sequence of Sed, (n_template,)
        Rest frame, f_lambda.
    filters : sequence of FilterCurve, (n_band,)
    z_grid : array_like, (n_z,)
        Zero or more.
    igm : callable, optional
        Transmission of the intergalactic medium, such as :func:`pzcenter.science.igm.inoue2014_transmission`;
        none by default.
    max_step : float
        Largest step of the integral, angstrom in the observed frame, where the throughput is above 1e-3 of its peak.
        At 1 the narrowest emission lines of our templates are integrated to 0.2 %, others to 0.03 %.

    Returns
    -------
    ndarray of float64, (n_template, n_band, n_z)
        nJy for f_lambda in erg s-1 cm-2 angstrom-1, in the convention of this module: no distance and no ``1+z``.
        Zero where the redshifted SED does not reach the filter.

    Raises
    ------
    GridError
        ``z_grid`` is not one-dimensional, or not finite and at least 0.
    ShapeError
        No SED or no filter.

    References
    ----------
    Bessell & Murphy 2012, PASP 124, 140, eq. A12; Hogg et al. 2002, astro-ph/0210394. The convention
    is that of BPZ (Benitez 2000, ApJ 536, 571), whose model fluxes these are up to one constant per SED.
    """
    sed_list = list(seds.seds if isinstance(seds, TemplateSet) else seds)
    z = np.asarray(z_grid, dtype=np.float64)
    if z.ndim != 1 or not np.all(np.isfinite(z)) or np.any(z < 0):
        raise GridError("z_grid must be one-dimensional, finite and at least 0")
    if not sed_list or not filters:
        raise ShapeError(f"need at least one SED and one filter; got {len(sed_list)} and {len(filters)}")
    flux = np.empty((len(sed_list), len(filters), z.size))
    groups = _by_wavelength_grid(sed_list)
    for band, curve in enumerate(filters):
        wavelength, weight = _photon_weights(curve, max_step)
        transmitted = np.broadcast_to(weight, (z.size, weight.size))
        if igm is not None:
            transmitted = transmitted * igm(wavelength, z)
        rest = wavelength / (1.0 + z[:, None])
        for members in groups:
            operator = _interpolation_operator(rest, transmitted, sed_list[members[0]].wavelength)
            spectra = np.stack([sed_list[k].flux for k in members], axis=1)
            flux[members, band, :] = (operator @ spectra).T
    return flux


def flux_operator(
    wavelength: NDArray[np.float64],
    filters: Sequence[FilterCurve],
    z_grid: NDArray[np.float64],
    *,
    igm: Transmission | None = None,
    max_step: float = MAX_STEP,
) -> NDArray[np.float64]:
    """Matrices that take any SED on one wavelength grid to its fluxes: for fits that change the SEDs.

    Parameters
    ----------
    wavelength : ndarray, (n_wave,)
        Angstrom, rest frame, increasing.
    filters : sequence of FilterCurve, (n_band,)
    z_grid : ndarray, (n_z,)
    igm, max_step
        As in :func:`synthetic_flux`.

    Returns
    -------
    ndarray of float64, (n_band, n_z, n_wave)
        ``operator @ f_lambda`` is the flux, the same as that of :func:`synthetic_flux`.
    """
    operator = np.empty((len(filters), z_grid.size, wavelength.size))
    for band, curve in enumerate(filters):
        observed, weight = _photon_weights(curve, max_step)
        transmitted = np.broadcast_to(weight, (z_grid.size, weight.size))
        if igm is not None:
            transmitted = transmitted * igm(observed, z_grid)
        operator[band] = _interpolation_operator(observed / (1.0 + z_grid[:, None]), transmitted, wavelength)
    return operator


def _photon_weights(curve: FilterCurve, max_step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wavelengths and weights whose dot product with f_lambda is the AB flux in nJy (trapezoidal rule)."""
    in_band = curve.throughput > WING * curve.throughput.max()
    wavelength = _refine(curve.wavelength, np.where(in_band[:-1] | in_band[1:], max_step, np.inf))
    throughput = np.interp(wavelength, curve.wavelength, curve.throughput)
    seen = throughput > 0
    first, last = int(np.argmax(seen)), int(wavelength.size - 1 - np.argmax(seen[::-1]))
    kept = slice(max(first - 1, 0), min(last + 2, wavelength.size))
    wavelength, throughput = wavelength[kept], throughput[kept]
    step = np.diff(wavelength)
    width = 0.5 * (np.append(step, 0.0) + np.insert(step, 0, 0.0))
    photons = SPEED_OF_LIGHT * np.sum(width * throughput / wavelength)
    return wavelength, width * throughput * wavelength / (photons * ERG_PER_NJY)


def _refine(grid: NDArray[np.float64], max_step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add points so that no step is above its ``max_step`` (n_grid - 1); the points of the grid stay."""
    pieces = np.maximum(np.ceil(np.diff(grid) / max_step - 1e-9).astype(np.int64), 1)
    start = np.repeat(grid[:-1], pieces)
    step = np.repeat(np.diff(grid) / pieces, pieces)
    within = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.append(start + within * step, grid[-1])


def _interpolation_operator(
    rest: NDArray[np.float64], weight: NDArray[np.float64], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Matrix (n_z, n_wave) that takes an SED on ``grid`` to ``sum_k weight_k sed(rest_k)``, linearly interpolated.

    Interpolation is linear in the SED, so one matrix serves all SEDs that share a wavelength grid.
    """
    n_z, n_wave = rest.shape[0], grid.size
    position = np.interp(rest, grid, np.arange(n_wave, dtype=np.float64))
    left = np.minimum(position.astype(np.int64), n_wave - 2)
    fraction = position - left
    inside = np.where((rest >= grid[0]) & (rest <= grid[-1]), weight, 0.0)
    cell = (left + n_wave * np.arange(n_z)[:, None]).ravel()
    size = n_z * n_wave
    operator = np.bincount(cell, (inside * (1.0 - fraction)).ravel(), minlength=size)
    operator += np.bincount(cell + 1, (inside * fraction).ravel(), minlength=size)
    return np.asarray(operator.reshape(n_z, n_wave), dtype=np.float64)


def _by_wavelength_grid(seds: Sequence[Sed]) -> list[list[int]]:
    """Group the indices of SEDs that share a wavelength grid."""
    groups: dict[bytes, list[int]] = {}
    for k, sed in enumerate(seds):
        groups.setdefault(sed.wavelength.tobytes(), []).append(k)
    return list(groups.values())
