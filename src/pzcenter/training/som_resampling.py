"""Objects in proportion to the cells of the target: a sample that looks like the target in colour and magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from pzcenter.errors import EmptyTableError, UsageError
from pzcenter.training.colour_space import bands_to_compare, colour_space, flux_columns
from pzcenter.training.row_hash import identity_of, mix
from pzcenter.training.subsample import Subsample, SubsampleSettings
from pzcenter.training.target_chunks import chunks_of, names_of, random_rows
from pzcenter.training.target_map import target_map

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.target_chunks import Target
    from pzcenter.training.target_map import TargetMap

__all__ = ["SomResampling", "SomResamplingSettings", "fill_cells"]


class SomResamplingSettings(SubsampleSettings):
    """How many rows are drawn, and on what map."""

    bands: tuple[str, ...] | None = Field(
        default=None, title="Bands", description="In order of wavelength; those in common when not given."
    )
    mag_band: str | None = Field(default=None, title="Band", description="Band of the magnitude; i when not given.")
    shape: tuple[int, int] | None = Field(
        default=None, title="Map", description="Rows and columns; at most 32 x 32, by the number of training objects."
    )
    n_rows: int | None = Field(
        default=None, title="Rows", description="Rows to draw; the most that keep the proportions when not given.", ge=1
    )
    replace: bool = Field(
        default=False, title="Repeats", description="Rows may count several times, as weights; else cells run dry."
    )
    full_share: float = Field(
        default=0.95,
        title="Full cells",
        description="Where n_rows is not given: share of the reachable target whose cells must not run dry.",
        gt=0,
        le=1,
    )
    n_sample: int = Field(
        default=100_000, title="Sample", description="Target objects from which the map is made.", ge=100
    )
    min_bands: int = Field(default=3, title="Fewest bands", description="Objects with fewer are left out.", ge=2)


class SomResampling:
    """Draw rows so that the cells of a self-organising map hold the shares that they have in the target."""

    name: ClassVar[str] = "som_resampling"
    title: ClassVar[str] = "Rows drawn to the target's distribution of colours and magnitude on a self-organising map."
    needs_target: ClassVar[bool] = True
    Settings: ClassVar[type[SubsampleSettings]] = SomResamplingSettings

    def __init__(self, settings: SomResamplingSettings) -> None:
        self.settings = settings

    def draw(self, table: pa.Table, target: Target | None, *, seed: int) -> Subsample:
        """Draw from each cell.

        Parameters
        ----------
        table : pa.Table
            A training set.
        target : Target
            What it shall look like; read twice.
        seed : int
            Rows are drawn by their id and the seed.

        Returns
        -------
        Subsample
            Weights count the repeats where ``replace`` is set.

        Raises
        ------
        EmptyTableError, UsageError
            No object with enough bands; no cell that has both.
        BandError, UnitError
            Bands or fluxes that do not serve.
        """
        assert target is not None
        bands = bands_to_compare(self.settings.bands, table.column_names, names_of(target))
        net, n_target = self._map(table, target, bands, seed)
        cell = net.cells_of(net.space.magnitudes(table))
        placed = cell >= 0
        n_training = np.bincount(cell[placed], minlength=net.n_cell)
        reachable = np.where(n_training > 0, n_target, 0)
        if not reachable.any():
            raise UsageError("no target object lies in a cell of the map that has training objects")
        share = reachable / reachable.sum()
        n_rows = self.settings.n_rows or self._most_rows(share, n_training)
        wanted = _whole_numbers(share * n_rows)
        times = np.zeros(table.num_rows)
        order = mix(identity_of(table), seed)
        times[placed] = fill_cells(cell[placed], order[placed], wanted, replace=self.settings.replace)
        counts = {
            "rows_wanted": n_rows,
            "rows_missing_in_cells_that_ran_dry": n_rows - int(times.sum()),
            "rows_without_enough_bands": int(np.count_nonzero(~placed)),
            "share_of_target_in_cells_without_training": float(1.0 - reachable.sum() / n_target.sum()),
        }
        return Subsample(times, is_weighted=self.settings.replace, counts=counts)

    def _map(
        self, table: pa.Table, target: Target, bands: tuple[str, ...], seed: int
    ) -> tuple[TargetMap, NDArray[np.int64]]:
        """The target's map, and how many of its objects are in each cell."""
        columns = flux_columns(bands)
        sample, _ = random_rows(target, columns, self.settings.n_sample, seed=seed)
        space = colour_space(sample, bands, mag_band=self.settings.mag_band, min_bands=self.settings.min_bands)
        n_placed = int(np.count_nonzero(space.codes(space.magnitudes(table))))
        if n_placed == 0:
            raise EmptyTableError(f"no training object is measured in {space.min_bands} of {', '.join(bands)}")
        net = target_map(space, n_training=n_placed, shape=self.settings.shape)
        n_target = np.zeros(net.n_cell, dtype=np.int64)
        for piece in chunks_of(target, columns):
            n_target += net.count(space.magnitudes(piece))
        return net, n_target

    def _most_rows(self, share: NDArray[np.float64], n_training: NDArray[np.int64]) -> int:
        """Rows at which the cells that run dry hold what ``full_share`` leaves over; with repeats, all rows."""
        if self.settings.replace:
            return int(n_training.sum())
        there = share > 0
        full_at = n_training[there] / share[there]
        order = np.argsort(full_at)
        dry = np.cumsum(share[there][order])
        place = min(int(np.searchsorted(dry, 1.0 - self.settings.full_share, side="right")), order.size - 1)
        return max(int(full_at[order][place]), 1)


def fill_cells(
    cell: NDArray[np.int32], order: NDArray[np.uint64], wanted: NDArray[np.int64], *, replace: bool
) -> NDArray[np.int64]:
    """How often each row is taken.

    Parameters
    ----------
    cell : ndarray of int, (n_obj,)
        Cell of each row.
    order : ndarray of uint64, (n_obj,)
        Random number of each row: the smallest are taken first.
    wanted : ndarray of int64, (n_cell,)
        Rows to take of each cell.
    replace : bool
        Take rows again where a cell has too few, each as often as the others or once more.

    Returns
    -------
    ndarray of int64, (n_obj,)
    """
    sequence = np.lexsort((order, cell))
    in_order = cell[sequence]
    rank = np.arange(cell.size) - np.searchsorted(in_order, in_order)
    size = np.bincount(cell, minlength=wanted.size)
    whole, rest = np.divmod(wanted, np.maximum(size, 1))
    times = np.empty(cell.size, dtype=np.int64)
    times[sequence] = whole[in_order] + (rank < rest[in_order]) if replace else rank < wanted[in_order]
    return times


def _whole_numbers(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers next to these whose sum is theirs: the largest remainders are rounded up."""
    whole = np.floor(values).astype(np.int64)
    lacking = round(float(values.sum())) - int(whole.sum())
    whole[np.argsort(whole - values, kind="stable")[:lacking]] += 1
    return whole
