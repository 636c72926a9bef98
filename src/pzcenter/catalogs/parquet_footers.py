"""``_metadata``: the footers of all data files of a catalogue in one file, so that a reader opens one and not all."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.manifest import FileRecord
from pzcenter.catalogs.storage import atomic_file
from pzcenter.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["write_footers"]

DATASET = "dataset/"


def write_footers(root: Path, footers: Iterable[tuple[str, pq.FileMetaData]], schema: pa.Schema) -> FileRecord:
    """Write ``dataset/_metadata``.

    Parameters
    ----------
    root : Path
        Directory of the catalogue.
    footers : iterable of (str, FileMetaData)
        Path of each data file below ``root``, and its footer.
    schema : pa.Schema
        That every file must have, metadata included.

    Returns
    -------
    FileRecord

    Raises
    ------
    SchemaError
        A file has another schema; the message names the file.
    StorageError
        The file system refused.
    """
    buffer = io.BytesIO()
    pq.write_metadata(schema, buffer)
    merged = pq.read_metadata(io.BytesIO(buffer.getvalue()))
    for path, footer in footers:
        require_schema(path, footer.schema.to_arrow_schema(), schema)
        footer.set_file_path(path.removeprefix(DATASET))
        merged.append_row_groups(footer)
    with atomic_file(root / DATASET / "_metadata", temporary=root / ".tmp") as sink:
        merged.write_metadata_file(pa.PythonFile(sink, mode="w"))
    return FileRecord(f"{DATASET}_metadata", sink.sha256, sink.n_bytes)


def require_schema(path: str, found: pa.Schema, schema: pa.Schema) -> None:
    """Refuse a file whose columns or metadata are not those of the catalogue."""
    if not found.equals(schema, check_metadata=True):
        columns = "the columns differ" if not found.equals(schema) else f"{found.metadata} is not {schema.metadata}"
        raise SchemaError(f"{path} does not fit the catalogue: {columns}")
