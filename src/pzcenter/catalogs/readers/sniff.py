"""Which format a path holds, by its content."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

from pzcenter.catalogs.readers.csv import CsvCatalog
from pzcenter.catalogs.readers.hats import HatsCatalog, is_hats
from pzcenter.catalogs.readers.parquet import ParquetDirectoryCatalog
from pzcenter.errors import FileFormatError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pzcenter.catalogs.readers.catalog import Catalog

__all__ = ["sniff_format"]

HEAD_BYTES = 32
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


def sniff_format(path: Path, readers: Iterable[type[Catalog]]) -> str:
    """Format of a file or directory.

    Parameters
    ----------
    path : Path
    readers : iterable of type of Catalog
        Known by their first bytes and their file name endings. A file that no reader knows is taken for text.

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
    readers = list(readers)
    head = _head(path)
    found = _by_magic(head, readers)
    if found is None:
        for magic, kind in KNOWN_OTHERS.items():
            if head.startswith(magic):
                raise FileFormatError(f"{path} is {kind}")
    text = CsvCatalog.format
    said = next((reader.format for reader in readers if path.name.lower().endswith(reader.suffixes)), None)
    if said is not None and said != (found or text):
        what = found or f"content that begins with {head[:16]!r}"
        raise FileFormatError(f"{path} is named as {said}, and holds {what}; it is damaged, cut short or misnamed")
    return found or text


def _head(path: Path) -> bytes:
    """First bytes, uncompressed."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise FileFormatError(f"{path} is empty (0 bytes)")
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        with gzip.open(path) as file:
            return file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise FileFormatError(f"{path} begins like gzip and cannot be uncompressed: {error}") from error


def _by_magic(head: bytes, readers: Iterable[type[Catalog]]) -> str | None:
    return next((reader.format for reader in readers if reader.magic and head.startswith(reader.magic)), None)
