"""One pass over redshift PDFs with known redshifts: from chunks to a few numbers per object.

The PDFs are read once, chunk by chunk, and never kept: what remains of an object is its point estimates and four
scores of its PDF, about 100 bytes. Sums over PDFs (stacked n(z)) and nine example PDFs are kept beside them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import EmptyTableError, GridError, ShapeError
from pzcenter.schema import PZFlag
from pzcenter.science import metrics, packing, pz

from .examples import ExamplePdf, ExamplePicker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from pzcenter.schema import PZ

__all__ = ["POINTS", "PdfChunk", "ValidationSample", "collect_sample"]

POINTS = ("z_best", "z_mode", "z_median", "z_mean")
STACK_WIDTH = 0.05  # of the cells in z_best in which PDFs are stacked: tomographic edges are multiples of it
_BLOCK_ROWS = 8192  # rows worked on at a time, whatever the size of a chunk: bounds the temporaries to ~100 MB


@dataclass(frozen=True, eq=False)
class PdfChunk:
    """Some objects: their PDFs, plain or packed, beside what is known about them.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift, normalised on the way; or, where ``pdf_max`` is given, its ``u8sqrt`` codes (uint8).
    z_grid : ndarray, (n_z,)
        Increasing.
    z_spec : ndarray, (n_obj,)
        True redshifts, NaN where unknown.
    pdf_max : ndarray, (n_obj,), optional
        Row maxima of packed PDFs.
    points : mapping of str to ndarray, (n_obj,), optional
        Published point estimates among ``z_best, z_mode, z_median, z_mean``; those not given are computed from the
        PDFs.
    object_id : ndarray of int64, (n_obj,), optional
    mag : ndarray, (n_obj,), optional
        AB magnitude in one band, NaN where missing.
    flags : ndarray of uint32, (n_obj,), optional
        Bits of :class:`pzcenter.schema.PZFlag`.
    ra, dec : ndarray, (n_obj,), optional
        Degrees, ICRS.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    """

    pdf: NDArray[np.generic]
    z_grid: NDArray[np.float64]
    z_spec: NDArray[np.float64]
    pdf_max: NDArray[np.float32] | None = None
    points: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    object_id: NDArray[np.int64] | None = None
    mag: NDArray[np.floating] | None = None
    flags: NDArray[np.uint32] | None = None
    ra: NDArray[np.float64] | None = None
    dec: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.pdf.ndim != 2 or self.pdf.shape[1] != len(self.z_grid):
            raise ShapeError(f"pdf must be (n_obj, {len(self.z_grid)}); got {self.pdf.shape}")
        n_obj = self.pdf.shape[0]
        named = {name: getattr(self, name) for name in ("z_spec", "pdf_max", "object_id", "mag", "flags", "ra", "dec")}
        for name, value in {**named, **self.points}.items():
            if value is not None and np.shape(value) != (n_obj,):
                raise ShapeError(f"{name} must be ({n_obj},), one per row of pdf; got {np.shape(value)}")
        unknown = sorted(set(self.points) - set(POINTS))
        if unknown:
            raise ShapeError(f"unknown point estimates {unknown}; accepted are {list(POINTS)}")

    @classmethod
    def from_pz(
        cls,
        result: PZ,
        z_spec: NDArray[np.float64],
        *,
        points: Mapping[str, NDArray[np.floating]] | None = None,
        object_id: NDArray[np.int64] | None = None,
        mag: NDArray[np.floating] | None = None,
        ra: NDArray[np.float64] | None = None,
        dec: NDArray[np.float64] | None = None,
    ) -> PdfChunk:
        """Redshift PDFs as an estimator returns them."""
        return cls(
            pdf=result.pdf,
            z_grid=result.z_grid,
            z_spec=z_spec,
            points=points or {},
            object_id=object_id,
            mag=mag,
            flags=result.flags,
            ra=ra,
            dec=dec,
        )


@dataclass(frozen=True, eq=False)
class ValidationSample:
    """Objects with a true redshift and an estimate, reduced to numbers per object.

    Parameters
    ----------
    z_grid : ndarray, (n_z,)
    z_spec : ndarray, (n_obj,)
    points : dict of str to ndarray, (n_obj,)
        Point estimates by name.
    pit, cde, crps, log_score : ndarray, (n_obj,)
        Scores of each PDF; their definitions are those of :mod:`pzcenter.science.metrics`.
    pdf_mean : ndarray, (n_obj,)
        Mean of each PDF: the mean of a stack of PDFs is the mean of these.
    mag : ndarray, (n_obj,), optional
    mag_band : str, optional
    ra, dec : ndarray, (n_obj,), optional
    stack : ndarray, (n_cell, n_z)
        Sum of the PDFs of the objects in each cell of ``z_best``.
    stack_edges : ndarray, (n_cell + 1,)
    examples : tuple of ExamplePdf
    n_in, n_no_truth, n_no_estimate : int
        Objects read, those left out because they have no true redshift, and those left out because they have no
        estimate.
    flag_counts : dict of str to int
        Objects with a true redshift that carry each flag, by name; empty when no flags were given.
    seconds : float
        Wall time of the pass.
    """

    z_grid: NDArray[np.float64]
    z_spec: NDArray[np.float64]
    points: dict[str, NDArray[np.float64]]
    pit: NDArray[np.float64]
    cde: NDArray[np.float64]
    crps: NDArray[np.float64]
    log_score: NDArray[np.float64]
    pdf_mean: NDArray[np.float64]
    mag: NDArray[np.float64] | None
    mag_band: str | None
    ra: NDArray[np.float64] | None
    dec: NDArray[np.float64] | None
    stack: NDArray[np.float64]
    stack_edges: NDArray[np.float64]
    examples: tuple[ExamplePdf, ...]
    n_in: int
    n_no_truth: int
    n_no_estimate: int
    flag_counts: dict[str, int]
    seconds: float

    @property
    def n_obj(self) -> int:
        """Number of objects that are compared."""
        return int(self.z_spec.size)

    def delta_z(self, point: str) -> NDArray[np.float64]:
        """(z_phot - z_spec) / (1 + z_spec) of one point estimate, (n_obj,)."""
        return (self.points[point] - self.z_spec) / (1.0 + self.z_spec)

    def stacked_nz(self, z_low: float, z_high: float) -> NDArray[np.float64]:
        """Stacked p(z) of the objects with ``z_low <= z_best < z_high``, (n_z,), unit integral.

        Raises
        ------
        GridError
            An edge is not an edge of the cells in which the PDFs were stacked.
        """
        low, high = (int(np.argmin(np.abs(self.stack_edges - edge))) for edge in (z_low, z_high))
        for edge, index in ((z_low, low), (z_high, high)):
            if not np.isclose(self.stack_edges[index], edge, atol=1e-6):
                raise GridError(f"edge {edge} is not a multiple of {STACK_WIDTH}, in which the PDFs are stacked")
        total: NDArray[np.float64] = self.stack[low:high].sum(axis=0)
        area = float(np.trapezoid(total, self.z_grid))
        return total / area if area > 0 else total


def collect_sample(
    chunks: Iterable[PdfChunk],
    *,
    mag_band: str | None = None,
) -> ValidationSample:
    """Read chunks of PDFs once and keep the numbers that every metric and figure is made from.

    Parameters
    ----------
    chunks : iterable of PdfChunk
        All on one redshift grid. Optional columns count when every chunk has them.
    mag_band : str, optional
        Band of the chunks' ``mag``.

    Returns
    -------
    ValidationSample

    Raises
    ------
    EmptyTableError
        No object has both a true redshift and an estimate.
    GridError
        The chunks are not on one grid.
    """
    start = time.perf_counter()
    collector: _Collector | None = None
    for chunk in chunks:
        collector = collector or _Collector(np.asarray(chunk.z_grid, dtype=np.float64))
        collector.add(chunk)
    if collector is None or collector.n_used == 0:
        n_in = 0 if collector is None else collector.n_in
        raise EmptyTableError(f"no object has both a true redshift and an estimate, among {n_in} read")
    return collector.finish(mag_band=mag_band, seconds=time.perf_counter() - start)


def _blocks(chunk: PdfChunk) -> Iterator[slice]:
    for first in range(0, chunk.pdf.shape[0], _BLOCK_ROWS):
        yield slice(first, first + _BLOCK_ROWS)


class _Collector:
    """The running sums of :func:`collect_sample`."""

    def __init__(self, z_grid: NDArray[np.float64]) -> None:
        self.z_grid = z_grid
        n_cell = int(np.ceil(z_grid[-1] / STACK_WIDTH - 1e-9))
        self.stack_edges: NDArray[np.float64] = np.arange(n_cell + 1, dtype=np.float64) * STACK_WIDTH
        self.stack = np.zeros((n_cell, z_grid.size))
        self.columns: dict[str, list[NDArray[np.float64]]] = {}
        self.optional = {"mag", "ra", "dec"}
        self.picker = ExamplePicker()
        self.n_in = self.n_no_truth = self.n_no_estimate = self.n_used = 0
        self.flag_counts: dict[str, int] = {}

    def add(self, chunk: PdfChunk) -> None:
        """Take in one chunk, a block of rows at a time."""
        if not np.array_equal(chunk.z_grid, self.z_grid):
            raise GridError("all chunks must be on one redshift grid; a chunk differs from the first one")
        self.optional -= {name for name in self.optional if getattr(chunk, name) is None}
        for rows in _blocks(chunk):
            self._add_block(chunk, rows)

    def _add_block(self, chunk: PdfChunk, rows: slice) -> None:
        pdf = self._densities(chunk, rows)
        z_spec = np.asarray(chunk.z_spec[rows], dtype=np.float64)
        estimates = pz.point_estimates(pdf, self.z_grid)
        points = {
            name: np.asarray(chunk.points[name][rows] if name in chunk.points else getattr(estimates, name))
            for name in POINTS
        }
        has_truth = np.isfinite(z_spec)
        used = has_truth & ~estimates.no_estimate & np.all([np.isfinite(value) for value in points.values()], axis=0)
        self._count(chunk, rows, has_truth, used)
        if not used.any():
            return
        pdf, z_spec = pdf[used], z_spec[used]
        pdf = pdf / np.trapezoid(pdf, self.z_grid, axis=1)[:, None]
        kept = {
            "z_spec": z_spec,
            **{name: value[used] for name, value in points.items()},
            "pit": metrics.pit(pdf, self.z_grid, z_spec),
            "cde": metrics.cde_loss_each(pdf, self.z_grid, z_spec),
            "crps": metrics.crps_each(pdf, self.z_grid, z_spec),
            "log_score": metrics.log_score_each(pdf, self.z_grid, z_spec),
            "pdf_mean": estimates.z_mean[used],
            **{name: getattr(chunk, name)[rows][used] for name in self.optional},
        }
        for name, value in kept.items():
            self.columns.setdefault(name, []).append(np.asarray(value, dtype=np.float64))
        self._stack(pdf, np.asarray(kept["z_best"], dtype=np.float64))
        if chunk.object_id is None:
            object_id = np.arange(self.n_in - used.size, self.n_in, dtype=np.int64)
        else:
            object_id = np.asarray(chunk.object_id[rows], dtype=np.int64)
        self.picker.add(
            object_id[used],
            pdf,
            z_spec=z_spec,
            z_best=kept["z_best"],
            pit=kept["pit"],
            half_width=0.5 * (estimates.z_err68_high - estimates.z_err68_low)[used],
            is_multi_modal=estimates.multi_modal[used],
        )

    def _densities(self, chunk: PdfChunk, rows: slice) -> NDArray[np.float32]:
        if chunk.pdf_max is None:
            return np.asarray(chunk.pdf[rows], dtype=np.float32)
        return packing.unpack_u8sqrt(chunk.pdf[rows], chunk.pdf_max[rows], self.z_grid)

    def _count(self, chunk: PdfChunk, rows: slice, has_truth: NDArray[np.bool_], used: NDArray[np.bool_]) -> None:
        self.n_in += used.size
        self.n_no_truth += int(np.count_nonzero(~has_truth))
        self.n_no_estimate += int(np.count_nonzero(has_truth & ~used))
        self.n_used += int(np.count_nonzero(used))
        if chunk.flags is not None:
            flags = np.asarray(chunk.flags[rows], dtype=np.uint32)[has_truth]
            for flag in PZFlag:
                assert flag.name is not None
                count = int(np.count_nonzero(flags & np.uint32(flag)))
                self.flag_counts[flag.name] = self.flag_counts.get(flag.name, 0) + count

    def _stack(self, pdf: NDArray[np.floating], z_best: NDArray[np.float64]) -> None:
        cell = np.searchsorted(self.stack_edges, z_best + 1e-9, side="right") - 1
        cell = np.clip(cell, 0, self.stack.shape[0] - 1)
        order = np.argsort(cell, kind="stable")
        first = np.flatnonzero(np.diff(cell[order], prepend=-1))
        self.stack[cell[order][first]] += np.add.reduceat(pdf[order], first, axis=0, dtype=np.float64)

    def finish(self, *, mag_band: str | None, seconds: float) -> ValidationSample:
        """Join the blocks."""
        columns = {name: np.concatenate(blocks) for name, blocks in self.columns.items()}
        optional = {name: columns[name] if name in self.optional else None for name in ("mag", "ra", "dec")}
        return ValidationSample(
            z_grid=self.z_grid,
            z_spec=columns["z_spec"],
            points={name: columns[name] for name in POINTS},
            pit=columns["pit"],
            cde=columns["cde"],
            crps=columns["crps"],
            log_score=columns["log_score"],
            pdf_mean=columns["pdf_mean"],
            mag=optional["mag"],
            mag_band=mag_band if optional["mag"] is not None else None,
            ra=optional["ra"],
            dec=optional["dec"],
            stack=self.stack,
            stack_edges=self.stack_edges,
            examples=self.picker.examples(),
            n_in=self.n_in,
            n_no_truth=self.n_no_truth,
            n_no_estimate=self.n_no_estimate,
            flag_counts=self.flag_counts,
            seconds=seconds,
        )
