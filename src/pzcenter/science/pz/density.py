"""Elementary operations on p(z): normalise, cumulate, invert, average, move to another grid, stack.

All follow the convention of :mod:`pzcenter.science.pz.grid`: p(z) is linear between grid points and zero outside, so
its cumulative is quadratic in each cell, and a quantile is the root of that quadratic.
"""
# ruff: noqa: ANN001, ANN202 - numba infers the types of its kernels

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science.pz.grid import check_grid, check_pdf, integral, trapezoid_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["cdf", "cdf_at", "density_at", "mean", "mode", "normalise", "quantiles", "resample", "stack"]


def normalise(pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float32]:
    """Densities with unit integral.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Proportional to a density per unit redshift; negative values count as zero.
    z_grid : ndarray, (n_z,)
        Increasing.

    Returns
    -------
    ndarray of float32, (n_obj, n_z)
        NaN in rows that hold NaN or infinity, or no positive value.

    Raises
    ------
    ShapeError, GridError
        As in all functions of this room.
    """
    p, z = check_pdf(pdf, z_grid)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        largest = p.max(axis=1, keepdims=True, initial=0.0)
        scaled = np.maximum(p / largest, np.float32(0.0))
        total = integral(scaled, z)[:, None]
        values: NDArray[np.float32] = (scaled / total).astype(np.float32)
    values[~(np.isfinite(p).all(axis=1) & (total[:, 0] > 0.0))] = np.nan
    return values


def cdf(pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float32]:
    """Cumulative probability at the grid points, 0 at the first and 1 at the last.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.

    Returns
    -------
    ndarray of float32, (n_obj, n_z)
        NaN in rows without a density.
    """
    p, z = check_pdf(pdf, z_grid)
    out = np.empty(p.shape, dtype=np.float32)
    _cdf_rows(p, z, out)
    return out


def cdf_at(pdf: ArrayLike, z_grid: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Cumulative probability of each object at its own redshift (the probability integral transform).

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.
    z : float or ndarray, (n_obj,)
        0 is returned below the grid, 1 above it, NaN at NaN.

    Returns
    -------
    ndarray of float64, (n_obj,)

    Raises
    ------
    ShapeError
        ``z`` is neither a scalar nor (n_obj,).
    """
    p, grid = check_pdf(pdf, z_grid)
    out = np.empty(p.shape[0], dtype=np.float64)
    _cdf_at_rows(p, grid, _per_object(z, p.shape[0]), out)
    return out


def density_at(pdf: ArrayLike, z_grid: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Density of each object at its own redshift: linear interpolation, 0 outside the grid, NaN at NaN.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift.
    z_grid : ndarray, (n_z,)
        Increasing.
    z : float or ndarray, (n_obj,)

    Returns
    -------
    ndarray of float64, (n_obj,)
    """
    p, grid = check_pdf(pdf, z_grid)
    at = _per_object(z, p.shape[0])
    cell = np.clip(np.searchsorted(grid, at, side="right") - 1, 0, grid.size - 2)
    t = (at - grid[cell]) / (grid[cell + 1] - grid[cell])
    row = np.arange(p.shape[0])
    value = (1.0 - t) * p[row, cell] + t * p[row, cell + 1]
    return np.where((at < grid[0]) | (at > grid[-1]), np.where(np.isnan(p[:, 0]), np.nan, 0.0), value)


def quantiles(pdf: ArrayLike, z_grid: ArrayLike, q: ArrayLike) -> NDArray[np.float32]:
    """Redshifts below which lie the fractions ``q`` of the probability; the inverse of :func:`cdf_at`.

    Where the cumulative is flat, the lowest redshift is returned.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.
    q : float or ndarray, (n_q,)
        In [0, 1], in any order.

    Returns
    -------
    ndarray of float32, (n_obj, n_q)
        NaN in rows without a density.

    Raises
    ------
    UsageError
        A fraction is outside [0, 1].
    """
    p, z = check_pdf(pdf, z_grid)
    levels = np.atleast_1d(np.asarray(q, dtype=np.float64))
    if levels.ndim != 1 or not np.all((levels >= 0.0) & (levels <= 1.0)):
        raise UsageError(f"fractions must lie in [0, 1]; got {levels}")
    order = np.argsort(levels, kind="stable")
    out = np.empty((p.shape[0], levels.size), dtype=np.float32)
    _quantile_rows(p, z, levels[order], order, out)
    return out


def mean(pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float32]:
    """Mean redshift of each density, exact for the piecewise linear p(z), (n_obj,)."""
    p, z = check_pdf(pdf, z_grid)
    step = np.diff(z)
    # First moment of each hat function: weight times node, plus (h_right^2 - h_left^2)/6.
    shift = (np.concatenate((step**2, [0.0])) - np.concatenate(([0.0], step**2))) / 6.0
    with np.errstate(invalid="ignore", divide="ignore"):
        values: NDArray[np.float32] = (np.vecdot(p, trapezoid_weights(z) * z + shift) / integral(p, z)).astype(
            np.float32
        )
    return values


def mode(pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float32]:
    """Grid point of the highest density, the first one of equals; NaN in rows that hold NaN, (n_obj,)."""
    p, z = check_pdf(pdf, z_grid)
    values: NDArray[np.float32] = z[np.argmax(p, axis=1)].astype(np.float32)
    values[~np.isfinite(p).all(axis=1)] = np.nan
    return values


def resample(pdf: ArrayLike, z_grid: ArrayLike, new_grid: ArrayLike) -> NDArray[np.float32]:
    """Move densities to another grid, with the integral that they have inside it.

    Each new point takes the average of p(z) over the interval that the trapezoid rule gives it (halfway to its
    neighbours), so that the trapezoid integral over the new grid equals the probability of p(z) within the new grid;
    refining a grid keeps peaks, coarsening smooths them. On the same grid the values come back unchanged.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift on ``z_grid``.
    z_grid : ndarray, (n_z,)
        Increasing.
    new_grid : ndarray, (n_new,)
        Increasing; may be narrower or wider than ``z_grid``.

    Returns
    -------
    ndarray of float32, (n_obj, n_new)
    """
    p, old = check_pdf(pdf, z_grid)
    new = check_grid(new_grid)
    if np.array_equal(old, new):
        return p.copy()
    edges = np.concatenate(([new[0]], 0.5 * (new[1:] + new[:-1]), [new[-1]]))
    cell = np.clip(np.searchsorted(old, edges, side="right") - 1, 0, old.size - 2)
    t = np.clip(edges, old[0], old[-1]) - old[cell]
    step = np.diff(old)
    q = p.astype(np.float64)
    total = np.concatenate((np.zeros((q.shape[0], 1)), np.cumsum(0.5 * (q[:, 1:] + q[:, :-1]) * step, axis=1)), axis=1)
    below = total[:, cell] + t * (q[:, cell] + 0.5 * t * (q[:, cell + 1] - q[:, cell]) / step[cell])
    values: NDArray[np.float32] = (np.diff(below, axis=1) / np.diff(edges)).astype(np.float32)
    return values


def stack(pdf: ArrayLike, z_grid: ArrayLike, *, weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Redshift distribution n(z) of a sample as the weighted average of its densities.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows of NaN are left out.
    z_grid : ndarray, (n_z,)
        Increasing.
    weight : ndarray, (n_obj,), optional
        Equal weights when not given.

    Returns
    -------
    ndarray of float64, (n_z,)
        Unit integral; NaN when no object has a density.

    Raises
    ------
    ShapeError
        ``weight`` is not (n_obj,).
    """
    p, z = check_pdf(pdf, z_grid)
    w = np.ones(p.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    if w.shape != (p.shape[0],):
        raise ShapeError(f"weight must be ({p.shape[0]},); got {w.shape}")
    good = np.isfinite(p).all(axis=1) & np.isfinite(w)
    total: NDArray[np.float64] = w[good] @ p[good].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        nz: NDArray[np.float64] = total / integral(total, z)
    return nz


def _per_object(z: ArrayLike, n_obj: int) -> NDArray[np.float64]:
    values = np.asarray(z, dtype=np.float64)
    if values.ndim and values.shape != (n_obj,):
        raise ShapeError(f"z must be a number or ({n_obj},); got {values.shape}")
    return np.ascontiguousarray(np.broadcast_to(values, (n_obj,)))


@njit(cache=True, nogil=True, error_model="numpy")
def _accumulate(row, z, c):  # type: ignore[no-untyped-def]
    """Cumulative of the positive part of a row at the grid points; NaN where there is no density."""
    total = 0.0
    c[0] = 0.0
    left = max(np.float64(row[0]), 0.0)
    bad = not np.isfinite(row[0])
    for k in range(1, z.shape[0]):
        x = row[k]
        bad |= not np.isfinite(x)
        right = max(np.float64(x), 0.0)
        total += 0.5 * (left + right) * (z[k] - z[k - 1])
        c[k] = total
        left = right
    return total if total > 0.0 and not bad else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _cdf_rows(pdf, z, out):  # type: ignore[no-untyped-def]
    c = np.empty(z.shape[0])
    for g in range(pdf.shape[0]):
        inverse = 1.0 / _accumulate(pdf[g], z, c)
        for k in range(z.shape[0]):
            out[g, k] = c[k] * inverse


@njit(cache=True, nogil=True, error_model="numpy")
def _cdf_at_rows(pdf, z, at, out):  # type: ignore[no-untyped-def]
    n = z.shape[0]
    c = np.empty(n)
    for g in range(pdf.shape[0]):
        total = _accumulate(pdf[g], z, c)
        x = at[g]
        if np.isnan(total) or np.isnan(x):
            out[g] = np.nan
        elif x <= z[0]:
            out[g] = 0.0
        elif x >= z[n - 1]:
            out[g] = 1.0
        else:
            k = np.searchsorted(z, x, side="right") - 1
            p0 = max(np.float64(pdf[g, k]), 0.0)
            p1 = max(np.float64(pdf[g, k + 1]), 0.0)
            t = x - z[k]
            out[g] = min((c[k] + t * (p0 + 0.5 * t * (p1 - p0) / (z[k + 1] - z[k]))) / total, 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _quantile_rows(pdf, z, levels, order, out):  # type: ignore[no-untyped-def]
    last = z.shape[0] - 2
    c = np.empty(z.shape[0])
    for g in range(pdf.shape[0]):
        total = _accumulate(pdf[g], z, c)
        if np.isnan(total):
            out[g, :] = np.nan
            continue
        k = 0
        while c[k + 1] <= 0.0:  # the support begins here: the quantile of 0
            k += 1
        for j in range(levels.shape[0]):
            target = levels[j] * total
            while k < last and c[k + 1] < target:
                k += 1
            # c + p0 t + (p1 - p0)/(2 h) t^2 = target, by the form of the root that does not cancel
            h = z[k + 1] - z[k]
            p0 = max(np.float64(pdf[g, k]), 0.0)
            p1 = max(np.float64(pdf[g, k + 1]), 0.0)
            need = max(target - c[k], 0.0)
            root = p0 + np.sqrt(max(p0 * p0 + 2.0 * (p1 - p0) / h * need, 0.0))
            t = 2.0 * need / root if root > 0.0 else 0.0
            out[g, order[j]] = z[k] + min(t, h)
