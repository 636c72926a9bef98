"""Tables to Parquet: one partition, a finished data set, one single file.

The settings are those that were measured best for float catalogues (docs/decisions/0005-hats-writer.md): zstd level
3, byte-stream-split floats, no dictionary except for columns of few values. The same rows give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pzcenter.catalogs.hats_layout import HEALPIX_COLUMN, pixel_of_path, write_hats_metadata
from pzcenter.catalogs.manifest import FileRecord, Manifest
from pzcenter.catalogs.parquet_footers import write_footers
from pzcenter.catalogs.readers import BATCH_SIZE, Catalog, open_catalog
from pzcenter.catalogs.storage import atomic_file, remove_if_empty
from pzcenter.errors import OutputExistsError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from pzcenter.catalogs.hats_layout import MarginOf

__all__ = ["encode_partition", "finish_dataset", "merge_to_parquet", "parquet_options", "write_partition"]

COMPRESSION_LEVEL = 3
ID_COLUMN = "objectId"
TEMPORARY = ".tmp"


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """Choose encodings by type.

    Parameters
    ----------
    schema : pa.Schema

    Returns
    -------
    dict
        Keyword arguments of :class:`pyarrow.parquet.ParquetWriter`.
    """
    encodings: dict[str, str] = {}
    dictionary: list[str] = []
    without_statistics: set[str] = set()
    for field in schema:
        path, kind = _leaf(field)
        if path != field.name or pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind):
            # The smallest of many codes says nothing.
            without_statistics.add(path)
        if pa.types.is_floating(kind) and not pa.types.is_float16(kind):
            encodings[path] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_int64(kind):
            encodings[path] = "DELTA_BINARY_PACKED"
        elif pa.types.is_uint8(kind) and path != field.name:
            # Parquet has no 8-bit type: the three zero bytes of each value go into streams of their own.
            encodings[path] = "BYTE_STREAM_SPLIT"
        elif pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            dictionary.append(path)
    has_pixels = HEALPIX_COLUMN in schema.names
    return {
        "compression": "zstd",
        "compression_level": COMPRESSION_LEVEL,
        "use_dictionary": dictionary,
        "column_encoding": encodings or None,
        "write_statistics": [path for path in map(_path, schema) if path not in without_statistics],
        "sorting_columns": [pq.SortingColumn(schema.names.index(HEALPIX_COLUMN))] if has_pixels else None,
    }


def _path(field: pa.Field) -> str:
    return _leaf(field)[0]


def _leaf(field: pa.Field) -> tuple[str, pa.DataType]:
    """Path of the values in the Parquet file, and their type; deeper nesting keeps Parquet's own choice."""
    kind = field.type
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{field.name}.list.element", kind.value_type
    return field.name, kind


def write_partition(
    table: pa.Table,
    root: str | os.PathLike[str],
    path: str,
    *,
    id_column: str = ID_COLUMN,
    row_group_size: int = BATCH_SIZE,
    durable: bool = True,
) -> FileRecord:
    """Write one file of a data set, whole or not at all.

    Parameters
    ----------
    table : pa.Table
        Rows in their final order; its schema metadata go into the file.
    root : path
        Directory of the data set; the unfinished file lies in its ``.tmp``, outside ``dataset/``.
    path : str
        Of the file below ``root``, such as :func:`pzcenter.catalogs.data_path` gives.
    id_column : str
        Whose smallest and largest value go into the record.
    row_group_size : int
        Most rows in a row group.
    durable : bool
        Wait until the file is on the device.

    Returns
    -------
    FileRecord
        Checksum (taken while writing), size, rows, smallest and largest id.

    Raises
    ------
    StorageError
        The file system refused; nothing is left behind.
    """
    root = Path(root)
    with atomic_file(root / path, temporary=root / TEMPORARY, durable=durable) as sink:
        pq.write_table(table, sink, row_group_size=row_group_size, **parquet_options(table.schema))
    low, high = _id_range(table, id_column)
    return FileRecord(path, sink.sha256, sink.n_bytes, table.num_rows, low, high)


def encode_partition(
    table: pa.Table, path: str, *, id_column: str = ID_COLUMN, row_group_size: int = BATCH_SIZE
) -> tuple[bytes, FileRecord]:
    """Bytes of one file of a data set, the same that :func:`write_partition` writes: for stores that are no directory.

    Parameters
    ----------
    table : pa.Table
        Rows in their final order.
    path : str
        Of the file below the data set.
    id_column : str
        Whose smallest and largest value go into the record.
    row_group_size : int
        Most rows in a row group.

    Returns
    -------
    bytes, FileRecord
    """
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=row_group_size, **parquet_options(table.schema))
    data = buffer.getvalue()
    low, high = _id_range(table, id_column)
    return data, FileRecord(path, hashlib.sha256(data).hexdigest(), len(data), table.num_rows, low, high)


def _id_range(table: pa.Table | pa.RecordBatch, id_column: str) -> tuple[int | None, int | None]:
    if id_column not in table.schema.names or table.num_rows == 0:
        return None, None
    extremes = pc.min_max(table.column(id_column)).as_py()
    return extremes["min"], extremes["max"]


def finish_dataset(
    root: str | os.PathLike[str],
    records: Sequence[FileRecord],
    *,
    table: str,
    schema: pa.Schema,
    name: str | None = None,
    position_columns: tuple[str, str] = ("ra", "dec"),
    margin: MarginOf | None = None,
    footers: Iterable[tuple[str, pq.FileMetaData]] | None = None,
) -> Manifest:
    """Make a directory of written partitions a complete data set.

    Writes the HATS metadata where the files are named by HEALPix pixels, then ``manifest.json``. Removes ``.tmp``.

    Parameters
    ----------
    root : path
        Directory of the data set.
    records : sequence of FileRecord
        All data files.
    table : str
        Name of the table definition, such as ``"pz"``.
    schema : pa.Schema
        Of the data files.
    name : str, optional
        Name of the catalogue; the directory's by default.
    position_columns : (str, str)
        Right ascension and declination.
    margin : MarginOf, optional
        For the margin of another catalogue.
    footers : iterable of (str, FileMetaData), optional
        Path and footer of each data file, for ``dataset/_metadata``; without them there is none.

    Returns
    -------
    Manifest
    """
    root = Path(root)
    extra: list[FileRecord] = []
    if records and all(pixel_of_path(record.path) for record in records):
        extra = write_hats_metadata(
            root, records, name=name or root.name, schema=schema, position_columns=position_columns, margin=margin
        )
        if footers is not None:
            extra.append(write_footers(root, footers, schema))
    remove_if_empty(root / TEMPORARY)
    manifest = Manifest(table=table, files=tuple(sorted([*records, *extra])))
    manifest.write(root)
    return manifest


def merge_to_parquet(
    dataset: str | os.PathLike[str] | Catalog,
    file: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    overwrite: bool = False,
) -> FileRecord:
    """Write all partitions of a catalogue, in its order, to one Parquet file, in bounded memory.

    Parameters
    ----------
    dataset : path or Catalog
        Any catalogue that :func:`~pzcenter.catalogs.open_catalog` opens.
    file : path
        Written whole or not at all.
    columns : sequence of str, optional
        All by default.
    overwrite : bool
        Replace a file that is there.

    Returns
    -------
    FileRecord

    Raises
    ------
    OutputExistsError
        The file is there, and ``overwrite`` is not set.
    StorageError
        The file system refused; nothing is left behind.
    """
    path = Path(file)
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} is already there; give another name, or overwrite it (--overwrite)")
    catalog = dataset if isinstance(dataset, Catalog) else open_catalog(dataset)
    wanted = catalog.column_names if columns is None else list(columns)
    batches = catalog.batches(wanted)
    first = next(batches)
    schema = pa.schema([catalog.schema.field(name) for name in wanted], metadata=catalog.schema.metadata)
    n_rows, low, high = 0, None, None
    with atomic_file(path) as sink, pq.ParquetWriter(sink, schema, **parquet_options(schema)) as writer:
        for batch in chain([first], batches):
            writer.write_batch(batch.cast(schema), row_group_size=BATCH_SIZE)
            n_rows += batch.num_rows
            batch_low, batch_high = _id_range(batch, ID_COLUMN)
            low = batch_low if low is None else min(low, batch_low or low)
            high = batch_high if high is None else max(high, batch_high or high)
    return FileRecord(path.name, sink.sha256, sink.n_bytes, n_rows, low, high)
