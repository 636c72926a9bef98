"""Tables to VOTable, as services of the Virtual Observatory speak it, row block by row block.

Reference: VOTable 1.4, IVOA Recommendation 2019-10-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs.storage import atomic_file
from pzcenter.errors import ColumnError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pzcenter.catalogs.readers import Catalog

__all__ = ["export_votable"]

DATATYPES = {
    pa.bool_(): "boolean", pa.int8(): "short", pa.uint8(): "unsignedByte", pa.int16(): "short", pa.uint16(): "int",
    pa.int32(): "int", pa.uint32(): "long", pa.int64(): "long", pa.float32(): "float", pa.float64(): "double",
}  # fmt: skip
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results">
<TABLE name={name}>
"""
FOOT = "</TABLEDATA></DATA>\n</TABLE>\n</RESOURCE>\n</VOTABLE>\n"


def export_votable(catalog: Catalog, path: Path, columns: Sequence[str]) -> int:
    """Write a VOTable file of one table.

    Parameters
    ----------
    catalog : Catalog
    path : Path
    columns : sequence of str

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ColumnError
        A column's type has no counterpart in VOTable.
    """
    fields = [catalog.schema.field(name) for name in columns]
    n_rows = 0
    with atomic_file(path) as sink:
        sink.write(HEAD.format(name=quoteattr(catalog.path.name.split(".")[0])).encode())
        for field in fields:
            sink.write(_field(field).encode())
        sink.write(b"<DATA><TABLEDATA>\n")
        for batch in catalog.batches(columns):
            cells = [_cells(column) for column in batch.columns]
            rows = pc.binary_join_element_wise(*cells, "</TD><TD>")
            text = pc.binary_join_element_wise("<TR><TD>", rows, "</TD></TR>\n", "")
            sink.write("".join(text.to_pylist()).encode())
            n_rows += batch.num_rows
        sink.write(FOOT.encode())
    return n_rows


def _field(field: pa.Field) -> str:
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    words = {"name": field.name, "datatype": _datatype(field)}
    if pa.types.is_fixed_size_list(field.type):
        words["arraysize"] = str(field.type.list_size)
    words |= {key: metadata[key] for key in ("unit", "ucd") if metadata.get(key)}
    if words["datatype"] == "unicodeChar":
        words["arraysize"] = "*"
    attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in words.items())
    if "description" in metadata:
        return f"<FIELD {attributes}><DESCRIPTION>{escape(metadata['description'])}</DESCRIPTION></FIELD>\n"
    return f"<FIELD {attributes}/>\n"


def _datatype(field: pa.Field) -> str:
    kind = field.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "unicodeChar"
    if pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type):
        kind = kind.value_type
    if kind not in DATATYPES:
        raise ColumnError(f"column {field.name!r} of type {kind} has no counterpart in VOTable; choose other columns")
    return DATATYPES[kind]


def _cells(column: Any) -> Any:
    """Text of each value, missing ones empty; the elements of an array with blanks between."""
    if pa.types.is_fixed_size_list(column.type):
        elements = column.flatten()
        text = pc.if_else(pc.is_valid(elements), _cells(elements), "NaN")
        rows = pa.FixedSizeListArray.from_arrays(text, column.type.list_size).cast(pa.list_(pa.string()))
        empty = pa.array([""] * len(column))
        return pc.replace_with_mask(empty, pc.is_valid(column), pc.binary_join(rows, " "))
    if pa.types.is_boolean(column.type):
        column = pc.if_else(column, "T", "F")
    text = pc.cast(column, pa.string())
    if pa.types.is_floating(column.type):
        # As the standard writes what is no number.
        text = pc.replace_substring_regex(pc.replace_substring(text, "nan", "NaN"), r"^(-?)inf$", r"\1Inf")
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        for letter, word in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = pc.replace_substring(text, letter, word)
        text = pc.replace_substring_regex(text, r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "")
    return pc.fill_null(text, "")
