"""Random numbers that belong to an id: the same in any order of the rows, and when rows are added."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import int_column
from pzcenter.errors import ColumnError, SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["IDENTITY_COLUMNS", "identities", "identity_of", "mix", "uniforms"]

IDENTITY_COLUMNS = ("measurement_id", "objectId")
"""Columns that say which row this is, the first that is there counts."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(values: NDArray[np.uint64], seed: int, *, stream: int = 0) -> NDArray[np.uint64]:
    """Scramble whole numbers, one result for each number, seed and stream.

    Parameters
    ----------
    values : ndarray of uint64, (n,)
        Ids.
    seed : int
        Any whole number.
    stream : int
        Number of the draw, where one id needs several.

    Returns
    -------
    ndarray of uint64, (n,)
        Uniform over all 64-bit numbers; different ids never give the same number.

    References
    ----------
    Steele, Lea & Flood 2014, OOPSLA 453: the finaliser of SplitMix64, with its constants.
    """
    offset = np.array([seed % 2**64, stream % 2**64], dtype=np.uint64)
    start = _finalise(_finalise(offset[:1]) ^ offset[1:])
    return _finalise(values ^ start)


def uniforms(values: NDArray[np.uint64], seed: int, *, stream: int = 0) -> NDArray[np.float64]:
    """Uniform random numbers of ids.

    Parameters
    ----------
    values : ndarray of uint64, (n,)
        Ids.
    seed, stream : int
        See :func:`mix`.

    Returns
    -------
    ndarray of float64, (n,)
        Within the open interval (0, 1).
    """
    return np.asarray(((mix(values, seed, stream=stream) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def identities(column: pa.Array | pa.ChunkedArray, name: str) -> NDArray[np.uint64]:
    """Ids of a column as 64-bit numbers that do not depend on the rows around them.

    Parameters
    ----------
    column : pa.Array or pa.ChunkedArray
        Whole numbers or text.
    name : str
        For the message.

    Returns
    -------
    ndarray of uint64, (n_obj,)
        Whole numbers as they are, text by its BLAKE2b digest of 64 bits.

    Raises
    ------
    SchemaError
        Missing values, or neither whole numbers nor text.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return int_column(column, name).astype(np.uint64)
    if column.null_count:
        raise SchemaError(f"column {name!r} has {column.null_count} missing values; every row needs its id")
    unique = column.dictionary_encode()
    digests = np.array([_digest(text) for text in unique.dictionary.to_pylist()], dtype=np.uint64)
    return np.asarray(digests[unique.indices.to_numpy(zero_copy_only=False)])


def identity_of(table: pa.Table, columns: Sequence[str] = IDENTITY_COLUMNS) -> NDArray[np.uint64]:
    """Number of each row, from the first of these columns that the table has.

    Parameters
    ----------
    table : pa.Table
        Redshifts or a training set.
    columns : sequence of str
        Names to try in this order.

    Returns
    -------
    ndarray of uint64, (n_obj,)

    Raises
    ------
    ColumnError
        None of the columns is there.
    SchemaError
        See :func:`identities`.
    """
    for name in columns:
        if name in table.column_names:
            return identities(table.column(name), name)
    raise ColumnError(f"rows need an id to be drawn by: one of the columns {', '.join(columns)}")


def _finalise(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
