"""All scores of each p(z) in one reading of it.

The definitions are those of :mod:`pzcenter.science.metrics.pdf`, of ``pzcenter.science.pz.odds`` and of nothing else;
the tests hold the two beside each other. One pass costs about as much as one of the separate functions, which is what
makes a million objects a matter of seconds.
"""
# ruff: noqa: ANN001, ANN202, PLR0917 - numba infers the types of its kernels

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science.metrics.pdf import DENSITY_FLOOR
from pzcenter.science.pz.grid import check_pdf

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["CREDIBILITY_HALF_WIDTH", "PdfScores", "pdf_scores"]

CREDIBILITY_HALF_WIDTH = 0.03
"""Half width of the interval about the true redshift, in units of 1 + z (DMTN-049, app. A.2)."""

_NAMES = ("pit", "cde_loss", "crps", "log_score", "brier", "hpd_level", "credibility")


@dataclass(frozen=True, eq=False)
class PdfScores:
    """Scores of each p(z), all ndarray of float64, (n_obj,); NaN where there is no p(z) or no redshift.

    Parameters
    ----------
    pit : ndarray
        Cumulative p(z) at the true redshift.
    cde_loss, crps, log_score, brier : ndarray
        Losses, as ``*_each`` of :mod:`pzcenter.science.metrics`.
    hpd_level : ndarray
        Probability of the highest-density region that just reaches the true redshift.
    credibility : ndarray
        C(z_spec): probability within 0.03 (1 + z_spec) of the true redshift.
    """

    pit: NDArray[np.float64]
    cde_loss: NDArray[np.float64]
    crps: NDArray[np.float64]
    log_score: NDArray[np.float64]
    brier: NDArray[np.float64]
    hpd_level: NDArray[np.float64]
    credibility: NDArray[np.float64]


def pdf_scores(
    pdf: ArrayLike,
    z_grid: ArrayLike,
    z_spec: ArrayLike,
    *,
    floor: float = DENSITY_FLOOR,
    half_width: float = CREDIBILITY_HALF_WIDTH,
) -> PdfScores:
    """Compute every score of each p(z) at once.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)
    floor : float
        Least density that the log score takes.
    half_width : float
        Of the interval of ``credibility``, in units of 1 + z.

    Returns
    -------
    PdfScores

    Raises
    ------
    ShapeError, GridError
        The arrays do not fit each other, or the grid does not increase.
    UsageError
        ``floor`` is not positive.
    """
    if not floor > 0.0:
        raise UsageError(f"floor must be a positive density; got {floor}")
    p, z = check_pdf(pdf, z_grid)
    truth = np.ascontiguousarray(z_spec, dtype=np.float64)
    if truth.shape != (p.shape[0],):
        raise ShapeError(f"z_spec must be ({p.shape[0]},); got {truth.shape}")
    out = np.empty((len(_NAMES), p.shape[0]), dtype=np.float64)
    _score_rows(p, z, np.diff(z), truth, floor, half_width, out)
    return PdfScores(*out)


# All that is compiled stands in this file: numba's cache sees a change of this file, and of no other.
_FAST = {"nsz", "arcp", "contract", "reassoc", "afn"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _masses(row, h, p, mass):  # type: ignore[no-untyped-def]
    """Probability of each cell; integral of p^2 by trapezoids, and sum of the squared probabilities."""
    for k in range(row.shape[0]):
        p[k] = row[k]
    square = 0.0
    classes = 0.0
    for k in range(h.shape[0]):
        m = 0.5 * h[k] * (p[k] + p[k + 1])
        mass[k] = m
        classes += m * m
        square += 0.5 * h[k] * (p[k] * p[k] + p[k + 1] * p[k + 1])
    return square, classes


@njit(cache=True, nogil=True, error_model="numpy")
def _cumulate(mass, c):  # type: ignore[no-untyped-def]
    total = 0.0
    c[0] = 0.0
    for k in range(mass.shape[0]):
        total += mass[k]
        c[k + 1] = total
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _cell_of(z, x):  # type: ignore[no-untyped-def]
    """Cell of a redshift inside the grid."""
    n = z.shape[0]
    k = min(max(int((x - z[0]) / (z[n - 1] - z[0]) * (n - 1)), 0), n - 2)
    while k > 0 and z[k] > x:
        k -= 1
    while k < n - 2 and z[k + 1] <= x:
        k += 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _cumulative_at(z, p, c, x):  # type: ignore[no-untyped-def]
    """Cumulative of the unnormalised density at x: quadratic in the cell."""
    n = z.shape[0]
    if x <= z[0]:
        return 0.0
    if x >= z[n - 1]:
        return c[n - 1]
    k = _cell_of(z, x)
    t = x - z[k]
    return c[k] + t * (p[k] + 0.5 * t * (p[k + 1] - p[k]) / (z[k + 1] - z[k]))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _integral_of_squares(p, h, c, first, last):  # type: ignore[no-untyped-def]
    """Integral of the squared cumulative over whole cells: int (c + a t + b t^2)^2 dt of each."""
    total = 0.0
    for k in range(first, last):
        s = h[k]
        a = p[k] * s
        b = 0.5 * (p[k + 1] * s - a)
        q = c[k]
        total += s * (q * (q + a + b * (2.0 / 3.0)) + a * (a / 3.0 + 0.5 * b) + 0.2 * b * b)
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _integral_of_complements(p, h, c, total, first, last):  # type: ignore[no-untyped-def]
    """Integral of the squared complement of the cumulative over whole cells, without cancellation."""
    found = 0.0
    for k in range(first, last):
        s = h[k]
        a = p[k] * s
        b = 0.5 * (p[k + 1] * s - a)
        q = c[k] - total
        found += s * (q * (q + a + b * (2.0 / 3.0)) + a * (a / 3.0 + 0.5 * b) + 0.2 * b * b)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _square_part(q, a, b, t):  # type: ignore[no-untyped-def]
    """int_0^t (q + a x + b x^2)^2 dx."""
    return t * (q * q + t * (q * a + t * ((a * a + 2.0 * b * q) / 3.0 + t * (0.5 * a * b + 0.2 * b * b * t))))


@njit(cache=True, nogil=True, error_model="numpy")
def _crps(z, p, h, c, total, x):  # type: ignore[no-untyped-def]
    n = z.shape[0]
    if x <= z[0]:
        return z[0] - x + _integral_of_complements(p, h, c, total, 0, n - 1) / (total * total)
    if x >= z[n - 1]:
        return x - z[n - 1] + _integral_of_squares(p, h, c, 0, n - 1) / (total * total)
    k = _cell_of(z, x)
    t = x - z[k]
    a = p[k]
    b = 0.5 * (p[k + 1] - a) / h[k]
    found = _integral_of_squares(p, h, c, 0, k) + _square_part(c[k], a, b, t)
    found += _square_part(c[k] + t * (a + b * t) - total, a + 2.0 * b * t, b, h[k] - t)
    found += _integral_of_complements(p, h, c, total, k + 1, n - 1)
    return found / (total * total)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _mass_above(p, h, q):  # type: ignore[no-untyped-def]
    """Probability of where the unnormalised density exceeds q."""
    above = 0.0
    for k in range(h.shape[0]):
        high = max(p[k], p[k + 1])
        low = min(p[k], p[k + 1])
        cut = max(low, q)
        # The part of the cell that lies above the cut, of its whole width where the density is level.
        part = (high - cut) / (high - low) if high > low else 1.0
        above += 0.5 * h[k] * (high + cut) * part if high > q else 0.0
    return above


@njit(cache=True, nogil=True, error_model="numpy")
def _score_rows(pdf, z, h, z_spec, floor, half_width, out):  # type: ignore[no-untyped-def]
    n = z.shape[0]
    p = np.empty(n)
    mass = np.empty(n - 1)
    c = np.empty(n)
    for g in range(pdf.shape[0]):
        x = z_spec[g]
        square, classes = _masses(pdf[g], h, p, mass)
        total = _cumulate(mass, c)
        if not (total > 0.0 and np.isfinite(square) and np.isfinite(x)):
            out[:, g] = np.nan
            continue
        at = 0.0
        score = 1.0 + classes / (total * total)
        if x >= z[0] and x <= z[n - 1]:
            k = _cell_of(z, x)
            t = (x - z[k]) / h[k]
            at = (1.0 - t) * p[k] + t * p[k + 1]
            score -= 2.0 * mass[k] / total
        reach = half_width * (1.0 + x)
        out[0, g] = _cumulative_at(z, p, c, x) / total
        out[1, g] = square / (total * total) - 2.0 * at / total
        out[2, g] = _crps(z, p, h, c, total, x)
        out[3, g] = -np.log(max(at / total, floor))
        out[4, g] = score
        out[5, g] = min(_mass_above(p, h, at) / total, 1.0)
        out[6, g] = (_cumulative_at(z, p, c, x + reach) - _cumulative_at(z, p, c, x - reach)) / total
