"""Curves of calibration, from PIT values or credible levels that should be uniform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["credibility_curve", "pit_ad_ksamp", "qq_curve"]


def qq_curve(pit_values: ArrayLike, *, n_point: int = 100) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quantile-quantile curve of PIT values against the uniform distribution.

    Parameters
    ----------
    pit_values : ndarray, (n_obj,)
        From :func:`pzcenter.science.metrics.pit`; NaN are left out.
    n_point : int
        At least 2.

    Returns
    -------
    expected, found : ndarray, (n_point,)
        Quantiles of the uniform distribution, from 0 to 1, and of the values; equal for a calibrated p(z).
        ``found`` is NaN for no values.

    Raises
    ------
    UsageError
        Fewer than two points.

    References
    ----------
    Schmidt et al. 2020, MNRAS 499, 1587, fig. 2.
    """
    if n_point < 2:
        raise UsageError(f"a curve needs two points or more; got n_point = {n_point}")
    u = _finite(pit_values)
    expected: NDArray[np.float64] = np.linspace(0.0, 1.0, n_point)
    return expected, np.quantile(u, expected) if u.size else np.full(n_point, np.nan)


def credibility_curve(levels: ArrayLike, *, n_point: int = 100) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the true redshifts within highest-density regions of each credibility.

    Parameters
    ----------
    levels : ndarray, (n_obj,)
        From :func:`pzcenter.science.metrics.hpd_level`; NaN are left out.
    n_point : int
        At least 2.

    Returns
    -------
    credibility, found : ndarray, (n_point,)
        Above the diagonal p(z) are too wide, below it too narrow.

    Raises
    ------
    UsageError
        Fewer than two points.

    References
    ----------
    Wittman, Bhaskar & Tobin 2016, MNRAS 457, 4005.
    """
    if n_point < 2:
        raise UsageError(f"a curve needs two points or more; got n_point = {n_point}")
    u = np.sort(_finite(levels))
    credibility: NDArray[np.float64] = np.linspace(0.0, 1.0, n_point)
    if not u.size:
        return credibility, np.full(n_point, np.nan)
    return credibility, np.searchsorted(u, credibility, side="right") / u.size


def pit_ad_ksamp(pit_values: ArrayLike) -> float:
    """Two-sample Anderson-Darling statistic of PIT values beside as many equally spaced values, as qp and RAIL do it.

    For scores that must agree with theirs, such as the challenge's ``ksamp``; :func:`~pzcenter.science.metrics.pit_ad`
    is the test of uniformity itself. The spaced values are no sample: they do not scatter, so that the significance
    that belongs to this statistic is not that of the test.

    Parameters
    ----------
    pit_values : ndarray, (n_obj,)
        NaN are left out.

    Returns
    -------
    float
        Standardised statistic; NaN for fewer than two values, or when all are one.

    References
    ----------
    Scholz & Stephens 1987, JASA 82, 918, eqs. 4 and 7 (midranks).
    """
    u = np.sort(_finite(pit_values))
    if u.size < 2:
        return float("nan")
    samples = (u, np.linspace(0.0, 1.0, u.size))
    pooled = np.sort(np.concatenate(samples))
    distinct, count = np.unique(pooled, return_counts=True)
    total = pooled.size
    below = np.searchsorted(pooled, distinct) + 0.5 * count
    statistic = 0.0
    for sample in samples:
        right = np.searchsorted(sample, distinct, side="right")
        ties = right - np.searchsorted(sample, distinct, side="left")
        rank = right - 0.5 * ties
        with np.errstate(invalid="ignore", divide="ignore"):
            terms = count / total * np.square(total * rank - below * sample.size)
            terms /= below * (total - below) - 0.25 * total * count
        statistic += float(terms.sum() / sample.size) if distinct.size > 1 else np.nan
    statistic *= (total - 1.0) / total
    return (statistic - 1.0) / float(np.sqrt(_ksamp_variance(u.size)))


def _ksamp_variance(n_one: int) -> float:
    """Variance of the two-sample statistic for two samples of one size, eq. 4."""
    n = 2 * n_one
    inverse = 1.0 / np.arange(n - 1, 0, -1)
    h = float(inverse.sum())
    cumulative = np.cumsum(inverse)
    g = float((cumulative[:-1] / np.arange(2, n)).sum())
    reciprocal = 2.0 / n_one
    k = 2.0
    a = (4.0 * g - 6.0) * (k - 1.0) + (10.0 - 6.0 * g) * reciprocal
    b = (2.0 * g - 4.0) * k**2 + 8.0 * h * k + (2.0 * g - 14.0 * h - 4.0) * reciprocal - 8.0 * h + 4.0 * g - 6.0
    c = (6.0 * h + 2.0 * g - 2.0) * k**2 + (4.0 * h - 4.0 * g + 6.0) * k + (2.0 * h - 6.0) * reciprocal + 4.0 * h
    d = (2.0 * h + 6.0) * k**2 - 4.0 * h * k
    return (a * n**3 + b * n**2 + c * n + d) / ((n - 1.0) * (n - 2.0) * (n - 3.0))


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    u = np.asarray(values, dtype=np.float64)
    return u[np.isfinite(u)]
