"""Metrics of point estimates against true or spectroscopic redshifts.

All take ``(z_phot, z_spec)``, both (n_obj,), and leave out objects where either is not finite; :func:`point_metrics`
tells how many. An empty sample gives NaN. With dz = (z_phot - z_spec)/(1 + z_spec):
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ABSOLUTE_OUTLIER",
    "CATASTROPHIC",
    "PointMetrics",
    "bias",
    "catastrophic_fraction",
    "delta_z",
    "mean_bias",
    "outlier_fraction",
    "outlier_fraction_3sigma",
    "point_metrics",
    "sigma_iqr",
    "sigma_mad",
    "sigma_nmad",
    "sigma_rms",
]

ABSOLUTE_OUTLIER = 0.15
"""Threshold of abs(dz) of the plain outlier fraction (RTN-124)."""

CATASTROPHIC = 1.0
"""Threshold of abs(z_phot - z_spec) of a catastrophic failure (DMTN-049, app. A.2)."""

MAD_TO_SIGMA = 1.4826
"""1/Phi^-1(3/4): the standard deviation of a Gaussian over its median absolute deviation."""

IQR_TO_SIGMA = 1.349
"""2 Phi^-1(3/4): the interquartile range of a Gaussian over its standard deviation."""


@dataclass(frozen=True)
class PointMetrics:
    """All point metrics of a sample, named as the functions that compute them."""

    n_used: int
    n_excluded: int
    bias: float
    mean_bias: float
    sigma_nmad: float
    sigma_mad: float
    sigma_iqr: float
    sigma_rms: float
    outlier_fraction: float
    outlier_fraction_3sigma: float
    catastrophic_fraction: float


def point_metrics(z_phot: ArrayLike, z_spec: ArrayLike) -> PointMetrics:
    """All point metrics at once.

    Parameters
    ----------
    z_phot, z_spec : ndarray, (n_obj,)

    Returns
    -------
    PointMetrics

    Raises
    ------
    ShapeError
        The arrays have different shapes.
    """
    zp, zs = _pairs(z_phot, z_spec)
    return PointMetrics(
        n_used=int(zp.size),
        n_excluded=int(np.size(z_phot) - zp.size),
        bias=bias(zp, zs),
        mean_bias=mean_bias(zp, zs),
        sigma_nmad=sigma_nmad(zp, zs),
        sigma_mad=sigma_mad(zp, zs),
        sigma_iqr=sigma_iqr(zp, zs),
        sigma_rms=sigma_rms(zp, zs),
        outlier_fraction=outlier_fraction(zp, zs),
        outlier_fraction_3sigma=outlier_fraction_3sigma(zp, zs),
        catastrophic_fraction=catastrophic_fraction(zp, zs),
    )


def delta_z(z_phot: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    """Scaled residuals (z_phot - z_spec)/(1 + z_spec), (n_obj,), NaN where either is NaN. RAIL ``point_stats_ez``."""
    zs = np.asarray(z_spec, dtype=np.float64)
    values: NDArray[np.float64] = (np.asarray(z_phot, dtype=np.float64) - zs) / (1.0 + zs)
    return values


def bias(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Median of dz. RAIL ``point_bias``."""
    return _median(_residuals(z_phot, z_spec))


def mean_bias(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Mean of dz: what shifts a tomographic bin, outliers included."""
    dz = _residuals(z_phot, z_spec)
    return float(dz.mean()) if dz.size else float("nan")


def sigma_nmad(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Normalised median absolute deviation, 1.4826 median(abs(D - median(D))/(1 + z_spec)) with D = z_phot - z_spec.

    References
    ----------
    Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503.
    """
    zp, zs = _pairs(z_phot, z_spec)
    difference = zp - zs
    if not difference.size:
        return float("nan")
    return MAD_TO_SIGMA * _median(np.abs(difference - np.median(difference)) / (1.0 + zs))


def sigma_mad(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """1.4826 median(abs(dz - median(dz))). RAIL ``point_stats_sigma_mad``; differs from NMAD in where 1 + z stands."""
    dz = _residuals(z_phot, z_spec)
    return MAD_TO_SIGMA * _median(np.abs(dz - _median(dz)))


def sigma_iqr(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Interquartile range of dz over 1.349. RAIL ``point_stats_iqr``."""
    dz = _residuals(z_phot, z_spec)
    if not dz.size:
        return float("nan")
    high, low = np.percentile(dz, [75.0, 25.0])
    return float((high - low) / IQR_TO_SIGMA)


def sigma_rms(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Root mean square of dz about its mean, outliers included."""
    dz = _residuals(z_phot, z_spec)
    return float(dz.std()) if dz.size else float("nan")


def outlier_fraction(z_phot: ArrayLike, z_spec: ArrayLike, *, threshold: float = ABSOLUTE_OUTLIER) -> float:
    """Fraction with abs(dz) above ``threshold`` (0.15 in DP2, 0.2 in DP1: say which)."""
    return _fraction(np.abs(_residuals(z_phot, z_spec)) > threshold)


def outlier_fraction_3sigma(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Fraction with abs(dz) above max(0.06, 3 sigma_iqr). RAIL ``point_outlier_rate``.

    References
    ----------
    LSST Science Book, arXiv:0912.0201.
    """
    return _fraction(np.abs(_residuals(z_phot, z_spec)) > max(0.06, 3.0 * sigma_iqr(z_phot, z_spec)))


def catastrophic_fraction(z_phot: ArrayLike, z_spec: ArrayLike, *, threshold: float = CATASTROPHIC) -> float:
    """Fraction with abs(z_phot - z_spec) above ``threshold``, not divided by 1 + z."""
    zp, zs = _pairs(z_phot, z_spec)
    return _fraction(np.abs(zp - zs) > threshold)


def _pairs(z_phot: ArrayLike, z_spec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    zp = np.asarray(z_phot, dtype=np.float64)
    zs = np.asarray(z_spec, dtype=np.float64)
    if zp.shape != zs.shape or zp.ndim != 1:
        raise ShapeError(f"z_phot and z_spec must both be (n_obj,); got {zp.shape} and {zs.shape}")
    good = np.isfinite(zp) & np.isfinite(zs)
    return zp[good], zs[good]


def _residuals(z_phot: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    return delta_z(*_pairs(z_phot, z_spec))


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _fraction(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean()) if mask.size else float("nan")
