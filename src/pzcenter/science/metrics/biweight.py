"""Biweight location and scale of the residuals, and the outliers that they define.

These are the numbers of the plots by which the photo-z unit of Rubin, and the DESC challenges, watch performance: the
residuals are clipped at three standard deviations about their mean until none is left to clip, then location and scale
are taken of what remains.

References
----------
Beers, Flynn & Gebhardt 1990, AJ 100, 32, eqs. 5 and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.metrics.point import delta_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "biweight_bias",
    "biweight_location",
    "biweight_scale",
    "biweight_sigma",
    "clip_sigma",
    "outlier_fraction_biweight",
]

CLIP_SIGMA = 3.0
"""Residuals farther than this many standard deviations are clipped, and called outliers."""

LOCATION_TUNING = 6.0
"""Deviations, in median absolute deviations, beyond which a residual has no weight in the location."""

SCALE_TUNING = 9.0
"""The same for the scale."""

_MAX_ROUNDS = 100


def biweight_bias(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Biweight location of the clipped dz. The ``mean`` of RAIL's performance plots and of the DESC challenge."""
    return biweight_location(clip_sigma(_residuals(z_phot, z_spec)))


def biweight_sigma(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Biweight scale of the clipped dz. The ``std`` of RAIL's performance plots and of the DESC challenge."""
    return biweight_scale(clip_sigma(_residuals(z_phot, z_spec)))


def outlier_fraction_biweight(z_phot: ArrayLike, z_spec: ArrayLike) -> float:
    """Fraction of all objects with abs(dz) above 3 :func:`biweight_sigma`: the relative outliers of RAIL's plots."""
    dz = _residuals(z_phot, z_spec)
    if not dz.size:
        return float("nan")
    return float((np.abs(dz) > CLIP_SIGMA * biweight_scale(clip_sigma(dz))).mean())


def clip_sigma(values: ArrayLike, *, n_sigma: float = CLIP_SIGMA) -> NDArray[np.float64]:
    """Keep what lies within ``n_sigma`` standard deviations of the mean, again and again until nothing goes.

    Parameters
    ----------
    values : ndarray, (n,)
        Finite.
    n_sigma : float

    Returns
    -------
    ndarray of float64, (n_kept,)
    """
    kept = np.asarray(values, dtype=np.float64)
    for _ in range(_MAX_ROUNDS):
        if kept.size < 2:
            break
        inside = np.abs(kept - kept.mean()) <= n_sigma * kept.std()
        if inside.all() or not inside.any():  # none: equal values, whose mean is rounded
            break
        kept = kept[inside]
    return kept


def biweight_location(values: ArrayLike) -> float:
    """Biweight location, eq. 5: a mean in which weights fall smoothly to zero at 6 median absolute deviations.

    Parameters
    ----------
    values : ndarray, (n,)

    Returns
    -------
    float
        The median where the median absolute deviation is zero; NaN for no values.
    """
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        return float("nan")
    middle = np.median(x)
    mad = np.median(np.abs(x - middle))
    if mad == 0.0:
        return float(middle)
    u2 = np.square((x - middle) / (LOCATION_TUNING * mad))
    weight = np.where(u2 < 1.0, np.square(1.0 - u2), 0.0)
    return float(middle + (weight * (x - middle)).sum() / weight.sum())


def biweight_scale(values: ArrayLike) -> float:
    """Biweight scale, eq. 9; the standard deviation of a Gaussian sample.

    Parameters
    ----------
    values : ndarray, (n,)

    Returns
    -------
    float
        0 where the median absolute deviation is zero; NaN for no values.
    """
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        return float("nan")
    deviation = x - np.median(x)
    mad = np.median(np.abs(deviation))
    if mad == 0.0:
        return 0.0
    u2 = np.square(deviation / (SCALE_TUNING * mad))
    inside = u2 < 1.0
    d, u2 = deviation[inside], u2[inside]
    above = (np.square(d) * (1.0 - u2) ** 4).sum()
    below = ((1.0 - u2) * (1.0 - 5.0 * u2)).sum()
    return float(np.sqrt(x.size * above) / abs(below))


def _residuals(z_phot: ArrayLike, z_spec: ArrayLike) -> NDArray[np.float64]:
    dz = delta_z(z_phot, z_spec)
    return dz[np.isfinite(dz)]
