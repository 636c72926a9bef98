"""n(z) of a sample: mean and width, and how far an estimate of it lies from the redshifts themselves.

An n(z) is a density on a redshift grid, linear between its points, as a p(z) is; it need not be normalised. Shifts are
divided by 1 + the true mean, as the requirements of the DESC are stated.

References
----------
The LSST Dark Energy Science Collaboration 2018, arXiv:1809.01669 (requirements on the mean and the width).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science.pz.grid import check_grid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "nz_kl_bits",
    "nz_mean",
    "nz_mean_shift",
    "nz_overlap",
    "nz_wasserstein",
    "nz_width",
    "nz_width_shift",
]

PROBABILITY_OF_NOTHING = 1e-12
"""Probability added to each cell before a logarithm, so that an empty one costs much and not everything."""


def nz_mean(nz: ArrayLike, z_grid: ArrayLike) -> float:
    """Mean redshift of n(z), exact for the piecewise linear density; NaN for an empty one."""
    return _moments(nz, z_grid)[0]


def nz_width(nz: ArrayLike, z_grid: ArrayLike) -> float:
    """Standard deviation of n(z), exact for the piecewise linear density; NaN for an empty one."""
    return _moments(nz, z_grid)[1]


def nz_mean_shift(nz: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> float:
    """Mean of n(z) minus the mean of the true redshifts, over 1 + the latter.

    Parameters
    ----------
    nz : ndarray, (n_z,)
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)
        Of the objects of the sample; finite.

    Returns
    -------
    float
        NaN for an empty n(z) or no objects.
    """
    truth = _redshifts(z_spec)
    return (nz_mean(nz, z_grid) - float(truth.mean())) / (1.0 + float(truth.mean())) if truth.size else float("nan")


def nz_width_shift(nz: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> float:
    """Width of n(z) minus the standard deviation of the true redshifts, over 1 + their mean; see `nz_mean_shift`."""
    truth = _redshifts(z_spec)
    return (nz_width(nz, z_grid) - float(truth.std())) / (1.0 + float(truth.mean())) if truth.size else float("nan")


def nz_wasserstein(nz: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> float:
    """First Wasserstein distance ``int abs(F(z) - F_spec(z)) dz`` of n(z) from the true redshifts, redshift units.

    Exact in the redshifts; the cumulative of n(z) is taken as linear between grid points and redshifts.

    Parameters
    ----------
    nz : ndarray, (n_z,)
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)

    Returns
    -------
    float
        Not negative; NaN for an empty n(z) or no objects.

    References
    ----------
    Vaserstein 1969, Probl. Inf. Transm. 5, 64; scipy.stats.wasserstein_distance.
    """
    truth, z = np.sort(_redshifts(z_spec)), check_grid(z_grid)
    density = _density(nz, z)
    if not truth.size or not density.sum() > 0.0:
        return float("nan")
    at = np.union1d(z, truth)
    estimate = _cumulative(density, z, at)
    empirical = np.searchsorted(truth, at[:-1], side="right") / truth.size
    left, right = estimate[:-1] - empirical, estimate[1:] - empirical
    return float((np.diff(at) * _mean_absolute(left, right)).sum())


def nz_kl_bits(nz: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike, edges: ArrayLike) -> float:
    """Kullback-Leibler divergence of n(z) from the histogram of the true redshifts, ``sum P log2(P/Q)``, bits.

    The information lost per object by the estimate; with n objects in m cells, chance alone gives (m - 1)/(2 n ln 2).

    Parameters
    ----------
    nz : ndarray, (n_z,)
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)
    edges : ndarray, (m + 1,)
        Of the cells; what is outside is left out on both sides.

    Returns
    -------
    float

    Raises
    ------
    GridError
        The edges do not increase.

    References
    ----------
    Kullback & Leibler 1951, Ann. Math. Statist. 22, 79; the DESC n(z) challenge's "total information loss".
    """
    z, cells = check_grid(z_grid), check_grid(edges)
    density = _density(nz, z)
    counts, _ = np.histogram(_redshifts(z_spec), bins=cells)
    cumulative = _cumulative(density, z, cells)
    estimate = np.diff(cumulative)
    if not counts.sum() or not estimate.sum() > 0.0:
        return float("nan")
    p, q = (_smoothed(values) for values in (counts.astype(np.float64), estimate))
    return float((p * np.log2(p / q)).sum())


def nz_overlap(nz_one: ArrayLike, nz_two: ArrayLike, z_grid: ArrayLike) -> float:
    """Overlap of two n(z), ``int min(n1, n2) dz``: 1 when equal, 0 when apart. RAIL ``KDEBinOverlap``, of any n(z)."""
    z = check_grid(z_grid)
    one, two = _density(nz_one, z), _density(nz_two, z)
    areas = np.trapezoid(one, z), np.trapezoid(two, z)
    if not min(areas) > 0.0:
        return float("nan")
    return float(np.trapezoid(np.minimum(one / areas[0], two / areas[1]), z))


def _density(nz: ArrayLike, z: NDArray[np.float64]) -> NDArray[np.float64]:
    density = np.asarray(nz, dtype=np.float64)
    if density.shape != z.shape:
        raise ShapeError(f"nz must be ({z.size},), one value for each grid point; got {density.shape}")
    return density


def _redshifts(z_spec: ArrayLike) -> NDArray[np.float64]:
    truth = np.asarray(z_spec, dtype=np.float64)
    if truth.ndim != 1 or not np.all(np.isfinite(truth)):
        raise UsageError(f"z_spec must be finite redshifts, (n_obj,); got shape {truth.shape}")
    return truth


def _moments(nz: ArrayLike, z_grid: ArrayLike) -> tuple[float, float]:
    z = check_grid(z_grid)
    density = _density(nz, z)
    step = np.diff(z)
    left, right = np.concatenate(([0.0], step)), np.concatenate((step, [0.0]))
    # Moments 0 to 2 of the hat function of each point about it: int_0^h t^k (1 - t/h) dt = h^(k+1)/((k+1)(k+2)).
    hat = [(right ** (k + 1) + (-1.0) ** k * left ** (k + 1)) / ((k + 1) * (k + 2)) for k in range(3)]
    area = float(hat[0] @ density)
    if not area > 0.0:
        return float("nan"), float("nan")
    mean = float((hat[1] + hat[0] * z) @ density) / area
    offset = z - mean
    variance = float((hat[2] + 2.0 * hat[1] * offset + hat[0] * offset**2) @ density) / area
    return mean, float(np.sqrt(max(variance, 0.0)))


def _cumulative(density: NDArray[np.float64], z: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised cumulative of one density at many redshifts, quadratic in a cell."""
    step = np.diff(z)
    c = np.concatenate(([0.0], np.cumsum(0.5 * step * (density[1:] + density[:-1]))))
    k = np.clip(np.searchsorted(z, at, side="right") - 1, 0, z.size - 2)
    t = np.clip(at, z[0], z[-1]) - z[k]
    values: NDArray[np.float64] = (c[k] + t * (density[k] + 0.5 * t * (density[k + 1] - density[k]) / step[k])) / c[-1]
    return values


def _mean_absolute(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the absolute value of a line between two values."""
    crosses = left * right < 0.0
    spread = np.where(crosses, np.abs(left) + np.abs(right), 1.0)
    return np.where(crosses, 0.5 * (left**2 + right**2) / spread, 0.5 * (np.abs(left) + np.abs(right)))


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    p = values / values.sum() + PROBABILITY_OF_NOTHING
    normalised: NDArray[np.float64] = p / p.sum()
    return normalised
