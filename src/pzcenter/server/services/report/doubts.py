"""What looks wrong in a table: guesses that the numbers speak against, units, sentinels, missing things."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.schema.mapping import AB_ZERO_POINTS
from pzcenter.server.services.report.statistics import SENTINELS, as_numbers

if TYPE_CHECKING:
    from pzcenter.server.services.report.guesses import Guess
    from pzcenter.server.services.report.statistics import ColumnTally

__all__ = ["Findings", "examine", "looks_like_radians"]

MANY = 50
"""Rows from which small numbers look like radians."""
FAINT, BRIGHT = 32.0, 8.0
"""AB magnitudes between which the median of any survey of galaxies lies."""
LARGE_Z, VELOCITY = 12.0, 50.0
"""No galaxy has a larger redshift; a median beyond the second is a velocity in km/s."""
MAX_NAMED = 8
NOT_DEGREES = {"rad", "radian", "radians", "h", "hour", "hours", "hourangle", "hr"}
"""Units of positions that are not to be taken for degrees."""


@dataclass
class Findings:
    """Guesses after a look at the numbers, and what is to be said.

    Attributes
    ----------
    guesses : list of Guess
    warnings : list of dict
        ``code``, ``column`` (or null), ``message``.
    """

    guesses: list[Guess]
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def warn(self, code: str, text: str, column: str | None = None) -> None:
        """Say something."""
        self.warnings.append({"code": code, "column": column, "message": text})

    def of(self, meaning: str) -> Guess | None:
        """The guess of a standard name."""
        return next((each for each in self.guesses if each.meaning == meaning), None)

    def doubt(self, guess: Guess, factor: float, why: str) -> None:
        """Believe a guess less."""
        self.guesses[self.guesses.index(guess)] = guess.doubted(factor, why)


def examine(guesses: list[Guess], tallies: dict[str, ColumnTally], sample: pa.Table | None) -> Findings:
    """Hold guesses against the numbers, and look for what is often wrong.

    Parameters
    ----------
    guesses : list of Guess
    tallies : dict of str to ColumnTally
        By column.
    sample : pa.Table or None
        Rows chosen at random.

    Returns
    -------
    Findings
    """
    found = Findings(list(guesses))
    _positions(found, tallies, sample)
    _redshifts(found, tallies, sample)
    _brightness(found, tallies, sample)
    _columns(found, tallies, sample)
    return found


def _unit(tally: ColumnTally) -> str:
    unit: bytes = (tally.field.metadata or {}).get(b"unit", b"")
    return unit.decode("utf-8", "replace").strip().lower()


def looks_like_radians(ra: ColumnTally, dec: ColumnTally) -> bool:
    """Whether positions fit into the numbers of radians, and spread over much of them."""
    if not (ra.is_number and dec.is_number) or ra.low is None or dec.low is None or ra.n_values < MANY:
        return False
    fits = ra.low >= -math.pi and ra.high <= 2 * math.pi and max(abs(dec.low), abs(dec.high)) <= math.pi / 2
    return bool(fits and (ra.high - ra.low > 1.0 or dec.high - dec.low > 1.0))


def _positions(found: Findings, tallies: dict[str, ColumnTally], sample: pa.Table | None) -> None:
    first, second = found.of("RA"), found.of("Dec")
    if first is None or second is None:
        return
    guesses = (first, second)
    ra, dec = tallies[first.column], tallies[second.column]
    if not ra.is_number or not dec.is_number:
        _texts_as_positions(found, first, sample)
        return
    if ra.low is None or dec.low is None:
        return
    if ra.low >= -90 and ra.high <= 90 and (dec.high > 90 or dec.low < -90) and dec.low >= -180 and dec.high <= 360:
        text = (
            f"right ascension and declination look swapped: {dec.field.name} reaches from {dec.low:g} to {dec.high:g}"
        )
        found.warn("swapped", text, ra.field.name)
        for guess in guesses:
            found.doubt(guess, 0.3, "the numbers look swapped")
        return
    units = {_unit(each) for each in (ra, dec)} & NOT_DEGREES
    if units:
        said = ", ".join(sorted(units))
        found.warn("radians", f"the file says that positions are in {said}; degrees are expected", first.column)
        for guess in guesses:
            found.doubt(guess, 0.3, f"its unit is {said}")
        return
    if looks_like_radians(ra, dec):
        found.warn("radians", "the positions look like radians; degrees are expected", ra.field.name)
        for guess in guesses:
            found.doubt(guess, 0.8, "the numbers look like radians")
        return
    if ra.low < -180 or ra.high > 360:
        text = f"right ascension reaches from {ra.low:g} to {ra.high:g}; accepted are degrees from -180 to 360"
        found.warn("outside", text, ra.field.name)
    if dec.low < -90 or dec.high > 90:
        text = f"declination reaches from {dec.low:g} to {dec.high:g}; accepted are degrees from -90 to 90"
        found.warn("outside", text, dec.field.name)
    if ra.high <= 24 and ra.low >= 0 and ra.high - ra.low > 15:
        found.warn("hours", "right ascension lies between 0 and 24; is it in hours?", ra.field.name)


def _texts_as_positions(found: Findings, guess: Guess, sample: pa.Table | None) -> None:
    text = "the positions are texts; hours and degrees with minutes are understood, numbers in degrees are better"
    if sample is not None and guess.column in sample.column_names:
        shown = next((value for value in sample[guess.column].to_pylist() if value), "")
        text += f" (such as {shown!r})"
    found.warn("sexagesimal", text, guess.column)
    for name in ("RA", "Dec"):
        other = found.of(name)
        if other is not None:
            found.doubt(other, 0.9, "its values are texts")


def _redshifts(found: Findings, tallies: dict[str, ColumnTally], sample: pa.Table | None) -> None:
    guess = found.of("z")
    if guess is None or tallies[guess.column].low is None:
        return
    tally, name = tallies[guess.column], guess.column
    values = _real(sample, name)
    middle = float(np.median(values)) if values.size else float("nan")
    if middle > VELOCITY:
        found.warn("velocity", f"the median of {name} is {middle:g}; is it a velocity in km/s?", name)
        found.doubt(guess, 0.2, f"its median is {middle:g}")
        return
    if tally.n_negative:
        share = tally.n_negative / max(tally.n_values, 1)
        text = f"{tally.n_negative} values of {name} are below 0 ({share:.1%}), down to {tally.low:g}"
        found.warn("negative_z", text, name)
        if share > 0.5:
            found.doubt(guess, 0.3, "most values are below 0")
    if tally.high > LARGE_Z and middle <= VELOCITY:
        found.warn("large_z", f"{name} reaches up to {tally.high:g}; is {tally.high:g} a redshift?", name)
    if tally.n_missing:
        found.warn("missing_z", f"{tally.n_missing} of {tally.n} objects have no {name}", name)
    error = found.of("z_err")
    if error is not None and tallies[error.column].n_negative:
        text = f"{tallies[error.column].n_negative} values of {error.column} are below 0; errors are positive"
        found.warn("negative_error", text, error.column)


def _brightness(found: Findings, tallies: dict[str, ColumnTally], sample: pa.Table | None) -> None:
    for guess in [each for each in found.guesses if each.meaning in {"mag", "flux"}]:
        values = _real(sample, guess.column)
        values = values[values > 0] if guess.meaning == "flux" else values
        if not values.size:
            continue
        middle = float(np.median(values))
        if guess.meaning == "mag" and not BRIGHT <= middle <= FAINT:
            text = f"the median of {guess.column} is {middle:g}; magnitudes lie between {BRIGHT:g} and {FAINT:g}"
            found.warn("not_magnitudes", text, guess.column)
            found.doubt(guess, 0.4, f"its median is {middle:g}")
        elif guess.meaning == "flux":
            _flux(found, guess, tallies[guess.column], middle)


def _flux(found: Findings, guess: Guess, tally: ColumnTally, middle: float) -> None:
    unit = (tally.field.metadata or {}).get(b"unit", b"").decode("utf-8", "replace")
    known = {name.lower(): zero for name, zero in AB_ZERO_POINTS.items()}
    if unit.lower() in known:
        mag = known[unit.lower()] - 2.5 * math.log10(middle)
        if not BRIGHT <= mag <= FAINT:
            text = f"the median of {guess.column} is {middle:g} {unit}, magnitude {mag:.1f}; is the unit right?"
            found.warn("wrong_unit", text, guess.column)
    elif not unit:
        fits = [name for name, zero in AB_ZERO_POINTS.items() if 15 <= zero - 2.5 * math.log10(middle) <= 29]
        text = (
            f"{guess.column} has no unit; with a median of {middle:g} it may be {' or '.join(fits) or 'none we know'}"
        )
        found.warn("no_unit", text, guess.column)


def _columns(found: Findings, tallies: dict[str, ColumnTally], sample: pa.Table | None) -> None:
    empty = [name for name, tally in tallies.items() if tally.n and not tally.n_values]
    same = [
        name for name, each in tallies.items()
        if each.is_number and each.n_values > 1 and each.low == each.high and not each.n_missing
    ]  # fmt: skip
    if empty:
        found.warn("empty_column", f"no values in {_named(empty)}", empty[0])
    if same:
        found.warn("constant_column", f"one value for all objects in {_named(same)}", same[0])
    infinite = [name for name, tally in tallies.items() if tally.n_inf]
    if infinite:
        found.warn("infinite", f"infinite numbers in {_named(infinite)}", infinite[0])
    if sample is None:
        return
    stand_ins = [name for name, tally in tallies.items() if tally.is_number and _has_stand_in(tally, sample, name)]
    if stand_ins:
        text = f"numbers such as -99 stand for missing values in {_named(stand_ins)}; leave such places empty"
        found.warn("sentinels", text, stand_ins[0])
    numbers = [name for name in sample.column_names if _is_number_as_text(sample[name])]
    if numbers:
        found.warn("text_numbers", f"numbers are kept as texts in {_named(numbers)}", numbers[0])


def _has_stand_in(tally: ColumnTally, sample: pa.Table, name: str) -> bool:
    """A number that catalogues use for nothing is the smallest or largest one, far from all others."""
    if tally.low is None or name not in sample.column_names:
        return False
    values = as_numbers(sample[name].combine_chunks())
    values = values[np.isfinite(values)]
    for extreme in (tally.low, tally.high):
        if float(extreme) not in SENTINELS:
            continue
        others = values[values != extreme]
        if not others.size:
            return bool(extreme < 0)
        nearest = float(others.min() if extreme == tally.low else others.max())
        spread = float(np.percentile(others, 95) - np.percentile(others, 5))
        if abs(nearest - float(extreme)) > max(2 * spread, 5.0):
            return True
    return False


def _is_number_as_text(column: pa.ChunkedArray) -> bool:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    texts = column.drop_null()
    texts = texts.filter(pc.not_equal(texts, ""))
    if len(texts) < MANY:
        return False
    numbers = pc.match_substring_regex(texts, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
    return bool(pc.mean(numbers).as_py() > 0.9)


def _real(sample: pa.Table | None, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Finite sampled values that stand for themselves."""
    if sample is None or name not in sample.column_names:
        return np.empty(0)
    values = as_numbers(sample[name].combine_chunks())
    return values[np.isfinite(values) & ~np.isin(values, list(SENTINELS))]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
