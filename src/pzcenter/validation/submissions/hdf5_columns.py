"""Columns of an HDF5 file, opened with suspicion: no links out of the file, no objects, no pieces too large to hold."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import EmptyTableError, FileFormatError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

__all__ = ["Hdf5Columns", "open_hdf5", "safe_datasets", "small_values"]

MAX_DATASETS = 10_000
MAX_PIECE_BYTES = 1 << 29
"""Of one stored chunk, which the library unpacks whole whatever is asked of it."""
MAX_METADATA_VALUES = 1 << 20


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises
    ------
    FileFormatError
        It is damaged, or ends before its end.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read as HDF5; it is damaged or cut short: {error}") from error


def safe_datasets(file: h5py.File, path: Path) -> dict[str, h5py.Dataset]:
    """All data sets of a file by their path, after a look at each link.

    Raises
    ------
    FileFormatError
        A link or data set that points out of the file, values that are pickled or other objects, or too many of them.
    """
    found: dict[str, Any] = {}
    _walk(file, "", path, found)
    return found


def _walk(group: Any, prefix: str, path: Path, found: dict[str, Any]) -> None:
    import h5py

    for name in group:
        place = f"{prefix}{name}"
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise FileFormatError(f"{path}: {place!r} is a link ({type(link).__name__}); submissions hold their data")
        node = group[name]
        if isinstance(node, h5py.Group):
            if place.count("/") > 8 or len(found) > MAX_DATASETS:
                raise FileFormatError(f"{path} has more than {MAX_DATASETS} data sets, or groups nested too deeply")
            _walk(node, f"{place}/", path, found)
        elif isinstance(node, h5py.Dataset):
            found[place] = _checked(node, place, path)


def _checked(node: Any, place: str, path: Path) -> Any:
    import h5py

    if node.is_virtual or node.external:
        raise FileFormatError(f"{path}: {place!r} takes its data from another file; submissions hold their data")
    is_text = h5py.check_string_dtype(node.dtype) is not None
    if node.dtype.kind in "OV" and not is_text:
        raise FileFormatError(
            f"{path}: {place!r} holds objects or opaque bytes ({node.dtype}), perhaps pickled; they are never read. "
            f"Accepted are numbers and text"
        )
    piece = int(np.prod(node.chunks, dtype=np.float64)) * node.dtype.itemsize if node.chunks else 0
    if piece > MAX_PIECE_BYTES:
        raise FileFormatError(f"{path}: {place!r} is stored in chunks of {piece} bytes; accepted are {MAX_PIECE_BYTES}")
    return node


class Hdf5Columns:
    """Data sets of one length as columns, all others as metadata.

    Parameters
    ----------
    path : Path
    columns : mapping of str to str
        Name of a column to the path of its data set.
    metadata : mapping
        Values of the other data sets, and attributes.
    n_rows : int

    Raises
    ------
    ShapeError
        The columns are not of one length.
    EmptyTableError
        There are no rows.
    """

    def __init__(
        self, path: Path, columns: Mapping[str, str], *, metadata: Mapping[str, Any], n_rows: int | None = None
    ) -> None:
        self.path = path
        self.metadata = dict(metadata)
        self._places = dict(columns)
        self.widths: dict[str, int | None] = {}
        lengths: dict[str, int] = {}
        with open_hdf5(path) as file:
            for name, place in self._places.items():
                shape = file[place].shape
                if not 1 <= len(shape) <= 2:
                    raise ShapeError(f"{path}: {place!r} must have one or two dimensions; it has the shape {shape}")
                lengths[place] = shape[0]
                self.widths[name] = shape[1] if len(shape) == 2 else None
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{path}: columns must have one length, the number of objects; they have {lengths}")
        self.n_rows: int = next(iter(lengths.values()), 0) if n_rows is None else n_rows
        if self.n_rows == 0:
            raise EmptyTableError(f"{path} has no objects; at least 1 is needed")

    def batches(self, names: Sequence[str], size: int) -> Iterator[dict[str, NDArray[Any]]]:
        """See :class:`.columns.Columns`."""
        with open_hdf5(self.path) as file:
            nodes = {name: file[self._places[name]] for name in names}
            for low in range(0, self.n_rows, size):
                high = min(low + size, self.n_rows)
                yield {name: self._read(node, low, high) for name, node in nodes.items()}

    def _read(self, node: Any, low: int, high: int) -> NDArray[Any]:
        try:
            values = np.asarray(node[low:high])
        except OSError as error:
            raise FileFormatError(
                f"{self.path}: rows {low} to {high} of {node.name!r} cannot be read: {error}"
            ) from error
        return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def small_values(node: Any, path: Path) -> Any:
    """Value of a data set that holds for all objects.

    Raises
    ------
    FileFormatError
        It is too large for that.
    """
    if node.size is None or node.size > MAX_METADATA_VALUES:
        raise FileFormatError(f"{path}: {node.name!r} has {node.size} values; a grid has at most {MAX_METADATA_VALUES}")
    value = np.asarray(node[()])
    if value.dtype.kind in "SO":
        first = value.ravel()[0] if value.size else b""
        return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return value
