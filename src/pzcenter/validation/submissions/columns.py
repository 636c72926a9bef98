"""Columns of a submission, wherever they are stored: by name, in pieces of rows, as NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from pzcenter.errors import ColumnError, FileFormatError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.catalogs import Catalog

__all__ = ["Columns", "JoinedColumns", "StackedColumns", "TableColumns", "array_of"]


@runtime_checkable
class Columns(Protocol):
    """What all sources of columns give."""

    @property
    def path(self) -> Path:
        """For messages."""

    @property
    def n_rows(self) -> int:
        """Number of objects."""

    @property
    def widths(self) -> Mapping[str, int | None]:
        """Names of the columns; values per object of each, None where a column has a single one."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What holds for all objects: grids, levels, texts."""

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Rows in order, ``size`` at a time (the last piece may have fewer): (n,) or (n, width) by name."""


class TableColumns:
    """Columns of a table that :func:`pzcenter.catalogs.open_catalog` reads.

    Parameters
    ----------
    catalog : Catalog
    metadata : mapping, optional
        Added to that of the table's schema.
    """

    def __init__(self, catalog: Catalog, *, metadata: Mapping[str, Any] | None = None) -> None:
        self.catalog, self.path = catalog, catalog.path
        self.metadata: dict[str, Any] = {**_texts(self.catalog.schema), **(metadata or {})}
        self.widths = {field.name: _width(field.type) for field in self.catalog.schema}
        n_rows = catalog.n_rows
        if n_rows is None:
            n_rows = sum(batch.num_rows for batch in catalog.batches(catalog.column_names[:1]))
        self.n_rows = n_rows

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """See :class:`Columns`."""
        done = 0
        for batch in _even(self.catalog.batches(list(names), size), size):
            yield {name: array_of(batch.column(name), f"{self.path}: column {name!r}", done) for name in names}
            done += batch.num_rows


@dataclass(frozen=True, eq=False)
class StackedColumns:
    """Columns of which some are single values that belong together, such as one column per grid point.

    Parameters
    ----------
    source : Columns
    stacks : mapping of str to sequence of str
        New two-dimensional column to the columns that it is made of, in order.
    extra_metadata : mapping
        Added to that of the source, such as the grid that stands in the names.
    """

    source: Columns
    stacks: Mapping[str, Sequence[str]]
    extra_metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """See :class:`Columns`."""
        return self.source.path

    @property
    def n_rows(self) -> int:
        """See :class:`Columns`."""
        return self.source.n_rows

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See :class:`Columns`."""
        return {**self.source.metadata, **self.extra_metadata}

    @property
    def widths(self) -> Mapping[str, int | None]:
        """See :class:`Columns`."""
        return {**self.source.widths, **{name: len(parts) for name, parts in self.stacks.items()}}

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """See :class:`Columns`."""
        single = [name for name in names if name not in self.stacks]
        wanted = dict.fromkeys([*single, *(part for name in names for part in self.stacks.get(name, ()))])
        for rows in self.source.batches(list(wanted), size):
            stacked = {
                name: np.stack([rows[part] for part in self.stacks[name]], axis=1)
                for name in names
                if name in self.stacks
            }
            yield {name: rows[name] for name in single} | stacked


@dataclass(frozen=True, eq=False)
class JoinedColumns:
    """Two tables of the same objects in the same order, such as densities and point estimates of one run.

    Parameters
    ----------
    first, second : Columns
        Columns of both are taken from the first.
    key : str
        Column of ids that both have; each piece is compared.
    """

    first: Columns
    second: Columns
    key: str

    @property
    def path(self) -> Path:
        """See :class:`Columns`."""
        return self.first.path

    @property
    def n_rows(self) -> int:
        """See :class:`Columns`."""
        return self.first.n_rows

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See :class:`Columns`."""
        return {**self.second.metadata, **self.first.metadata}

    @property
    def widths(self) -> Mapping[str, int | None]:
        """See :class:`Columns`."""
        return {**self.second.widths, **self.first.widths}

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """See :class:`Columns`."""
        if self.first.n_rows != self.second.n_rows:
            raise FileFormatError(
                f"{self.first.path} has {self.first.n_rows} rows and {self.second.path} has {self.second.n_rows}; "
                f"they must be of the same objects"
            )
        here = [name for name in names if name in self.first.widths]
        there = [name for name in names if name not in self.first.widths]
        if not there:
            yield from self.first.batches(here, size)
            return
        pairs = zip(
            self.first.batches(list(dict.fromkeys([*here, self.key])), size),
            self.second.batches([*there, self.key], size),
            strict=True,
        )
        for start, (one, other) in enumerate(pairs):
            same = one[self.key] == other[self.key]
            if not same.all():
                row = start * size + int(np.argmin(same))
                raise FileFormatError(f"{self.second.path}: row {row} is not the object of {self.first.path}")
            yield {name: one[name] if name in self.first.widths else other[name] for name in names}


def array_of(column: pa.Array, where: str, first_row: int = 0) -> NDArray[Any]:
    """Values of an Arrow column: (n,), or (n, width) of lists and fixed bytes; a missing value becomes NaN.

    Raises
    ------
    ShapeError
        Lists of different lengths; the message names the row.
    ColumnError
        A missing value in a column that has no NaN.
    """
    kind = column.type
    if pa.types.is_fixed_size_binary(kind):
        _refuse_nulls(column, where)
        data = np.frombuffer(
            column.buffers()[1], np.uint8, len(column) * kind.byte_width, column.offset * kind.byte_width
        )
        return data.reshape(len(column), kind.byte_width)
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(column, where, first_row)
    if column.null_count and (pa.types.is_floating(kind) or pa.types.is_null(kind)):
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
    _refuse_nulls(column, where)
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _refuse_nulls(column: pa.Array, where: str) -> None:
    if column.null_count:
        raise ColumnError(f"{where} has {column.null_count} missing values; every row needs one")


def _lists(column: pa.Array, where: str, first_row: int) -> NDArray[Any]:
    lengths = column.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    has_value = lengths >= 0
    width = int(lengths.max(initial=0))
    wrong = has_value & (lengths != width)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ShapeError(
            f"{where}: row {first_row + row} has {lengths[row]} values, another has {width}; all must have the same"
        )
    flat = column.drop_null().flatten()
    values = np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(-1, width)
    if has_value.all():
        return values
    out = np.full((len(column), width), np.nan)
    out[has_value] = values
    return out


def _even(batches: Iterator[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Cut and join batches so that each but the last has ``size`` rows."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for batch in batches:
        held.append(batch)
        n_held += batch.num_rows
        while n_held >= size:
            whole = held[0] if len(held) == 1 else pa.concat_batches(held)
            yield whole.slice(0, size)
            rest = whole.slice(size)
            held, n_held = ([rest] if rest.num_rows else []), rest.num_rows
    if n_held:
        yield held[0] if len(held) == 1 else pa.concat_batches(held)


def _width(kind: pa.DataType) -> int | None:
    """Values per row; 0 for lists without a fixed length."""
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    return 0 if pa.types.is_list(kind) or pa.types.is_large_list(kind) else None


def _texts(schema: pa.Schema) -> dict[str, str]:
    return {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (schema.metadata or {}).items()
    }
