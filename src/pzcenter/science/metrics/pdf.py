"""Metrics of p(z) against true or spectroscopic redshifts.

Each loss comes twice: ``*_each`` per object (what an accumulator keeps and a bootstrap resamples) and the mean over the
sample. Objects without a density, or without a redshift, are NaN in the first and left out of the second;
:func:`pdf_metrics` tells how many. p(z) is linear between grid points and zero outside
(:mod:`pzcenter.science.pz.grid`), and rows are normalised to unit integral on the way.
"""
# ruff: noqa: ANN001, ANN202 - numba infers the types of its kernels

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science.pz.density import cdf_at, density_at
from pzcenter.science.pz.grid import check_pdf, integral, trapezoid_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PdfMetrics",
    "brier",
    "brier_each",
    "cde_loss",
    "cde_loss_each",
    "coverage",
    "crps",
    "crps_each",
    "hpd_level",
    "log_score",
    "log_score_each",
    "pdf_metrics",
    "pit",
    "pit_ad",
    "pit_cvm",
    "pit_ks",
    "pit_outlier_rate",
]

DENSITY_FLOOR = 1e-5
"""Density that the log score gives to a redshift where p(z) is lower, so that one object cannot make it infinite."""

PIT_OUTLIER = 1e-4
"""PIT below this, or above one minus it, counts as an outlier (Schmidt et al. 2020, MNRAS 499, 1587)."""


@dataclass(frozen=True)
class PdfMetrics:
    """All p(z) metrics of a sample, named as the functions that compute them."""

    n_used: int
    n_excluded: int
    cde_loss: float
    crps: float
    log_score: float
    brier: float
    pit_ks: float
    pit_cvm: float
    pit_ad: float
    pit_outlier_rate: float
    coverage_68: float
    coverage_95: float


def pdf_metrics(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> PdfMetrics:
    """All p(z) metrics at once.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift.
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)

    Returns
    -------
    PdfMetrics

    Raises
    ------
    ShapeError, GridError
        The arrays do not fit each other, or the grid does not increase.
    """
    values = pit(pdf, z_grid, z_spec)
    used = int(np.count_nonzero(np.isfinite(values)))
    return PdfMetrics(
        n_used=used,
        n_excluded=int(values.size - used),
        cde_loss=cde_loss(pdf, z_grid, z_spec),
        crps=crps(pdf, z_grid, z_spec),
        log_score=log_score(pdf, z_grid, z_spec),
        brier=brier(pdf, z_grid, z_spec),
        pit_ks=pit_ks(values),
        pit_cvm=pit_cvm(values),
        pit_ad=pit_ad(values),
        pit_outlier_rate=pit_outlier_rate(values),
        coverage_68=coverage(values, level=0.68),
        coverage_95=coverage(values, level=0.95),
    )


def pit(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Probability integral transform: the cumulative p(z) at the true redshift.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift.
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)

    Returns
    -------
    ndarray of float64, (n_obj,)
        In [0, 1], uniform for a calibrated p(z); exactly 0 or 1 outside the grid; NaN where there is no p(z).

    References
    ----------
    Dawid 1984, JRSS A 147, 278.
    """
    return cdf_at(pdf, z_grid, z_spec)


def pit_ks(pit_values: ArrayLike) -> float:
    """Kolmogorov-Smirnov distance of PIT values from the uniform distribution: max abs(ECDF(u) - u)."""
    u = _sorted_pit(pit_values)
    if not u.size:
        return float("nan")
    i = np.arange(u.size)
    return float(max(((i + 1) / u.size - u).max(), (u - i / u.size).max()))


def pit_cvm(pit_values: ArrayLike) -> float:
    """Cramer-von Mises statistic n int (ECDF(u) - u)^2 du; grows with the size of the sample for a fixed misfit.

    ``1/(12 n) + sum_i ((2 i - 1)/(2 n) - u_i)^2``.
    """
    u = _sorted_pit(pit_values)
    if not u.size:
        return float("nan")
    i = np.arange(1, u.size + 1)
    return float(1.0 / (12.0 * u.size) + np.square((2 * i - 1) / (2.0 * u.size) - u).sum())


def pit_ad(pit_values: ArrayLike, *, clip: float = 1e-12) -> float:
    """Anderson-Darling statistic n int (ECDF(u) - u)^2/(u (1 - u)) du of PIT values against the uniform distribution.

    ``-n - (1/n) sum_i (2 i - 1)(ln u_i + ln(1 - u_{n+1-i}))``; values are clipped to [clip, 1 - clip], for a single 0
    or 1 would make it infinite.

    References
    ----------
    Anderson & Darling 1954, JASA 49, 765.
    """
    u = np.clip(_sorted_pit(pit_values), clip, 1.0 - clip)
    if not u.size:
        return float("nan")
    i = np.arange(1, u.size + 1)
    return float(-u.size - ((2 * i - 1) * (np.log(u) + np.log1p(-u[::-1]))).sum() / u.size)


def pit_outlier_rate(pit_values: ArrayLike, *, edge: float = PIT_OUTLIER) -> float:
    """Fraction of PIT values below ``edge`` or above ``1 - edge``; 2 ``edge`` for a calibrated p(z)."""
    u = _sorted_pit(pit_values)
    return float(((u < edge) | (u > 1.0 - edge)).mean()) if u.size else float("nan")


def coverage(pit_values: ArrayLike, *, level: float = 0.68) -> float:
    """Fraction of objects whose redshift lies in their credible interval of this level; ``level`` when calibrated.

    Parameters
    ----------
    pit_values : ndarray, (n_obj,)
        From :func:`pit`, for equal-tail intervals; or ``0.5 + 0.5 * hpd_level(...)``, for highest-density regions.
    level : float
        In (0, 1).
    """
    u = _sorted_pit(pit_values)
    return float((np.abs(u - 0.5) <= 0.5 * level).mean()) if u.size else float("nan")


def hpd_level(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Probability of the highest-density region that just reaches the true redshift; uniform for a calibrated p(z).

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift.
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)

    Returns
    -------
    ndarray of float64, (n_obj,)
        The probability of where the density exceeds ``p(z_spec)``; 1 outside the support, NaN where there is no p(z).

    References
    ----------
    Harrison et al. 2015, MNRAS 451, 2610.
    """
    p, z, zs = _arguments(pdf, z_grid, z_spec)
    out = np.empty(zs.size, dtype=np.float64)
    _hpd_rows(p, z, density_at(p, z, zs), out)
    return out


def cde_loss(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> float:
    """Conditional density estimate loss, E[int p^2 dz] - 2 E[p(z_spec)]: squared distance to truth but for a constant.

    The first term is the trapezoid rule over the grid, as in RAIL; the second interpolates p(z) linearly.

    References
    ----------
    Izbicki & Lee 2017, EJS 11, 2800; Schmidt et al. 2020, MNRAS 499, 1587.
    """
    return _mean(cde_loss_each(pdf, z_grid, z_spec))


def cde_loss_each(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Contribution of each object to :func:`cde_loss`, (n_obj,); 0 weight on p(z_spec) outside the grid."""
    p, z, zs = _arguments(pdf, z_grid, z_spec)
    out = np.empty(zs.size, dtype=np.float64)
    _cde_rows(p, z, trapezoid_weights(z).astype(np.float32), zs, out)
    return out


def crps(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> float:
    """Continuous ranked probability score, mean of int (CDF(z) - [z >= z_spec])^2 dz, in units of redshift.

    Exact for the piecewise linear density; it becomes abs(z_phot - z_spec) for a p(z) of no width.

    References
    ----------
    Hersbach 2000, Weather and Forecasting 15, 559; Polsterer et al. 2016, arXiv:1608.08016.
    """
    return _mean(crps_each(pdf, z_grid, z_spec))


def crps_each(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Score of each object, see :func:`crps`, (n_obj,); a redshift off the grid adds its distance to the grid."""
    p, z, zs = _arguments(pdf, z_grid, z_spec)
    out = np.empty(zs.size, dtype=np.float64)
    _crps_rows(p, z, zs, out)
    return out


def log_score(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike, *, floor: float = DENSITY_FLOOR) -> float:
    """Mean of -ln p(z_spec), nats; the lower the better.

    Parameters
    ----------
    pdf, z_grid, z_spec
        As in :func:`pit`.
    floor : float
        Least density that is taken. It decides what an object costs whose p(z) excludes the truth: state it.

    References
    ----------
    Good 1952, JRSS B 14, 107.
    """
    return _mean(log_score_each(pdf, z_grid, z_spec, floor=floor))


def log_score_each(
    pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike, *, floor: float = DENSITY_FLOOR
) -> NDArray[np.float64]:
    """Score of each object, see :func:`log_score`, (n_obj,).

    Raises
    ------
    UsageError
        ``floor`` is not positive.
    """
    if not floor > 0.0:
        raise UsageError(f"floor must be a positive density; got {floor}")
    p, z, zs = _arguments(pdf, z_grid, z_spec)
    with np.errstate(invalid="ignore", divide="ignore"):
        density = density_at(p, z, zs) / integral(p, z)
        values: NDArray[np.float64] = -np.log(np.maximum(density, floor))
    return values


def brier(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> float:
    """Brier score of the grid cells as classes, mean of sum_k (P_k - [z_spec in cell k])^2, in [0, 2].

    P_k is the probability of the cell between grid points k and k+1; a redshift off the grid is in none. Depends on the
    grid: compare on the same one.

    References
    ----------
    Brier 1950, Monthly Weather Review 78, 1.
    """
    return _mean(brier_each(pdf, z_grid, z_spec))


def brier_each(pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Score of each object, see :func:`brier`, (n_obj,)."""
    p, z, zs = _arguments(pdf, z_grid, z_spec)
    out = np.empty(zs.size, dtype=np.float64)
    _brier_rows(p, z, zs, out)
    return out


def _arguments(
    pdf: ArrayLike, z_grid: ArrayLike, z_spec: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    p, z = check_pdf(pdf, z_grid)
    zs = np.ascontiguousarray(z_spec, dtype=np.float64)
    if zs.shape != (p.shape[0],):
        raise ShapeError(f"z_spec must be ({p.shape[0]},); got {zs.shape}")
    return p, z, zs


def _mean(values: NDArray[np.float64]) -> float:
    good = values[np.isfinite(values)]
    return float(good.mean()) if good.size else float("nan")


def _sorted_pit(pit_values: ArrayLike) -> NDArray[np.float64]:
    u = np.asarray(pit_values, dtype=np.float64)
    return np.sort(u[np.isfinite(u)])


_FAST = {"nsz", "arcp", "contract", "reassoc", "afn"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _two_sums(row, weight):  # type: ignore[no-untyped-def]
    """Integral of p and of p^2."""
    one = np.float32(0.0)
    two = np.float32(0.0)
    for k in range(row.shape[0]):
        x = row[k]
        y = x * weight[k]
        one += y
        two += x * y
    return one, two


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(z, x):  # type: ignore[no-untyped-def]
    """Cell of a redshift inside the grid; -1 outside it or at NaN."""
    n = z.shape[0]
    if not (x >= z[0] and x <= z[n - 1]):
        return -1
    k = min(int((x - z[0]) / (z[n - 1] - z[0]) * (n - 1)), n - 2)
    while z[k] > x:
        k -= 1
    while k < n - 2 and z[k + 1] <= x:
        k += 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _cde_rows(pdf, z, weight, z_spec, out):  # type: ignore[no-untyped-def]
    for g in range(pdf.shape[0]):
        one, two = _two_sums(pdf[g], weight)
        if not (one > 0.0 and np.isfinite(two) and np.isfinite(z_spec[g])):
            out[g] = np.nan
            continue
        at = 0.0
        k = _cell(z, z_spec[g])
        if k >= 0:
            t = (z_spec[g] - z[k]) / (z[k + 1] - z[k])
            at = (1.0 - t) * pdf[g, k] + t * pdf[g, k + 1]
        norm = np.float64(one)
        out[g] = two / (norm * norm) - 2.0 * at / norm


@njit(cache=True, nogil=True, error_model="numpy")
def _square_integral(c, a, b, h):  # type: ignore[no-untyped-def]
    """int_0^h (c + a t + b t^2)^2 dt."""
    return h * (c * c + h * (c * a + h * ((a * a + 2.0 * b * c) / 3.0 + h * (0.5 * a * b + 0.2 * b * b * h))))


@njit(cache=True, nogil=True, error_model="numpy")
def _crps_rows(pdf, z, z_spec, out):  # type: ignore[no-untyped-def]
    n = z.shape[0]
    for g in range(pdf.shape[0]):
        row = pdf[g]
        total = 0.0
        for k in range(n - 1):
            total += 0.5 * (np.float64(row[k]) + row[k + 1]) * (z[k + 1] - z[k])
        x = z_spec[g]
        if not (total > 0.0 and np.isfinite(total) and np.isfinite(x)):
            out[g] = np.nan
            continue
        inverse = 1.0 / total
        score = max(z[0] - x, 0.0) + max(x - z[n - 1], 0.0)
        c = 0.0
        for k in range(n - 1):
            h = z[k + 1] - z[k]
            a = row[k] * inverse
            b = 0.5 * (row[k + 1] * inverse - a) / h
            if x >= z[k + 1]:
                score += _square_integral(c, a, b, h)
            elif x <= z[k]:
                score += _square_integral(c - 1.0, a, b, h)
            else:
                t = x - z[k]
                score += _square_integral(c, a, b, t)
                d = c + t * (a + b * t)
                score += _square_integral(d - 1.0, a + 2.0 * b * t, b, h - t)
            c += h * (a + b * h)
        out[g] = score


@njit(cache=True, nogil=True, error_model="numpy")
def _brier_rows(pdf, z, z_spec, out):  # type: ignore[no-untyped-def]
    n = z.shape[0]
    for g in range(pdf.shape[0]):
        total = 0.0
        squares = 0.0
        for k in range(n - 1):
            m = 0.5 * (np.float64(pdf[g, k]) + pdf[g, k + 1]) * (z[k + 1] - z[k])
            total += m
            squares += m * m
        if not (total > 0.0 and np.isfinite(total) and np.isfinite(z_spec[g])):
            out[g] = np.nan
            continue
        score = squares / (total * total) + 1.0
        k = _cell(z, z_spec[g])
        if k >= 0:
            score -= (np.float64(pdf[g, k]) + pdf[g, k + 1]) * (z[k + 1] - z[k]) / total
        out[g] = score


@njit(cache=True, nogil=True, error_model="numpy")
def _hpd_rows(pdf, z, threshold, out):  # type: ignore[no-untyped-def]
    n = z.shape[0]
    for g in range(pdf.shape[0]):
        total = 0.0
        above = 0.0
        q = threshold[g]
        for k in range(n - 1):
            p0 = np.float64(pdf[g, k])
            p1 = np.float64(pdf[g, k + 1])
            h = z[k + 1] - z[k]
            mass = 0.5 * (p0 + p1) * h
            total += mass
            high = max(p0, p1)
            low = min(p0, p1)
            if low > q:
                above += mass
            elif high > q:
                above += 0.5 * (high + q) * h * (high - q) / (high - low)
        out[g] = above / total if total > 0.0 and np.isfinite(total) and q >= 0.0 else np.nan
