"""The metrics of a sample, for many samples at once: one sample a row.

A bootstrap asks for the same numbers of hundreds of resamples. Here they come from rows that are sorted already, in
which medians are places and what is clipped is at the ends; the definitions are those of
:mod:`pzcenter.science.metrics.point`, :mod:`~pzcenter.science.metrics.biweight` and
:mod:`~pzcenter.science.metrics.pdf`, and the tests hold them together.
"""
# ruff: noqa: ANN001, ANN202 - numba infers the types of its kernels

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from pzcenter.science.metrics.biweight import CLIP_SIGMA, LOCATION_TUNING, SCALE_TUNING
from pzcenter.science.metrics.point import IQR_TO_SIGMA, MAD_TO_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ks_of_rows", "nmad_of_rows", "pit_statistics_of_rows", "point_statistics_of_rows"]

_POINT_NAMES = (
    "bias",
    "sigma_mad",
    "sigma_iqr",
    "sigma_rms",
    "outlier_fraction_3sigma",
    "biweight_bias",
    "biweight_sigma",
    "outlier_fraction_biweight",
)
_PIT_NAMES = ("pit_ks", "pit_cvm", "pit_ad")
_MIN_OUTLIER = 0.06
_PIT_CLIP = 1e-12
_MAX_ROUNDS = 100


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
    out = np.empty((len(_POINT_NAMES), len(dz)))
    _point_rows(np.ascontiguousarray(dz, dtype=np.float64), out)
    return dict(zip(_POINT_NAMES, out, strict=True))


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
    out = np.empty((len(_PIT_NAMES), len(pit)))
    _pit_rows(np.ascontiguousarray(pit, dtype=np.float64), out)
    return dict(zip(_PIT_NAMES, out, strict=True))


def ks_of_rows(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kolmogorov-Smirnov distance of sorted values from the uniform distribution, (n_row,)."""
    i = np.arange(1, levels.shape[1] + 1) / levels.shape[1]
    values: NDArray[np.float64] = np.maximum((i - levels).max(axis=1), (levels - i).max(axis=1) + i[0])
    return values


# All that is compiled stands in this file: numba's cache sees a change of this file, and of no other.
@njit(cache=True, nogil=True, error_model="numpy")
def _quantile(row, q):  # type: ignore[no-untyped-def]
    """Quantile of a sorted row, linear between order statistics (as ``numpy.percentile``)."""
    place = q * (row.shape[0] - 1)
    low = int(place)
    high = min(low + 1, row.shape[0] - 1)
    return row[low] + (place - low) * (row[high] - row[low])


@njit(cache=True, nogil=True, error_model="numpy")
def _mad(row, middle):  # type: ignore[no-untyped-def]
    """Median absolute deviation of a sorted row: walk outwards from the middle, nearest first."""
    n = row.shape[0]
    right = np.searchsorted(row, middle)
    left = right - 1
    found = 0.0
    before = 0.0
    for _ in range(n // 2 + 1):
        before = found
        if right >= n or (left >= 0 and middle - row[left] <= row[right] - middle):
            found = middle - row[left]
            left -= 1
        else:
            found = row[right] - middle
            right += 1
    return found if n % 2 else 0.5 * (before + found)


@njit(cache=True, nogil=True, error_model="numpy")
def _clip(row, middle):  # type: ignore[no-untyped-def]
    """Ends of what :func:`~pzcenter.science.metrics.biweight.clip_sigma` keeps of a sorted row."""
    first, last = 0, row.shape[0]
    one = 0.0
    two = 0.0
    for k in range(last):
        d = row[k] - middle
        one += d
        two += d * d
    for _ in range(_MAX_ROUNDS):
        count = last - first
        mean = one / count
        reach = CLIP_SIGMA * np.sqrt(max(two / count - mean * mean, 0.0))
        while first < last - 1 and row[first] - middle < mean - reach:
            d = row[first] - middle
            one -= d
            two -= d * d
            first += 1
        while last > first + 1 and row[last - 1] - middle > mean + reach:
            d = row[last - 1] - middle
            one -= d
            two -= d * d
            last -= 1
        if last - first == count:
            break
    return first, last


@njit(cache=True, nogil=True, error_model="numpy")
def _biweight(row):  # type: ignore[no-untyped-def]
    """Biweight location and scale of a sorted row."""
    middle = _quantile(row, 0.5)
    mad = _mad(row, middle)
    if mad == 0.0:
        return middle, 0.0
    weights = 0.0
    offset = 0.0
    above = 0.0
    below = 0.0
    for k in range(row.shape[0]):
        d = row[k] - middle
        u2 = (d / (LOCATION_TUNING * mad)) ** 2
        if u2 < 1.0:
            w = (1.0 - u2) ** 2
            weights += w
            offset += w * d
        u2 = (d / (SCALE_TUNING * mad)) ** 2
        if u2 < 1.0:
            above += d * d * (1.0 - u2) ** 4
            below += (1.0 - u2) * (1.0 - 5.0 * u2)
    return middle + offset / weights, np.sqrt(row.shape[0] * above) / abs(below)


@njit(cache=True, nogil=True, error_model="numpy")
def _count_beyond(row, limit):  # type: ignore[no-untyped-def]
    """How many values of a sorted row are below -limit or above limit."""
    return np.searchsorted(row, -limit) + row.shape[0] - np.searchsorted(row, limit, side="right")


@njit(cache=True, nogil=True, error_model="numpy")
def _point_rows(dz, out):  # type: ignore[no-untyped-def]
    n = dz.shape[1]
    for g in range(dz.shape[0]):
        row = dz[g]
        median = _quantile(row, 0.5)
        width = (_quantile(row, 0.75) - _quantile(row, 0.25)) / IQR_TO_SIGMA
        mean = 0.0
        for k in range(n):
            mean += row[k] - median
        mean /= n
        square = 0.0
        for k in range(n):
            square += (row[k] - median - mean) ** 2
        first, last = _clip(row, median)
        location, scale = _biweight(row[first:last])
        out[0, g] = median
        out[1, g] = MAD_TO_SIGMA * _mad(row, median)
        out[2, g] = width
        out[3, g] = np.sqrt(square / n)
        out[4, g] = _count_beyond(row, max(_MIN_OUTLIER, 3.0 * width)) / n
        out[5, g] = location
        out[6, g] = scale
        out[7, g] = _count_beyond(row, CLIP_SIGMA * scale) / n


@njit(cache=True, nogil=True, error_model="numpy")
def _pit_rows(pit, out):  # type: ignore[no-untyped-def]
    n = pit.shape[1]
    for g in range(pit.shape[0]):
        row = pit[g]
        distance = 0.0
        square = 1.0 / (12.0 * n)
        logs = 0.0
        for i in range(n):
            u = row[i]
            distance = max(distance, (i + 1) / n - u, u - i / n)
            square += ((2 * i + 1) / (2.0 * n) - u) ** 2
            low = min(max(u, _PIT_CLIP), 1.0 - _PIT_CLIP)
            logs += (2 * i + 1) * np.log(low) + (2 * (n - i) - 1) * np.log1p(-low)
        out[0, g] = distance
        out[1, g] = square
        out[2, g] = -n - logs / n
