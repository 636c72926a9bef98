"""The readers by name, and the one function that opens any catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.readers.csv import CsvCatalog
from pzcenter.catalogs.readers.fits import FitsCatalog
from pzcenter.catalogs.readers.hats import HatsCatalog
from pzcenter.catalogs.readers.hdf5 import Hdf5Catalog
from pzcenter.catalogs.readers.parquet import ParquetCatalog, ParquetDirectoryCatalog
from pzcenter.catalogs.readers.sniff import sniff_format
from pzcenter.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    import os

    from pzcenter.catalogs.readers.catalog import Catalog

__all__ = ["format_names", "open_catalog", "reader_for", "register_reader"]

READERS: dict[str, type[Catalog]] = {
    reader.format: reader
    for reader in (ParquetCatalog, ParquetDirectoryCatalog, HatsCatalog, FitsCatalog, Hdf5Catalog, CsvCatalog)
}


def register_reader(reader: type[Catalog]) -> type[Catalog]:
    """Make a format known; can be used as a decorator.

    Parameters
    ----------
    reader : type of Catalog
        With its ``format``, and ``magic`` or ``suffixes``.

    Returns
    -------
    type of Catalog
        The same.

    Raises
    ------
    UsageError
        Another reader has this name.
    """
    if READERS.get(reader.format, reader) is not reader:
        raise UsageError(f"there is a reader for {reader.format!r} already: {READERS[reader.format].__name__}")
    READERS[reader.format] = reader
    return reader


def format_names() -> list[str]:
    """Names of the formats that can be read."""
    return sorted(READERS)


def reader_for(name: str) -> type[Catalog]:
    """Reader class of a format.

    Parameters
    ----------
    name : str
        One of :func:`format_names`.

    Returns
    -------
    type of Catalog

    Raises
    ------
    NotFoundError
        No reader has this name.
    """
    if name not in READERS:
        raise NotFoundError(f"no reader for format {name!r}; accepted are {format_names()}")
    return READERS[name]


def open_catalog(path: str | os.PathLike[str], format: str | None = None, *, group: str | None = None) -> Catalog:  # noqa: A002 - the word of the field
    """Open a table on disk, whatever its format.

    Parameters
    ----------
    path : path
        Parquet file, directory of Parquet files, HATS catalogue or collection, FITS, HDF5 or CSV file.
    format : str, optional
        One of :func:`format_names`; found from the content when not given.
    group : str, optional
        HDF5 group or FITS extension, where the file has several tables.

    Returns
    -------
    Catalog
        Opened from its headers; rows are read by :meth:`Catalog.batches`.

    Raises
    ------
    NotFoundError
        There is nothing at the path, or no such group.
    FileFormatError
        Empty, cut short, or not what it claims to be.
    EmptyTableError
        The table has no rows.
    ColumnError
        Two columns have the same name.
    """
    path = Path(path)
    found = sniff_format(path, READERS.values())
    catalog = reader_for(format or found)(path, group=group)
    catalog.require_rows()
    return catalog
