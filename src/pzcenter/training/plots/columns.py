"""What the figures take from tables: numbers, magnitudes, and rows by survey, quality, type or sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs.columns import float_column, require_columns
from pzcenter.errors import UsageError
from pzcenter.science.photometry import flux_to_mag
from pzcenter.training.surveys import FLAG_MEANINGS, TYPE_MEANINGS

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, SKY, SURVEY_COLOURS, VERMILION

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FLAG_COLOURS", "Part", "bands_of", "galaxies", "magnitudes", "numbers", "parts_of", "texts"]

FLAG_COLOURS = {4: BLUE, 3: SKY, 2: ORANGE, 1: VERMILION, 0: BLACK, 6: PURPLE}
"""From sure to unsure; 6 are stars."""
TYPE_COLOURS = {"s": BLUE, "g": ORANGE, "p": VERMILION}
SPLIT_COLOURS = {"train": BLUE, "validation": ORANGE, "test": VERMILION}
UNKNOWN = "not known"
STAR_FLAG = 6


@dataclass(frozen=True, eq=False)
class Part:
    """Rows that are drawn alike.

    Parameters
    ----------
    label : str
    colour : str
    rows : ndarray of bool, (n_row,)
    """

    label: str
    colour: str
    rows: NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(np.count_nonzero(self.rows))


def numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Column as floats, NaN where it is missing.

    Raises
    ------
    ColumnError
        No such column.
    """
    require_columns([name], table.column_names, "the table")
    return np.asarray(float_column(table.column(name)), dtype=np.float64)


def galaxies(table: pa.Table) -> tuple[NDArray[np.bool_], int, int]:
    """Rows with a redshift that are no stars, and how many are stars and how many of the others have no redshift."""
    known = np.isfinite(numbers(table, "z_spec"))
    star = numbers(table, "z_flag") == STAR_FLAG if "z_flag" in table.column_names else np.zeros_like(known)
    return known & ~star, int(np.count_nonzero(star)), int(np.count_nonzero(~star & ~known))


def magnitudes(table: pa.Table, band: str) -> NDArray[np.float64]:
    """AB magnitudes of ``flux_{band}`` in nJy; NaN where the flux is missing, zero or negative.

    Raises
    ------
    ColumnError
        No such column.
    """
    return np.asarray(flux_to_mag(numbers(table, f"flux_{band}")), dtype=np.float64)


def bands_of(*tables: pa.Table | None) -> list[str]:
    """Bands with fluxes in all tables, in the order of the first."""
    given = [table for table in tables if table is not None]
    if not given:
        return []
    own = [name.removeprefix("flux_") for name in given[0].column_names if name.startswith("flux_")]
    bands = [name for name in own if not name.startswith("err_")]
    return [band for band in bands if all(f"flux_{band}" in table.column_names for table in given)]


def parts_of(table: pa.Table, by: str | None, *, n_top: int = len(SURVEY_COLOURS)) -> list[Part]:
    """Rows by the values of a column, the most important value first.

    Parameters
    ----------
    table : pa.Table
    by : str or None
        ``survey``, ``z_flag``, ``z_type`` or ``split``; all rows in one part for None.
    n_top : int
        Most surveys with a part of their own, at most 7; the others share one.

    Returns
    -------
    list of Part
        Without empty parts; every row is in one of them.

    Raises
    ------
    ColumnError
        No such column.
    UsageError
        Another column.
    """
    if by is None:
        part = Part("all", BLUE, np.ones(table.num_rows, dtype=bool))
        return [part] if table.num_rows else []
    require_columns([by], table.column_names, "the table")
    if by == "z_flag":
        return _by_flag(numbers(table, by))
    if by == "survey":
        return _by_survey(*texts(table, by), min(n_top, len(SURVEY_COLOURS)))
    known = {"z_type": TYPE_COLOURS, "split": SPLIT_COLOURS}.get(by)
    if known is None:
        raise UsageError(f"by {by!r} is not known; survey, z_flag, z_type and split are accepted")
    return _by_text(*texts(table, by), known)


def _by_flag(flag: NDArray[np.float64]) -> list[Part]:
    parts = [
        Part(f"{value}: {FLAG_MEANINGS[value].partition(',')[0]}", colour, flag == value)
        for value, colour in FLAG_COLOURS.items()
    ]
    parts.append(Part(UNKNOWN, PALE, ~np.isin(flag, list(FLAG_COLOURS))))
    return [part for part in parts if part.n]


def _by_survey(values: list[str], code: NDArray[np.int64], n_top: int) -> list[Part]:
    order = np.argsort(-np.bincount(code, minlength=len(values)), kind="stable")
    # One survey too many is drawn by itself only where there is a colour for it.
    shown = order if order.size <= n_top else order[: n_top - 1]
    parts = [Part(values[place], colour, code == place) for place, colour in zip(shown, SURVEY_COLOURS, strict=False)]
    if order.size > shown.size:
        rest = ~np.isin(code, shown)
        parts.append(Part(f"{order.size - shown.size} other surveys", GREY, rest))
    return parts


def _by_text(there: list[str], code: NDArray[np.int64], colours: dict[str, str]) -> list[Part]:
    further = [GREEN, PURPLE, SKY, BLACK, GREY]
    values = [*colours, *sorted(set(there) - set(colours) - {UNKNOWN}), UNKNOWN]
    parts = []
    for place, value in enumerate(values):
        colour = PALE if value == UNKNOWN else colours.get(value, further[place % len(further)])
        if value in there:
            parts.append(Part(TYPE_MEANINGS.get(value, value), colour, code == there.index(value)))
    return [part for part in parts if part.n]


def texts(table: pa.Table, name: str) -> tuple[list[str], NDArray[np.int64]]:
    """Values of a column of text, sorted, and which of them each row has; what is missing is "not known".

    Raises
    ------
    ColumnError
        No such column.
    """
    require_columns([name], table.column_names, "the table")
    column = pc.fill_null(table.column(name).cast(pa.string()), UNKNOWN)
    encoded = pc.dictionary_encode(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    found = encoded.dictionary.to_pylist()
    values = sorted(found)
    place = np.array([values.index(value) for value in found], dtype=np.int64)
    return values, place[np.asarray(encoded.indices)] if table.num_rows else np.empty(0, dtype=np.int64)
