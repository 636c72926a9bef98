"""Which redshift of a galaxy to keep, when several were measured.

Rows of a group (see :mod:`pzcenter.science.friends`) compete: the best quality, then the best type, then whatever else
the settings name. Survivors whose redshifts agree are one; where two disagree, nobody wins. Stars do not take part.

======================  =======================================================
``tie_result``          meaning
======================  =======================================================
0                       another row of the group is better
1                       kept: the only one, or the best of its group
2                       as good as another one that has a different redshift
3                       star
======================  =======================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["KEPT", "LOST", "STAR", "STAR_FLAG", "TIED", "Resolved", "rank_of_types", "resolve"]

LOST, KEPT, TIED, STAR = 0, 1, 2, 3
STAR_FLAG = 6
TYPE_RANK = {"s": 3.0, "g": 2.0, "p": 1.0}
DELTA_Z = 0.001
"""Redshifts that differ by less are the same: 300 km/s at z = 0."""


@dataclass(frozen=True, eq=False)
class Resolved:
    """Outcome for each row.

    Parameters
    ----------
    tie_result : ndarray of int8, (n_rows,)
    n_conflict : int
        Groups in which no row wins.
    """

    tie_result: NDArray[np.int8]
    n_conflict: int


def rank_of_types(z_type: NDArray[np.str_]) -> NDArray[np.float64]:
    """Higher is better; missing is lowest."""
    rank = np.zeros(z_type.size)
    for letter, value in TYPE_RANK.items():
        rank[z_type == letter] = value
    return rank


def resolve(
    group: NDArray[np.int64],
    z_spec: NDArray[np.float64],
    star: NDArray[np.bool_],
    ranks: Sequence[NDArray[np.float64]],
    *,
    order_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    delta_z: float = DELTA_Z,
    relative: bool = False,
) -> Resolved:
    """Decide which row of each group is kept.

    Parameters
    ----------
    group : ndarray of int64, (n_rows,)
        Stars are groups by themselves.
    z_spec : ndarray, (n_rows,)
        A missing redshift agrees with none.
    star : ndarray of bool, (n_rows,)
    ranks : sequence of ndarray, (n_rows,)
        What decides, in this order; higher is better, NaN is lowest.
    order_of : callable
        Gives a number to each of the rows it is called with; of rows that agree in all, the one with the lowest is
        kept.
    delta_z : float
        Redshifts that differ by no more are the same; chains of such are one.
    relative : bool
        ``delta_z`` is in units of 1 + z.

    Returns
    -------
    Resolved
    """
    result = np.full(group.size, KEPT, dtype=np.int8)
    result[star] = STAR
    size = np.bincount(np.unique(group, return_inverse=True)[1])
    members = np.flatnonzero(size[np.unique(group, return_inverse=True)[1]] > 1)
    result[members] = LOST
    alive = members
    for rank in ranks:
        alive = alive[_best(group[alive], np.nan_to_num(rank[alive], nan=-np.inf, posinf=np.inf, neginf=-np.inf))]
    alive = _one_of_each_redshift(alive, group, z_spec, order_of, delta_z, relative=relative)
    _, which, n_left = np.unique(group[alive], return_inverse=True, return_counts=True)
    result[alive] = np.where(n_left[which] > 1, TIED, KEPT)
    return Resolved(result, int((n_left > 1).sum()))


def _best(group: NDArray[np.int64], rank: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows that have the highest rank of their group."""
    if not group.size:
        return np.zeros(0, dtype=bool)
    _, which = np.unique(group, return_inverse=True)
    highest = np.full(which.max() + 1, -np.inf)
    np.maximum.at(highest, which, rank)
    return np.asarray(rank == highest[which])


def _one_of_each_redshift(
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    z_spec: NDArray[np.float64],
    order_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    delta_z: float,
    *,
    relative: bool,
) -> NDArray[np.int64]:
    """Of rows of a group whose redshifts chain within ``delta_z``, the first by order."""
    if not rows.size:
        return rows
    rows = rows[np.lexsort((z_spec[rows], group[rows]))]  # NaN comes last
    z = z_spec[rows]
    step = np.diff(z) / (1.0 + z[:-1] if relative else 1.0)
    same = (np.diff(group[rows]) == 0) & (step <= delta_z)  # false for NaN
    chain = np.cumsum(np.r_[True, ~same])
    order = order_of(rows)
    ranked = np.lexsort((order, chain))
    first = np.r_[True, np.diff(chain[ranked]) != 0]
    return np.asarray(rows[ranked[first]])
