"""Whether each object of a release has exactly one row, for any number of rows in bounded memory.

Ids are looked at range by range: of each range the ids of all files that may hold some are read and sorted. The ranges
come from what the manifest says of the files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.manifest import Manifest
from pzcenter.errors import ColumnError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.catalogs import Catalog
    from pzcenter.catalogs.manifest import FileRecord

__all__ = ["check_margin", "check_objects", "check_unique"]

IDS_AT_ONCE = 30_000_000
N_NAMED = 5
OBJECT_IDS = ("objectId", "object_id", "id")


def check_unique(pz: Path) -> Iterator[tuple[str, str]]:
    """Name object ids that have more than one row.

    Parameters
    ----------
    pz : Path
        Catalogue with a manifest.

    Yields
    ------
    (str, str)
        Where, and in which words.
    """
    records = _data(pz)
    double = _Tally()
    for low, high in _ranges(records):
        ids = np.sort(_ids_of_files(pz, records, low, high))
        double.add(_repeated(ids))
    if double.number:
        yield "catalog/pz", f"{double.number} object ids have more than one row, such as {double.examples}"


def check_margin(pz: Path, margin: Path) -> Iterator[tuple[str, str]]:
    """Name rows of the margin that the core table does not have.

    Parameters
    ----------
    pz, margin : Path
        Catalogues with manifests.

    Yields
    ------
    (str, str)
    """
    records, around = _data(pz), _data(margin)
    foreign = _Tally()
    for low, high in _ranges(records):
        ids = np.sort(_ids_of_files(margin, around, low, high))
        foreign.add(_not_in(ids, np.sort(_ids_of_files(pz, records, low, high))))
    if foreign.number:
        yield "catalog/pz_margin", f"{foreign.number} objects are not in the core table, such as {foreign.examples}"


def check_objects(pz: Path, objects: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Compare with the Object catalogue both ways.

    Parameters
    ----------
    pz : Path
        Catalogue with a manifest.
    objects : path
        Catalogue of any format with ``objectId``, or a directory of Parquet files.

    Yields
    ------
    (str, str)

    Raises
    ------
    ColumnError
        The catalogue has no object ids.
    """
    catalog = open_catalog(objects)
    column = next((name for name in OBJECT_IDS if name in catalog.column_names), None)
    if column is None:
        raise ColumnError(f"{objects} has none of the columns {', '.join(OBJECT_IDS)}; it has {catalog.column_names}")
    records = _data(pz)
    without_row, without_object, double = _Tally(), _Tally(), _Tally()
    n_obj = 0
    for low, high in _ranges(records):
        rows = np.sort(_ids_of_files(pz, records, low, high))
        ids = np.sort(_ids_of_catalog(catalog, column, low, high))
        n_obj += ids.size
        double.add(_repeated(ids))
        without_row.add(_not_in(ids, rows))
        without_object.add(_not_in(rows, ids))
    if without_row.number:
        yield "catalog/pz", f"{without_row.number} of {n_obj} objects have no row, such as {without_row.examples}"
    if without_object.number:
        yield "catalog/pz", f"{without_object.number} rows have no object, such as {without_object.examples}"
    if double.number:
        yield str(objects), f"{double.number} objects appear more than once, such as {double.examples}"


def _repeated(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids that are there more than once, each once, of sorted ids."""
    return _distinct(ids[1:][ids[1:] == ids[:-1]])


def _not_in(ids: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids, each once, that are not among the others; both sorted, which is faster than any set of NumPy."""
    at = np.searchsorted(others, ids)
    at[at == others.size] = 0
    return _distinct(ids[others[at] != ids] if others.size else ids)


def _distinct(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    return ids[np.concatenate([[True], ids[1:] != ids[:-1]])] if ids.size else ids


@dataclass
class _Tally:
    """Number of some ids, and the first few of them."""

    number: int = 0
    named: list[int] = field(default_factory=list)

    def add(self, ids: NDArray[np.int64]) -> None:
        self.number += ids.size
        self.named += ids[: N_NAMED - len(self.named)].tolist()

    @property
    def examples(self) -> str:
        return ", ".join(map(str, self.named))


def _data(pz: Path) -> list[FileRecord]:
    return [record for record in Manifest.read(pz).files if record.n_rows]


def _ranges(records: Sequence[FileRecord]) -> list[tuple[int, int]]:
    """Ranges of ids, both ends included, that together hold all; each about as many rows as fit in memory."""
    limits = np.iinfo(np.int64)
    n_ranges = -(-sum(record.n_rows or 0 for record in records) // IDS_AT_ONCE)
    if n_ranges <= 1:
        return [(limits.min, limits.max)]
    # Each file stands for its rows, spread evenly over its range.
    points = np.concatenate(
        [
            np.linspace(record.id_min, record.id_max, max(2, 1000 * (record.n_rows or 0) // IDS_AT_ONCE))
            for record in records
            if record.id_min is not None and record.id_max is not None
        ]
    )
    cuts = np.unique(np.quantile(points, np.linspace(0, 1, n_ranges + 1)[1:-1]).astype(np.int64)).tolist()
    return list(zip([limits.min, *(cut + 1 for cut in cuts)], [*cuts, limits.max], strict=True))


def _ids_of_files(pz: Path, records: Sequence[FileRecord], low: int, high: int) -> NDArray[np.int64]:
    parts = [np.empty(0, dtype=np.int64)]
    for record in records:
        if record.id_min is not None and record.id_max is not None and (record.id_max < low or record.id_min > high):
            continue
        with pq.ParquetFile(pz / record.path) as file:
            ids = file.read(columns=["objectId"])["objectId"].to_numpy()
        parts.append(ids[(ids >= low) & (ids <= high)])
    return np.concatenate(parts)


def _ids_of_catalog(catalog: Catalog, column: str, low: int, high: int) -> NDArray[np.int64]:
    parts = [np.empty(0, dtype=np.int64)]
    for batch in catalog.batches([column]):
        ids = batch.column(0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        parts.append(ids[(ids >= low) & (ids <= high)])
    return np.concatenate(parts)
