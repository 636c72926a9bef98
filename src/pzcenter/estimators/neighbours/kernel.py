"""The density of one object from its neighbours, compiled.

Each object is computed alone, by itself and in one order, so that the split into batches changes no bit of it.
"""

# ruff: noqa: PLR0917 - compiled functions take plain arrays, and no keyword-only arguments

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DensitySettings", "neighbour_densities"]

_NOISE_SCALE = 1.0
"""Least scale of the squared distance in the weights: exp(-d2 / 2) is the likelihood of two equal objects."""
_KERNEL_REACH = 5.0
"""Standard deviations at which a kernel is cut."""
_LARGEST_SHIFT = 0.3
"""A neighbour's redshift is moved by at most this fraction of 1 + z."""
_SHARE_OF_SPREAD, _LENGTH_IN_SIGMAS = 0.5, 1.349
"""Half of a Gaussian is within an interval of this many standard deviations."""
_NARROWEST_IN_STEPS = 0.6
"""A kernel narrower than this many grid steps could fall between two grid points."""


class DensitySettings(NamedTuple):
    """Numbers that turn neighbours into a density.

    Parameters
    ----------
    colour_floor : float
        Magnitudes; scatter of colours at one redshift that is added to the errors of both objects.
    reach : float
        Weights are exp(-d2 / (2 max(1, reach d2_max))) in the noise-scaled squared distance above that of the nearest.
    ridge : float
        Strength with which the local slopes are held to zero, in units of the object's own errors.
    width : float
        Kernel width in units of spread times n_eff^(-1/5).
    width_min : float
        Smallest kernel width, fraction of 1 + z.
    """

    colour_floor: float
    reach: float
    ridge: float
    width: float
    width_min: float


def neighbour_densities(
    x: NDArray[np.float64],
    x_err: NDArray[np.float64],
    train_x: NDArray[np.float64],
    train_x_err: NDArray[np.float64],
    train_z: NDArray[np.float64],
    neighbours: NDArray[np.int64],
    z_grid: NDArray[np.float64],
    settings: DensitySettings,
) -> NDArray[np.float32]:
    """Densities from given neighbours.

    The squared distance to neighbour j is the sum over features of (x - x_j)^2 / (s^2 + s_j^2 + floor^2), which sets
    the weights w_j; neighbours within the noise weigh the same. A weighted linear fit of z on x through the neighbours,
    held towards zero slope by the object's own errors (a feature that is all noise must not correct anything), moves
    each z_j to where it would be at x. The density is the sum of Gaussians at the moved redshifts with weights w_j;
    their width follows the length of the shortest interval with half of the weight, and the effective number of
    neighbours.

    Parameters
    ----------
    x, x_err : ndarray of float64, (n_obj, n_feature)
        Features of the objects and their errors.
    train_x, train_x_err : ndarray of float64, (n_train, n_feature)
        The same of the training objects.
    train_z : ndarray of float64, (n_train,)
        Redshifts.
    neighbours : ndarray of int64, (n_obj, n_neighbour)
        Rows of the training objects.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    settings : DensitySettings
        See there.

    Returns
    -------
    ndarray of float32, (n_obj, n_z)
        Unit integral by the trapezoidal rule.

    References
    ----------
    Fan 1992, JASA 87, 998 (local linear regression); Silverman 1986, section 3.4 (kernel width); De Vicente, Sanchez &
    Sevilla-Noarbe 2016, MNRAS 459, 3078 (linear fits to the neighbours for photometric redshifts).
    """
    pdf = np.empty((x.shape[0], z_grid.size), dtype=np.float32)
    _all_densities(x, x_err, train_x, train_x_err, train_z, neighbours, z_grid, *settings, pdf)
    return pdf


def _densities(
    x: Any, x_err: Any, train_x: Any, train_x_err: Any, train_z: Any, neighbours: Any, z_grid: Any,
    colour_floor: float, reach: float, ridge: float, width: float, width_min: float, pdf: Any,
) -> None:  # fmt: skip
    n_neighbour = neighbours.shape[1]
    weight = np.empty(n_neighbour)
    z = np.empty(n_neighbour)
    row = np.empty(z_grid.size)
    for i in range(x.shape[0]):
        near = neighbours[i]
        _set_weights(x[i], x_err[i], train_x, train_x_err, near, colour_floor, reach, weight)
        _set_moved_redshifts(x[i], x_err[i], train_x, train_z, near, weight, colour_floor, ridge, z_grid, z)
        _set_density(z, weight, z_grid, width, width_min, row)
        for j in range(row.size):
            pdf[i, j] = row[j]


def _weights_by_distance(
    x: Any, x_err: Any, train_x: Any, train_x_err: Any, near: Any, colour_floor: float, reach: float, weight: Any
) -> None:
    largest, smallest = 0.0, np.inf
    for a in range(near.size):
        d2 = 0.0
        for c in range(x.size):
            apart = x[c] - train_x[near[a], c]
            d2 += apart * apart / (x_err[c] ** 2 + train_x_err[near[a], c] ** 2 + colour_floor**2)
        weight[a] = d2
        largest = max(largest, d2)
        smallest = min(smallest, d2)
    scale = max(reach * largest, _NOISE_SCALE)
    for a in range(near.size):
        weight[a] = np.exp(-0.5 * (weight[a] - smallest) / scale)


def _moved_redshifts(
    x: Any, x_err: Any, train_x: Any, train_z: Any, near: Any, weight: Any, colour_floor: float, ridge: float,
    z_grid: Any, z: Any,
) -> None:  # fmt: skip
    n_feature = x.size
    total, z_mean = 0.0, 0.0
    x_mean = np.zeros(n_feature)
    for a in range(near.size):
        total += weight[a]
        z_mean += weight[a] * train_z[near[a]]
        for c in range(n_feature):
            x_mean[c] += weight[a] * train_x[near[a], c]
    z_mean /= total
    for c in range(n_feature):
        x_mean[c] /= total
    moments = np.zeros((n_feature, n_feature))
    slope = np.zeros(n_feature)
    for a in range(near.size):
        for c in range(n_feature):
            u = weight[a] * (train_x[near[a], c] - x_mean[c])
            slope[c] += u * (train_z[near[a]] - z_mean)
            for e in range(c + 1):
                moments[c, e] += u * (train_x[near[a], e] - x_mean[e])
    for c in range(n_feature):
        moments[c, c] += ridge * total * (x_err[c] ** 2 + colour_floor**2)
    _solve(moments, slope)
    for a in range(near.size):
        z_near = train_z[near[a]]
        shift = 0.0
        for c in range(n_feature):
            shift += slope[c] * (x[c] - train_x[near[a], c])
        limit = _LARGEST_SHIFT * (1.0 + z_near)
        z[a] = min(max(z_near + min(max(shift, -limit), limit), z_grid[0]), z_grid[-1])


def _cholesky_solve(a: Any, b: Any) -> None:
    """Solve a x = b in place for a positive definite matrix given by its lower half."""
    n = b.size
    for c in range(n):
        for e in range(c + 1):
            s = a[c, e]
            for k in range(e):
                s -= a[c, k] * a[e, k]
            if c == e:
                a[c, c] = np.sqrt(max(s, 1e-300))
            else:
                a[c, e] = s / a[e, e]
    for c in range(n):
        s = b[c]
        for k in range(c):
            s -= a[c, k] * b[k]
        b[c] = s / a[c, c]
    for c in range(n - 1, -1, -1):
        s = b[c]
        for k in range(c + 1, n):
            s -= a[k, c] * b[k]
        b[c] = s / a[c, c]


def _density_of(z: Any, weight: Any, z_grid: Any, width: float, width_min: float, row: Any) -> None:
    order = np.argsort(z, kind="mergesort")
    total, total2 = 0.0, 0.0
    for a in range(z.size):
        total += weight[a]
        total2 += weight[a] ** 2
    # The shortest interval that holds half of the weight: of two separate groups, it measures the width of one.
    spread, centre = np.inf, z[order[0]]
    inside, last = 0.0, -1
    for first in range(z.size):
        while inside < _SHARE_OF_SPREAD * total and last + 1 < z.size:
            last += 1
            inside += weight[order[last]]
        if inside < _SHARE_OF_SPREAD * total:
            break
        length = z[order[last]] - z[order[first]]
        if length < spread:
            spread = length
            centre = 0.5 * (z[order[last]] + z[order[first]])
        inside -= weight[order[first]]
    if not np.isfinite(spread):
        spread = z[order[-1]] - z[order[0]]
    spread /= _LENGTH_IN_SIGMAS
    n_eff = total * total / total2
    n_z = z_grid.size
    at = min(max(np.searchsorted(z_grid, centre), 1), n_z - 1)
    step = z_grid[at] - z_grid[at - 1]
    sigma = max(width * spread * n_eff**-0.2, width_min * (1.0 + centre), _NARROWEST_IN_STEPS * step)
    row[:] = 0.0
    for a in range(z.size):
        first = np.searchsorted(z_grid, z[a] - _KERNEL_REACH * sigma)
        last = np.searchsorted(z_grid, z[a] + _KERNEL_REACH * sigma)
        for j in range(first, last):
            t = (z_grid[j] - z[a]) / sigma
            row[j] += weight[a] * np.exp(-0.5 * t * t)
        if first == last:
            # On a grid that is coarser here than at the centre: the nearest point takes it all.
            row[min(first, n_z - 1)] += weight[a]
    integral = 0.0
    for j in range(1, n_z):
        integral += 0.5 * (row[j] + row[j - 1]) * (z_grid[j] - z_grid[j - 1])
    for j in range(n_z):
        row[j] /= integral


_compiled = njit(cache=True, nogil=True, error_model="numpy")
_set_weights = _compiled(_weights_by_distance)
_solve = _compiled(_cholesky_solve)
_set_moved_redshifts = _compiled(_moved_redshifts)
_set_density = _compiled(_density_of)
_all_densities = _compiled(_densities)
