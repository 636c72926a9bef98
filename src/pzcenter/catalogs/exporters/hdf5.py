"""Tables to HDF5, with one group of columns as RAIL reads them; magnitudes where RAIL wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import float_column
from pzcenter.catalogs.densities import codes_of
from pzcenter.catalogs.photometry import bands_of, photometry_of
from pzcenter.catalogs.storage import atomic_path
from pzcenter.errors import BandError, ColumnError
from pzcenter.science.photometry import flux_err_to_mag_err, flux_to_mag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog

__all__ = ["export_hdf5", "export_rail"]

GROUP = "photometry"
CHUNK_ROWS = 1 << 16
RAIL_NON_DETECTION = 99.0
"""RAIL's default ``nondetect_val``; the error is then the limiting magnitude of one standard deviation."""


def export_hdf5(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write all columns as they are into the group ``photometry``.

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
        A column's type has no counterpart.
    """
    return _write(path, (_plain(batch) for batch in catalog.batches(columns)))


def export_rail(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write a skinny table as RAIL's stages read it: ``photometry/mag_{band}_lsst`` and ``mag_err_{band}_lsst``.

    A flux that is not positive becomes 99 with the limiting magnitude of one standard deviation as error, which is
    RAIL's convention; a missing band becomes NaN. Also ``id``, and ``ra``, ``dec``, ``ebv``, ``redshift`` where known.

    Parameters
    ----------
    catalog : Catalog
        Skinny table.
    path : Path
    columns : sequence of str
        Of the skinny table.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    BandError
        The table has no skinny fluxes.
    """
    if not bands_of(catalog.schema):
        raise BandError(f"{catalog.path} has no columns flux_BAND and flux_err_BAND: make a skinny table of it first")
    return _write(path, (_rail_columns(batch) for batch in catalog.batches(columns)))


def _rail_columns(batch: pa.RecordBatch) -> dict[str, NDArray[Any]]:
    photometry = photometry_of(batch)
    assert photometry.object_id is not None
    found: dict[str, NDArray[Any]] = {"id": photometry.object_id}
    for index, band in enumerate(photometry.bands):
        flux, flux_err = photometry.flux[:, index], photometry.flux_err[:, index]
        faint = flux <= 0
        found[f"mag_{band}_lsst"] = np.where(faint, RAIL_NON_DETECTION, flux_to_mag(flux)).astype(np.float32)
        error = np.where(faint, flux_to_mag(flux_err), flux_err_to_mag_err(flux, flux_err))
        found[f"mag_err_{band}_lsst"] = error.astype(np.float32)
    for name, rail_name in (("ra", "ra"), ("dec", "dec"), ("ebv", "ebv"), ("z_spec", "redshift")):
        if name in batch.schema.names:
            found[rail_name] = float_column(batch.column(name))
    return found


def _plain(batch: pa.RecordBatch) -> dict[str, NDArray[Any]]:
    return {name: _array(name, batch.column(name)) for name in batch.schema.names}


def _array(name: str, column: pa.Array) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_fixed_size_binary(kind):
        return codes_of(column)
    if pa.types.is_fixed_size_list(kind):
        return _array(name, column.flatten()).reshape(-1, kind.list_size)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array([b"" if value is None else value.encode() for value in column.to_pylist()], dtype=object)
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and not column.null_count):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return float_column(column, kind.to_pandas_dtype() if pa.types.is_floating(kind) else np.float64)
    raise ColumnError(f"column {name!r} of type {kind} has no counterpart in HDF5; choose other columns")


def _write(path: Path, blocks: Iterator[dict[str, NDArray[Any]]]) -> int:
    import h5py

    n_rows = 0
    # Without times in the file the same rows give the same bytes.
    with atomic_path(path) as unfinished, h5py.File(unfinished, "w", libver="v110") as file:
        group = file.create_group(GROUP)
        for block in blocks:
            n_new = len(next(iter(block.values())))
            for name, values in block.items():
                if name not in group:
                    text = values.dtype == object
                    group.create_dataset(
                        name,
                        shape=(0, *values.shape[1:]),
                        maxshape=(None, *values.shape[1:]),
                        chunks=(max(1, CHUNK_ROWS // max(1, values.size // max(n_new, 1))), *values.shape[1:]),
                        dtype=h5py.string_dtype() if text else values.dtype,
                        track_times=False,
                    )
                group[name].resize(n_rows + n_new, axis=0)
                group[name][n_rows:] = values
            n_rows += n_new
    return n_rows
