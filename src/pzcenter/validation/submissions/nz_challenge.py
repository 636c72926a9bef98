"""Files of the DESC photo-z data challenge (2026), part n(z): bin assignments and redshift distributions of bins.

For each task set, simulation and scenario there are ``..._bhat_wfd.hdf5`` (a bin for each object, -1 where none),
``..._nz_estimate_wfd.hdf5`` (a qp ensemble with one n(z) for each bin and ``n_objects`` in ``ancil``) and, where asked
for, ``..._nz_samples_wfd.hdf5`` (equally likely n(z), with ``bin_idx`` and ``i_realization``). Source: the repository
LSSTDESC/nz_data_challenge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ColumnError, FileFormatError, ShapeError
from pzcenter.science.pz import integral

from .hdf5_columns import Hdf5Columns, open_hdf5, safe_datasets
from .object_ids import whole_ids
from .opening import open_submission
from .qp_layout import read_qp
from .qp_writing import new_file, write_interp

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BinAssignment",
    "NzEstimate",
    "bin_assignment_name",
    "nz_estimate_name",
    "nz_samples_name",
    "read_bin_assignment",
    "read_nz_estimate",
    "write_bin_assignment",
    "write_nz_estimate",
]

BIN_NAMES = ("tomo_bin_index", "bhat_for_wide_data", "bhat")
"""Names of the column of bins: the first is what the challenge checks, the second what its text and RAIL call it."""
UNASSIGNED = -1


@dataclass(frozen=True, eq=False)
class BinAssignment:
    """Tomographic bin of each object.

    Parameters
    ----------
    object_id : ndarray of int64, (n_obj,)
    bin_index : ndarray of int64, (n_obj,)
        From 0; -1 where the object is in no bin.
    """

    object_id: NDArray[np.int64]
    bin_index: NDArray[np.int64]

    def counts(self, n_bin: int) -> NDArray[np.int64]:
        """Objects in each bin, (n_bin,)."""
        return np.bincount(self.bin_index[self.bin_index >= 0], minlength=n_bin)


@dataclass(frozen=True, eq=False)
class NzEstimate:
    """Redshift distributions of tomographic bins.

    Parameters
    ----------
    nz : ndarray, (n_nz, n_z)
        Unit integral.
    z_grid : ndarray, (n_z,)
    ancil : dict of str to ndarray, (n_nz,)
        ``n_objects``; of samples ``bin_idx`` and ``i_realization``.
    """

    nz: NDArray[np.floating[Any]]
    z_grid: NDArray[np.float64]
    ancil: dict[str, NDArray[Any]] = field(default_factory=dict)


def _name(taskset: int, simulation: str, scenario: str, content: str, field_name: str) -> str:
    return f"nz_challenge_taskset_{taskset}_{simulation}_{scenario}_{content}_{field_name}.hdf5"


def bin_assignment_name(taskset: int, simulation: str, scenario: str, *, sky: str = "wfd") -> str:
    """File name of a bin assignment."""
    return _name(taskset, simulation, scenario, "bhat", sky)


def nz_estimate_name(taskset: int, simulation: str, scenario: str, *, sky: str = "wfd") -> str:
    """File name of the n(z) of all bins."""
    return _name(taskset, simulation, scenario, "nz_estimate", sky)


def nz_samples_name(taskset: int, simulation: str, scenario: str, *, sky: str = "wfd") -> str:
    """File name of equally likely n(z) of all bins."""
    return _name(taskset, simulation, scenario, "nz_samples", sky)


def read_bin_assignment(path: str | os.PathLike[str]) -> BinAssignment:
    """Read the bins of objects.

    Parameters
    ----------
    path : path
        HDF5 with ``object_id`` and one of :data:`BIN_NAMES`.

    Returns
    -------
    BinAssignment

    Raises
    ------
    ColumnError
        A column is missing, or a value is no whole number, or below -1.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        names = {place.rsplit("/", 1)[-1]: place for place in safe_datasets(file, path)}
    bins = next((name for name in BIN_NAMES if name in names), None)
    if bins is None or "object_id" not in names:
        raise ColumnError(f"{path} needs 'object_id' and one of {BIN_NAMES}; it has {sorted(names)}")
    columns = Hdf5Columns(path, {name: names[name] for name in ("object_id", bins)}, metadata={})
    rows = next(columns.batches(["object_id", bins], columns.n_rows))
    index = whole_ids(rows[bins], f"{path}: column {bins!r}")
    if index.min() < UNASSIGNED:
        row = int(np.argmin(index))
        raise ColumnError(f"{path}: the bin in row {row} is {index[row]}; accepted are bins from 0, and -1 for none")
    return BinAssignment(whole_ids(rows["object_id"], f"{path}: column 'object_id'"), index)


def write_bin_assignment(
    path: str | os.PathLike[str], object_id: ArrayLike, bin_index: ArrayLike, *, overwrite: bool = False
) -> None:
    """Write the bins of objects, under the name that the challenge checks and under the one of RAIL.

    Parameters
    ----------
    path : path
    object_id : ndarray, (n_obj,)
    bin_index : ndarray, (n_obj,)
        From 0; -1 where the object is in no bin.
    overwrite : bool
        Whether a file that is there is replaced.

    Raises
    ------
    ShapeError
        The arrays are not of one length.
    OutputExistsError
        There is a file, and it is not to be replaced.
    """
    import h5py

    ids, bins = whole_ids(object_id, "object_id"), whole_ids(bin_index, "bin_index")
    if ids.size != bins.size:
        raise ShapeError(f"one bin per object is needed; got {ids.size} objects and {bins.size} bins")
    with new_file(Path(path), overwrite=overwrite) as unfinished, h5py.File(unfinished, "w", libver="v110") as file:
        for name, values in (("object_id", ids), *((name, bins) for name in BIN_NAMES[:2])):
            file.create_dataset(name, data=values, track_times=False)


def read_nz_estimate(path: str | os.PathLike[str], *, z_grid: ArrayLike | None = None) -> NzEstimate:
    """Read redshift distributions of bins.

    Parameters
    ----------
    path : path
        qp ensemble of any type with ``n_objects`` in ``ancil`` (samples may have ``bin_idx`` instead).
    z_grid : ndarray, (n_z,), optional
        By default that of the file.

    Returns
    -------
    NzEstimate

    Raises
    ------
    FileFormatError
        ``ancil`` has neither ``n_objects`` nor ``bin_idx``; what :func:`.open_submission` refuses.
    """
    path = Path(path)
    columns, form = read_qp(path)
    ancil = [name for name, width in columns.widths.items() if name not in form.columns and width in (None, 1)]
    if not {"n_objects", "bin_idx"} & set(ancil):
        raise FileFormatError(f"{path}: ancil needs n_objects, or bin_idx for samples; it has {ancil}")
    submission = open_submission(path, format="qp", z_grid=z_grid, ids=np.arange(columns.n_rows))
    nz = np.concatenate([np.asarray(chunk.pz) for chunk in submission.chunks()])
    rows = next(columns.batches(ancil, columns.n_rows))
    return NzEstimate(nz, submission.z_grid, {name: np.ravel(rows[name]) for name in ancil})


def write_nz_estimate(
    path: str | os.PathLike[str],
    nz: NDArray[np.floating[Any]],
    z_grid: NDArray[np.float64],
    *,
    overwrite: bool = False,
    **ancil: ArrayLike,
) -> None:
    """Write redshift distributions of bins as the challenge reads them.

    Parameters
    ----------
    path : path
    nz : ndarray, (n_nz, n_z)
        Brought to unit integral.
    z_grid : ndarray, (n_z,)
    overwrite : bool
        Whether a file that is there is replaced.
    **ancil : ndarray, (n_nz,)
        ``n_objects``; of samples also ``bin_idx`` and ``i_realization``.

    Raises
    ------
    ColumnError
        ``n_objects`` and ``bin_idx`` are both missing.
    ShapeError
        A column is not of the length of ``nz``.
    """
    columns = {name: np.asarray(values) for name, values in ancil.items()}
    if not {"n_objects", "bin_idx"} & set(columns):
        raise ColumnError(f"n(z) files need n_objects, or bin_idx for samples; got {sorted(columns)}")
    for name, values in columns.items():
        if values.shape != (len(nz),):
            raise ShapeError(f"{name} must have one value for each n(z), {len(nz)}; its shape is {values.shape}")
    unit = nz / integral(nz, z_grid)[:, None]
    write_interp(Path(path), z_grid, [(unit, columns)], n_rows=len(nz), overwrite=overwrite)
