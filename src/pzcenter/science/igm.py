"""Mean transmission of the intergalactic medium towards a source at redshift z.

Neutral hydrogen on the line of sight absorbs the light bluewards of Lyman alpha of the source: by the Lyman series,
in steps at each line, and by photoelectric absorption below the Lyman limit.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["inoue2014_transmission", "madau1995_transmission"]

MADAU_LYMAN_LIMIT = 912.0
"""Angstrom, as rounded by Madau 1995."""

MADAU_SERIES = ((1216.0, 3.6e-3), (1026.0, 1.7e-3), (973.0, 1.2e-3), (950.0, 9.3e-4))
"""Wavelength (angstrom) and coefficient of Lyman alpha to delta: Madau 1995, ApJ 441, 18, eq. 12 and section 3."""

INOUE_LYMAN_LIMIT = 911.8
"""Angstrom, as used by Inoue et al. 2014."""


def madau1995_transmission(wavelength_obs: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Transmission after Madau 1995.

    Parameters
    ----------
    wavelength_obs : array_like, (n_wave,)
        Angstrom, observed frame.
    z : float or array_like, (n_z,)
        Redshift of the source, at least 0.

    Returns
    -------
    ndarray, (n_wave,) for one redshift, else (n_z, n_wave)
        In [0, 1]; exactly 1 redwards of Lyman alpha.

    Raises
    ------
    GridError
        A wavelength that is not positive, or a redshift that is negative or not finite.

    Notes
    -----
    The series of lines has its first four terms; metals are left out, as is usual. The approximation of the
    photoelectric optical depth (footnote 3) holds near the Lyman limit of the source and falls again far bluewards
    of it, which nature does not do: bluewards of its maximum the optical depth is kept at the maximum.

    References
    ----------
    Madau 1995, ApJ 441, 18.
    """
    wavelength, z1, shape = _checked(wavelength_obs, z)
    lines = np.array([line for line, _ in MADAU_SERIES])
    coefficient = np.array([a for _, a in MADAU_SERIES])
    per_line = coefficient[:, None] * (wavelength / lines[:, None]) ** 3.46
    tau = _sum_of_lines(wavelength, z1, lines, per_line)
    bluewards = wavelength <= MADAU_LYMAN_LIMIT * z1.max()
    tau[:, bluewards] += _madau_continuum(wavelength[bluewards], z1)
    low = wavelength < MADAU_LYMAN_LIMIT * z1.max() * 0.95
    if np.any(low):
        tau[:, low] = np.maximum(tau[:, low], _madau_plateau(wavelength[low], z1, lines, coefficient))
    return np.exp(-tau).reshape(shape)


def inoue2014_transmission(wavelength_obs: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Transmission after Inoue et al. 2014: Lyman-alpha forest and damped systems, 39 lines and continuum.

    Parameters
    ----------
    wavelength_obs : array_like, (n_wave,)
        Angstrom, observed frame.
    z : float or array_like, (n_z,)
        Redshift of the source, at least 0.

    Returns
    -------
    ndarray, (n_wave,) for one redshift, else (n_z, n_wave)
        In [0, 1]; exactly 1 redwards of Lyman alpha.

    Raises
    ------
    GridError
        A wavelength that is not positive, or a redshift that is negative or not finite.

    Notes
    -----
    Below 911.8 angstrom in the observed frame, where the formulae do not hold and no filter of ours reaches, the
    optical depth of the continuum is that at 911.8 angstrom.

    References
    ----------
    Inoue, Shimizu, Iwata & Tanaka 2014, MNRAS 442, 1805: eq. 20-29 and table 2.
    """
    wavelength, z1, shape = _checked(wavelength_obs, z)
    lines, forest, damped = _inoue_series()
    x = wavelength / lines[:, None]
    a1, a2, a3 = (column[:, None] for column in forest)
    per_line = np.where(x < 2.2, a1 * x**1.2, np.where(x < 5.7, a2 * x**3.7, a3 * x**5.5))  # eq. 21
    d1, d2 = (column[:, None] for column in damped)
    per_line += np.where(x < 3.0, d1 * x**2.0, d2 * x**3.0)  # eq. 22
    per_line[x <= 1.0] = 0.0
    tau = _sum_of_lines(wavelength, z1, lines, per_line)
    bluewards = wavelength < INOUE_LYMAN_LIMIT * z1.max()
    x = np.maximum(wavelength[bluewards] / INOUE_LYMAN_LIMIT, 1.0)
    for row, one_plus_z in enumerate(z1):
        seen = x < one_plus_z
        depth = _inoue_forest_continuum(x[seen], one_plus_z) + _inoue_damped_continuum(x[seen], one_plus_z)
        tau[row, np.flatnonzero(bluewards)[seen]] += depth
    return np.exp(-tau).reshape(shape)


def _checked(
    wavelength_obs: ArrayLike, z: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, ...]]:
    """Wavelengths, ``1 + z`` as a one-dimensional array, and the shape of the answer."""
    wavelength = np.asarray(wavelength_obs, dtype=np.float64)
    redshift = np.asarray(z, dtype=np.float64)
    if wavelength.ndim != 1 or not np.all(wavelength > 0):
        raise GridError("wavelength_obs must be one-dimensional and positive")
    if redshift.ndim > 1 or redshift.size == 0 or not np.all(np.isfinite(redshift)) or np.any(redshift < 0):
        raise GridError("z must be a number or a one-dimensional array, finite and at least 0")
    return wavelength, 1.0 + np.atleast_1d(redshift), redshift.shape + wavelength.shape


def _sum_of_lines(
    wavelength: NDArray[np.float64],
    z1: NDArray[np.float64],
    lines: NDArray[np.float64],
    per_line: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum the lines that absorb: those redder than the rest-frame wavelength, ``lambda < lambda_j (1+z)``.

    The optical depth of a line depends on the observed wavelength alone, so that one running sum over the lines,
    from Lyman alpha bluewards, serves all redshifts.
    """
    running = np.vstack([np.zeros_like(wavelength), np.cumsum(per_line, axis=0)])
    rest = wavelength / z1[:, None]
    n_active = lines.size - np.searchsorted(lines[::-1], rest, side="right")
    return np.asarray(np.take_along_axis(running, n_active, axis=0))


def _madau_continuum(wavelength: NDArray[np.float64], z1: NDArray[np.float64]) -> NDArray[np.float64]:
    """Photoelectric optical depth (n_z, n_wave); zero redwards of the Lyman limit. Madau 1995, footnote 3."""
    xc = wavelength / MADAU_LYMAN_LIMIT
    xe = z1[:, None]
    tau = (
        0.25 * xc**3 * (xe**0.46 - xc**0.46)
        + 9.4 * xc**1.5 * (xe**0.18 - xc**0.18)
        - 0.7 * xc**3 * (xc**-1.32 - xe**-1.32)
        - 0.023 * (xe**1.68 - xc**1.68)
    )
    return np.where(xc <= xe, tau, 0.0)


def _madau_plateau(
    wavelength: NDArray[np.float64],
    z1: NDArray[np.float64],
    lines: NDArray[np.float64],
    coefficient: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Largest total optical depth at this wavelength or redder, below the Lyman limit (n_z, n_wave)."""
    fraction = np.linspace(0.2, 1.0, 401)  # of the observed Lyman limit; the maximum lies at 0.5 to 0.75
    plateau = np.zeros((z1.size, wavelength.size))
    for row, one_plus_z in enumerate(z1):
        grid = fraction * MADAU_LYMAN_LIMIT * one_plus_z
        tau = _madau_continuum(grid, z1[row : row + 1])[0]
        tau = tau + (coefficient[:, None] * (grid / lines[:, None]) ** 3.46).sum(axis=0)
        highest = int(np.argmax(tau))
        plateau[row] = np.where(wavelength < grid[highest], tau[highest], 0.0)
    return plateau


@cache
def _inoue_series() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Wavelengths (39,), coefficients of the forest (3, 39) and of damped systems (2, 39)."""
    source = resources.files("pzcenter") / "data" / "igm" / "inoue2014_table2.txt"
    table = np.loadtxt(source.read_text(encoding="utf-8").splitlines()).T
    return table[1], table[2:5], table[5:7]


def _inoue_forest_continuum(x: NDArray[np.float64], z1: float) -> NDArray[np.float64]:
    """Photoelectric optical depth of the forest at ``x = lambda / 911.8``, eq. 25-27."""
    if z1 < 2.2:
        return np.asarray(0.3248 * (x**1.2 - z1**-0.9 * x**2.1))
    if z1 < 5.7:
        scale = 2.545e-2 * z1**1.6 * x**2.1
        return np.asarray(np.where(x < 2.2, scale + 0.3248 * x**1.2 - 0.2496 * x**2.1, scale - 2.545e-2 * x**3.7))
    scale = 5.221e-4 * z1**3.4 * x**2.1
    nearer = np.where(x < 2.2, scale + 0.3248 * x**1.2 - 3.140e-2 * x**2.1, scale + 0.2182 * x**2.1 - 2.545e-2 * x**3.7)
    return np.asarray(np.where(x < 5.7, nearer, scale - 5.221e-4 * x**5.5))


def _inoue_damped_continuum(x: NDArray[np.float64], z1: float) -> NDArray[np.float64]:
    """Photoelectric optical depth of damped systems at ``x = lambda / 911.8``, eq. 28-29."""
    if z1 < 3.0:
        return np.asarray(0.2113 * z1**2 - 0.07661 * z1**2.3 * x**-0.3 - 0.1347 * x**2)
    scale = 0.04696 * z1**3 - 0.01779 * z1**3.3 * x**-0.3
    nearer = scale + 0.6340 - 0.1347 * x**2 - 0.2905 * x**-0.3
    return np.asarray(np.where(x < 3.0, nearer, scale - 0.02916 * x**3))
