"""n(z) from objects of known redshift, weighted so that they fill the cells of colour space as the target does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import EmptyTableError, ShapeError
from pzcenter.science.nz.estimate import NzEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Reweighting", "reweighted_nz"]


@dataclass(frozen=True, eq=False)
class Reweighting:
    """What came of a reweighting.

    Parameters
    ----------
    estimate : NzEstimate
    n_spec : ndarray of int64, (n_cell, n_bin)
        Objects of known redshift that stand for the target's in each cell and bin.
    n_target : ndarray of int64, (n_cell, n_bin)
    share_without : ndarray of float64, (n_bin,)
        Share of the target's objects in cells without known redshifts: n(z) says nothing of them.
    n_effective : ndarray of float64, (n_bin,)
        Objects of equal weight that would be as good as the weighted ones: (sum w)²/sum w².
    """

    estimate: NzEstimate
    n_spec: NDArray[np.int64]
    n_target: NDArray[np.int64]
    share_without: NDArray[np.float64]
    n_effective: NDArray[np.float64]

    @property
    def is_empty(self) -> NDArray[np.bool_]:
        """Cells and bins that have target objects and no known redshift, (n_cell, n_bin)."""
        return np.asarray((self.n_target > 0) & (self.n_spec == 0))


def reweighted_nz(
    n_target: NDArray[np.int64],
    spec_cell: NDArray[np.int32],
    z_spec: NDArray[np.float64],
    edges: NDArray[np.float64],
    *,
    spec_bin: NDArray[np.int16] | None = None,
    n_sample: int = 200,
    seed: int = 0,
) -> Reweighting:
    """Weight objects of known redshift by the target's counts in their cells.

        n_b(z) = sum over cells c of  N(c, b) / N(b)  n(z | c, b)

    where n(z | c, b) is the histogram of known redshifts in cell c, of those in the same tomographic bin where
    ``spec_bin`` is given.

    Parameters
    ----------
    n_target : ndarray of int64, (n_cell, n_bin)
        Target objects in each cell and tomographic bin.
    spec_cell : ndarray of int32, (n_spec,)
        Cell of each object of known redshift, -1 where it has none.
    z_spec : ndarray of float64, (n_spec,)
    edges : ndarray of float64, (n_z + 1,)
        Of the histograms; redshifts outside count in the first or last one.
    spec_bin : ndarray of int16, (n_spec,), optional
        Their tomographic bin, by the same point estimate as the target's; -1 for none. Without it a cell that two
        bins share gives both the same redshifts, which broadens them.
    n_sample : int
        Bootstrap resamples, of the objects of known redshift and of the target's counts.
    seed : int

    Returns
    -------
    Reweighting

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    EmptyTableError
        No cell has both.

    References
    ----------
    Lima et al. 2008, MNRAS 390, 118; Masters et al. 2015, ApJ 813, 53; Buchs et al. 2019, MNRAS 489, 820.
    """
    n_cell, n_bin = n_target.shape
    if spec_cell.shape != z_spec.shape or (spec_bin is not None and spec_bin.shape != z_spec.shape):
        raise ShapeError(f"spec_cell, spec_bin and z_spec must be of one length; got {spec_cell.shape}, {z_spec.shape}")
    placed = spec_cell >= 0
    if spec_bin is not None:
        placed = placed & (spec_bin >= 0)
    cell, z = spec_cell[placed].astype(np.int64), z_spec[placed]
    own_bin = None if spec_bin is None else spec_bin[placed].astype(np.int64)
    counts = _Counts((n_cell, n_bin), cell, own_bin, z, edges)
    n_spec = counts.n_spec(np.ones(z.size))
    reachable = np.where(n_spec > 0, n_target, 0)
    if not reachable.any():
        raise EmptyTableError("no cell holds both target objects and known redshifts")
    total = n_target.sum(axis=0)
    value = counts.nz(np.ones(z.size), n_target)
    rng = np.random.default_rng(seed)
    drawn = [counts.nz(*_resample(rng, z.size, n_target)) for _ in range(n_sample)]
    nz, mean, width = value
    shape = (n_sample, n_bin)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1.0 - reachable.sum(axis=0) / total
        weight = counts.weights(np.ones(z.size), n_target)
        n_effective = weight.sum(axis=0) ** 2 / (weight**2).sum(axis=0)
    estimate = NzEstimate(
        edges=edges,
        nz=nz,
        samples=np.array([each[0] for each in drawn]).reshape(*shape, edges.size - 1),
        mean=mean,
        width=width,
        mean_samples=np.array([each[1] for each in drawn]).reshape(shape),
        width_samples=np.array([each[2] for each in drawn]).reshape(shape),
        n_obj=total,
    )
    return Reweighting(estimate, n_spec.astype(np.int64), n_target, share, n_effective)


def _resample(
    rng: np.random.Generator, n_spec: int, n_target: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    times = np.bincount(rng.integers(n_spec, size=n_spec), minlength=n_spec).astype(np.float64)
    total = int(n_target.sum())
    return times, rng.multinomial(total, n_target.ravel() / total).reshape(n_target.shape)


class _Counts:
    """Objects of known redshift by cell, and what their weights make."""

    def __init__(
        self,
        shape: tuple[int, int],
        cell: NDArray[np.int64],
        own_bin: NDArray[np.int64] | None,
        z: NDArray[np.float64],
        edges: NDArray[np.float64],
    ) -> None:
        self._shape, self._cell, self._bin, self._z, self._edges = shape, cell, own_bin, z, edges
        self._place = np.clip(np.searchsorted(edges, z, side="right") - 1, 0, edges.size - 2)

    def n_spec(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        n_cell, n_bin = self._shape
        if self._bin is None:
            return np.repeat(np.bincount(self._cell, times, n_cell)[:, None], n_bin, axis=1)
        counted = np.bincount(self._cell * n_bin + self._bin, times, n_cell * n_bin)
        return np.asarray(counted, dtype=np.float64).reshape(n_cell, n_bin)

    def weights(self, times: NDArray[np.float64], n_target: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weight of each object in each bin, (n_spec, n_bin)."""
        n_spec = self.n_spec(times)
        ratio = np.where(n_spec > 0, n_target / np.where(n_spec > 0, n_spec, 1.0), 0.0)
        weight = ratio[self._cell] * times[:, None]
        if self._bin is not None:
            weight = np.where(self._bin[:, None] == np.arange(self._shape[1]), weight, 0.0)
        return np.asarray(weight)

    def nz(
        self, times: NDArray[np.float64], n_target: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Density, mean and width of each bin."""
        weight = self.weights(times, n_target)
        total = weight.sum(axis=0)
        total = np.where(total > 0, total, np.nan)
        n_z = self._edges.size - 1
        counts = np.array([np.bincount(self._place, column, n_z) for column in weight.T])
        mean = (weight.T @ self._z) / total
        square = (weight.T @ self._z**2) / total
        width = np.sqrt(np.maximum(square - mean**2, 0.0))
        return counts / total[:, None] / np.diff(self._edges), mean, width
