"""Target catalogues that need not fit in memory: read piece by piece, as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import require_columns
from pzcenter.errors import EmptyTableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Target", "chunks_of", "names_of", "random_rows"]

Target: TypeAlias = pa.Table | Callable[[], Iterable[pa.Table | pa.RecordBatch]]
"""A table, or a function that gives its pieces from the beginning each time it is called."""

_ROWS = 131_072
"""Largest piece: about 20 MB of work space for six bands."""


def chunks_of(target: Target, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Pieces of a target, of bounded size.

    Parameters
    ----------
    target : Target
        The catalogue.
    columns : sequence of str, optional
        Columns to keep; all by default.

    Yields
    ------
    pa.Table

    Raises
    ------
    ColumnError
        A column is not there.
    """
    pieces = [target] if isinstance(target, pa.Table) else target()
    for piece in pieces:
        table = piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece])
        if columns is not None:
            require_columns(columns, table.column_names, "the target")
            table = table.select(list(columns))
        for begin in range(0, table.num_rows, _ROWS):
            yield table.slice(begin, _ROWS)


def names_of(target: Target) -> tuple[str, ...]:
    """Columns of a target.

    Parameters
    ----------
    target : Target
        The catalogue.

    Returns
    -------
    tuple of str

    Raises
    ------
    EmptyTableError
        It has no rows.
    """
    for piece in chunks_of(target):
        return tuple(piece.column_names)
    raise EmptyTableError("the target has no objects")


def random_rows(target: Target, columns: Sequence[str], n_rows: int, *, seed: int) -> tuple[pa.Table, int]:
    """Random rows of a target, and how many it has.

    Parameters
    ----------
    target : Target
        The catalogue.
    columns : sequence of str
        Columns to keep.
    n_rows : int
        All rows where the target has no more.
    seed : int
        Equal seeds give equal rows, whatever the size of the pieces.

    Returns
    -------
    sample : pa.Table
        In the order of the target.
    n_obj : int
        Rows of the target.

    Raises
    ------
    ColumnError
        A column is not there.
    EmptyTableError
        The target has no rows.
    """
    rng = np.random.default_rng(seed)
    kept, keys, n_obj = None, np.empty(0), 0
    for piece in chunks_of(target, columns):
        key = rng.random(piece.num_rows)
        limit = np.inf if keys.size < n_rows else keys.max(initial=0.0)
        low = key < limit
        chosen = piece.filter(low)
        kept = chosen if kept is None else pa.concat_tables([kept, chosen])
        keys = np.concatenate([keys, key[low]])
        n_obj += piece.num_rows
        if keys.size > n_rows:
            smallest = np.sort(np.argpartition(keys, n_rows)[:n_rows])
            kept, keys = kept.take(smallest), keys[smallest]
    if kept is None:
        raise EmptyTableError("the target has no objects")
    return kept.combine_chunks(), n_obj
