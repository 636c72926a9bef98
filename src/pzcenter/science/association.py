"""Which object belongs to which position: chance, likelihood ratios, and one-to-one assignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pzcenter.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LikelihoodRatio",
    "chance_probability",
    "likelihood_ratio",
    "one_to_one",
    "position_error",
    "propagate_positions",
]

MAS_PER_DEGREE = 3.6e6
SIGMA_OF_MEDIAN = np.sqrt(2.0 * np.log(2.0))
"""Median of the Rayleigh distribution in units of its sigma."""
LEAST_SIGMA_ARCSEC = 0.02
MAG_BIN = 0.5
MAG_RANGE = (10.0, 32.0)
SMOOTHING = (0.25, 0.5, 0.25)


def chance_probability(
    separation_arcsec: NDArray[np.float64], density_per_arcsec2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability that an unrelated object lies at least as near.

    Parameters
    ----------
    separation_arcsec : ndarray, (n,)
    density_per_arcsec2 : ndarray, (n,)
        Objects around the position.

    Returns
    -------
    ndarray, (n,)

    References
    ----------
    Downes et al. 1986, MNRAS 218, 31, eq. 2: 1 - exp(-pi r^2 n).
    """
    return np.asarray(-np.expm1(-np.pi * np.square(separation_arcsec) * density_per_arcsec2))


def propagate_positions(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    pmra: NDArray[np.float64],
    pmdec: NDArray[np.float64],
    years: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions at another epoch, by proper motion along the great circle to first order.

    Parameters
    ----------
    ra, dec : ndarray, (n,)
        Degrees.
    pmra, pmdec : ndarray, (n,)
        Proper motion, mas/yr; ``pmra`` includes cos(dec). NaN is no motion.
    years : ndarray or float
        From the epoch of the positions to the wanted one.

    Returns
    -------
    ra, dec : ndarray, (n,)
    """
    east = np.nan_to_num(pmra) * years / MAS_PER_DEGREE
    north = np.nan_to_num(pmdec) * years / MAS_PER_DEGREE
    lon, lat = np.radians(ra), np.radians(dec)
    point = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    to_east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)])
    to_north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    x, y, z = point + np.radians(east) * to_east + np.radians(north) * to_north
    return np.mod(np.degrees(np.arctan2(y, x)), 360.0), np.degrees(np.arctan2(z, np.hypot(x, y)))


def one_to_one(first: NDArray[np.int64], second: NDArray[np.int64], cost: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Choose pairs so that nobody is in two: as many as possible, and of these the cheapest in sum.

    Parameters
    ----------
    first, second : ndarray of int64, (n_pair,)
        Members of each pair, on the two sides; any numbers.
    cost : ndarray, (n_pair,)
        Finite, such as the separation.

    Returns
    -------
    ndarray of bool, (n_pair,)
        Pairs that are chosen. Exact: each connected set of pairs is an assignment problem of its own.

    Raises
    ------
    ShapeError
        The arrays are not of one length.

    References
    ----------
    Crouse 2016, IEEE Trans. Aerosp. Electron. Syst. 52, 1679 (the algorithm in SciPy).
    """
    if not first.size == second.size == cost.size:
        raise ShapeError(f"one_to_one needs arrays of one length; got {first.size}, {second.size} and {cost.size}")
    chosen = np.ones(first.size, dtype=bool)
    if not first.size:
        return chosen
    left, right = np.unique(first, return_inverse=True)[1], np.unique(second, return_inverse=True)[1]
    n_left = int(left.max()) + 1
    n_node = n_left + int(right.max()) + 1
    graph = coo_array((np.ones(left.size), (left, right + n_left)), shape=(n_node, n_node))
    component = connected_components(graph, directed=False)[1][left]
    order = np.argsort(component, kind="stable")
    begin = np.flatnonzero(np.r_[True, np.diff(component[order]) != 0])
    for start, stop in zip(begin, np.r_[begin[1:], order.size], strict=True):
        if stop - start > 1:
            rows = order[start:stop]
            chosen[rows] = _assign(left[rows], right[rows], cost[rows])
    return chosen


def _assign(left: NDArray[np.int64], right: NDArray[np.int64], cost: NDArray[np.float64]) -> NDArray[np.bool_]:
    _, i = np.unique(left, return_inverse=True)
    _, j = np.unique(right, return_inverse=True)
    # So high that one more pair is always better.
    forbidden = (np.ptp(cost) + 1.0) * (min(i.max(), j.max()) + 2)
    matrix = np.full((i.max() + 1, j.max() + 1), forbidden)
    np.minimum.at(matrix, (i, j), cost - cost.min())
    rows, columns = linear_sum_assignment(matrix)
    taken = {(a, b) for a, b in zip(rows, columns, strict=True) if matrix[a, b] < forbidden}
    found = np.zeros(left.size, dtype=bool)
    for number, pair in enumerate(zip(i, j, strict=True)):
        if pair in taken and cost[number] - cost.min() == matrix[pair]:
            found[number] = True
            taken.discard(pair)
    return found


def position_error(separation_arcsec: NDArray[np.float64]) -> float:
    """Error of one coordinate of the offsets, from the median of nearest separations.

    Parameters
    ----------
    separation_arcsec : ndarray, (n,)

    Returns
    -------
    float
        Arcsec, at least 0.02.
    """
    if not separation_arcsec.size:
        return LEAST_SIGMA_ARCSEC
    return max(float(np.median(separation_arcsec) / SIGMA_OF_MEDIAN), LEAST_SIGMA_ARCSEC)


@dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """Likelihood ratios of candidates.

    Parameters
    ----------
    ratio : ndarray, (n_pair,)
    reliability : ndarray, (n_pair,)
        Probability that the candidate is the counterpart.
    share_found : float
        Q0: share of positions that have a counterpart within the radius.
    """

    ratio: NDArray[np.float64]
    reliability: NDArray[np.float64]
    share_found: float


def likelihood_ratio(
    row: NDArray[np.int64],
    separation_arcsec: NDArray[np.float64],
    mag: NDArray[np.float64],
    *,
    sigma_arcsec: float,
    radius_arcsec: float,
    n_rows: int,
    background: NDArray[np.float64],
    area_arcsec2: float,
) -> LikelihoodRatio:
    """Weigh candidates by distance and magnitude: a bright one is rarely there by chance.

    LR = q(m) f(r) / n(m), and the reliability of candidate j is LR_j / (sum LR_i + 1 - Q0).

    Parameters
    ----------
    row : ndarray of int64, (n_pair,)
        Position that a candidate is near to.
    separation_arcsec, mag : ndarray, (n_pair,)
        NaN magnitudes share one class of their own.
    sigma_arcsec : float
        Error of one coordinate of the offsets.
    radius_arcsec : float
        All objects within it are candidates.
    n_rows : int
        Positions.
    background : ndarray, (n_all,)
        Magnitudes of objects on the area.
    area_arcsec2 : float

    Returns
    -------
    LikelihoodRatio

    Raises
    ------
    UsageError
        The error, radius or area is not positive.

    References
    ----------
    Sutherland & Saunders 1992, MNRAS 259, 413, eq. 2 and 5; q(m) as in Ciliegi et al. 2003, A&A 398, 901, eq. 3.
    """
    if not (sigma_arcsec > 0 and radius_arcsec > 0 and area_arcsec2 > 0 and n_rows > 0):
        raise UsageError(
            f"likelihood ratios need positive numbers; got sigma {sigma_arcsec}, radius {radius_arcsec}, area "
            f"{area_arcsec2}, {n_rows} positions"
        )
    n_of_mag = _counts(background) / area_arcsec2
    expected = n_of_mag * np.pi * radius_arcsec**2 * n_rows
    real = _smooth(np.maximum(_counts(mag) - expected, 0.0))
    has_any = np.unique(row).size
    by_chance = n_rows * -np.expm1(-expected.sum() / n_rows)
    share = float(np.clip((has_any - by_chance) / max(n_rows - by_chance, 1.0), 0.01, 0.999))
    # Where nothing was found above the background, the prior is that of all objects.
    q = share * (real / real.sum() if real.sum() > 0 else n_of_mag / max(n_of_mag.sum(), 1e-300))
    f = np.exp(-0.5 * np.square(separation_arcsec / sigma_arcsec)) / (2.0 * np.pi * sigma_arcsec**2)
    place = _bin_of(mag)
    least = 1.0 / area_arcsec2
    ratio = q[place] * f / np.maximum(n_of_mag[place], least)
    _, which = np.unique(row, return_inverse=True)
    total = np.bincount(which, weights=ratio) if ratio.size else np.zeros(0)
    return LikelihoodRatio(ratio, ratio / (total[which] + 1.0 - share), share)


def _bin_of(mag: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of a magnitude; the last is for those without one."""
    n_bins = int((MAG_RANGE[1] - MAG_RANGE[0]) / MAG_BIN)
    place = np.floor((np.clip(np.nan_to_num(mag), *MAG_RANGE) - MAG_RANGE[0]) / MAG_BIN).astype(np.int64)
    return np.asarray(np.where(np.isfinite(mag), np.clip(place, 0, n_bins - 1), n_bins), dtype=np.int64)


def _counts(mag: NDArray[np.float64]) -> NDArray[np.float64]:
    n_bins = int((MAG_RANGE[1] - MAG_RANGE[0]) / MAG_BIN)
    found = np.bincount(_bin_of(mag), minlength=n_bins + 1).astype(np.float64)
    return _smooth(found)


def _smooth(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over neighbouring magnitudes; the class without magnitude stays."""
    return np.asarray(
        np.r_[np.convolve(np.pad(counts[:-1], 1, mode="edge"), SMOOTHING, mode="valid"), counts[-1]], dtype=np.float64
    )
