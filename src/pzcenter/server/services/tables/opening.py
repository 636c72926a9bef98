"""Files of products opened as tables: what they are is found from their content; pickles never are."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.catalogs.readers import Catalog, reader_for
from pzcenter.catalogs.readers.hdf5 import CHOOSE_GROUP
from pzcenter.catalogs.readers.parquet import data_files, open_parquet
from pzcenter.errors import ColumnError, FileFormatError, NotFoundError, PZCenterError, TransientError
from pzcenter.server.services.tables.dialect import find_dialect
from pzcenter.server.services.tables.hats_guard import refuse_ways_out
from pzcenter.server.services.tables.hdf5_guard import refuse_pointers
from pzcenter.server.services.tables.sources import SourceFile, local_view
from pzcenter.server.services.tables.text import TextCatalog
from pzcenter.server.services.tables.votable import VotableCatalog, is_votable
from pzcenter.validation.submissions.content import content_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.server.services.context import Services
    from pzcenter.server.storage.products import Product

__all__ = ["MAX_COLUMNS", "TABULAR_TYPES", "naming", "open_file", "open_path", "source_of"]

log = logging.getLogger(__name__)

TABULAR_TYPES = {"redshift_catalog", "training_set", "object_catalog"}
"""Types of products whose main file must be a table."""
MAX_COLUMNS = 10_000
MAX_NAME = 255
BINARY_NAMES = (".fits", ".fit", ".hdf5", ".h5", ".hdf", ".parquet", ".pq")
MAX_CHECKED = 100
"""Files of a directory whose footers are looked at."""
MAX_CHUNK_BYTES = 2 << 30
"""Of one column in one row group of a Parquet file, unpacked."""


def source_of(product: Product) -> SourceFile:
    """The main file of a product, for reading after the session is closed.

    Raises
    ------
    NotFoundError
        There is none.
    """
    if product.main_file is None:
        raise NotFoundError(f"product {product.id} has no main file yet")
    return SourceFile.of(product.main_file)


def open_file(services: Services, source: SourceFile) -> Catalog:
    """Open a file of a product as a table.

    Parameters
    ----------
    services : Services
    source : SourceFile

    Returns
    -------
    Catalog
        Opened from its headers; rows are read by its ``batches``.

    Raises
    ------
    FileFormatError
        No table that can be read, or one that would open other files.
    EmptyTableError
        A table without rows.
    ColumnError
        Two columns of one name, or too many.
    """
    path = local_view(services, source)
    with naming(path, source.name):
        _check_name(source.name, path)
        return _opened(path) if source.reference is None else open_path(path)


def _check_name(name: str, path: Path) -> None:
    """Refuse a text that is called something else: it would be read as a table of words."""
    if name.lower().endswith(BINARY_NAMES) and path.is_file() and content_kind(path) == "text":
        kind = name.rpartition(".")[2].upper()
        raise FileFormatError(f"{path} is a text, and its name says {kind}; call it .csv or .vot, or send {kind}")


@lru_cache(maxsize=64)
def _opened(path: Path) -> Catalog:
    """Contents never change, so that what was found out about one holds for ever."""
    return open_path(path)


def open_path(path: Path) -> Catalog:
    """Open a file or directory as a table, whatever its format.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Catalog

    Raises
    ------
    FileFormatError, EmptyTableError, ColumnError
        See :func:`open_file`.
    """
    kind = content_kind(path)
    if kind in {"zip", "tar"}:
        raise FileFormatError(f"{path} is an archive; it is read once it is unpacked")
    if kind == "directory":
        from pzcenter.catalogs import open_catalog

        refuse_ways_out(path)
        catalog = open_catalog(path)
    elif kind == "text":
        catalog = VotableCatalog(path) if is_votable(path) else _text(path)
    else:
        if kind == "hdf5":
            refuse_pointers(path)
        catalog = _of_kind(kind, path)
    _check(catalog, path)
    return catalog


def _of_kind(kind: str, path: Path) -> Catalog:
    try:
        return reader_for(kind)(path)
    except FileFormatError as error:
        # Nobody who hands a file in can name a group.
        raise FileFormatError(str(error).replace(CHOOSE_GROUP, "hand in a file with one table")) from error


def _text(path: Path) -> Catalog:
    from pzcenter.catalogs import open_catalog

    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        import gzip

        with gzip.open(path) as unpacked:
            head = unpacked.read(16)
        if head.startswith(b"SIMPLE"):
            return open_catalog(path)
    return TextCatalog(path, dialect=find_dialect(path, str(path)))


def _check(catalog: Catalog, path: Path) -> None:
    names = catalog.column_names
    if not names or len(names) > MAX_COLUMNS:
        raise ColumnError(f"{path} has {len(names)} columns; 1 to {MAX_COLUMNS} are accepted")
    long = next((name for name in names if not name or len(name) > MAX_NAME or "\x00" in name), None)
    if long is not None:
        raise ColumnError(f"{path}: a column is called {long[:40]!r}; names have 1 to {MAX_NAME} letters")
    if catalog.format == "parquet":
        _check_chunks(path)
    for each in data_files(path)[:MAX_CHECKED] if path.is_dir() else []:
        _check_chunks(each)
    catalog.require_rows()


def _check_chunks(path: Path) -> None:
    """Refuse a Parquet file of which a few bytes would fill the memory."""
    with open_parquet(path) as file:
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            row_group = metadata.row_group(group)
            for place in range(row_group.num_columns):
                column = row_group.column(place)
                if column.total_uncompressed_size > MAX_CHUNK_BYTES:
                    raise FileFormatError(
                        f"{path}: column {column.path_in_schema!r} has {column.total_uncompressed_size} bytes in one "
                        f"row group; {MAX_CHUNK_BYTES} are accepted, write smaller row groups"
                    )


@contextmanager
def naming(path: Path, name: str) -> Iterator[None]:
    """Have errors name a file as its owner does, not by its path here; damage that a reader did not see is told too.

    Parameters
    ----------
    path : Path
    name : str

    Raises
    ------
    FileFormatError
        In place of anything that is no error of ours.
    """
    try:
        yield
    except TransientError:
        raise
    except PZCenterError as error:
        told = str(error.args[0] if error.args else error).replace(str(path), name).replace(str(path.parent), "")
        raise type(error)(told) from error
    except (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        log.warning("unreadable file", exc_info=error)
        words = f"{type(error).__name__}: {error}".replace(str(path), name)
        raise FileFormatError(f"{name} cannot be read; it is damaged or of an unknown kind ({words[:300]})") from error
