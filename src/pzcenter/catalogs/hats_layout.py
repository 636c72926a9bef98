"""The files that make a directory of pixel files a HATS catalogue (HATS v1.0, IVOA Note 2025-08-22).

Only names, numbers and one empty Parquet file: no package of the LSDB stack is needed to write them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

import pzcenter
from pzcenter.catalogs.manifest import FileRecord
from pzcenter.catalogs.readers.hats import pixel_path
from pzcenter.catalogs.storage import atomic_file, write_text_atomically
from pzcenter.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["data_path", "pixel_of_path", "write_hats_metadata"]

HEALPIX_COLUMN = "_healpix_29"
HEALPIX_ORDER = 29
PIXEL_PATTERN = re.compile(r"Norder=(\d+)/(?:Dir=\d+/)?Npix=(\d+)")


def data_path(name: str) -> str:
    """Where the file of a partition goes in a data set.

    Parameters
    ----------
    name : str
        Name of a :class:`~pzcenter.catalogs.readers.Partition`: ``Norder=5/Npix=1234``, or any other name.

    Returns
    -------
    str
        ``dataset/Norder=5/Dir=0/Npix=1234.parquet`` for a HEALPix pixel, else ``NAME.parquet``.
    """
    pixel = pixel_of_path(name)
    return f"{name}.parquet" if pixel is None else f"dataset/{pixel_path(*pixel)}"


def pixel_of_path(path: str) -> tuple[int, int] | None:
    """Order and number of the HEALPix pixel in a path or partition name, None where it has none."""
    match = PIXEL_PATTERN.search(path)
    return (int(match[1]), int(match[2])) if match else None


def write_hats_metadata(
    root: Path,
    records: Sequence[FileRecord],
    *,
    name: str,
    schema: pa.Schema,
    position_columns: tuple[str, str] = ("ra", "dec"),
    default_columns: Iterable[str] | None = None,
) -> list[FileRecord]:
    """Write the properties, the list of pixels and the common schema of a HATS catalogue.

    Nothing in them depends on the time or the machine, so that the same data give the same bytes.

    Parameters
    ----------
    root : Path
        Directory of the catalogue; the data files are already below ``dataset/``.
    records : sequence of FileRecord
        The data files.
    name : str
        Name of the catalogue.
    schema : pa.Schema
        Of the data files.
    position_columns : (str, str)
        Right ascension and declination, ICRS degrees.
    default_columns : iterable of str, optional
        Columns that LSDB loads when none are named; all by default.

    Returns
    -------
    list of FileRecord
        The files that were written.

    Raises
    ------
    SchemaError
        A file is not named by a pixel, or the position columns are not in the schema.
    """
    pixels = []
    for record in records:
        pixel = pixel_of_path(record.path)
        if pixel is None:
            raise SchemaError(f"{record.path} is not named by a HEALPix pixel, as the files of a HATS catalogue are")
        pixels.append((pixel, record))
    absent = [column for column in (*position_columns, HEALPIX_COLUMN) if column not in schema.names]
    if absent:
        raise SchemaError(f"a HATS catalogue needs the columns {absent}; this table has {schema.names}")
    pixels.sort(key=lambda entry: entry[0][1] << 2 * (HEALPIX_ORDER - entry[0][0]))

    table = "Norder,Npix\n" + "".join(f"{order},{pixel}\n" for (order, pixel), _ in pixels)
    n_bytes = sum(record.n_bytes for record in records)
    properties = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "hats_nrows": sum(record.n_rows or 0 for record in records),
        "hats_col_ra": position_columns[0],
        "hats_col_dec": position_columns[1],
        "hats_col_healpix": HEALPIX_COLUMN,
        "hats_col_healpix_order": HEALPIX_ORDER,
        "hats_cols_sort": HEALPIX_COLUMN,
        "hats_npix_suffix": ".parquet",
        "hats_max_rows": max((record.n_rows or 0 for record in records), default=0),
        "hats_order": max((order for (order, _), _ in pixels), default=0),
        "hats_estsize": n_bytes // 1024,
        "moc_sky_fraction": f"{sum(1 / (12 * 4**order) for (order, _), _ in pixels):.8g}",
        "hats_builder": f"pzcenter v{pzcenter.__version__}",
        "hats_version": "v1.0",
    }
    if default_columns is not None:
        properties["hats_cols_default"] = " ".join(default_columns)
    text = "#HATS catalog\n" + "".join(f"{key}={value}\n" for key, value in properties.items())
    written = [
        _text_record(root, "partition_info.csv", table),
        _text_record(root, "hats.properties", text),
        _text_record(root, "properties", text),
    ]
    common = root / "dataset" / "_common_metadata"
    with atomic_file(common, temporary=root / ".tmp") as sink:
        pq.write_metadata(schema, pa.PythonFile(sink, mode="w"))
    return [*written, FileRecord("dataset/_common_metadata", sink.sha256, sink.n_bytes)]


def _text_record(root: Path, name: str, text: str) -> FileRecord:
    sink = write_text_atomically(root / name, text)
    return FileRecord(name, sink.sha256, sink.n_bytes)
