"""Known redshifts by object id: from a table beside the catalogue, or from the skinny table itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.errors import ColumnError, DuplicateIdError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["ID_COLUMNS", "REDSHIFT_COLUMNS", "KnownRedshifts", "read_redshifts"]

ID_COLUMNS = ("objectId", "object_id", "id", "objid", "obj_id", "source_id", "sourceid", "galaxy_id")
REDSHIFT_COLUMNS = (
    "z_spec", "z_true", "redshift", "z", "zspec", "spec_z", "specz", "ztrue", "redshift_true", "true_redshift", "zs",
)  # fmt: skip
"""In any case of letters; the first that is there."""


@dataclass(frozen=True, eq=False)
class KnownRedshifts:
    """Redshifts sorted by object id.

    Parameters
    ----------
    object_id : ndarray of int64, (n_known,)
        Increasing.
    z : ndarray, (n_known,)
    """

    object_id: NDArray[np.int64]
    z: NDArray[np.float64]

    def of(self, object_id: NDArray[np.int64]) -> NDArray[np.float64]:
        """Redshift of each id, NaN where it is not known."""
        if self.object_id.size == 0:
            return np.full(object_id.shape, np.nan)
        at = np.minimum(np.searchsorted(self.object_id, object_id), self.object_id.size - 1)
        return np.where(self.object_id[at] == object_id, self.z[at], np.nan)

    def without(self, object_id: NDArray[np.int64]) -> KnownRedshifts:
        """Leave these ids out."""
        kept = ~np.isin(self.object_id, object_id)
        return KnownRedshifts(self.object_id[kept], self.z[kept])


def read_redshifts(
    path: str | os.PathLike[str], *, id_column: str | None = None, z_column: str | None = None
) -> KnownRedshifts:
    """Read a table of object ids and redshifts, of any format that the readers know.

    Rows without a redshift (NaN, null) are left out: stars in a truth table, for example. An id may appear twice
    with the same redshift only.

    Parameters
    ----------
    path : path
    id_column, z_column : str, optional
        By default the first of ``ID_COLUMNS`` and ``REDSHIFT_COLUMNS`` that the table has.

    Returns
    -------
    KnownRedshifts

    Raises
    ------
    ColumnError
        There is no such column.
    DuplicateIdError
        An id has two redshifts.
    """
    catalog = open_catalog(path)
    names = [
        _column(catalog.column_names, given, known, str(path))
        for given, known in ((id_column, ID_COLUMNS), (z_column, REDSHIFT_COLUMNS))
    ]
    ids, redshifts = [], []
    for batch in catalog.batches(names):
        z = np.asarray(batch.column(1).to_numpy(zero_copy_only=False), dtype=np.float64)
        known = np.isfinite(z)
        ids.append(np.asarray(batch.column(0).to_numpy(zero_copy_only=False))[known].astype(np.int64))
        redshifts.append(z[known])
    object_id = np.concatenate(ids) if ids else np.empty(0, dtype=np.int64)
    z = np.concatenate(redshifts) if redshifts else np.empty(0)
    object_id, first, inverse = np.unique(object_id, return_index=True, return_inverse=True)
    differ = z != z[first][inverse]
    if differ.any():
        doubled = np.unique(object_id[inverse[differ]])
        raise DuplicateIdError(
            f"{path}: {doubled.size} objects have more than one redshift, such as {doubled[:3].tolist()}; "
            "one is accepted"
        )
    return KnownRedshifts(object_id, z[first])


def _column(names: list[str], given: str | None, known: tuple[str, ...], path: str) -> str:
    if given is not None:
        if given not in names:
            raise ColumnError(f"{path} has no column {given!r}; it has {names}")
        return given
    by_letters = {name.lower(): name for name in reversed(names)}
    for name in known:
        if name in names or name.lower() in by_letters:
            return name if name in names else by_letters[name.lower()]
    raise ColumnError(f"{path} has none of the columns {list(known)}; it has {names}. Rename the column to use")
