"""Ensembles of qp, written piece by piece without qp."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.storage import atomic_path
from pzcenter.errors import OutputExistsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["new_file", "write_interp"]


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path; what is made there appears under its name at the end.

    Raises
    ------
    OutputExistsError
        There is a file, and it is not to be replaced.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} is there already; overwrite=True replaces it")
    with atomic_path(path) as unfinished:
        yield unfinished


def write_interp(
    path: Path,
    z_grid: NDArray[np.float64],
    pieces: Iterable[tuple[NDArray[np.floating[Any]], Mapping[str, NDArray[Any]]]],
    *,
    n_rows: int,
    overwrite: bool = False,
) -> None:
    """Write an ensemble of type ``interp``.

    Parameters
    ----------
    path : Path
        HDF5 file, there when it is complete.
    z_grid : ndarray, (n_z,)
    pieces : iterable of (ndarray, (n_obj, n_z)) and (mapping of str to ndarray, (n_obj,))
        Densities and columns of ``ancil``.
    n_rows : int
        Of all pieces together.
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    OutputExistsError
        There is a file, and it is not to be replaced.
    """
    import h5py

    with new_file(path, overwrite=overwrite) as unfinished, h5py.File(unfinished, "w", libver="v110") as file:
        for name, value in (
            ("pdf_name", np.array([b"interp"])),
            ("pdf_version", np.array([0])),
            ("xvals", z_grid[None]),
        ):
            file.create_dataset(f"meta/{name}", data=value, track_times=False)
        done = 0
        for pdf, ancil in pieces:
            if done == 0:
                file.create_dataset("data/yvals", (n_rows, z_grid.size), pdf.dtype, track_times=False)
                for name, values in ancil.items():
                    file.create_dataset(f"ancil/{name}", (n_rows,), values.dtype, track_times=False)
            rows = slice(done, done + pdf.shape[0])
            file["data/yvals"][rows] = pdf
            for name, values in ancil.items():
                file[f"ancil/{name}"][rows] = values
            done += pdf.shape[0]
