"""The files that make a directory of pixel files a HATS catalogue (HATS v1.0, IVOA Note 2025-08-22).

Only names, numbers and one empty Parquet file: no package of the LSDB stack is needed to write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

import pzcenter
from pzcenter.catalogs.manifest import FileRecord
from pzcenter.catalogs.readers.hats import COLLECTION_FILE, pixel_path
from pzcenter.catalogs.storage import atomic_file, write_text_atomically
from pzcenter.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["MarginOf", "data_path", "part_path", "pixel_of_path", "write_collection", "write_hats_metadata"]

HEALPIX_COLUMN = "_healpix_29"
HEALPIX_ORDER = 29
PIXEL_PATTERN = re.compile(r"Norder=(\d+)/(?:Dir=\d+/)?Npix=(\d+)")
DIRECTORY_PATTERN = re.compile(r"Npix=\d+/")


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


def part_path(order: int, pixel: int, part: str) -> str:
    """Where one of several files of a HEALPix pixel goes in a data set.

    Parameters
    ----------
    order, pixel : int
        HEALPix order and NESTED pixel number.
    part : str
        Name of the file without its ending, such as ``tract_4431``.

    Returns
    -------
    str
        ``dataset/Norder=5/Dir=0/Npix=1234/tract_4431.parquet``
    """
    return f"dataset/{pixel_path(order, pixel, f'/{part}.parquet')}"


def pixel_of_path(path: str) -> tuple[int, int] | None:
    """Order and number of the HEALPix pixel in a path or partition name, None where it has none."""
    match = PIXEL_PATTERN.search(path)
    return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True)
class MarginOf:
    """What makes a HATS catalogue the margin of another.

    Parameters
    ----------
    primary : str
        Name of the catalogue whose pixels it surrounds.
    radius_arcsec : float
        Rows outside a pixel and within this distance of it are in the pixel's margin.
    """

    primary: str
    radius_arcsec: float


def write_hats_metadata(
    root: Path,
    records: Sequence[FileRecord],
    *,
    name: str,
    schema: pa.Schema,
    position_columns: tuple[str, str] = ("ra", "dec"),
    default_columns: Iterable[str] | None = None,
    margin: MarginOf | None = None,
) -> list[FileRecord]:
    """Write the properties, the list of pixels and the common schema of a HATS catalogue.

    Nothing in them depends on the time or the machine, so that the same data give the same bytes.

    Parameters
    ----------
    root : Path
        Directory of the catalogue; the data files are already below ``dataset/``.
    records : sequence of FileRecord
        The data files: one for each pixel, or each in the directory of its pixel.
    name : str
        Name of the catalogue.
    schema : pa.Schema
        Of the data files.
    position_columns : (str, str)
        Right ascension and declination, ICRS degrees.
    default_columns : iterable of str, optional
        Columns that LSDB loads when none are named; all by default.
    margin : MarginOf, optional
        For the margin of another catalogue.

    Returns
    -------
    list of FileRecord
        The files that were written.

    Raises
    ------
    SchemaError
        A file is not named by a pixel, some files are named by pixels and some lie in directories of pixels, or the
        position columns are not in the schema.
    """
    absent = [column for column in (*position_columns, HEALPIX_COLUMN) if column not in schema.names]
    if absent:
        raise SchemaError(f"a HATS catalogue needs the columns {absent}; this table has {schema.names}")
    rows = _rows_of_pixels(records)
    table = "Norder,Npix\n" + "".join(f"{order},{pixel}\n" for order, pixel in rows)
    properties: dict[str, object] = {
        "obs_collection": name,
        "dataproduct_type": "object" if margin is None else "margin",
        "hats_nrows": sum(rows.values()),
        "hats_col_ra": position_columns[0],
        "hats_col_dec": position_columns[1],
        "hats_col_healpix": HEALPIX_COLUMN,
        "hats_col_healpix_order": HEALPIX_ORDER,
        "hats_cols_sort": HEALPIX_COLUMN,
        "hats_npix_suffix": _suffix(records),
        "hats_max_rows": max(rows.values(), default=0),
        "hats_order": max((order for order, _ in rows), default=0),
        "hats_estsize": sum(record.n_bytes for record in records) // 1024,
        "moc_sky_fraction": f"{sum(1 / (12 * 4**order) for order, _ in rows):.8g}",
        "hats_builder": f"pzcenter v{pzcenter.__version__}",
        "hats_version": "v1.0",
    }
    if margin is not None:
        properties |= {"hats_primary_table_url": margin.primary, "hats_margin_threshold": f"{margin.radius_arcsec:g}"}
    if default_columns is not None:
        properties["hats_cols_default"] = " ".join(default_columns)
    text = "#HATS catalog\n" + _lines(properties)
    written = [
        _text_record(root, "partition_info.csv", table),
        _text_record(root, "hats.properties", text),
        _text_record(root, "properties", text),
    ]
    common = root / "dataset" / "_common_metadata"
    with atomic_file(common, temporary=root / ".tmp") as sink:
        pq.write_metadata(schema, pa.PythonFile(sink, mode="w"))
    return [*written, FileRecord("dataset/_common_metadata", sink.sha256, sink.n_bytes)]


def write_collection(root: Path, *, name: str, primary: str, margins: Sequence[str] = ()) -> FileRecord:
    """Write ``collection.properties``, by which LSDB opens a catalogue together with its margin.

    Parameters
    ----------
    root : Path
        Directory that holds the catalogues.
    name : str
        Name of the collection.
    primary : str
        Name of the directory of the main catalogue.
    margins : sequence of str
        Directories of its margins; the first is the default.

    Returns
    -------
    FileRecord
    """
    properties = {"obs_collection": name, "hats_primary_table_url": primary}
    if margins:
        properties |= {"all_margins": " ".join(margins), "default_margin": margins[0]}
    return _text_record(root, COLLECTION_FILE, "#HATS Collection\n" + _lines(properties))


def _rows_of_pixels(records: Sequence[FileRecord]) -> dict[tuple[int, int], int]:
    """Number of rows of each pixel, along the sky."""
    rows: dict[tuple[int, int], int] = {}
    for record in records:
        pixel = pixel_of_path(record.path)
        if pixel is None:
            raise SchemaError(f"{record.path} is not named by a HEALPix pixel, as the files of a HATS catalogue are")
        rows[pixel] = rows.get(pixel, 0) + (record.n_rows or 0)
    along = sorted(rows, key=lambda pixel: pixel[1] << 2 * (HEALPIX_ORDER - pixel[0]))
    return {pixel: rows[pixel] for pixel in along}


def _suffix(records: Sequence[FileRecord]) -> str:
    """What follows the pixel number in the paths: ``.parquet``, or ``/`` for a directory of files."""
    suffixes = {"/" if DIRECTORY_PATTERN.search(record.path) else ".parquet" for record in records}
    if len(suffixes) > 1:
        raise SchemaError("a HATS catalogue has one file for each pixel or one directory for each pixel; here are both")
    return suffixes.pop() if suffixes else ".parquet"


def _lines(properties: Mapping[str, object]) -> str:
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def _text_record(root: Path, name: str, text: str) -> FileRecord:
    sink = write_text_atomically(root / name, text)
    return FileRecord(name, sink.sha256, sink.n_bytes)
