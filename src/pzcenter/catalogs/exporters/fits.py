"""Tables to FITS binary tables, row block by row block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs.columns import float_column
from pzcenter.catalogs.densities import codes_of
from pzcenter.catalogs.storage import atomic_file
from pzcenter.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog

__all__ = ["export_fits"]

BLOCK = 2880
LETTERS = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D", "u1": "B", "S1": "L"}
STORAGE = {
    pa.int8(): "i2", pa.int16(): "i2", pa.int32(): "i4", pa.int64(): "i8", pa.uint8(): "u1", pa.uint16(): "i4",
    pa.uint32(): "i8", pa.uint64(): "i8", pa.float16(): "f4", pa.float32(): "f4", pa.float64(): "f8", pa.bool_(): "S1",
}  # fmt: skip
"""A type that FITS has and that holds all values; uint64 beyond 2^63 is refused."""


@dataclass(frozen=True)
class _Column:
    field: pa.Field
    storage: str
    repeat: int
    null: int | None

    @property
    def numpy_format(self) -> Any:
        if self.storage.startswith("S") and self.storage != "S1":
            return self.storage
        return (f">{self.storage}", (self.repeat,)) if self.repeat > 1 else f">{self.storage}"

    @property
    def tform(self) -> str:
        if pa.types.is_string(self.field.type) or pa.types.is_large_string(self.field.type):
            return f"{self.storage[1:]}A"
        return f"{self.repeat}{LETTERS[self.storage]}"

    def values(self, column: pa.Array) -> NDArray[Any]:
        if pa.types.is_fixed_size_binary(self.field.type):
            return codes_of(column)
        if self.repeat > 1:
            width = self.repeat
            return float_column(column.flatten(), self.storage).reshape(-1, width)
        kind = self.field.type
        if pa.types.is_boolean(kind):
            return np.where(float_column(column, np.float64) == 1, b"T", b"F")
        if pa.types.is_floating(kind):
            return float_column(column, self.storage)
        if pa.types.is_integer(kind):
            filled = pc.fill_null(column.cast(pa.int64()), self.null or 0) if column.null_count else column
            return np.asarray(filled.to_numpy(zero_copy_only=False))
        return np.char.encode(np.asarray(pc.fill_null(column, "").to_numpy(zero_copy_only=False), dtype=str), "utf-8")


def export_fits(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write a FITS file with one binary table.

    Parameters
    ----------
    catalog : Catalog
    path : Path
    columns : sequence of str

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ColumnError
        A column's type has no counterpart in FITS.
    """
    from astropy.io import fits

    n_rows, has_null, widths = _survey(catalog, columns)
    chosen = [_describe(catalog.schema.field(name), name in has_null, widths.get(name, 1)) for name in columns]
    layout = np.dtype([(f"c{index}", column.numpy_format) for index, column in enumerate(chosen)])
    header = fits.Header()
    header["XTENSION"] = ("BINTABLE", "binary table")
    for key, value in (("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", layout.itemsize), ("NAXIS2", n_rows), ("PCOUNT", 0),
                       ("GCOUNT", 1), ("TFIELDS", len(chosen))):  # fmt: skip
        header[key] = value
    for index, column in enumerate(chosen, 1):
        header[f"TTYPE{index}"] = column.field.name
        header[f"TFORM{index}"] = column.tform
        if column.null is not None:
            header[f"TNULL{index}"] = column.null
        if unit := (column.field.metadata or {}).get(b"unit"):
            header[f"TUNIT{index}"] = unit.decode()
    with atomic_file(path) as sink:
        sink.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        sink.write(header.tostring().encode("ascii"))
        for rows in _blocks(catalog, columns, chosen, layout):
            sink.write(rows.view(np.uint8).data)
        sink.write(b"\0" * (-n_rows * layout.itemsize % BLOCK))
    return n_rows


def _blocks(
    catalog: Catalog, columns: Sequence[str], chosen: Sequence[_Column], layout: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    for batch in catalog.batches(columns):
        rows = np.zeros(batch.num_rows, dtype=layout)
        for index, column in enumerate(chosen):
            rows[f"c{index}"] = column.values(batch.column(index))
        yield rows


def _survey(catalog: Catalog, columns: Sequence[str]) -> tuple[int, set[str], dict[str, int]]:
    """Rows, whole-number columns with nulls, and the longest text: FITS wants to know them before the first row."""
    texts = [n for n in columns if pa.types.is_string(k := catalog.schema.field(n).type) or pa.types.is_large_string(k)]
    whole = [n for n in columns if pa.types.is_integer(catalog.schema.field(n).type)]
    looked_at = [*texts, *whole] or list(columns[:1])
    n_rows, has_null, widths = 0, set[str](), dict.fromkeys(texts, 1)
    for batch in catalog.batches(looked_at):
        n_rows += batch.num_rows
        has_null.update(name for name in whole if batch.column(name).null_count)
        for name in texts:
            widths[name] = max(widths[name], pc.max(pc.binary_length(batch.column(name))).as_py() or 1)
    return n_rows, has_null, widths


def _describe(field: pa.Field, has_null: bool, width: int) -> _Column:
    kind = field.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _Column(field, f"S{width}", 1, None)
    if pa.types.is_fixed_size_binary(kind):
        return _Column(field, "u1", kind.byte_width, None)
    repeat = kind.list_size if pa.types.is_fixed_size_list(kind) else 1
    storage = STORAGE.get(kind.value_type if repeat > 1 else kind)
    if storage is None or (repeat > 1 and storage == "S1"):
        raise ColumnError(f"column {field.name!r} of type {kind} has no counterpart in FITS; choose other columns")
    null = int(np.iinfo(storage).min) if has_null and storage in {"i2", "i4", "i8"} else None
    if has_null and storage == "u1":
        return _Column(field, "i2", 1, int(np.iinfo("i2").min))
    return _Column(field, storage, repeat, null)
