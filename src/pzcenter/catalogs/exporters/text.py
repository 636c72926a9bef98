"""Tables to CSV."""

from __future__ import annotations

import gzip
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.csv as pa_csv

from pzcenter.catalogs.storage import atomic_file
from pzcenter.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pzcenter.catalogs.readers import Catalog

__all__ = ["export_csv"]


def export_csv(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write a comma-separated table with a header line; a missing value is an empty field.

    Parameters
    ----------
    catalog : Catalog
    path : Path
        Compressed where it ends in ``.gz``; tab-separated where it ends in ``.tsv``.
    columns : sequence of str

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ColumnError
        A column holds arrays, which text cannot.
    """
    schema = pa.schema([catalog.schema.field(name) for name in columns]).remove_metadata()
    nested = [f.name for f in schema if pa.types.is_nested(f.type) or pa.types.is_fixed_size_binary(f.type)]
    if nested:
        raise ColumnError(f"columns {nested} hold arrays, which CSV cannot; choose other columns, or another format")
    delimiter = "\t" if path.name.removesuffix(".gz").endswith(".tsv") else ","
    n_rows = 0
    with atomic_file(path) as sink:
        # No name and no time in the gzip header: the same rows give the same bytes.
        compressed = path.name.endswith(".gz")
        packed = gzip.GzipFile(fileobj=cast("IO[bytes]", sink), mode="wb", filename="", mtime=0) if compressed else None
        options = pa_csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
        with pa_csv.CSVWriter(pa.PythonFile(packed or sink, mode="w"), schema, write_options=options) as writer:
            for batch in catalog.batches(columns):
                writer.write_batch(batch.replace_schema_metadata(None).cast(schema))
                n_rows += batch.num_rows
        if packed is not None:
            packed.close()
    return n_rows
