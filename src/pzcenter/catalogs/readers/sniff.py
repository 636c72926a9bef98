"""Which format a path holds, by its content."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

from pzcenter.catalogs.readers.csv import CsvCatalog
from pzcenter.catalogs.readers.fits import FitsCatalog
from pzcenter.catalogs.readers.hats import HatsCatalog, is_hats
from pzcenter.catalogs.readers.hdf5 import Hdf5Catalog
from pzcenter.catalogs.readers.parquet import ParquetCatalog, ParquetDirectoryCatalog
from pzcenter.errors import FileFormatError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["sniff_format"]

READABLE = {b"PAR1": ParquetCatalog.format, b"\x89HDF": Hdf5Catalog.format, b"SIMP": FitsCatalog.format}
KNOWN_OTHERS = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "zstd-compressed data: uncompress it first",
    b"BZh": "bzip2-compressed data: uncompress it first",
    b"\xfd7zXZ": "xz-compressed data: uncompress it first",
    b"ARROW1": "an Arrow/Feather file: write it as Parquet",
    b"\x93NUMPY": "a NumPy array file: write it as a table with column names",
    b"SQLite format 3": "an SQLite data base",
    b"<?xml": "XML, perhaps a VOTable: convert it to FITS or CSV",
    b"<VOTABLE": "a VOTable: convert it to FITS or CSV",
    b"%PDF": "a PDF document",
    b"\x80\x04\x95": "a Python pickle, which is never opened",
    b"\x80\x05\x95": "a Python pickle, which is never opened",
}


def sniff_format(path: Path) -> str:
    """Format of a file or directory.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        Name of a reader.

    Raises
    ------
    NotFoundError
        There is nothing at this path.
    FileFormatError
        Empty, cut short, of another kind than its name says, or of a kind that no reader reads.
    """
    if not path.exists():
        raise NotFoundError(f"there is no file or directory {path}")
    if path.is_dir():
        return HatsCatalog.format if is_hats(path) else ParquetDirectoryCatalog.format
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise FileFormatError(f"{path} is empty (0 bytes)")
    found = READABLE.get(head[:4])
    if found is None and head.startswith(b"\x1f\x8b"):
        found = FitsCatalog.format if _unzipped_head(path).startswith(b"SIMPLE") else CsvCatalog.format
    if found is None:
        for magic, kind in KNOWN_OTHERS.items():
            if head.startswith(magic):
                raise FileFormatError(f"{path} is {kind}")
    said = _format_by_name(path.name.lower())
    if said not in (None, found, CsvCatalog.format) or (said == CsvCatalog.format and found not in (None, said)):
        what = found or f"content that begins with {head!r}"
        raise FileFormatError(f"{path} is named as {said}, and holds {what}; it is damaged, cut short or misnamed")
    return found or CsvCatalog.format


def _unzipped_head(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(16)
    except (OSError, EOFError, zlib.error) as error:
        raise FileFormatError(f"{path} begins like gzip and cannot be uncompressed: {error}") from error


def _format_by_name(name: str) -> str | None:
    for reader in (ParquetCatalog, FitsCatalog, Hdf5Catalog, CsvCatalog):
        if name.endswith(reader.suffixes):
            return str(reader.format)
    return None
