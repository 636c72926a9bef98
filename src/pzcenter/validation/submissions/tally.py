"""What reading a submission has counted: nothing is mended, clipped or left out without a number that says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .faults import EMPTY, FAULT_TEXTS, FINE, INTEGRAL_EXACT, TRUNCATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .densities import Checked

__all__ = ["ReadingTally"]


@dataclass
class ReadingTally:
    """Counts of one reading.

    Parameters
    ----------
    n_rows : int
        Rows read.
    n_no_estimate : int
        Rows in which the participant gives no estimate.
    n_renormalised, n_clipped, n_truncated : int
        Densities whose integral was brought to 1, whose small negative values were set to 0, and that reach beyond the
        grid.
    n_bad : dict of str to int
        Rows in error by reason, with ``bad_rows="count"``; they count as without estimate.
    largest_offset : float
        Largest distance of an integral from 1 among those brought to 1.
    first : dict of str to str
        The first row of each kind, with its object.
    """

    n_rows: int = 0
    n_no_estimate: int = 0
    n_renormalised: int = 0
    n_clipped: int = 0
    n_truncated: int = 0
    n_bad: dict[str, int] = field(default_factory=dict)
    largest_offset: float = 0.0
    first: dict[str, str] = field(default_factory=dict)

    def add(self, checked: Checked, object_id: NDArray[np.int64], first_row: int) -> None:
        """Count the densities of some rows."""
        self.n_rows += object_id.size
        renormalised = checked.is_renormalised
        kinds: dict[str, NDArray[np.bool_]] = {
            "n_no_estimate": checked.fault == EMPTY,
            "n_renormalised": renormalised,
            "n_clipped": checked.is_clipped & (checked.fault == FINE),
            "n_truncated": checked.is_truncated,
        }
        for name, rows in kinds.items():
            setattr(self, name, getattr(self, name) + self._count(name, rows, object_id, first_row))
        for fault, text in FAULT_TEXTS.items():
            n = 0 if fault == EMPTY else self._count(text, checked.fault == fault, object_id, first_row)
            if n:
                self.n_bad[text] = self.n_bad.get(text, 0) + n
        if renormalised.any():
            offset = float(np.abs(checked.integral[renormalised] - 1.0).max())
            self.largest_offset = max(self.largest_offset, offset)

    def add_points(self, z_point: NDArray[np.float64]) -> None:
        """Count some rows of a submission without densities."""
        self.n_rows += z_point.size
        self.n_no_estimate += int(np.count_nonzero(~np.isfinite(z_point)))

    def _count(self, name: str, rows: NDArray[np.bool_], object_id: NDArray[np.int64], first_row: int) -> int:
        n = int(np.count_nonzero(rows))
        if n and name not in self.first:
            row = int(np.argmax(rows))
            self.first[name] = f"first in row {first_row + row}, object {object_id[row]}"
        return n

    def sentences(self) -> list[str]:
        """Say in words what was counted; empty where all was as it must be."""
        said = {
            "n_no_estimate": "rows have no estimate",
            "n_renormalised": (
                f"densities were off a unit integral by more than {INTEGRAL_EXACT:g} "
                f"(at most {self.largest_offset:.2g}) and were brought to it"
            ),
            "n_clipped": "densities had small negative values, which count as 0",
            "n_truncated": f"densities have more than {TRUNCATED:g} of their probability outside the redshift grid",
        }
        found: dict[str, tuple[int, str]] = {name: (getattr(self, name), text) for name, text in said.items()}
        found |= {text: (n, f"rows count as without estimate: each {text}") for text, n in self.n_bad.items()}
        return [f"{n} of {self.n_rows} {text} ({self._where(key)})" for key, (n, text) in found.items() if n]

    def _where(self, key: str) -> Any:
        return self.first.get(key, "rows are not named")
