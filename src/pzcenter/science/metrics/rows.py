"""The metrics of a sample, for many samples at once: one sample a row.

A bootstrap asks for the same numbers of hundreds of resamples. Here they are computed along the last axis, from rows
that are sorted once; the definitions are those of :mod:`pzcenter.science.metrics.point`,
:mod:`~pzcenter.science.metrics.biweight` and :mod:`~pzcenter.science.metrics.pdf`, and the tests hold them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.metrics.biweight import CLIP_SIGMA, LOCATION_TUNING, SCALE_TUNING
from pzcenter.science.metrics.point import IQR_TO_SIGMA, MAD_TO_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["nmad_of_rows", "pit_statistics_of_rows", "point_statistics_of_rows"]

_MIN_OUTLIER = 0.06
_CLIP = 1e-12


def point_statistics_of_rows(dz: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Metrics of sorted residuals.

    Parameters
    ----------
    dz : ndarray, (n_row, n_obj)
        Scaled residuals, sorted within each row, finite, at least one.

    Returns
    -------
    dict of str to ndarray, (n_row,)
        ``bias, sigma_mad, sigma_iqr, sigma_rms, outlier_fraction_3sigma, biweight_bias, biweight_sigma,
        outlier_fraction_biweight``.
    """
    median = _quantile(dz, 0.5)
    sigma_iqr = (_quantile(dz, 0.75) - _quantile(dz, 0.25)) / IQR_TO_SIGMA
    size = np.abs(dz)
    kept = _clipped(dz)
    location, scale = _biweight(kept)
    return {
        "bias": median,
        "sigma_mad": MAD_TO_SIGMA * np.median(np.abs(dz - median[:, None]), axis=1),
        "sigma_iqr": sigma_iqr,
        "sigma_rms": dz.std(axis=1),
        "outlier_fraction_3sigma": (size > np.maximum(_MIN_OUTLIER, 3.0 * sigma_iqr)[:, None]).mean(axis=1),
        "biweight_bias": location,
        "biweight_sigma": scale,
        "outlier_fraction_biweight": (size > CLIP_SIGMA * scale[:, None]).mean(axis=1),
    }


def nmad_of_rows(difference: NDArray[np.float64], one_plus_z: NDArray[np.float64]) -> NDArray[np.float64]:
    """``sigma_nmad`` of each row.

    Parameters
    ----------
    difference : ndarray, (n_row, n_obj)
        z_phot - z_spec, in any order.
    one_plus_z : ndarray, (n_row, n_obj)
        1 + z_spec, in the same order.

    Returns
    -------
    ndarray, (n_row,)
    """
    scaled = np.abs(difference - np.median(difference, axis=1, keepdims=True)) / one_plus_z
    values: NDArray[np.float64] = MAD_TO_SIGMA * np.median(scaled, axis=1)
    return values


def pit_statistics_of_rows(pit: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Distances of sorted PIT values from the uniform distribution.

    Parameters
    ----------
    pit : ndarray, (n_row, n_obj)
        Sorted within each row, finite, at least one.

    Returns
    -------
    dict of str to ndarray, (n_row,)
        ``pit_ks, pit_cvm, pit_ad``.
    """
    n = pit.shape[1]
    i = np.arange(1, n + 1)
    u = np.clip(pit, _CLIP, 1.0 - _CLIP)
    logs = np.log(u) + np.log1p(-u[:, ::-1])
    return {
        "pit_ks": np.maximum((i / n - pit).max(axis=1), (pit - (i - 1) / n).max(axis=1)),
        "pit_cvm": 1.0 / (12.0 * n) + np.square((2 * i - 1) / (2.0 * n) - pit).sum(axis=1),
        "pit_ad": -n - logs @ (2.0 * i - 1.0) / n,
    }


def _quantile(rows: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """Quantile of sorted rows, linear between order statistics (as ``numpy.percentile``)."""
    place = q * (rows.shape[1] - 1)
    low = int(place)
    high = min(low + 1, rows.shape[1] - 1)
    values: NDArray[np.float64] = rows[:, low] + (place - low) * (rows[:, high] - rows[:, low])
    return values


def _clipped(dz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows with what :func:`~pzcenter.science.metrics.biweight.clip_sigma` takes away as NaN, at both ends."""
    n_row, n = dz.shape
    row, zero = np.arange(n_row), np.zeros((n_row, 1))
    # Sums up to each place, about a centre that keeps the squares small.
    centred = dz - _quantile(dz, 0.5)[:, None]
    one = np.concatenate((zero, np.cumsum(centred, axis=1)), axis=1)
    two = np.concatenate((zero, np.cumsum(centred**2, axis=1)), axis=1)
    first, last = np.zeros(n_row, dtype=np.int64), np.full(n_row, n)
    for _ in range(100):
        count = last - first
        mean = (one[row, last] - one[row, first]) / count
        variance = (two[row, last] - two[row, first]) / count - mean**2
        reach = CLIP_SIGMA * np.sqrt(np.maximum(variance, 0.0)) * (1.0 + 1e-12)
        new_first = np.maximum(first, np.count_nonzero(centred < (mean - reach)[:, None], axis=1))
        new_last = np.minimum(last, n - np.count_nonzero(centred > (mean + reach)[:, None], axis=1))
        if np.array_equal(new_first, first) and np.array_equal(new_last, last):
            break
        first, last = new_first, new_last
    place = np.arange(n)
    return np.where((place >= first[:, None]) & (place < last[:, None]), dz, np.nan)


def _biweight(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Biweight location and scale of rows that hold NaN for what was clipped."""
    kept = np.isfinite(rows)
    count = kept.sum(axis=1)
    first = kept.argmax(axis=1)
    row = np.arange(rows.shape[0])
    middle = 0.5 * (rows[row, first + (count - 1) // 2] + rows[row, first + count // 2])
    deviation = np.where(kept, rows - middle[:, None], 0.0)
    mad = _median_of_kept(np.where(kept, np.abs(deviation), np.inf), count)
    flat = mad == 0.0
    unit = np.where(flat, 1.0, mad)[:, None]
    u2 = np.square(deviation / (LOCATION_TUNING * unit))
    weight = np.where(kept & (u2 < 1.0), np.square(1.0 - u2), 0.0)
    location = middle + np.where(flat, 0.0, (weight * deviation).sum(axis=1) / weight.sum(axis=1))
    u2 = np.square(deviation / (SCALE_TUNING * unit))
    inside = kept & (u2 < 1.0)
    above = np.where(inside, np.square(deviation) * (1.0 - u2) ** 4, 0.0).sum(axis=1)
    below = np.where(inside, (1.0 - u2) * (1.0 - 5.0 * u2), 0.0).sum(axis=1)
    scale = np.where(flat, 0.0, np.sqrt(count * above) / np.abs(below))
    return location, scale


def _median_of_kept(values: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median of the ``count`` smallest values of each row."""
    ordered = np.sort(values, axis=1)
    row = np.arange(values.shape[0])
    middle: NDArray[np.float64] = 0.5 * (ordered[row, (count - 1) // 2] + ordered[row, count // 2])
    return middle
