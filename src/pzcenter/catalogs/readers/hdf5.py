"""HDF5: one-dimensional data sets of equal length, at the root or in one group (RAIL's ``photometry/``).

A data set of a compound type (PyTables, ``pandas.to_hdf(format="table")``) is read too: its fields are the columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.readers.catalog import Catalog
from pzcenter.errors import FileFormatError, NotFoundError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["CHOOSE_GROUP", "Hdf5Catalog"]

CHOOSE_GROUP = "choose one with group="
"""What to do about several tables, for those who read the file themselves."""

PREFERRED_GROUP = "photometry"
MAX_DIMENSIONS = 2


class Hdf5Catalog(Catalog):
    """One table of an HDF5 file; ``group`` names it where there are several."""

    format: ClassVar[str] = "hdf5"
    suffixes: ClassVar[tuple[str, ...]] = (".hdf5", ".h5", ".hdf", ".he5")
    magic: ClassVar[tuple[bytes, ...]] = (b"\x89HDF",)

    def _read_schema(self) -> pa.Schema:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                tables = _find_tables(file)
                self._table = self._choose(tables)
                self._compound = isinstance(file[self._table], h5py.Dataset)
                sources = _columns(file[self._table])
                lengths = {name: shape[0] for name, (_, shape, _) in sources.items()}
                if len(set(lengths.values())) != 1:
                    raise FileFormatError(
                        f"{self.path}: the columns of group {self._table!r} must be of one length; they are {lengths}"
                    )
                self._n_rows = next(iter(lengths.values()))
                return pa.schema(
                    [
                        pa.field(name, _arrow_type(dtype, shape), metadata={"unit": unit} if unit else None)
                        for name, (dtype, shape, unit) in sources.items()
                    ]
                )
        except OSError as error:
            raise FileFormatError(f"{self.path} cannot be read as HDF5; it is damaged or cut short: {error}") from error

    def _choose(self, tables: list[str]) -> str:
        if self.group is not None:
            wanted = "/" + self.group.strip("/")
            if wanted not in tables:
                raise NotFoundError(f"{self.path} has no table in group {self.group!r}; its tables are in {tables}")
            return wanted
        if not tables:
            raise FileFormatError(f"{self.path} has no columns: no one-dimensional data sets in the root or in a group")
        preferred = [table for table in tables if table == f"/{PREFERRED_GROUP}"]
        if len(tables) > 1 and not preferred:
            raise FileFormatError(f"{self.path} has several tables, in {tables}: {CHOOSE_GROUP}")
        return (preferred or tables)[0]

    @property
    def n_rows(self) -> int:
        """Number of rows, from the shape of the data sets."""
        return self._n_rows

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        import h5py

        stop = self._n_rows if stop is None else min(stop, self._n_rows)
        schema = pa.schema([self.schema.field(name) for name in columns])
        with h5py.File(self.path, "r") as file:
            table = file[self._table]
            for low in range(start, stop, batch_size):
                high = min(low + batch_size, stop)
                try:
                    rows = table[low:high] if self._compound else {name: table[name][low:high] for name in columns}
                except OSError as error:
                    raise FileFormatError(f"{self.path} cannot be read at rows {low} to {high}: {error}") from error
                arrays = [_arrow_array(rows[name], schema.field(name).type) for name in columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _find_tables(file: Any) -> list[str]:
    """Paths of groups that hold data sets as columns, and of compound data sets."""
    import h5py

    found = []

    def visit(path: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            if node.dtype.names and node.ndim == 1:
                found.append(f"/{path}")
        elif any(_is_column(child) for child in node.values()):
            found.append(f"/{path}")

    if any(_is_column(child) for child in file.values()):
        found.append("/")
    file.visititems(visit)
    return found


def _is_column(node: Any) -> bool:
    import h5py

    return (
        isinstance(node, h5py.Dataset)
        and 1 <= node.ndim <= MAX_DIMENSIONS
        and node.dtype.names is None
        and (node.dtype.kind in "biufS" or h5py.check_string_dtype(node.dtype) is not None)
    )


def _columns(table: Any) -> dict[str, tuple[np.dtype[Any], tuple[int, ...], str | None]]:
    """Name to type, shape and unit."""
    import h5py

    if isinstance(table, h5py.Dataset):
        described: dict[str, tuple[np.dtype[Any], tuple[int, ...], str | None]] = {}
        for name in table.dtype.names:
            dtype = table.dtype[name]
            base, shape = dtype.subdtype or (dtype, ())
            described[name] = (base, (table.shape[0], *shape), None)
        return described
    return {name: (node.dtype, node.shape, _unit(node)) for name, node in table.items() if _is_column(node)}


def _unit(node: Any) -> str | None:
    unit = node.attrs.get("unit", node.attrs.get("units"))
    return unit.decode() if isinstance(unit, bytes) else unit if isinstance(unit, str) else None


def _arrow_type(dtype: np.dtype[Any], shape: tuple[int, ...]) -> pa.DataType:
    item = pa.string() if dtype.kind in "SOU" else pa.from_numpy_dtype(dtype.newbyteorder("="))
    return pa.list_(item, shape[1]) if len(shape) == MAX_DIMENSIONS else item


def _arrow_array(values: NDArray[Any], arrow_type: pa.DataType) -> pa.Array:
    if values.ndim == MAX_DIMENSIONS:
        return pa.FixedSizeListArray.from_arrays(
            _arrow_array(values.reshape(-1), arrow_type.value_type), values.shape[1]
        )
    if values.dtype.kind == "O":
        return pa.array([v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values], type=pa.string())
    if values.dtype.kind == "S":
        return pa.array(np.char.decode(values, "utf-8", "replace"), type=pa.string())
    if values.dtype.kind not in "biuf":
        raise SchemaError(f"HDF5 values of type {values.dtype} are not supported")
    return pa.array(values.astype(values.dtype.newbyteorder("="), copy=False))
