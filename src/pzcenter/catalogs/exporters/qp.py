"""Redshift densities to and from the files of ``qp``, the ensembles of the RAIL ecosystem.

The layout is that of a ``qp`` ensemble of type ``interp``: ``meta`` with the grid, ``data/yvals`` with a row for each
object, ``ancil`` with object ids and modes. It is written directly, batch by batch; ``qp`` itself is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import int_column
from pzcenter.catalogs.densities import ENCODING, code_column, codes_of, grid_metadata, grid_of
from pzcenter.catalogs.storage import atomic_path
from pzcenter.catalogs.writers import finish_dataset, write_partition
from pzcenter.errors import FileFormatError, MissingDependencyError, SchemaError
from pzcenter.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog

__all__ = ["export_qp", "import_qp", "is_qp_file", "qp_ensemble"]

BATCH_ROWS = 20_000
"""Objects unpacked at one time: 24 MB on 301 points."""
PARTITION_ROWS = 150_000
FLAT_TOP = (253 / 255) ** 2


def export_qp(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write packed densities as a ``qp`` ensemble.

    Parameters
    ----------
    catalog : Catalog
        Table ``pz_pdf``.
    path : Path
        HDF5 file.
    columns : sequence of str
        Not used: an ensemble has its own columns.

    Returns
    -------
    int
        Number of objects.

    Raises
    ------
    SchemaError
        The table has no packed densities.
    """
    import h5py

    del columns
    absent = [name for name in ("objectId", "pdf_code", "pdf_max") if name not in catalog.column_names]
    if absent:
        raise SchemaError(f"{catalog.path} has no columns {absent}: qp files are made of the pz_pdf table")
    z_grid = grid_of(catalog.schema)
    from pzcenter.science.packing import get_encoding

    encoding = get_encoding(ENCODING)
    n_rows, done = catalog.n_rows, 0
    with atomic_path(path) as unfinished, h5py.File(unfinished, "w", libver="v110") as file:
        _write_meta(file, z_grid)
        yvals = file.create_dataset("data/yvals", (n_rows, z_grid.size), np.float32, chunks=True, track_times=False)
        object_id = file.create_dataset("ancil/object_id", (n_rows,), np.int64, track_times=False)
        zmode = file.create_dataset("ancil/zmode", (n_rows,), np.float64, track_times=False)
        for batch in catalog.batches(["objectId", "pdf_code", "pdf_max"], BATCH_ROWS):
            pdf = _unpack(batch, encoding, z_grid)
            rows = slice(done, done + batch.num_rows)
            yvals[rows], object_id[rows] = pdf, int_column(batch.column("objectId"), "objectId")
            zmode[rows] = _modes(pdf, z_grid)
            done += batch.num_rows
    return done


def qp_ensemble(pz_pdf: pa.Table) -> Any:
    """Give packed densities as a ``qp`` ensemble in memory, 1.2 kB for each object.

    Parameters
    ----------
    pz_pdf : pa.Table

    Returns
    -------
    qp.Ensemble
        Of type ``interp``, with object ids and modes; NaN where there is no estimate.

    Raises
    ------
    MissingDependencyError
        ``qp`` is not installed.
    SchemaError
        The table has no packed densities.
    """
    try:
        import qp
    except ImportError as error:
        raise MissingDependencyError("a qp ensemble needs the package qp-prob: pip install qp-prob") from error
    z_grid = grid_of(pz_pdf.schema)
    from pzcenter.science.packing import get_encoding

    encoding = get_encoding(ENCODING)
    yvals = np.empty((pz_pdf.num_rows, z_grid.size), dtype=np.float32)
    modes = np.empty(pz_pdf.num_rows)
    done = 0
    for batch in pz_pdf.select(["objectId", "pdf_code", "pdf_max"]).to_batches(BATCH_ROWS):
        rows = slice(done, done + batch.num_rows)
        yvals[rows] = _unpack(batch, encoding, z_grid)
        modes[rows] = _modes(yvals[rows], z_grid)
        done += batch.num_rows
    ancil = {"object_id": int_column(pz_pdf.column("objectId"), "objectId"), "zmode": modes}
    return qp.Ensemble(qp.interp, data={"xvals": z_grid, "yvals": yvals, "norm": False, "warn": False}, ancil=ancil)


def _modes(pdf: NDArray[np.float32], z_grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middle of the flat top: neighbouring codes within two of the largest may stand for the same density."""
    place = np.arange(z_grid.size)
    peak = np.argmax(pdf, axis=1)[:, None]
    below = pdf < FLAT_TOP * pdf.max(axis=1, keepdims=True)
    first = np.where(below & (place < peak), place, -1).max(axis=1) + 1
    last = np.where(below & (place > peak), place, z_grid.size).min(axis=1) - 1
    return np.where(np.isfinite(pdf[:, 0]), z_grid[(first + last) // 2], np.nan)


def _write_meta(file: Any, z_grid: NDArray[np.float64]) -> None:
    file.create_dataset("meta/pdf_name", data=np.array([b"interp"]), track_times=False)
    file.create_dataset("meta/pdf_version", data=np.array([0]), track_times=False)
    file.create_dataset("meta/xvals", data=z_grid[None, :], track_times=False)


def _unpack(batch: pa.RecordBatch, encoding: Any, z_grid: NDArray[np.float64]) -> NDArray[np.float32]:
    code = codes_of(batch.column("pdf_code"))
    row_max = batch.column("pdf_max").to_numpy(zero_copy_only=False)
    return np.asarray(encoding.unpack(code, row_max, z_grid))


def is_qp_file(path: Path) -> bool:
    """Whether a file is a ``qp`` ensemble in HDF5."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return "meta/pdf_name" in file and "data" in file


def import_qp(path: Path, destination: Path) -> int:
    """Pack the densities of a ``qp`` ensemble as the table ``pz_pdf``, in parts of 150,000 objects.

    Parameters
    ----------
    path : Path
        HDF5 file of type ``interp`` on a uniform grid.
    destination : Path
        Directory that does not exist yet.

    Returns
    -------
    int
        Number of objects. Their ids are ``ancil/object_id`` or ``ancil/id``, else row numbers.

    Raises
    ------
    FileFormatError
        An ensemble of another type.
    GridError
        The grid is not uniform.
    """
    import h5py

    from pzcenter.science.packing import get_encoding

    encoding = get_encoding(ENCODING)
    records = []
    with h5py.File(path, "r") as file:
        kind = file["meta/pdf_name"][0]
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if kind != "interp":
            raise FileFormatError(
                f"{path} is a qp ensemble of type {kind!r}; accepted is 'interp': convert it with qp.convert first"
            )
        z_grid = np.asarray(file["meta/xvals"][()], dtype=np.float64).ravel()
        yvals, n_rows = file["data/yvals"], int(file["data/yvals"].shape[0])
        ids = next((file[name] for name in ("ancil/object_id", "ancil/id") if name in file), None)
        schema = _pdf_schema(z_grid)
        for index, start in enumerate(range(0, n_rows, PARTITION_ROWS)):
            stop = min(start + PARTITION_ROWS, n_rows)
            code, row_max = encoding.pack(np.asarray(yvals[start:stop], dtype=np.float32))
            object_id = np.arange(start, stop) if ids is None else np.asarray(ids[start:stop], dtype=np.int64)
            arrays = [pa.array(object_id), code_column(np.asarray(code, dtype=np.uint8)), pa.array(row_max)]
            table = pa.Table.from_arrays([a.cast(f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema)
            records.append(write_partition(table, destination, f"part-{index:05d}.parquet"))
    finish_dataset(destination, records, table="pz_pdf", schema=schema)
    return n_rows


def _pdf_schema(z_grid: NDArray[np.float64]) -> pa.Schema:
    schema = arrow_schema("pz_pdf", columns=["objectId", "pdf_code", "pdf_max"], sizes={"pdf_code": z_grid.size})
    return schema.with_metadata({**(schema.metadata or {}), **grid_metadata(z_grid)})
