"""Rows of a table by their place, in bounded memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.errors import UsageError
from pzcenter.server.services.tables.text import TextCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog

__all__ = ["Deadline", "batch_rows", "pieces", "rows_at", "rows_between", "stream"]

BATCH_BYTES = 16 << 20
MIN_ROWS, MAX_ROWS = 64, 16_384
TEXT_BYTES, LIST_ITEMS = 24, 64
"""Guesses for values whose length the type does not tell."""


@dataclass
class Deadline:
    """An end of patience.

    Parameters
    ----------
    seconds : float
    what : str
        For the message.
    """

    seconds: float
    what: str

    def __post_init__(self) -> None:
        """Start the clock."""
        self._end = time.monotonic() + self.seconds

    @property
    def is_over(self) -> bool:
        """No time is left."""
        return time.monotonic() > self._end

    def check(self) -> None:
        """Give up when the time is over.

        Raises
        ------
        UsageError
        """
        if self.is_over:
            raise UsageError(f"{self.what} takes longer than {self.seconds:g} s; download the file to do it at home")


def batch_rows(schema: pa.Schema, columns: Sequence[str]) -> int:
    """Rows that are read at once so that a batch stays near 16 MB."""
    width = sum(_bytes_of(schema.field(name).type) for name in columns)
    return int(min(MAX_ROWS, max(MIN_ROWS, BATCH_BYTES // max(width, 1))))


def _bytes_of(kind: pa.DataType) -> int:
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _bytes_of(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return LIST_ITEMS * _bytes_of(kind.value_type)
    if pa.types.is_struct(kind):
        return sum(_bytes_of(kind.field(place).type) for place in range(kind.num_fields))
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return TEXT_BYTES


def stream(catalog: Catalog, columns: Sequence[str], deadline: Deadline | None = None) -> Iterator[pa.RecordBatch]:
    """All rows in batches of bounded size.

    Parameters
    ----------
    catalog : Catalog
    columns : sequence of str
    deadline : Deadline, optional

    Yields
    ------
    pa.RecordBatch

    Raises
    ------
    UsageError
        The time is over.
    """
    for batch in catalog.batches(columns, batch_rows(catalog.schema, columns)):
        yield batch
        if deadline is not None:
            deadline.check()


def rows_between(
    catalog: Catalog, start: int, stop: int, columns: Sequence[str], deadline: Deadline
) -> list[pa.RecordBatch]:
    """Rows ``start`` to ``stop``; other parts of the file are not read where its format allows that.

    Parameters
    ----------
    catalog : Catalog
    start, stop : int
    columns : sequence of str
    deadline : Deadline

    Returns
    -------
    list of pa.RecordBatch

    Raises
    ------
    UsageError
        A text table so long that the rows are not reached in time.
    """
    if isinstance(catalog, TextCatalog):
        return list(_of_text(catalog, start, stop, columns, deadline))
    size = batch_rows(catalog.schema, columns)
    found: list[pa.RecordBatch] = []
    for first, last, part in pieces(catalog):
        low, high = max(start, first), min(stop, last)
        if low < high:
            deadline.check()
            found += list(part.batches(columns, size, start=low - first, stop=high - first))
    return found


def _of_text(
    catalog: Catalog, start: int, stop: int, columns: Sequence[str], deadline: Deadline
) -> Iterator[pa.RecordBatch]:
    position = 0
    for batch in stream(catalog, columns, deadline):
        low, high = max(start - position, 0), min(stop - position, batch.num_rows)
        position += batch.num_rows
        if low < high:
            yield batch.slice(low, high - low)
        if position >= stop:
            return


@lru_cache(maxsize=64)
def pieces(catalog: Catalog) -> tuple[tuple[int, int, Catalog], ...]:
    """First row, row after the last, and catalogue of each part that can be read by itself."""
    if catalog.format not in {"hats", "parquet_directory"}:
        return ((0, catalog.n_rows or 0, catalog),)
    from pzcenter.catalogs.readers import reader_for

    found, position = [], 0
    for partition in catalog.partitions:
        part = reader_for(partition.format)(partition.path)
        n_rows = part.n_rows or 0
        found.append((position, position + n_rows, part))
        position += n_rows
    return tuple(found)


def rows_at(catalog: Catalog, places: NDArray[np.int64], columns: Sequence[str], deadline: Deadline) -> pa.Table:
    """Rows at some places, in that order.

    Parameters
    ----------
    catalog : Catalog
    places : ndarray of int64, (n_rows,)
    columns : sequence of str
    deadline : Deadline

    Returns
    -------
    pa.Table
    """
    schema = pa.schema([catalog.schema.field(name) for name in columns])
    wanted = np.unique(places)
    taken: list[pa.RecordBatch] = []
    for first, last in _runs(wanted):
        position = int(first)
        for batch in rows_between(catalog, int(first), int(last) + 1, columns, deadline):
            here = wanted[(wanted >= position) & (wanted < position + batch.num_rows)] - position
            taken.append(batch.take(pa.array(here)))
            position += batch.num_rows
    table = pa.Table.from_batches([batch.cast(schema) for batch in taken], schema=schema)
    return table.take(pa.array(np.searchsorted(wanted, places)))


def _runs(wanted: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Places that lie near each other are read together."""
    if not wanted.size:
        return []
    breaks = np.flatnonzero(np.diff(wanted) > MAX_ROWS)
    firsts = wanted[np.r_[0, breaks + 1]]
    lasts = wanted[np.r_[breaks, wanted.size - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
