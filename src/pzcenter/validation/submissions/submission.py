"""One container for all that is handed in: ids, densities on one grid in pieces of rows, point estimates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from pzcenter.errors import ColumnError, FileFormatError, GridError, PZCenterError, ShapeError

from .densities import check_rows
from .faults import DISORDERED, EMPTY, FAULT_TEXTS, INTEGRAL_TOLERANCE, NOT_NORMALISED, OUTSIDE_GRID
from .object_ids import whole_ids
from .tally import ReadingTally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .columns import Columns
    from .densities import Checked
    from .forms import Form

__all__ = ["CHUNK_ROWS", "Submission", "SubmissionChunk"]

CHUNK_ROWS = 16_384
"""Objects read at a time: 40 MB on 301 points in double precision."""
MAX_CHUNK_VALUES = 1 << 25
"""Of one column in one piece: 256 MB in double precision."""
POINT_ORDER = ("z_best", "z_mode", "z_median", "z_mean")
"""Which point estimate counts as the one of the submission: the first that it has."""


class SubmissionChunk(NamedTuple):
    """Some objects of a submission, in its order.

    Parameters
    ----------
    object_id : ndarray of int64, (n_obj,)
    pz : ndarray, (n_obj, n_z), or None
        Density per unit redshift, unit integral; rows of NaN where the participant gives no estimate. None where the
        submission has point estimates only.
    z_point : ndarray, (n_obj,), or None
        The point estimate of the submission; None where it has densities only.
    extra : dict of str to ndarray, (n_obj,)
        ``row``: number of the row in the file; all point estimates by name.
    """

    object_id: NDArray[np.int64]
    pz: NDArray[np.floating[Any]] | None
    z_point: NDArray[np.float64] | None
    extra: dict[str, NDArray[Any]]


@dataclass(eq=False)
class Submission:
    """What one participant handed in, opened and not yet read.

    Parameters
    ----------
    name : str
    description : str
        Of the method, in the participant's words.
    columns : Columns
    form : Form or None
        None where there are point estimates only.
    z_grid : ndarray, (n_z,)
        On which densities come.
    id_column : str or None
    ids : ndarray of int64, (n_obj,), optional
        In place of a column of ids.
    points : dict of str to str
        Point estimates: name here to column.
    bad_rows : {"error", "count"}
        What a density that is in error does: stop the reading with its row, or become a row of NaN that is counted.
    held : list
        What must live as long as this, such as a temporary directory.
    """

    name: str
    description: str
    columns: Columns
    form: Form | None
    z_grid: NDArray[np.float64]
    id_column: str | None
    points: dict[str, str]
    ids: NDArray[np.int64] | None = None
    bad_rows: Literal["error", "count"] = "error"
    held: list[Any] = field(default_factory=list)
    tally: ReadingTally = field(default_factory=ReadingTally)
    """What was counted in the last reading."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.columns.n_rows

    @property
    def has_pdf(self) -> bool:
        """Whether there are densities."""
        return self.form is not None

    @property
    def form_name(self) -> str:
        """Form of the densities in words."""
        return "point estimates only" if self.form is None else self.form.name

    @property
    def z_point_name(self) -> str | None:
        """Which point estimate is that of the submission; None where it has none."""
        return next((name for name in POINT_ORDER if name in self.points), None)

    def object_ids(self, size: int = 1 << 20) -> NDArray[np.int64]:
        """Give the ids of all rows, (n_rows,).

        Raises
        ------
        ColumnError
            An id that is no whole number.
        """
        if self.ids is not None:
            return self.ids
        assert self.id_column is not None
        where = f"{self.columns.path}: column {self.id_column!r}"
        found, done = [], 0
        for rows in self.columns.batches([self.id_column], size):
            found.append(whole_ids(rows[self.id_column], where, first_row=done))
            done += found[-1].size
        return np.concatenate(found)

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[SubmissionChunk]:
        """Read all rows in order, in bounded memory.

        Parameters
        ----------
        size : int
            Objects at a time; fewer where each has very many values.

        Yields
        ------
        SubmissionChunk

        Raises
        ------
        PZCenterError
            A row that is in error; the message names the file and the row.
        """
        self.tally = ReadingTally()
        names = [*(self.form.columns if self.form else ()), *self.points.values()]
        names += [] if self.id_column is None else [self.id_column]
        width = max((self.columns.widths[name] or 1 for name in names), default=1)
        size = min(size, max(MAX_CHUNK_VALUES // width, 1))
        first = 0
        for rows in self.columns.batches(list(dict.fromkeys(names)), size):
            chunk = self._chunk(rows, first)
            first += chunk.object_id.size
            yield chunk
        if first != self.n_rows:
            raise FileFormatError(f"{self.columns.path} ends after {first} of its {self.n_rows} rows")

    def _chunk(self, rows: dict[str, NDArray[Any]], first: int) -> SubmissionChunk:
        n_obj = len(next(iter(rows.values())))
        if self.ids is not None:
            object_id = self.ids[first : first + n_obj]
        else:
            assert self.id_column is not None
            where = f"{self.columns.path}: column {self.id_column!r}"
            object_id = whole_ids(rows[self.id_column], where, first_row=first)
        extra: dict[str, NDArray[Any]] = {"row": np.arange(first, first + n_obj)}
        for name, column in self.points.items():
            extra[name] = self._point(rows[column], column)
        pz = None
        if self.form is not None:
            pz = self._densities(rows, object_id, first)
        point = None if self.z_point_name is None else extra[self.z_point_name]
        if pz is None and point is not None:
            self.tally.add_points(point)
        return SubmissionChunk(object_id, pz, point, extra)

    def _point(self, values: NDArray[Any], column: str) -> NDArray[np.float64]:
        flat = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if flat.ndim != 1 or flat.dtype.kind not in "iuf":
            raise ColumnError(
                f"{self.columns.path}: point estimates {column!r} must be one number per object; "
                f"got type {flat.dtype}, shape {values.shape}"
            )
        return flat.astype(np.float64)

    def _densities(
        self, rows: dict[str, NDArray[Any]], object_id: NDArray[np.int64], first: int
    ) -> NDArray[np.floating[Any]]:
        assert self.form is not None
        try:
            checked = check_rows(self.form.densities(rows, self.z_grid), self.z_grid)
        except PZCenterError as error:
            raise type(error)(f"{self.columns.path}, rows from {first}: {error}") from error
        bad = checked.fault > EMPTY
        if bad.any() and self.bad_rows == "error":
            self._raise(checked, int(np.argmax(bad)), object_id, first)
        self.tally.add(checked, object_id, first)
        return checked.pdf

    def _raise(self, checked: Checked, row: int, object_id: NDArray[np.int64], first: int) -> None:
        fault = int(checked.fault[row])
        same = int(np.count_nonzero(checked.fault == fault))
        text = f"{self.columns.path}: row {first + row} (object {object_id[row]}) {FAULT_TEXTS[fault]}"
        if fault == NOT_NORMALISED:
            text += f": its integral is {checked.integral[row]:.6g}"
        elif fault == OUTSIDE_GRID:
            text += f", {self.z_grid[0]:g} to {self.z_grid[-1]:g}: {checked.inside[row]:.1%} lies inside"
        text += f"; {same} of the {object_id.size} rows read with it have the same fault"
        if fault == NOT_NORMALISED and self._looks_transposed():
            raise ShapeError(f"{text}. The columns integrate to 1: the array is transposed")
        raise (GridError if fault in (OUTSIDE_GRID, DISORDERED) else FileFormatError)(text)

    def _looks_transposed(self) -> bool:
        """Whether the columns of a square array integrate to 1, which its rows do not."""
        assert self.form is not None
        own = self.form.z_grid
        if own is None or len(self.form.columns) != 1 or self.n_rows != own.size:
            return False
        (column,) = self.form.columns
        values = next(iter(self.columns.batches([column], self.n_rows)))[column]
        return bool(np.all(np.abs(np.trapezoid(values, own, axis=0) - 1.0) < INTEGRAL_TOLERANCE))
