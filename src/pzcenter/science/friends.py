"""Friends of friends on the sky: positions that lie within a radius of each other, and the groups they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from pzcenter.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_RADIUS_ARCSEC", "friends_of_friends", "neighbour_pairs", "split_wide_groups", "unit_vectors"]

MAX_RADIUS_ARCSEC = 3600.0
"""Largest radius: one degree already joins everything."""
ARCSEC = 180.0 * 3600.0 / np.pi


def unit_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions on the unit sphere.

    Parameters
    ----------
    ra, dec : ndarray, (n_obj,)
        Degrees.

    Returns
    -------
    ndarray, (n_obj, 3)
    """
    lon, lat = np.radians(ra), np.radians(dec)
    cos_lat = np.cos(lat)
    return np.column_stack([cos_lat * np.cos(lon), cos_lat * np.sin(lon), np.sin(lat)])


def neighbour_pairs(
    ra: NDArray[np.float64], dec: NDArray[np.float64], radius_arcsec: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All pairs of positions that are not further apart than a radius.

    Distances are those of chords on the unit sphere, so that neither the poles nor the wrap of right ascension are
    special.

    Parameters
    ----------
    ra, dec : ndarray, (n_obj,)
        Degrees; rows with NaN or infinity are in no pair.
    radius_arcsec : float

    Returns
    -------
    first, second : ndarray of int64, (n_pair,)
        Rows, ``first < second``, sorted.
    separation : ndarray, (n_pair,)
        Arcsec.

    Raises
    ------
    UsageError
        The radius is not above 0 and at most one degree.
    """
    if not 0.0 < radius_arcsec <= MAX_RADIUS_ARCSEC:
        raise UsageError(f"a radius of {radius_arcsec} arcsec; above 0 and at most {MAX_RADIUS_ARCSEC:g} is accepted")
    good = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if good.size < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    points = unit_vectors(ra[good], dec[good])
    chord = 2.0 * np.sin(0.5 * radius_arcsec / ARCSEC)
    pairs = KDTree(points, balanced_tree=False, compact_nodes=False).query_pairs(chord, output_type="ndarray")
    apart = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    separation = 2.0 * np.arcsin(np.minimum(0.5 * apart, 1.0)) * ARCSEC
    first, second = np.sort(good[pairs], axis=1).T
    order = np.lexsort((second, first))
    return first[order].astype(np.int64), second[order].astype(np.int64), separation[order]


def friends_of_friends(n_obj: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups of rows that are linked by pairs, directly or through others.

    Parameters
    ----------
    n_obj : int
    first, second : ndarray of int64, (n_pair,)

    Returns
    -------
    ndarray of int64, (n_obj,)
        Smallest row of the group, so that numbers do not depend on the order of the pairs; a row without friends is a
        group by itself.
    """
    graph = coo_array((np.ones(first.size, dtype=np.int8), (first, second)), shape=(n_obj, n_obj))
    _, component = connected_components(graph, directed=False)
    smallest = np.full(component.max(initial=-1) + 1, n_obj, dtype=np.int64)
    np.minimum.at(smallest, component, np.arange(n_obj))
    return np.asarray(smallest[component], dtype=np.int64)


def split_wide_groups(
    ra: NDArray[np.float64], dec: NDArray[np.float64], group: NDArray[np.int64], max_diameter_arcsec: float
) -> tuple[NDArray[np.int64], int]:
    """Cut groups that chaining made wider than a diameter, by complete linkage.

    Parameters
    ----------
    ra, dec : ndarray, (n_obj,)
    group : ndarray of int64, (n_obj,)
        From :func:`friends_of_friends`.
    max_diameter_arcsec : float

    Returns
    -------
    group : ndarray of int64, (n_obj,)
        No two rows of a group are further apart than the diameter.
    n_split : int
        Groups that were cut.
    """
    label, n_split = group.copy(), 0
    chord = 2.0 * np.sin(0.5 * max_diameter_arcsec / ARCSEC)
    order = np.argsort(group, kind="stable")
    begin = np.flatnonzero(np.r_[True, np.diff(group[order]) != 0])
    sizes = np.diff(np.r_[begin, group.size])
    for which in np.flatnonzero(_may_be_wide(ra, dec, order, begin, sizes, chord)):
        rows = order[begin[which] : begin[which] + sizes[which]]
        distances = pdist(unit_vectors(ra[rows], dec[rows]))
        if distances.max() <= chord:
            continue
        n_split += 1
        part = fcluster(linkage(distances, "complete"), chord, criterion="distance")
        for number in np.unique(part):
            label[rows[part == number]] = rows[part == number].min()
    return label, n_split


def _may_be_wide(  # noqa: PLR0917 - one caller, in this order
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    order: NDArray[np.int64],
    begin: NDArray[np.int64],
    sizes: NDArray[np.int64],
    chord: float,
) -> NDArray[np.bool_]:
    """Groups that have a row further than half the diameter from their first: only these need all their distances."""
    wide = np.zeros(begin.size, dtype=bool)
    several = np.flatnonzero(sizes > 1)
    if not several.size:
        return wide
    rows = order[np.repeat(sizes > 1, sizes)]
    points = unit_vectors(ra[rows], dec[rows])
    which = np.repeat(np.arange(several.size), sizes[several])
    first = np.r_[0, np.cumsum(sizes[several])[:-1]]
    far = np.linalg.norm(points - points[first[which]], axis=1)
    wide[several] = np.maximum.reduceat(far, first) > 0.5 * chord
    return wide
