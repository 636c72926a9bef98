"""What every reader gives: a schema, a number of rows, named partitions, and a stream of record batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from pzcenter.catalogs.columns import refuse_duplicate_names, require_columns
from pzcenter.errors import EmptyTableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BATCH_SIZE", "Catalog", "Partition", "row_ranges"]

BATCH_SIZE = 150_000
"""Rows of a batch: large enough to hide the overhead of a call, small enough for any memory."""


@dataclass(frozen=True)
class Partition:
    """A named part of a catalogue that can be read by itself, also from another process.

    Parameters
    ----------
    name : str
        Unique in the catalogue, and the same each time that the catalogue is opened.
    path : Path
        The file that holds the rows.
    format : str
        Format of that file.
    start, stop : int, optional
        Row range inside the file; the whole file by default.
    n_rows : int, optional
        Where it is known without reading the file.
    group : str, optional
        HDF5 group or FITS extension.
    order, pixel : int, optional
        HEALPix pixel (NESTED) of a HATS partition.
    """

    name: str
    path: Path
    format: str
    start: int = 0
    stop: int | None = None
    n_rows: int | None = None
    group: str | None = None
    order: int | None = None
    pixel: int | None = None

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_SIZE) -> Iterator[pa.RecordBatch]:
        """Rows of this partition in order; see :meth:`Catalog.batches`."""
        from pzcenter.catalogs.readers.registry import reader_for

        catalog = reader_for(self.format)(self.path, group=self.group)
        return catalog.batches(columns, batch_size, start=self.start, stop=self.stop)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of this partition as one table."""
        from pzcenter.catalogs.readers.registry import reader_for

        catalog = reader_for(self.format)(self.path, group=self.group)
        return catalog.read(columns, start=self.start, stop=self.stop)


class Catalog(ABC):
    """A table on disk.

    Opening reads headers only, rows come by :meth:`batches`. No file stays open between calls, so that a catalogue
    can be sent to another process.

    Parameters
    ----------
    path : Path
        File or directory that exists.
    group : str, optional
        HDF5 group or FITS extension, where there are several.

    Raises
    ------
    FileFormatError
        The content is not of this format.
    ColumnError
        Two columns have the same name.
    """

    format: ClassVar[str]
    """Stable short name."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name endings of this format, lower case, with the dot."""

    magic: ClassVar[tuple[bytes, ...]] = ()
    """First bytes by which a file of this format is known, whatever its name."""

    def __init__(self, path: Path, *, group: str | None = None) -> None:
        self.path = Path(path)
        self.group = group
        self.schema: pa.Schema = self._read_schema()
        refuse_duplicate_names(self.schema.names, str(self.path))

    @abstractmethod
    def _read_schema(self) -> pa.Schema:
        """Columns with types, and units in the field metadata where the file has them."""

    @abstractmethod
    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        """Rows ``start`` to ``stop`` of columns that are known to exist."""

    @property
    @abstractmethod
    def n_rows(self) -> int | None:
        """Number of rows; None where only reading everything would tell."""

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """Parts that can be read by themselves, in the order of the catalogue."""
        return tuple(
            Partition(
                name=f"part-{index:05d}",
                path=self.path,
                format=self.format,
                start=start,
                stop=stop,
                n_rows=stop - start,
                group=self.group,
            )
            for index, (start, stop) in enumerate(row_ranges(self.n_rows or 0, BATCH_SIZE))
        )

    @property
    def position_columns(self) -> tuple[str, str] | None:
        """Names of the right ascension and declination columns, where the file itself declares them."""
        return None

    @property
    def column_names(self) -> list[str]:
        """Names of all columns, in file order."""
        return list(self.schema.names)

    def batches(
        self,
        columns: Sequence[str] | None = None,
        batch_size: int = BATCH_SIZE,
        *,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Rows in order, in bounded memory.

        Parameters
        ----------
        columns : sequence of str, optional
            Columns to read, in this order; all by default.
        batch_size : int
            Most rows in a batch.
        start, stop : int, optional
            Row range.

        Yields
        ------
        pa.RecordBatch
            With the columns in the order asked for; never empty.

        Raises
        ------
        ColumnError
            A column is not there; the message names the nearest.
        FileFormatError
            The file cannot be read to its end.
        """
        wanted = self.column_names if columns is None else list(columns)
        require_columns(wanted, self.column_names, str(self.path))
        schema = pa.schema([self.schema.field(name) for name in wanted], metadata=self.schema.metadata)
        batches = self._batches(wanted, batch_size, start, stop)
        return (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in batches)

    def read(self, columns: Sequence[str] | None = None, *, start: int = 0, stop: int | None = None) -> pa.Table:
        """All rows as one table in memory: for small catalogues and for single partitions."""
        wanted = self.column_names if columns is None else list(columns)
        batches = list(self.batches(wanted, start=start, stop=stop))
        schema = pa.schema([self.schema.field(name) for name in wanted], metadata=self.schema.metadata)
        return pa.Table.from_batches(batches, schema=schema)

    def require_rows(self) -> None:
        """Check that there is at least one row.

        Raises
        ------
        EmptyTableError
            There is none.
        """
        n_rows = self.n_rows
        if n_rows == 0 or (n_rows is None and next(iter(self.batches(self.column_names[:1], 1)), None) is None):
            raise EmptyTableError(f"{self.path} has {len(self.column_names)} columns and no rows; at least 1 is needed")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} n_rows={self.n_rows} n_columns={len(self.column_names)}>"


def row_ranges(n_rows: int, size: int) -> list[tuple[int, int]]:
    """Cut ``n_rows`` rows into ranges of at most ``size``.

    Parameters
    ----------
    n_rows, size : int

    Returns
    -------
    list of (int, int)
        Start and stop; together they hold each row once.
    """
    return [(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
