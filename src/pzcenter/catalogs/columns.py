"""Columns of Arrow tables: are they there, and as which NumPy array."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ColumnError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import DTypeLike, NDArray

__all__ = ["float_column", "int_column", "nearest_names", "refuse_duplicate_names", "require_columns"]

N_SUGGESTIONS = 3


def nearest_names(name: str, available: Iterable[str]) -> list[str]:
    """Names that look like ``name``, the nearest first, whatever their case.

    Parameters
    ----------
    name : str
        What was asked for.
    available : iterable of str
        What there is.

    Returns
    -------
    list of str
        At most three.
    """
    by_folded = {known.casefold(): known for known in available}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=N_SUGGESTIONS, cutoff=0.5)
    return [by_folded[folded] for folded in close]


def require_columns(names: Iterable[str], available: Sequence[str], where: str) -> None:
    """Check that columns are there.

    Parameters
    ----------
    names : iterable of str
        Wanted columns.
    available : sequence of str
        Columns of the table.
    where : str
        The table's name in the message.

    Raises
    ------
    ColumnError
        At least one is missing; the message names the nearest columns.
    """
    known = set(available)
    missing = [name for name in names if name not in known]
    if not missing:
        return
    parts = []
    for name in missing:
        near = nearest_names(name, available)
        parts.append(f"{name!r} (nearest: {', '.join(near)})" if near else repr(name))
    shown = ", ".join(list(available)[:12]) + (", ..." if len(available) > 12 else "")
    raise ColumnError(f"{where} has no column {', '.join(parts)}; its {len(available)} columns are: {shown}")


def refuse_duplicate_names(names: Sequence[str], where: str) -> None:
    """Check that each column name appears once.

    Parameters
    ----------
    names : sequence of str
        Column names.
    where : str
        The table's name in the message.

    Raises
    ------
    ColumnError
        A name appears twice.
    """
    if len(set(names)) == len(names):
        return
    doubled = sorted({name for name in names if names.count(name) > 1})
    raise ColumnError(f"{where} has several columns of the same name: {', '.join(doubled)}; each name may appear once")


def float_column(column: pa.Array | pa.ChunkedArray, dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """Give a numeric Arrow column as floats, null as NaN; no copy when nothing has to change.

    Parameters
    ----------
    column : pa.Array or pa.ChunkedArray
        Integers, floats or booleans.
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray, (n_obj,)
        May be read-only, since it may share the memory of ``column``.

    Raises
    ------
    SchemaError
        The column does not hold numbers.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    arrow_type = column.type
    if pa.types.is_boolean(arrow_type):
        column = column.cast(pa.uint8())
    elif pa.types.is_null(arrow_type):
        return np.full(len(column), np.nan, dtype=dtype)
    elif not (pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type)):
        raise SchemaError(f"a column of numbers is needed here, this one is of type {arrow_type}")
    if column.null_count and pa.types.is_floating(column.type):
        column = pc.fill_null(column, float("nan"))
    elif column.null_count:
        column = pc.fill_null(column.cast(pa.float64(), safe=False), float("nan"))
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(dtype, copy=False)


def int_column(column: pa.Array | pa.ChunkedArray, name: str) -> NDArray[np.int64]:
    """Give an Arrow column of whole numbers as int64, such as an object id.

    Parameters
    ----------
    column : pa.Array or pa.ChunkedArray
        Integers, floats without a fraction, or strings of digits.
    name : str
        For the message.

    Returns
    -------
    ndarray of int64, (n_obj,)

    Raises
    ------
    SchemaError
        Nulls, fractions, text that is no number, or values outside int64.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if column.null_count:
        raise SchemaError(f"column {name!r} has {column.null_count} missing values; every row needs a whole number")
    try:
        whole = column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {name!r} of type {column.type} must hold whole numbers of 64 bits: {error}"
        ) from None
    except pa.ArrowNotImplementedError:
        raise SchemaError(f"column {name!r} must hold whole numbers, it is of type {column.type}") from None
    return np.asarray(whole.to_numpy(zero_copy_only=False))
