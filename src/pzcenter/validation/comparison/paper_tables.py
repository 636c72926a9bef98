"""Tables for paper: columns side by side as far as there is room, texts broken into lines."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .page_parts import Cell, TextTable

__all__ = ["column_groups", "wrapped_rows"]

MAX_COLUMNS = 12
MAX_METHODS = 6
"""Columns after the first of tables whose cells have words."""
_MIN_WIDTH = 7
_GAP = 2
_BOLD = 1.2
"""A bold character is this much wider."""

Wrapped = tuple[list[str], list[str], bool]
"""Lines of a cell, lines below them, and whether it is emphasised."""


def column_groups(table: TextTable) -> list[list[int]]:
    """Columns of each part of a table that is too wide; the first is in all of them.

    Parameters
    ----------
    table : TextTable

    Returns
    -------
    list of list of int
    """
    n_column = len(table.heads)
    widest = max((len(cell.text) for row in table.rows for cell in row[1:]), default=0)
    most = MAX_METHODS if widest > 12 else MAX_COLUMNS
    rest = list(range(1, n_column))
    return [[0, *rest[first : first + most]] for first in range(0, max(len(rest), 1), most)]


def wrapped_rows(
    table: TextTable, columns: list[int], *, n_character: int
) -> tuple[NDArray[np.float64], list[list[Wrapped]]]:
    """Widths of some columns, in characters, and the rows with their texts broken into lines.

    Parameters
    ----------
    table : TextTable
    columns : list of int
    n_character : int
        That fit beside each other.

    Returns
    -------
    widths : ndarray, (n_column,)
    rows : list of list of (list of str, list of str, bool)
        The heads first.
    """
    wanted = np.array([max(_wanted(row[column]) for row in table.rows) for column in columns], dtype=float)
    heads = np.array([max((len(word) for word in table.heads[column].split()), default=0) for column in columns])
    wanted = np.maximum(wanted, np.minimum(_BOLD * heads, 16)) + _GAP
    widths = _shrunk(wanted, n_character)
    rows: list[list[Wrapped]] = [
        [(_lines(table.heads[column], width), [], True) for column, width in zip(columns, widths, strict=True)]
    ]
    rows += [
        [_wrapped(row[column], width) for column, width in zip(columns, widths, strict=True)] for row in table.rows
    ]
    return widths, rows


def _wanted(cell: Cell) -> int:
    return max(len(cell.text), min(max((len(line) for line in cell.sub.splitlines()), default=0), 60))


def _shrunk(wanted: NDArray[np.float64], n_character: int) -> NDArray[np.float64]:
    """Take from the widest columns until all fit."""
    widths = wanted.copy()
    while widths.sum() > n_character:
        widest = int(np.argmax(widths))
        if widths[widest] <= _MIN_WIDTH:
            break
        widths[widest] -= 1
    return widths


def _wrapped(cell: Cell, width: float) -> Wrapped:
    subs = [line for part in cell.sub.splitlines() for line in _lines(part, width)]
    return _lines(cell.text, width), subs, cell.kind in ("best", "notmet")


def _lines(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, max(int(width) - _GAP, 4)) if text else []
