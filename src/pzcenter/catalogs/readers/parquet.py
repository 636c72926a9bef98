"""Parquet: one file, or a directory of files that are read one after the other."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.columns import require_columns
from pzcenter.catalogs.readers.catalog import BATCH_SIZE, Catalog, Partition
from pzcenter.errors import FileFormatError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ParquetCatalog", "ParquetDirectoryCatalog", "batches_of_files", "data_files", "open_parquet"]

READ_BUFFER_BYTES = 1 << 20


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open one Parquet file so that large row groups are streamed, not loaded.

    Parameters
    ----------
    path : Path

    Returns
    -------
    pq.ParquetFile
        Use it as a context manager.

    Raises
    ------
    FileFormatError
        It is no Parquet file, or its end is missing.
    """
    try:
        return pq.ParquetFile(path, buffer_size=READ_BUFFER_BYTES, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileFormatError(f"{path} cannot be read as Parquet; it is damaged or cut short: {error}") from error


def data_files(directory: Path) -> list[Path]:
    """Parquet files below a directory, sorted by path, without hidden and metadata files.

    Parameters
    ----------
    directory : Path

    Returns
    -------
    list of Path
    """
    found = (path for ending in ("*.parquet", "*.parq", "*.pq") for path in directory.rglob(ending))
    return sorted(
        path
        for path in found
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(directory).parts)
    )


def batches_of_files(
    files: list[Path], schema: pa.Schema, columns: list[str], batch_size: int
) -> Iterator[pa.RecordBatch]:
    """Rows of several Parquet files as one stream, small files joined to full batches.

    Parameters
    ----------
    files : list of Path
        In reading order.
    schema : pa.Schema
        Types that all files are brought to.
    columns : list of str
        Columns to read.
    batch_size : int
        Most rows in a batch.

    Yields
    ------
    pa.RecordBatch

    Raises
    ------
    ColumnError, SchemaError
        A file lacks a column, or holds another type under its name; the message names the file.
    """
    wanted = pa.schema([schema.field(name) for name in columns]).remove_metadata()
    waiting: list[pa.RecordBatch] = []
    n_waiting = 0
    for path in files:
        with open_parquet(path) as file:
            require_columns(columns, file.schema_arrow.names, str(path))
            for batch in _stream(file, path, columns, batch_size):
                same = batch.select(columns)
                if not same.schema.equals(wanted):
                    same = _cast(same, wanted, path)
                if n_waiting + same.num_rows > batch_size:
                    yield from _joined(waiting)
                    waiting, n_waiting = [], 0
                waiting.append(same)
                n_waiting += same.num_rows
    yield from _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if len(batches) == 1:
        yield batches[0]
    elif batches:
        yield pa.concat_batches(batches)


def _cast(batch: pa.RecordBatch, schema: pa.Schema, path: Path) -> pa.RecordBatch:
    try:
        return batch.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, ValueError) as error:
        raise SchemaError(f"{path} does not hold the column types of the catalogue's first file: {error}") from error


def _stream(
    file: pq.ParquetFile, path: Path, columns: list[str], batch_size: int, *, start: int = 0, stop: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Rows ``start`` to ``stop``; row groups outside the range are not read."""
    groups, first, skipped = [], 0, 0
    n_rows = file.metadata.num_rows
    stop = n_rows if stop is None else min(stop, n_rows)
    for group in range(file.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        if last <= start:
            skipped = last
        elif first < stop:
            groups.append(group)
        first = last
    position = skipped
    try:
        for batch in file.iter_batches(batch_size=batch_size, row_groups=groups, columns=columns):
            low, high = max(start - position, 0), min(stop - position, batch.num_rows)
            position += batch.num_rows
            if high > low:
                yield (batch if high - low == batch.num_rows else batch.slice(low, high - low)).select(columns)
            if position >= stop:
                return
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path} cannot be read to its end, row {position} of {n_rows}: {error}") from error


class ParquetCatalog(Catalog):
    """One Parquet file."""

    format: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".parq", ".pq")
    magic: ClassVar[tuple[bytes, ...]] = (b"PAR1",)

    def _read_schema(self) -> pa.Schema:
        with open_parquet(self.path) as file:
            self._n_rows = int(file.metadata.num_rows)
            self._group_rows = [int(file.metadata.row_group(i).num_rows) for i in range(file.num_row_groups)]
            return file.schema_arrow

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        with open_parquet(self.path) as file:
            yield from _stream(file, self.path, columns, batch_size, start=start, stop=stop)

    @property
    def n_rows(self) -> int:
        """Number of rows, from the footer."""
        return self._n_rows

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """Neighbouring row groups together, so that no row group is decoded twice."""
        ranges: list[tuple[int, int]] = []
        first = last = 0
        for n_rows in self._group_rows:
            if last > first and last + n_rows - first > BATCH_SIZE:
                ranges.append((first, last))
                first = last
            last += n_rows
        if last > first:
            ranges.append((first, last))
        return tuple(
            Partition(f"part-{index:05d}", self.path, self.format, start, stop, stop - start)
            for index, (start, stop) in enumerate(ranges)
        )


class ParquetDirectoryCatalog(Catalog):
    """A directory of Parquet files with the same columns, such as one file per tract."""

    format: ClassVar[str] = "parquet_directory"

    def _read_schema(self) -> pa.Schema:
        self.files = data_files(self.path)
        if not self.files:
            raise FileFormatError(f"{self.path} is a directory without Parquet files and without a HATS catalogue")
        with open_parquet(self.files[0]) as file:
            return file.schema_arrow

    @cached_property
    def _file_rows(self) -> list[int]:
        rows = []
        for path in self.files:
            with open_parquet(path) as file:
                rows.append(int(file.metadata.num_rows))
        return rows

    @property
    def n_rows(self) -> int:
        """Number of rows, from the footers of all files."""
        return sum(self._file_rows)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """One per file that has rows, named by its path below the directory."""
        return tuple(
            Partition(path.relative_to(self.path).with_suffix("").as_posix(), path, "parquet", n_rows=n_rows)
            for path, n_rows in zip(self.files, self._file_rows, strict=True)
            if n_rows
        )

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        if start == 0 and stop is None:
            yield from batches_of_files(self.files, self.schema, columns, batch_size)
            return
        position = 0
        for path, n_rows in zip(self.files, self._file_rows, strict=True):
            low, high = max(start - position, 0), n_rows if stop is None else min(stop - position, n_rows)
            position += n_rows
            if high > low:
                yield from ParquetCatalog(path).batches(columns, batch_size, start=low, stop=high)
