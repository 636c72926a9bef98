"""Skinny rows on their way to their partition: sorted runs on disk, read back range by range.

A run holds the rows of one stretch of the input, sorted along the sky, column after column. Runs are what keeps memory
bounded and a killed run restartable: each is written whole or not at all. A partition takes its range out of each run.
This is an external merge sort whose merge step is cut at HEALPix pixels.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.storage import atomic_file
from pzcenter.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Run", "sky_order", "write_ids", "write_run"]

SORTED_IDS = "sorted ids"
PIXEL, ID = "_healpix_29", "objectId"


@dataclass(frozen=True)
class Run:
    """Rows on disk.

    Parameters
    ----------
    path : Path
    n_rows : int
    layout : tuple of (str, str)
        Name and NumPy type of each column, in file order.
    """

    path: Path
    n_rows: int
    layout: tuple[tuple[str, str], ...]

    @cached_property
    def _offsets(self) -> dict[str, int]:
        offsets, position = {}, 0
        for name, kind in self.layout:
            offsets[name] = position
            position += np.dtype(kind).itemsize * self.n_rows
        return offsets

    def column(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read rows ``start`` to ``stop`` of one column."""
        return self._read((name,), start, stop)[name]

    def rows(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """Read rows ``start`` to ``stop`` of all columns."""
        return self._read([name for name, _ in self.layout if name != SORTED_IDS], start, stop)

    def _read(self, names: Iterable[str], start: int, stop: int) -> dict[str, NDArray[Any]]:
        """Read with positioned reads: a partition takes a small piece of each column of each run."""
        kinds = dict(self.layout)
        found: dict[str, NDArray[Any]] = {}
        with self.path.open("rb", buffering=0) as file:
            for name in names:
                values = np.empty(stop - start, dtype=kinds[name])
                offset = self._offsets[name] + start * values.itemsize
                if os.preadv(file.fileno(), [values.data], offset) != values.nbytes:
                    raise InternalError(f"{self.path} ends before row {stop} of column {name!r}")
                found[name] = values
        return found

    def mapped(self, name: str) -> NDArray[Any]:
        """One column as a memory map, for searching in it."""
        if self.n_rows == 0:
            return np.empty(0, dtype=dict(self.layout)[name])
        return np.memmap(
            self.path, dtype=dict(self.layout)[name], mode="r", offset=self._offsets[name], shape=(self.n_rows,)
        )

    def bounds(self, values: Sequence[int] | NDArray[np.int64], name: str = PIXEL) -> NDArray[np.int64]:
        """First row at or after each value of a sorted column."""
        return np.asarray(np.searchsorted(self.mapped(name), np.asarray(values, dtype=np.int64)))


def sky_order(columns: dict[str, NDArray[Any]]) -> NDArray[np.int64] | None:
    """Order of rows along the sky: by pixel of order 29, then by object id.

    Parameters
    ----------
    columns : dict of str to ndarray, (n_obj,)
        With ``_healpix_29`` and ``objectId``.

    Returns
    -------
    ndarray of int64, (n_obj,), or None
        None where the rows are in order already.
    """
    pixel, identity = columns[PIXEL], columns[ID]
    step = np.diff(pixel)
    if np.all(step > 0):
        return None
    order = np.argsort(pixel)
    sorted_pixel = pixel[order]
    same = np.flatnonzero(sorted_pixel[1:] == sorted_pixel[:-1])
    if same.size:
        # Only rows that share a pixel need the second key.
        is_shared = np.zeros(pixel.size, dtype=bool)
        is_shared[same] = is_shared[same + 1] = True
        shared = np.flatnonzero(is_shared)
        rows = order[shared]
        order[shared] = rows[np.lexsort((identity[rows], pixel[rows]))]
    return np.asarray(order)


def write_run(path: Path, columns: dict[str, NDArray[Any]]) -> Run:
    """Sort rows along the sky, where they have positions, and write them.

    Parameters
    ----------
    path : Path
        Written whole or not at all.
    columns : dict of str to ndarray, (n_obj,)

    Returns
    -------
    Run
        With the object ids once more, sorted, for the search for duplicates.

    Raises
    ------
    StorageError
        The file system refused.
    """
    order = sky_order(columns) if PIXEL in columns else None
    with atomic_file(path, temporary=path.parent, durable=False, hashed=False) as sink:
        for values in columns.values():
            ordered = values if order is None else values[order]
            sink.write(np.ascontiguousarray(ordered).data)
        sink.write(np.sort(columns[ID]).data)
    layout = (*((name, values.dtype.str) for name, values in columns.items()), (SORTED_IDS, "<i8"))
    return Run(path, columns[ID].size, layout)


def write_ids(path: Path, ids: NDArray[np.int64]) -> Run:
    """Write object ids alone, sorted, for the search for duplicates.

    Parameters
    ----------
    path : Path
        Written whole or not at all.
    ids : ndarray of int64, (n_obj,)

    Returns
    -------
    Run

    Raises
    ------
    StorageError
        The file system refused.
    """
    with atomic_file(path, temporary=path.parent, durable=False, hashed=False) as sink:
        sink.write(np.sort(ids.astype(np.int64, copy=False)).data)
    return Run(path, ids.size, ((SORTED_IDS, "<i8"),))
