"""Sums over the pieces of a target: what is known of each cell, distance and magnitude when all have been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import float_column
from pzcenter.training.coverage_reach import FARTHEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.training.coverage_reach import TrainingReach
    from pzcenter.training.target_map import TargetMap

__all__ = ["DISTANCE_EDGES", "MAG_EDGES", "N_EXAMPLES", "TargetTally", "first_of_each", "histogram"]

DISTANCE_EDGES = np.linspace(0.0, FARTHEST, 61)
MAG_EDGES = np.arange(10.0, 33.01, 0.5)
"""Asinh magnitudes; the first and last bin also hold what lies beyond."""
N_EXAMPLES = 3
_Z_STEP, _N_Z = 0.01, 1000
_EXAMPLE_COLUMNS = ("objectId", "ra", "dec")


@dataclass(eq=False)
class TargetTally:
    """Counts of a target; pieces are added one after the other.

    Parameters
    ----------
    net : TargetMap
        The map on which they are counted.
    cell_training : ndarray of int64, (n_cell,)
        Training objects in each cell.
    reach : TrainingReach
        Of the training set.
    z_phot : str or None
        Column of the target's photo-z.
    seed : int
        Of the choice of examples.
    """

    net: TargetMap
    cell_training: NDArray[np.int64]
    reach: TrainingReach
    z_phot: str | None
    seed: int
    n_obj: int = 0
    n_unplaced: int = 0
    n_beyond: int = 0
    cell_target: NDArray[np.int64] = field(init=False)
    cell_covered: NDArray[np.int64] = field(init=False)
    distance: NDArray[np.int64] = field(init=False)
    mag_target: NDArray[np.int64] = field(init=False)
    mag_covered: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        n_cell = self.net.n_cell
        self.cell_target, self.cell_covered = (np.zeros(n_cell, dtype=np.int64) for _ in range(2))
        self.distance = np.zeros(DISTANCE_EDGES.size - 1, dtype=np.int64)
        self.mag_target, self.mag_covered = (np.zeros(MAG_EDGES.size - 1, dtype=np.int64) for _ in range(2))
        self._rng = np.random.default_rng(self.seed)
        self._z = np.zeros((n_cell, _N_Z), dtype=np.int32) if self.z_phot else None
        self._examples: pa.Table | None = None

    def add(self, table: pa.Table) -> None:
        """Count the objects of a piece.

        Parameters
        ----------
        table : pa.Table
            Rows of the target.
        """
        mag = self.net.space.magnitudes(table)
        cell = self.net.cells_of(mag)
        distance = self._distances(mag, cell)
        placed = cell >= 0
        covered = placed & (distance <= 1.0)
        covered[placed] &= self.cell_training[cell[placed]] > 0
        self.n_obj += table.num_rows
        self.n_unplaced += int(np.count_nonzero(~placed))
        self.n_beyond += int(np.count_nonzero(placed & (distance > 1.0)))
        self.cell_target += np.bincount(cell[placed], minlength=self.cell_target.size)
        self.cell_covered += np.bincount(cell[covered], minlength=self.cell_target.size)
        self.distance += histogram(distance[placed], DISTANCE_EDGES)
        in_band = mag[:, self.net.space.mag_index]
        self.mag_target += histogram(in_band[placed], MAG_EDGES)
        self.mag_covered += histogram(in_band[covered], MAG_EDGES)
        if self._z is not None:
            self._add_redshifts(float_column(table.column(self.z_phot)), cell)
        self._add_examples(table, cell, placed & ~covered)

    def z_phot_median(self, cell: int) -> float | None:
        """Median photo-z of a cell, to the middle of a step of 0.01.

        Parameters
        ----------
        cell : int
            Number of the cell.

        Returns
        -------
        float or None
            None where no photo-z is known.
        """
        if self._z is None or not self._z[cell].any():
            return None
        below = np.cumsum(self._z[cell])
        return float((int(np.searchsorted(below, below[-1] / 2)) + 0.5) * _Z_STEP)

    def examples(self, cell: int) -> tuple[dict[str, Any], ...]:
        """Some objects of a cell that are not covered.

        Parameters
        ----------
        cell : int
            Number of the cell.

        Returns
        -------
        tuple of dict
            Empty where the target has neither ids nor positions.
        """
        names = [name for name in _EXAMPLE_COLUMNS if self._examples and name in self._examples.column_names]
        if self._examples is None or not names:
            return ()
        rows = np.flatnonzero(self._examples.column("cell").to_numpy() == cell)
        return tuple(self._examples.select(names).take(rows).to_pylist())

    def _distances(self, mag: NDArray[np.float64], cell: NDArray[np.int32]) -> NDArray[np.float64]:
        distance = np.full(cell.size, np.inf)
        for code, rows in self.net.space.by_code(mag):
            near = rows[np.argsort(cell[rows], kind="stable")]
            distance[near] = self.reach.relative_distance(self.net.space.features(mag[near], code), code)
        return distance

    def _add_redshifts(self, z: NDArray[np.float64], cell: NDArray[np.int32]) -> None:
        assert self._z is not None
        known = (cell >= 0) & np.isfinite(z)
        step = np.clip(z[known] / _Z_STEP, 0, _N_Z - 1).astype(np.int64)
        np.add.at(self._z, (cell[known], step), 1)

    def _add_examples(self, table: pa.Table, cell: NDArray[np.int32], lacking: NDArray[np.bool_]) -> None:
        """Keep the objects with the smallest random numbers of each cell."""
        key = self._rng.random(cell.size)
        rows = np.flatnonzero(lacking)
        rows = rows[first_of_each(cell[rows], key[rows], N_EXAMPLES)]
        chosen = table.select([name for name in _EXAMPLE_COLUMNS if name in table.column_names]).take(rows)
        chosen = chosen.append_column("cell", pa.array(cell[rows])).append_column("key", pa.array(key[rows]))
        both = chosen if self._examples is None else pa.concat_tables([self._examples, chosen])
        best = first_of_each(both.column("cell").to_numpy(), both.column("key").to_numpy(), N_EXAMPLES)
        self._examples = both.take(best).combine_chunks()


def histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count values in even bins; those beyond the ends go to the first and last, NaN to none.

    Parameters
    ----------
    values : ndarray of float64
    edges : ndarray of float64, (n_bin + 1,)
        Equally spaced.

    Returns
    -------
    ndarray of int64, (n_bin,)
    """
    n_bin = edges.size - 1
    place = (values[~np.isnan(values)] - edges[0]) / (edges[-1] - edges[0]) * n_bin
    return np.bincount(np.clip(place, 0, n_bin - 1).astype(np.int64), minlength=n_bin)


def first_of_each(label: NDArray[Any], key: NDArray[np.float64], n_first: int) -> NDArray[np.int64]:
    """Places of the smallest keys of each label.

    Parameters
    ----------
    label : ndarray of int, (n,)
    key : ndarray of float64, (n,)
    n_first : int
        At most so many of each.

    Returns
    -------
    ndarray of int64
    """
    order = np.lexsort((key, label))
    begin = np.searchsorted(label[order], label[order])
    return order[np.arange(order.size) - begin < n_first]
