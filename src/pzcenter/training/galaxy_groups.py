"""Rows that belong to one galaxy: they share an object or a group of redshifts, or are linked through such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.columns import float_column, int_column
from pzcenter.errors import ColumnError
from pzcenter.training.row_hash import identities, identity_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["ALONE", "GALAXY", "Galaxies", "galaxy_groups"]

ALONE = -1
"""``group_id`` of a redshift that has no other beside it."""

GALAXY = "galaxy"
"""Group by both ``objectId`` and ``group_id``."""


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Rows of a table by galaxy.

    Parameters
    ----------
    label : ndarray of int64, (n_obj,)
        Galaxy of each row, 0 to ``n_galaxy - 1``.
    key : ndarray of uint64, (n_galaxy,)
        Smallest id of the galaxy's rows: does not depend on the order of the rows.
    first : ndarray of int64, (n_galaxy,)
        The row that stands for the galaxy, the same in any order of the rows.
    """

    label: NDArray[np.int64]
    key: NDArray[np.uint64]
    first: NDArray[np.int64]


def galaxy_groups(table: pa.Table, group: str = GALAXY) -> Galaxies:
    """Find the rows that belong to one galaxy.

    Parameters
    ----------
    table : pa.Table
        Redshifts or a training set.
    group : str
        ``galaxy``: rows are linked that share ``objectId`` or ``group_id``, whichever are there, directly or through
        others. Any other value is the column by which to group alone; -1 in ``group_id`` means a row by itself.

    Returns
    -------
    Galaxies
        Keyed by the column to group by, or by ``objectId`` (else ``measurement_id``) for ``galaxy`` and ``group_id``,
        whose numbers are labels and change from run to run.

    Raises
    ------
    ColumnError
        No column to group by, or none to know a row by.
    SchemaError
        An id is missing.
    """
    names = _columns(table, group)
    label = np.arange(table.num_rows)
    for name in names:
        label = _merge(label, _partners(table, name))
    by_label = group in (GALAXY, "group_id")
    own = identity_of(table, ("objectId", "measurement_id")) if by_label else identities(table.column(group), group)
    sequence = np.lexsort((*_tie_breakers(table), own, label))
    first = sequence[np.searchsorted(label[sequence], np.arange(int(label.max(initial=-1)) + 1))]
    return Galaxies(label, own[first], first)


def _columns(table: pa.Table, group: str) -> list[str]:
    wanted = ["objectId", "group_id"] if group == GALAXY else [group]
    names = [name for name in wanted if name in table.column_names]
    if not names:
        shown = ", ".join(table.column_names[:12])
        raise ColumnError(f"rows are grouped by {' and '.join(wanted)}, which the table does not have; it has: {shown}")
    return names


def _tie_breakers(table: pa.Table) -> list[NDArray[Any]]:
    """Order of the rows of one object."""
    keys: list[NDArray[Any]] = [float_column(table.column("z_spec"))] if "z_spec" in table.column_names else []
    if "measurement_id" in table.column_names:
        keys.append(identities(table.column("measurement_id"), "measurement_id"))
    return keys


def _partners(table: pa.Table, name: str) -> NDArray[np.int64]:
    """First row that has the value of each row: rows with one partner belong together."""
    if name == "group_id":
        value = int_column(table.column(name), name)
        alone = value == ALONE
        _, first, inverse = np.unique(value, return_index=True, return_inverse=True)
        return np.where(alone, np.arange(value.size), first[inverse])
    _, first, inverse = np.unique(identities(table.column(name), name), return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def _merge(label: NDArray[np.int64], partner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the groups of each row and its partner."""
    n = int(label.max(initial=-1)) + 1
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(label.size, dtype=np.int8), (label, label[partner])), shape=(n, n))
    _, component = connected_components(links, directed=False)
    return np.asarray(component[label], dtype=np.int64)
