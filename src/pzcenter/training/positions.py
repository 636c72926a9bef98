"""Positions as catalogues write them: degrees, radians, or hours and minutes in text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from pzcenter.errors import ColumnError
from pzcenter.training.expression_functions import as_number, as_text, is_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ANGLES", "Positions", "read_positions"]

ANGLES = ("auto", "deg", "hourangle", "rad")
SEXAGESIMAL = (
    r"^\s*(?P<sign>[+-]?)(?P<whole>\d{1,3})[hd°:\s]\s*(?P<minute>\d{1,2})[m':\s]\s*"
    r"(?P<second>\d{1,2}(?:\.\d*)?)[s\"]?\s*$"
)
MANY = 50
"""Rows from which small numbers look like radians or hours."""
HALF_A_DAY = 12.0
"""Hours over which right ascensions must be spread to look like hours."""
MOST_BAD = 0.5


@dataclass(frozen=True, eq=False)
class Positions:
    """Positions in degrees.

    Parameters
    ----------
    ra, dec : ndarray, (n_rows,)
        Degrees, NaN where there is none; ``ra`` in [0, 360).
    n_missing : int
        Rows without a position.
    n_outside : int
        Rows whose numbers are no position, such as -999; they count as missing too.
    unit : str
        As it was understood.
    warnings : tuple of str
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    n_missing: int
    n_outside: int
    unit: str
    warnings: tuple[str, ...]


def read_positions(ra: Any, dec: Any, *, unit: str = "auto", where: str = "the table") -> Positions:
    """Read columns of positions.

    Parameters
    ----------
    ra, dec : pa.Array or pa.ChunkedArray, (n_rows,)
        Numbers, or text: numbers or sexagesimal (hours and degrees).
    unit : str
        ``deg``; ``hourangle``: right ascension in hours; ``rad``; ``auto``: sexagesimal text has hours, all else
        degrees.
    where : str
        Named in errors.

    Returns
    -------
    Positions

    Raises
    ------
    ColumnError
        Most of the numbers are no positions: columns are swapped, or not in degrees.
    """
    if unit not in ANGLES:
        raise ColumnError(f"the unit {unit!r} of positions is not known; {', '.join(ANGLES)} are accepted")
    alpha, in_hours = _angles(ra)
    delta, _ = _angles(dec)
    understood = ("hourangle" if in_hours else "deg") if unit == "auto" else unit
    if understood == "hourangle":
        alpha = alpha * 15.0
    elif understood == "rad":
        alpha, delta = np.degrees(alpha), np.degrees(delta)
    given = np.isfinite(alpha) & np.isfinite(delta)
    good = given & (alpha >= -180.0) & (alpha <= 360.0) & (np.abs(delta) <= 90.0)
    n_outside = int(given.sum() - good.sum())
    hint = "; right ascension was read as hours: if it is in degrees, say so with angle: deg"
    hint = hint if in_hours and unit == "auto" and (alpha[given & ~good] > 360.0).any() else ""
    if n_outside > MOST_BAD * max(given.sum(), 1):
        raise ColumnError(_what_is_wrong(alpha[given], delta[given], where) + hint)
    warnings = []
    if n_outside:
        row = int(np.flatnonzero(given & ~good)[0])
        warnings.append(
            f"{n_outside} positions are none, such as ({alpha[row]:g}, {delta[row]:g}) in row {row + 1}; they count as "
            f"missing{hint}"
        )
    if understood == "deg" and unit == "auto":
        warnings += _doubts(alpha[good], delta[good])
    return Positions(
        np.where(good, np.mod(alpha, 360.0), np.nan), np.where(good, delta, np.nan), int((~given).sum()), n_outside,
        understood, tuple(warnings),
    )  # fmt: skip


def _angles(column: Any) -> tuple[NDArray[np.float64], bool]:
    """Numbers of a column, and whether they were sexagesimal."""
    number = _array(as_number(column))
    if not is_text(column):
        return number, False
    parts = pc.extract_regex(as_text(column), SEXAGESIMAL)
    parts = parts.combine_chunks() if hasattr(parts, "combine_chunks") else parts
    whole, minute, second = (_array(as_number(parts.field(name))) for name in ("whole", "minute", "second"))
    sign = np.where(_text(parts.field("sign")) == "-", -1.0, 1.0)
    value = sign * (whole + minute / 60.0 + second / 3600.0)
    value[(minute >= 60.0) | (second >= 60.0)] = np.nan
    found = np.isfinite(value)
    return np.where(found, value, number), bool(found.sum() > np.isfinite(number).sum())


def _array(column: Any) -> NDArray[np.float64]:
    return np.array(pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False), dtype=np.float64)


def _text(column: Any) -> NDArray[np.str_]:
    return np.asarray(pc.fill_null(column, "").to_numpy(zero_copy_only=False), dtype=np.str_)


def _doubts(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> list[str]:
    """What degrees can be, and rarely are."""
    if ra.size < MANY:
        return []
    found = []
    if _like_radians(ra, dec):
        found.append("all positions are smaller than 2 pi and pi / 2: are they in radians? Say so with angle: rad")
    elif ra.min() >= 0.0 and ra.max() <= 24.0 and np.ptp(ra) > HALF_A_DAY:
        found.append(
            f"right ascension goes from {ra.min():g} to {ra.max():g}: is it in hours? Say so with angle: hourangle"
        )
    if ra.min() < 0.0 and np.abs(ra).max() <= 90.0:
        found.append(
            f"{np.count_nonzero(ra < 0.0)} right ascensions are negative and none is beyond 90: if these are "
            "declinations, the columns are swapped"
        )
    return found


def _like_radians(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> bool:
    spread = np.ptp(ra) > 1.0 or np.ptp(dec) > 1.0
    return bool(ra.min() >= -np.pi and ra.max() <= 2 * np.pi and np.abs(dec).max() <= 0.5 * np.pi and spread)


def _what_is_wrong(ra: NDArray[np.float64], dec: NDArray[np.float64], where: str) -> str:
    text = f"{where}: most positions are none, such as ({ra[0]:g}, {dec[0]:g})"
    if (np.abs(ra) <= 90.0).all() and (dec >= -180.0).all() and (dec <= 360.0).all():
        return f"{text}; right ascension and declination look swapped"
    return f"{text}; degrees are expected, right ascension -180 to 360 and declination -90 to 90"
