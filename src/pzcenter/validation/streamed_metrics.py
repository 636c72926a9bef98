"""One pass over p(z) with known redshifts, to the few numbers per object that every metric is made from.

A p(z) is read once and forgotten; about 150 bytes of an object remain (:class:`ObjectScores`). All metrics, their
bootstrap errors and their dependence on anything come from these, so that no p(z) is read twice, and parts of a sample
that were scored apart can be joined.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ColumnError, DuplicateIdError, EmptyTableError, GridError, ShapeError
from pzcenter.science import metrics, packing, pz
from pzcenter.science.pz.grid import integral

from .sample import POINTS, PdfChunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "PDF_SCORES",
    "ROUNDING",
    "MetricChunk",
    "ObjectScores",
    "ScoreCollector",
    "join_scores",
    "score_chunks",
    "score_points",
]

PDF_SCORES = (
    "pit",
    "cde_loss",
    "crps",
    "log_score",
    "brier",
    "hpd_level",
    "credibility",
    "concentration",
    "risk",
    "pdf_mean",
    "pdf_std",
)
"""Numbers kept of each p(z); ``kld`` and ``rmse`` besides where the true p(z) is known."""

STACK_STEP = 0.01
"""Width of the cells in ``z_best`` in which p(z) are summed: the edges of any bins are multiples of it."""

ROUNDING = 1e-4
"""An estimate that lies this part of a cell below an edge is on the edge, but for single precision."""

_BLOCK = 8192
_DOUBLE = {"pit"}  # its tails reach to 1e-12 of one


@dataclass(frozen=True, eq=False)
class MetricChunk(PdfChunk):
    """Some objects as in :class:`~pzcenter.validation.sample.PdfChunk`, and what metrics shall be functions of.

    Parameters
    ----------
    covariates : mapping of str to ndarray, (n_obj,)
        Such as ``mag``, ``colour_gr``, ``ebv``, ``tract``, ``n_bands``; integers are categories. NaN where unknown.
    pdf_true : ndarray, (n_obj, n_z), optional
        True densities on the same grid, where a simulation gives them.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    ColumnError
        A covariate is not of numbers.
    """

    covariates: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    pdf_true: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.covariates.items():
            if np.shape(value) != (self.pdf.shape[0],):
                raise ShapeError(f"covariate {name!r} must be ({self.pdf.shape[0]},); got {np.shape(value)}")
            if np.asarray(value).dtype.kind not in "fiub":
                raise ColumnError(f"covariate {name!r} must be numbers; got {np.asarray(value).dtype}")
        if self.pdf_true is not None and self.pdf_true.shape != self.pdf.shape:
            raise ShapeError(f"pdf_true must be {self.pdf.shape}, as pdf; got {self.pdf_true.shape}")


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """Objects with a true redshift and an estimate, reduced to numbers per object.

    Parameters
    ----------
    object_id : ndarray of int64, (n_obj,)
    z_spec : ndarray, (n_obj,)
    points : dict of str to ndarray, (n_obj,)
        Point estimates by name.
    pdf : dict of str to ndarray, (n_obj,)
        Scores of each p(z) by name (:data:`PDF_SCORES`), float32 but for ``pit``; empty for point estimates only.
    covariates : dict of str to ndarray, (n_obj,)
    z_grid : ndarray, (n_z,)
        Empty for point estimates only.
    stack : ndarray, (n_cell, n_z)
        Sum of the normalised p(z) of the objects in each cell of ``z_best``, which are 0.01 wide and begin at 0; the
        last also holds what is above.
    n_in, n_no_truth, n_no_estimate : int
        Objects read, those left out because they have no true redshift, and those left out because they have no
        estimate.
    """

    object_id: NDArray[np.int64]
    z_spec: NDArray[np.float64]
    points: dict[str, NDArray[np.float64]]
    pdf: dict[str, NDArray[np.floating]]
    covariates: dict[str, NDArray[Any]]
    z_grid: NDArray[np.float64]
    stack: NDArray[np.float64]
    n_in: int
    n_no_truth: int
    n_no_estimate: int

    @property
    def n_obj(self) -> int:
        """Number of objects that are compared."""
        return int(self.z_spec.size)

    def delta_z(self, point: str) -> NDArray[np.float64]:
        """(z_phot - z_spec)/(1 + z_spec) of one point estimate, (n_obj,)."""
        return metrics.delta_z(self.points[point], self.z_spec)

    def stacked_nz(self, z_low: float, z_high: float) -> NDArray[np.float64]:
        """Sum of the p(z) of the objects with ``z_low <= z_best < z_high``, (n_z,).

        Raises
        ------
        GridError
            An edge is not a multiple of 0.01.
        """
        cells = []
        for edge in (z_low, z_high):
            if abs(edge / STACK_STEP - round(edge / STACK_STEP)) > 1e-6:
                raise GridError(
                    f"edges of bins must be multiples of {STACK_STEP}, in which p(z) are summed; got {edge}"
                )
            cells.append(round(edge / STACK_STEP))
        total: NDArray[np.float64] = self.stack[cells[0] : cells[1]].sum(axis=0)
        return total

    def select(self, rows: NDArray[Any]) -> ObjectScores:
        """Some objects, by mask or index; without the sums of p(z), which are of all."""
        return ObjectScores(
            self.object_id[rows],
            self.z_spec[rows],
            {name: value[rows] for name, value in self.points.items()},
            {name: value[rows] for name, value in self.pdf.items()},
            {name: value[rows] for name, value in self.covariates.items()},
            self.z_grid,
            np.zeros((0, self.z_grid.size)),
            *(self.n_in, self.n_no_truth, self.n_no_estimate),
        )


def score_chunks(chunks: Iterable[PdfChunk]) -> ObjectScores:
    """Read chunks of p(z) once.

    Parameters
    ----------
    chunks : iterable of PdfChunk or MetricChunk
        All on one redshift grid. Covariates, ids and true densities count when every chunk has them.

    Returns
    -------
    ObjectScores

    Raises
    ------
    EmptyTableError
        No object has both a true redshift and an estimate.
    GridError
        The chunks are not on one grid.
    DuplicateIdError
        An object comes twice.
    """
    collector = ScoreCollector()
    for chunk in chunks:
        collector.add(chunk)
    return collector.finish()


def score_points(
    points: Mapping[str, NDArray[np.floating]],
    z_spec: NDArray[np.floating],
    *,
    object_id: NDArray[np.int64] | None = None,
    covariates: Mapping[str, NDArray[Any]] | None = None,
) -> ObjectScores:
    """Scores of a method that gives point estimates only.

    Parameters
    ----------
    points : mapping of str to ndarray, (n_obj,)
        Under any names; the first stands in for ``z_best`` where there is none.
    z_spec : ndarray, (n_obj,)
    object_id : ndarray of int64, (n_obj,), optional
        Row numbers when not given.
    covariates : mapping of str to ndarray, (n_obj,), optional

    Returns
    -------
    ObjectScores
        With no scores of p(z).

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    EmptyTableError
        No object has both, or there are no points.
    """
    truth = np.asarray(z_spec, dtype=np.float64)
    named: dict[str, NDArray[Any]] = {name: np.asarray(value, dtype=np.float64) for name, value in points.items()}
    if not named:
        raise EmptyTableError("there are no point estimates; at least one is needed")
    extra = {name: np.asarray(value) for name, value in (covariates or {}).items()}
    ids = np.arange(truth.size) if object_id is None else np.asarray(object_id)
    for name, value in {**named, **extra, "object_id": ids}.items():
        if value.shape != truth.shape or truth.ndim != 1:
            raise ShapeError(f"{name} must be {truth.shape}, as z_spec; got {value.shape}")
    _check_ids(ids)
    named.setdefault("z_best", next(iter(named.values())))
    known = np.isfinite(truth)
    used = known & np.all([np.isfinite(value) for value in named.values()], axis=0)
    if not used.any():
        raise EmptyTableError(f"no object has both a true redshift and an estimate, among {truth.size} read")
    return ObjectScores(
        ids[used],
        truth[used],
        {name: value[used] for name, value in named.items()},
        {},
        {name: value[used] for name, value in extra.items()},
        np.empty(0),
        np.zeros((0, 0)),
        n_in=truth.size,
        n_no_truth=int(np.count_nonzero(~known)),
        n_no_estimate=int(np.count_nonzero(known & ~used)),
    )


def join_scores(parts: Sequence[ObjectScores]) -> ObjectScores:
    """Scores of several parts of a sample as one.

    Parameters
    ----------
    parts : sequence of ObjectScores
        Each made by :func:`score_chunks` from other objects, all on one grid. Columns that not all have are dropped.

    Returns
    -------
    ObjectScores

    Raises
    ------
    EmptyTableError, GridError, DuplicateIdError
        As in :func:`score_chunks`.
    """
    if not parts:
        raise EmptyTableError("there are no scores to join")
    first = parts[0]
    if any(not np.array_equal(part.z_grid, first.z_grid) for part in parts):
        raise GridError("parts of a sample must be on one redshift grid; one differs from the first")
    object_id = np.concatenate([part.object_id for part in parts])
    _check_ids(object_id)

    def joined(group: str) -> dict[str, NDArray[Any]]:
        shared = [name for name in getattr(first, group) if all(name in getattr(part, group) for part in parts)]
        return {name: np.concatenate([getattr(part, group)[name] for part in parts]) for name in shared}

    return ObjectScores(
        object_id,
        np.concatenate([part.z_spec for part in parts]),
        joined("points"),
        joined("pdf"),
        joined("covariates"),
        first.z_grid,
        np.sum([part.stack for part in parts], axis=0),
        *(sum(getattr(part, name) for part in parts) for name in ("n_in", "n_no_truth", "n_no_estimate")),
    )


class ScoreCollector:
    """The running state of :func:`score_chunks`, for those who read the chunks themselves."""

    def __init__(self) -> None:
        self._z_grid: NDArray[np.float64] | None = None
        self._stack = np.zeros((0, 0))
        self._blocks: list[dict[str, dict[str, NDArray[Any]]]] = []
        self._n_in = self._n_no_truth = self._n_no_estimate = 0

    def watch(self, chunks: Iterable[PdfChunk]) -> Iterator[PdfChunk]:
        """Score chunks on their way to another reader, such as ``collect_sample``, so that they are read once."""
        for chunk in chunks:
            self.add(chunk)
            yield chunk

    def add(self, chunk: PdfChunk) -> None:
        """Take in one chunk, a block of rows at a time.

        Raises
        ------
        GridError
            It is on another grid than the first.
        """
        z_grid = np.asarray(chunk.z_grid, dtype=np.float64)
        if self._z_grid is None:
            self._z_grid = z_grid
            self._stack = np.zeros((int(np.ceil(z_grid[-1] / STACK_STEP - 1e-6)) + 1, z_grid.size))
        elif not np.array_equal(z_grid, self._z_grid):
            raise GridError("all chunks must be on one redshift grid; a chunk differs from the first one")
        for first in range(0, chunk.pdf.shape[0], _BLOCK):
            self._add_block(chunk, slice(first, first + _BLOCK), z_grid)

    def _add_block(self, chunk: PdfChunk, rows: slice, z_grid: NDArray[np.float64]) -> None:
        pdf = _densities(chunk, rows, z_grid)
        z_spec = np.asarray(chunk.z_spec[rows], dtype=np.float64)
        first_row = self._n_in
        estimates = pz.point_estimates(pdf, z_grid)
        points = {
            name: np.asarray(chunk.points[name][rows] if name in chunk.points else getattr(estimates, name), np.float64)
            for name in POINTS
        }
        known = np.isfinite(z_spec)
        used = known & ~estimates.no_estimate & np.all([np.isfinite(value) for value in points.values()], axis=0)
        self._n_in += used.size
        self._n_no_truth += int(np.count_nonzero(~known))
        self._n_no_estimate += int(np.count_nonzero(known & ~used))
        if not used.any():
            return
        if not used.all():
            pdf, z_spec = pdf[used], z_spec[used]
            points = {name: value[used] for name, value in points.items()}
        scores: dict[str, NDArray[Any]] = dict(vars(metrics.pdf_scores(pdf, z_grid, z_spec)))
        summary = {"concentration": "z_conf", "risk": "z_risk", "pdf_mean": "z_mean", "pdf_std": "z_std"}
        scores |= {name: getattr(estimates, column)[used] for name, column in summary.items()}
        covariates = {} if chunk.mag is None else {"mag": np.asarray(chunk.mag[rows])[used]}
        if isinstance(chunk, MetricChunk):
            covariates |= {name: np.asarray(value[rows])[used] for name, value in chunk.covariates.items()}
            if chunk.pdf_true is not None:
                truth = chunk.pdf_true[rows][used]
                scores["kld"] = metrics.kld_each(truth, pdf, z_grid)
                scores["rmse"] = metrics.rmse_each(truth, pdf, z_grid)
        if chunk.object_id is None:
            object_id = np.arange(first_row, first_row + used.size, dtype=np.int64)
        else:
            object_id = np.asarray(chunk.object_id[rows], dtype=np.int64)
        self._add_to_stack(pdf, z_grid, points["z_best"])
        self._blocks.append(
            {
                "own": {"object_id": object_id[used], "z_spec": z_spec},
                "points": points,
                "pdf": {name: v if name in _DOUBLE else v.astype(np.float32) for name, v in scores.items()},
                "covariates": {name: _slim(value) for name, value in covariates.items()},
            }
        )

    def _add_to_stack(self, pdf: NDArray[np.float32], z_grid: NDArray[np.float64], z_best: NDArray[np.float64]) -> None:
        from scipy.sparse import csr_array

        cell = np.clip(np.floor(z_best / STACK_STEP + ROUNDING), 0, self._stack.shape[0] - 1).astype(np.int64)
        chosen, row = np.unique(cell, return_inverse=True)
        order = np.argsort(row, kind="stable")
        ends = np.concatenate(([0], np.cumsum(np.bincount(row))))
        weight = 1.0 / integral(pdf, z_grid)[order]
        self._stack[chosen] += csr_array((weight, order, ends), shape=(chosen.size, pdf.shape[0])) @ pdf

    def finish(self) -> ObjectScores:
        """Join the blocks.

        Raises
        ------
        EmptyTableError
            No object has both a true redshift and an estimate.
        DuplicateIdError
            An object came twice.
        """
        if not self._blocks:
            raise EmptyTableError(f"no object has both a true redshift and an estimate, among {self._n_in} read")
        assert self._z_grid is not None
        columns = {group: self._joined(group) for group in ("own", "points", "pdf", "covariates")}
        _check_ids(columns["own"]["object_id"])
        return ObjectScores(
            **columns["own"],
            points=columns["points"],
            pdf=columns["pdf"],
            covariates=columns["covariates"],
            z_grid=self._z_grid,
            stack=self._stack,
            n_in=self._n_in,
            n_no_truth=self._n_no_truth,
            n_no_estimate=self._n_no_estimate,
        )

    def _joined(self, group: str) -> dict[str, NDArray[Any]]:
        first = self._blocks[0][group]
        shared = [name for name in first if all(name in block[group] for block in self._blocks)]
        return {name: np.concatenate([block[group].pop(name) for block in self._blocks]) for name in shared}


def _densities(chunk: PdfChunk, rows: slice, z_grid: NDArray[np.float64]) -> NDArray[np.float32]:
    if chunk.pdf_max is None:
        return np.asarray(chunk.pdf[rows], dtype=np.float32)
    return packing.unpack_u8sqrt(chunk.pdf[rows], chunk.pdf_max[rows], z_grid)


def _slim(value: NDArray[Any]) -> NDArray[Any]:
    return value.astype(np.float32) if value.dtype.kind == "f" else value.astype(np.int64)


def _check_ids(object_id: NDArray[np.int64]) -> None:
    ordered = np.sort(object_id)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if twice.size:
        raise DuplicateIdError(f"{twice.size} objects come more than once, such as {int(twice[0])}; each may come once")
