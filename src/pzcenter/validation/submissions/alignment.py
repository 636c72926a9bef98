"""A submission beside the truth: which objects it has, which it lacks, which it should not have.

An object of the truth set that a submission lacks, or has twice, counts against it: the share that is left is its
coverage. Nothing is left out without its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import DuplicateIdError, EmptyTableError, GridError, ShapeError

from .object_ids import whole_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from .submission import Submission, SubmissionChunk

__all__ = ["Alignment", "GridCover", "align", "aligned_chunks", "grid_cover"]

N_NAMED = 10
"""Ids that a message names."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """Which row of a submission is which object of the truth set.

    Parameters
    ----------
    submission_row : ndarray of int64, (n_truth,)
        Row of the submission for each object of the truth set; -1 where it has none, or more than one.
    truth_row : ndarray of int64, (n_rows,)
        Place in the truth set of each row of the submission; -1 for objects that are not in it, or stand twice in the
        submission.
    n_missing, n_extra, n_duplicate : int
        Objects that the submission lacks, rows of unknown objects, and objects of the truth set that it has more than
        once (which row is meant is not known, so none is taken).
    missing, extra, duplicate : tuple of int
        The first ten of each.
    """

    submission_row: NDArray[np.int64]
    truth_row: NDArray[np.int64]
    n_missing: int
    n_extra: int
    n_duplicate: int
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    duplicate: tuple[int, ...]

    @property
    def n_truth(self) -> int:
        """Objects of the truth set."""
        return int(self.submission_row.size)

    @property
    def n_matched(self) -> int:
        """Objects that the submission has, once."""
        return self.n_truth - self.n_missing - self.n_duplicate

    @property
    def coverage(self) -> float:
        """Share of the truth set that can be scored, in [0, 1]."""
        return self.n_matched / self.n_truth

    @property
    def is_complete(self) -> bool:
        """Whether the ids are exactly those of the truth set, each once."""
        return self.n_missing == self.n_extra == self.n_duplicate == 0

    @property
    def is_in_order(self) -> bool:
        """Whether the matched rows stand in the order of the truth set."""
        found = self.truth_row[self.truth_row >= 0]
        return bool(np.all(np.diff(found) > 0))

    def in_truth_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers per row of the submission, as one per object of the truth set; NaN where it has none.

        Parameters
        ----------
        values : ndarray, (n_rows, ...)

        Returns
        -------
        ndarray, (n_truth, ...)
            Whole numbers become floats.

        Raises
        ------
        ShapeError
            There is not one value per row.
        """
        if len(values) != self.truth_row.size:
            raise ShapeError(f"one value per row of the submission is needed, {self.truth_row.size}; got {len(values)}")
        out = np.full((self.n_truth, *values.shape[1:]), np.nan, dtype=np.result_type(values.dtype, np.float32))
        has_row = self.submission_row >= 0
        out[has_row] = values[self.submission_row[has_row]]
        return out

    def sentences(self) -> list[str]:
        """Say in words what does not agree, with the first ids; empty where all agrees."""
        kinds = (
            ("objects of the truth set are missing and count against the submission", self.n_missing, self.missing),
            ("rows are of objects that are not in the truth set and are not used", self.n_extra, self.extra),
            ("objects stand more than once and count against the submission", self.n_duplicate, self.duplicate),
        )
        return [f"{n} {text}: {_named(ids, n)}" for text, n, ids in kinds if n]


def align(submission: Submission | ArrayLike, truth_ids: ArrayLike) -> Alignment:
    """Hold the ids of a submission against those of the truth set.

    Parameters
    ----------
    submission : Submission, or ndarray of int64, (n_rows,)
        Or its ids.
    truth_ids : ndarray, (n_truth,)

    Returns
    -------
    Alignment

    Raises
    ------
    DuplicateIdError
        An id stands twice in the truth set.
    EmptyTableError
        The truth set is empty.
    ColumnError
        An id that is no whole number.
    """
    truth = whole_ids(truth_ids, "truth set")
    ids = submission.object_ids() if hasattr(submission, "object_ids") else whole_ids(submission, "submission")
    if truth.size == 0:
        raise EmptyTableError("the truth set has no objects; at least 1 is needed")
    order = np.argsort(truth, kind="stable")
    ordered = truth[order]
    twice = np.flatnonzero(ordered[1:] == ordered[:-1])
    if twice.size:
        named = _named(tuple(ordered[twice][:N_NAMED].tolist()), twice.size)
        raise DuplicateIdError(f"{twice.size} ids of the truth set stand more than once: {named}")
    place = np.minimum(np.searchsorted(ordered, ids), truth.size - 1)
    truth_row = np.where(ordered[place] == ids, order[place], -1)
    is_extra = truth_row < 0
    count = np.bincount(truth_row[~is_extra], minlength=truth.size)
    is_duplicate = count > 1
    submission_row = np.full(truth.size, -1, dtype=np.int64)
    submission_row[truth_row[~is_extra]] = np.flatnonzero(~is_extra)
    submission_row[is_duplicate] = -1
    truth_row[~is_extra] = np.where(is_duplicate[truth_row[~is_extra]], -1, truth_row[~is_extra])
    return Alignment(
        submission_row=submission_row,
        truth_row=truth_row.astype(np.int64),
        n_missing=int(np.count_nonzero(count == 0)),
        n_extra=int(np.count_nonzero(is_extra)),
        n_duplicate=int(np.count_nonzero(is_duplicate)),
        missing=_first(truth, count == 0),
        extra=_first(ids, is_extra),
        duplicate=_first(truth, is_duplicate),
    )


def aligned_chunks(
    submission: Submission, alignment: Alignment, size: int | None = None
) -> Iterator[tuple[SubmissionChunk, NDArray[np.int64]]]:
    """Rows that belong to an object of the truth set, with its place there.

    Parameters
    ----------
    submission : Submission
    alignment : Alignment
        Of it.
    size : int, optional
        Rows read at a time.

    Yields
    ------
    SubmissionChunk
        In the order of the submission: reading stays sequential, and numbers per object are put in the order of the
        truth set with the place.
    ndarray of int64, (n_obj,)
        Place in the truth set.
    """
    for chunk in submission.chunks() if size is None else submission.chunks(size):
        place = alignment.truth_row[chunk.extra["row"]]
        if (place >= 0).all():
            yield chunk, place
            continue
        used = np.flatnonzero(place >= 0)
        if used.size:
            yield _taken(chunk, used), place[used]


def _taken(chunk: SubmissionChunk, rows: NDArray[np.intp]) -> SubmissionChunk:
    return chunk._replace(
        object_id=chunk.object_id[rows],
        pz=None if chunk.pz is None else chunk.pz[rows],
        z_point=None if chunk.z_point is None else chunk.z_point[rows],
        extra={name: value[rows] for name, value in chunk.extra.items()},
    )


@dataclass(frozen=True)
class GridCover:
    """How many true redshifts lie outside a redshift grid, where no density on it can be right.

    Parameters
    ----------
    z_min, z_max : float
        Of the grid.
    n_truth, n_below, n_above : int
    """

    z_min: float
    z_max: float
    n_truth: int
    n_below: int
    n_above: int

    @property
    def fraction_outside(self) -> float:
        """Share of the true redshifts outside."""
        return (self.n_below + self.n_above) / self.n_truth

    def sentences(self) -> list[str]:
        """Say it in words; empty where all lie inside."""
        if not self.fraction_outside:
            return []
        text = f"the redshift grid from {self.z_min:g} to {self.z_max:g} is too short for {self.fraction_outside:.2%}"
        return [f"{text} of the true redshifts: {self.n_below} lie below it, {self.n_above} above"]


def grid_cover(z_grid: NDArray[np.float64], z_spec: NDArray[np.floating[Any]]) -> GridCover:
    """Count the true redshifts outside a grid.

    Parameters
    ----------
    z_grid : ndarray, (n_z,)
    z_spec : ndarray, (n_truth,)
        NaN where unknown, which is not counted.

    Returns
    -------
    GridCover

    Raises
    ------
    GridError
        No true redshift lies inside.
    """
    z = z_spec[np.isfinite(z_spec)]
    low, high = float(z_grid[0]), float(z_grid[-1])
    cover = GridCover(low, high, z.size, int(np.count_nonzero(z < low)), int(np.count_nonzero(z > high)))
    if z.size == 0 or cover.fraction_outside >= 1.0:
        raise GridError(f"none of {z.size} known true redshifts lies on the redshift grid from {low:g} to {high:g}")
    return cover


def _first(ids: NDArray[np.int64], chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(ids[np.flatnonzero(chosen)[:N_NAMED]].tolist())


def _named(ids: tuple[int, ...], n: int) -> str:
    return ", ".join(str(number) for number in ids) + (", ..." if n > len(ids) else "")
