"""From the tables of astronomy's services to Arrow, and from kept files to tables."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs import open_catalog
from pzcenter.errors import EmptyTableError, FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["arrow_of", "count_rows", "is_votable", "read_kept"]


def arrow_of(table: Any) -> tuple[pa.Table, tuple[str, ...]]:
    """Turn an astropy table into an Arrow table.

    Parameters
    ----------
    table : astropy.table.Table
        Masked entries become null. Units and descriptions go to the metadata of the fields.

    Returns
    -------
    pyarrow.Table
    tuple of str
        One line when columns of several values per row were left out.
    """
    fields, arrays, left_out = [], [], []
    for name in table.colnames:
        column = table[name]
        if getattr(column, "ndim", 1) != 1:
            left_out.append(name)
            continue
        array = _array_of(column)
        told = {"unit": str(column.unit or ""), "description": str(getattr(column, "description", "") or "")}
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata={key: text for key, text in told.items() if text}))
    notes = (f"left out {len(left_out)} columns with several values per row: {left_out}",) if left_out else ()
    return pa.table(arrays, schema=pa.schema(fields)), notes


def _array_of(column: Any) -> pa.Array:
    mask = np.ma.getmaskarray(column) if hasattr(column, "mask") else None
    values = np.ma.getdata(np.asanyarray(column)) if mask is not None else np.asarray(column)
    if values.dtype.kind in "SUO":
        return _text_or_list(values, mask)
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    return pa.array(values, mask=mask if mask is not None and mask.any() else None)


def _text_or_list(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any] | None) -> pa.Array:
    plain = [
        None
        if missing or value is None
        else value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else str(value)
        for value, missing in zip(values.tolist(), _flags(values, mask), strict=True)
    ]
    return pa.array(plain, pa.string())


def _flags(values: np.ndarray[Any, Any], mask: np.ndarray[Any, Any] | None) -> list[bool]:
    return [False] * len(values) if mask is None else list(np.broadcast_to(mask, values.shape))


def is_votable(path: Path) -> bool:
    """Whether a file is a VOTable, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \r\n\t")
    return head.startswith((b"<?xml", b"<VOTABLE", b"<!--")) and b"VOTABLE" in head


def read_kept(path: Path, file_format: str | None = None, *, group: str | None = None) -> pa.Table:
    """Read a kept file as a table, whatever its format.

    Parameters
    ----------
    path : Path
        Parquet, FITS, HDF5, CSV, or a VOTable. Archives are not unpacked.
    file_format : str, optional
        Name of a reader, or ``votable``; found from the content when not given.
    group : str, optional
        HDF5 group or FITS extension.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    FileFormatError
        Not a table, or of another format.
    EmptyTableError
        No rows.
    """
    if file_format == "votable" or (file_format is None and path.is_file() and is_votable(path)):
        return _read_votable(path)
    return open_catalog(path, file_format, group=group).read()


def count_rows(path: Path, file_format: str | None = None, *, group: str | None = None) -> int | None:
    """Rows of a kept file where its header says so; None for a file that is not opened as a table."""
    if file_format == "votable" or is_votable(path):
        return int(_read_votable(path).num_rows)
    rows = open_catalog(path, file_format, group=group).n_rows
    return None if rows is None else int(rows)


def _read_votable(path: Path) -> pa.Table:
    from astropy.io import votable
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            # VizieR and others use units and dates that the parser comments on; the values are not touched.
            warnings.simplefilter("ignore", AstropyWarning)
            table, _ = arrow_of(votable.parse_single_table(path).to_table(use_names_over_ids=True))
    except (ValueError, IndexError, OSError) as error:
        raise FileFormatError(f"{path} is not a VOTable that can be read: {error}") from error
    if table.num_rows == 0:
        raise EmptyTableError(f"{path} has no rows")
    return table
