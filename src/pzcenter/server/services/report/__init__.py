"""What a table seems to be, found in one pass: meanings of columns, ranges, sky, duplicates, and what looks wrong."""

from __future__ import annotations

from pzcenter.server.services.report.guesses import Guess, guess_columns
from pzcenter.server.services.report.making import make_report

__all__ = ["Guess", "guess_columns", "make_report"]
