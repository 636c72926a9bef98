"""What can be wrong with one density, as a code per object, with the limits that decide it."""

from __future__ import annotations

__all__ = [
    "DISORDERED",
    "EMPTY",
    "FAULT_TEXTS",
    "FINE",
    "INTEGRAL_EXACT",
    "INTEGRAL_TOLERANCE",
    "MIN_INSIDE",
    "NEGATIVE",
    "NEGATIVE_TOLERANCE",
    "NOT_FINITE",
    "NOT_NORMALISED",
    "OUTSIDE_GRID",
    "ROUNDING",
    "TRUNCATED",
]

FINE = 0
EMPTY = 1
"""All values NaN: the participant says that there is no estimate."""
NOT_FINITE = 2
NEGATIVE = 3
DISORDERED = 4
NOT_NORMALISED = 5
OUTSIDE_GRID = 6

NEGATIVE_TOLERANCE = 1e-3
"""Of the row's largest value: what lies this little below zero is rounding or the ringing of a fit, and counts as 0."""
ROUNDING = 1e-9
"""Of the row's largest value: below zero by less is rounding in double precision, and not worth a word."""
INTEGRAL_EXACT = 1e-3
"""An integral this close to 1 is 1: densities in single precision, or packed, are no better."""
INTEGRAL_TOLERANCE = 0.05
"""An integral this close to 1 is brought to 1 and counted; farther off, the row is in error."""
TRUNCATED = 1e-3
"""A density that has more than this share of its probability outside the grid is counted as truncated."""
MIN_INSIDE = 0.5
"""A density with less than this share inside the grid is an error: the grid is too short for it."""

FAULT_TEXTS = {
    EMPTY: "has no estimate (all values NaN)",
    NOT_FINITE: "has NaN or infinite values among its numbers",
    NEGATIVE: f"has negative values (beyond -{NEGATIVE_TOLERANCE} of the largest), or a negative weight or width",
    DISORDERED: "has redshifts that decrease where they must increase",
    NOT_NORMALISED: f"does not integrate to 1 within {INTEGRAL_TOLERANCE:.0%}",
    OUTSIDE_GRID: f"has more than {1 - MIN_INSIDE:.0%} of its probability outside the redshift grid",
}
"""What an error says of a row."""
