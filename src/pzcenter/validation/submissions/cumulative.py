"""From what was handed in to a density on a grid: the cumulative of each form at the edges of the grid's cells.

A density is put on a grid as :func:`pzcenter.science.pz.resample` does it: each grid point takes the average of p(z)
over the interval that the trapezoid rule gives it, halfway to its neighbours. The average over an interval is the
difference of the cumulative at its ends, so that all that a form has to say is its cumulative, the trapezoid integral
on the grid is exactly the probability inside the grid, and no peak can fall between two grid points.
"""
# ruff: noqa: ANN001, ANN202, PLR0917 - numba infers the types of its kernels

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from .faults import DISORDERED, EMPTY, FINE, NEGATIVE, NEGATIVE_TOLERANCE, NOT_FINITE

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "averages",
    "cell_edges",
    "gaussian_mixture_cumulative",
    "linear_cumulative",
    "monotone_cumulative",
    "step_cumulative",
]

_REACH = 8.5  # standard deviations beyond which a Gaussian's cumulative is 0 or 1 in double precision
_NUDGE = 1e-9  # by which equal abscissae are set apart, in units of redshift


def cell_edges(z_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ends of the interval of each grid point, (n_z + 1,): the grid's ends and the middles between its points."""
    return np.concatenate((z_grid[:1], 0.5 * (z_grid[1:] + z_grid[:-1]), z_grid[-1:]))


def averages(cumulative: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average density between edges.

    Parameters
    ----------
    cumulative : ndarray, (n_obj, n_edge)
    edges : ndarray, (n_edge,)

    Returns
    -------
    ndarray, (n_obj, n_edge - 1)
    """
    values: NDArray[np.float64] = np.diff(cumulative, axis=1) / np.diff(edges)
    return values


def linear_cumulative(
    x: NDArray[np.floating], y: NDArray[np.floating], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Cumulative of densities that are linear between points.

    Parameters
    ----------
    x : ndarray, (n_obj, n_point) or (n_point,)
        Points of each object, or of all, not decreasing along a row.
    y : ndarray, (n_obj, n_point)
        Densities there.
    edges : ndarray, (n_edge,)
        Increasing.

    Returns
    -------
    cumulative : ndarray, (n_obj, n_edge)
    total : ndarray, (n_obj,)
        Integral over all points.
    fault : ndarray of uint8, (n_obj,)
    """
    values = _rows(y)
    points = np.broadcast_to(_rows(x), values.shape) if x.ndim == 1 else _rows(x)
    return _run(_linear_rows, points.shape[0], edges, points, values)


def step_cumulative(
    bins: NDArray[np.float64], y: NDArray[np.floating], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Cumulative of histograms on common bins.

    Parameters
    ----------
    bins : ndarray, (n_bin + 1,)
        Increasing.
    y : ndarray, (n_obj, n_bin)
        Densities.
    edges : ndarray, (n_edge,)

    Returns
    -------
    cumulative, total, fault
        As of :func:`linear_cumulative`.
    """
    values = _rows(y)
    return _run(_step_rows, values.shape[0], edges, bins, values)


def monotone_cumulative(
    locations: NDArray[np.floating], levels: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Cumulative through quantiles: a monotone cubic between them, exponential tails outside.

    A tail begins with the density at the outermost quantile and holds the probability that is left there, so that no
    redshift gets a density of exactly 0 only because it lies outside the quantiles that were handed in.

    Parameters
    ----------
    locations : ndarray, (n_obj, n_level)
        Not decreasing along a row.
    levels : ndarray, (n_level,)
        Cumulative probabilities within [0, 1], increasing, at least two.
    edges : ndarray, (n_edge,)

    Returns
    -------
    cumulative, total, fault
        As of :func:`linear_cumulative`.

    References
    ----------
    Fritsch & Carlson 1980, SIAM J. Numer. Anal. 17, 238; slopes of Fritsch & Butland 1984, SIAM J. Sci. Stat. Comput.
    5, 300.
    """
    points = _rows(locations)
    return _run(_monotone_rows, points.shape[0], edges, points, levels)


def gaussian_mixture_cumulative(
    weights: NDArray[np.floating],
    means: NDArray[np.floating],
    stds: NDArray[np.floating],
    edges: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Cumulative of sums of Gaussians.

    Parameters
    ----------
    weights, means, stds : ndarray, (n_obj, n_component)
        Weights are relative; a component of weight 0 is left out whatever its mean and width.
    edges : ndarray, (n_edge,)

    Returns
    -------
    cumulative, total, fault
        As of :func:`linear_cumulative`, with the sum of the weights as total.
    """
    parts = _rows(weights), _rows(means), _rows(stds)
    return _run(_mixture_rows, parts[0].shape[0], edges, *parts)


def _rows(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.ascontiguousarray(values, dtype=np.float64)


def _run(
    kernel: Any, n_obj: int, edges: NDArray[np.float64], *arrays: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    cumulative = np.empty((n_obj, edges.size))
    total = np.empty(n_obj)
    fault = np.empty(n_obj, dtype=np.uint8)
    kernel(*arrays, np.ascontiguousarray(edges, dtype=np.float64), cumulative, total, fault)
    return cumulative, total, fault


@njit(cache=True, nogil=True, error_model="numpy")
def _value_fault(y):  # type: ignore[no-untyped-def]
    """What is wrong with the densities of one row."""
    n_nan = 0
    high = 0.0
    low = 0.0
    is_infinite = False
    for value in y:
        if np.isnan(value):
            n_nan += 1
        else:
            is_infinite |= np.isinf(value)
            high = max(high, value)
            low = min(low, value)
    if n_nan == y.shape[0]:
        return EMPTY
    if n_nan or is_infinite:
        return NOT_FINITE
    if low < -NEGATIVE_TOLERANCE * max(high, 1e-300):
        return NEGATIVE
    return FINE


@njit(cache=True, nogil=True, error_model="numpy")
def _order_fault(x):  # type: ignore[no-untyped-def]
    """What is wrong with the abscissae of one row."""
    n_nan = 0
    fault = FINE
    for k in range(x.shape[0]):
        n_nan += np.isnan(x[k])
        if np.isinf(x[k]):
            fault = NOT_FINITE
        elif k and x[k] < x[k - 1]:
            fault = DISORDERED
    if n_nan:
        return EMPTY if n_nan == x.shape[0] else NOT_FINITE
    return fault


@njit(cache=True, nogil=True, error_model="numpy")
def _linear_rows(x, y, edges, cumulative, total, fault):  # type: ignore[no-untyped-def]
    n = x.shape[1]
    for g in range(x.shape[0]):
        fault[g] = max(_order_fault(x[g]), _value_fault(y[g]))
        total[g] = np.nan
        if fault[g] != FINE:
            cumulative[g] = np.nan
            continue
        j = 0
        below = 0.0
        for k in range(n - 1):
            left = max(y[g, k], 0.0)
            right = max(y[g, k + 1], 0.0)
            h = x[g, k + 1] - x[g, k]
            while j < edges.shape[0] and edges[j] < x[g, k + 1]:
                t = max(edges[j] - x[g, k], 0.0)
                cumulative[g, j] = below + (t * (left + 0.5 * t * (right - left) / h) if h > 0.0 else 0.0)
                j += 1
            below += 0.5 * (left + right) * h
        cumulative[g, j:] = below
        total[g] = below


@njit(cache=True, nogil=True, error_model="numpy")
def _step_rows(bins, y, edges, cumulative, total, fault):  # type: ignore[no-untyped-def]
    for g in range(y.shape[0]):
        fault[g] = _value_fault(y[g])
        total[g] = np.nan
        if fault[g] != FINE:
            cumulative[g] = np.nan
            continue
        j = 0
        below = 0.0
        for k in range(y.shape[1]):
            height = max(y[g, k], 0.0)
            while j < edges.shape[0] and edges[j] < bins[k + 1]:
                cumulative[g, j] = below + height * max(edges[j] - bins[k], 0.0)
                j += 1
            below += height * (bins[k + 1] - bins[k])
        cumulative[g, j:] = below
        total[g] = below


@njit(cache=True, nogil=True, error_model="numpy")
def _end_slope(h0, p0, h1, p1):  # type: ignore[no-untyped-def]
    """Slope at an end from the two intervals next to it, at least a quarter of that of the first, at most 3 times."""
    first = p0 / h0
    slope = ((2.0 * h0 + h1) * first - h0 * p1 / h1) / (h0 + h1)
    return min(max(slope, 0.25 * first), 3.0 * first)


@njit(cache=True, nogil=True, error_model="numpy")
def _monotone_slopes(x, q, slope):  # type: ignore[no-untyped-def]
    """Slopes at the points: harmonic means of the neighbouring differences, of three points at the ends."""
    n = x.shape[0]
    slope[0] = (
        _end_slope(x[1] - x[0], q[1] - q[0], x[2] - x[1], q[2] - q[1]) if n > 2 else (q[1] - q[0]) / (x[1] - x[0])
    )
    slope[n - 1] = slope[0]
    if n > 2:
        slope[n - 1] = _end_slope(x[n - 1] - x[n - 2], q[n - 1] - q[n - 2], x[n - 2] - x[n - 3], q[n - 2] - q[n - 3])
    for k in range(1, n - 1):
        h0 = x[k] - x[k - 1]
        h1 = x[k + 1] - x[k]
        d0 = (q[k] - q[k - 1]) / h0
        d1 = (q[k + 1] - q[k]) / h1
        if d0 > 0.0 and d1 > 0.0:
            w0 = 2.0 * h1 + h0
            w1 = h1 + 2.0 * h0
            slope[k] = (w0 + w1) / (w0 / d0 + w1 / d1)
        else:
            slope[k] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _monotone_rows(locations, q, edges, cumulative, total, fault):  # type: ignore[no-untyped-def]
    n = q.shape[0]
    x = np.empty(n)
    slope = np.empty(n)
    for g in range(locations.shape[0]):
        fault[g] = _order_fault(locations[g])
        total[g] = np.nan
        if fault[g] != FINE:
            cumulative[g] = np.nan
            continue
        x[0] = locations[g, 0]
        for k in range(1, n):
            x[k] = max(locations[g, k], x[k - 1] + _NUDGE)
        _monotone_slopes(x, q, slope)
        k = 0
        for j in range(edges.shape[0]):
            z = edges[j]
            if z <= x[0]:
                cumulative[g, j] = q[0] * math.exp((z - x[0]) * slope[0] / q[0]) if q[0] > 0.0 else 0.0
                continue
            if z >= x[n - 1]:
                left = 1.0 - q[n - 1]
                cumulative[g, j] = 1.0 - (left * math.exp((x[n - 1] - z) * slope[n - 1] / left) if left > 0.0 else 0.0)
                continue
            while x[k + 1] <= z:
                k += 1
            h = x[k + 1] - x[k]
            t = (z - x[k]) / h
            u = 1.0 - t
            cumulative[g, j] = (
                q[k] * (1.0 + 2.0 * t) * u * u
                + q[k + 1] * t * t * (3.0 - 2.0 * t)
                + h * t * u * (slope[k] * u - slope[k + 1] * t)
            )
        total[g] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _mixture_fault(weights, means, stds):  # type: ignore[no-untyped-def]
    """What is wrong with the parameters of one row."""
    n_nan = 0
    fault = FINE
    for c in range(weights.shape[0]):
        if np.isnan(weights[c]) and np.isnan(means[c]) and np.isnan(stds[c]):
            n_nan += 1
        elif not np.isfinite(weights[c]) or (
            weights[c] != 0.0 and not (np.isfinite(means[c]) and np.isfinite(stds[c]))
        ):
            fault = max(fault, NOT_FINITE)
        elif weights[c] < 0.0 or (weights[c] > 0.0 and stds[c] < 0.0):
            fault = max(fault, NEGATIVE)
    if n_nan:
        return EMPTY if n_nan == weights.shape[0] else NOT_FINITE
    return fault


@njit(cache=True, nogil=True, error_model="numpy")
def _mixture_rows(weights, means, stds, edges, cumulative, total, fault):  # type: ignore[no-untyped-def]
    n_edge = edges.shape[0]
    for g in range(weights.shape[0]):
        fault[g] = _mixture_fault(weights[g], means[g], stds[g])
        total[g] = np.nan
        if fault[g] != FINE:
            cumulative[g] = np.nan
            continue
        out = cumulative[g]
        out[:] = 0.0
        sum_of_weights = 0.0
        for c in range(weights.shape[1]):
            w = weights[g, c]
            if w == 0.0:
                continue
            sum_of_weights += w
            mu = means[g, c]
            reach = _REACH * stds[g, c]
            first = np.searchsorted(edges, mu - reach)
            last = np.searchsorted(edges, mu + reach, side="right")
            if stds[g, c] > 0.0:
                scale = 1.0 / (math.sqrt(2.0) * stds[g, c])
                for j in range(first, last):
                    out[j] += 0.5 * w * math.erfc((mu - edges[j]) * scale)
            else:
                last = first
            for j in range(last, n_edge):
                out[j] += w
        total[g] = sum_of_weights
