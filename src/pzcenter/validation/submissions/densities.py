"""Densities as they came, brought to unit integral on the grid, with a code for each that cannot be."""
# ruff: noqa: ANN001, ANN202, PLR0917 - numba infers the types of its kernels

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from pzcenter.science.pz import trapezoid_weights

from .faults import (
    EMPTY,
    FINE,
    INTEGRAL_EXACT,
    INTEGRAL_TOLERANCE,
    MIN_INSIDE,
    NEGATIVE,
    NEGATIVE_TOLERANCE,
    NOT_FINITE,
    NOT_NORMALISED,
    OUTSIDE_GRID,
    ROUNDING,
    TRUNCATED,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Checked", "Evaluated", "check_rows"]


class Evaluated(NamedTuple):
    """Densities of some objects on the grid, before they are judged.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Owned: it will be changed.
    total : ndarray, (n_obj,), optional
        Integral over all redshifts; that over the grid where None.
    fault : ndarray of uint8, (n_obj,), optional
        Codes of :mod:`.faults` that the form has found.
    is_relative : bool
        Whether the form states proportions only, so that any integral is right.
    """

    pdf: NDArray[np.floating[Any]]
    total: NDArray[np.float64] | None = None
    fault: NDArray[np.uint8] | None = None
    is_relative: bool = False


class Checked(NamedTuple):
    """Densities with unit integral, and what was done to them.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        NaN in rows with a fault.
    fault : ndarray of uint8, (n_obj,)
    integral : ndarray, (n_obj,)
        As it was stated; NaN where there is none.
    inside : ndarray, (n_obj,)
        Share of it on the grid.
    is_clipped : ndarray of bool, (n_obj,)
        Small negative values were set to 0.
    is_relative : bool
        As of :class:`Evaluated`.
    """

    pdf: NDArray[np.floating[Any]]
    fault: NDArray[np.uint8]
    integral: NDArray[np.float64]
    inside: NDArray[np.float64]
    is_clipped: NDArray[np.bool_]
    is_relative: bool = False

    @property
    def is_renormalised(self) -> NDArray[np.bool_]:
        """Rows whose integral was stated, was off 1, and was brought there."""
        if self.is_relative:
            return np.zeros(self.fault.size, dtype=np.bool_)
        found: NDArray[np.bool_] = (self.fault == FINE) & (np.abs(self.integral - 1.0) > INTEGRAL_EXACT)
        return found

    @property
    def is_truncated(self) -> NDArray[np.bool_]:
        """Rows with probability outside the grid."""
        found: NDArray[np.bool_] = (self.fault == FINE) & (self.inside < 1.0 - TRUNCATED)
        return found


def check_rows(evaluated: Evaluated, z_grid: NDArray[np.float64]) -> Checked:
    """Judge densities and bring the good ones to unit integral on the grid.

    Parameters
    ----------
    evaluated : Evaluated
        Its densities are changed in place.
    z_grid : ndarray, (n_z,)

    Returns
    -------
    Checked
    """
    pdf = np.ascontiguousarray(evaluated.pdf)
    if pdf.dtype not in (np.float32, np.float64):
        pdf = pdf.astype(np.float32)
    if not pdf.flags.writeable:  # the memory belongs to the reader
        pdf = pdf.copy()
    n_obj = pdf.shape[0]
    total = np.full(n_obj, np.nan) if evaluated.total is None else np.ascontiguousarray(evaluated.total)
    fault = np.zeros(n_obj, dtype=np.uint8) if evaluated.fault is None else evaluated.fault.copy()
    integral, inside = np.full(n_obj, np.nan), np.full(n_obj, np.nan)
    clipped = np.zeros(n_obj, dtype=np.bool_)
    tolerance = np.inf if evaluated.is_relative else INTEGRAL_TOLERANCE
    _check(pdf, total, trapezoid_weights(z_grid), tolerance, fault, integral, inside, clipped)
    return Checked(pdf, fault, integral, inside, clipped, evaluated.is_relative)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _sums(row, weight):  # type: ignore[no-untyped-def]
    """Integral, plain sum (not finite where a value is not), least and largest value."""
    total = 0.0
    low = row[0]
    high = row[0]
    for k in range(row.shape[0]):
        x = row[k]
        total += weight[k] * x
        low = min(low, x)
        high = max(high, x)
    return total, low, high


@njit(cache=True, nogil=True, error_model="numpy")
def _check(pdf, total, weight, tolerance, fault, integral, inside, clipped):  # type: ignore[no-untyped-def]
    for g in range(pdf.shape[0]):
        row = pdf[g]
        if fault[g] != FINE:
            row[:] = np.nan
            continue
        on_grid, low, high = _sums(row, weight)
        if not np.isfinite(on_grid):
            n_nan = 0
            for x in row:
                n_nan += np.isnan(x)
            fault[g] = EMPTY if n_nan == row.shape[0] else NOT_FINITE
            row[:] = np.nan
            continue
        if low < 0.0:
            if low < -NEGATIVE_TOLERANCE * max(high, 1e-300):
                fault[g] = NEGATIVE
                row[:] = np.nan
                continue
            clipped[g] = low < -ROUNDING * high
            on_grid = 0.0
            for k in range(row.shape[0]):
                row[k] = max(row[k], 0.0)
                on_grid += weight[k] * row[k]
        stated = on_grid if np.isnan(total[g]) else total[g]
        integral[g] = stated
        inside[g] = on_grid / stated if stated > 0.0 else 0.0
        if not stated > 0.0 or abs(stated - 1.0) > tolerance:
            fault[g] = NOT_NORMALISED
        elif inside[g] < MIN_INSIDE:
            fault[g] = OUTSIDE_GRID
        if fault[g] != FINE:
            row[:] = np.nan
            continue
        scale = 1.0 / on_grid
        for k in range(row.shape[0]):
            row[k] *= scale
