"""At most so many objects in each cell of magnitude and redshift, so that bright surveys do not outweigh the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from pzcenter.catalogs.columns import require_columns
from pzcenter.training.row_hash import identity_of, mix
from pzcenter.training.split_units import bins_of, magnitude_or_column
from pzcenter.training.subsample import Subsample, SubsampleSettings

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.target_chunks import Target

__all__ = ["CellCap", "CellCapSettings"]


class CellCapSettings(SubsampleSettings):
    """Size of the cells and the greatest number of objects in one.

    The reference sample of Rubin's Data Preview 2 was thinned in cells of 0.1 x 0.1, 100 objects of a large and 20 of
    a shallow survey: ``n_max=None, n_max_by_survey={"DESI": 100, "SDSS": 100, "2MRS": 20, "6dFGS": 20}``.
    """

    mag_band: str = Field(default="i", title="Band", description="Band of the magnitude.")
    mag_width: float = Field(default=0.1, title="Width", description="Width of the cells in magnitude, mag.", gt=0)
    z_width: float = Field(default=0.1, title="Width", description="Width of the cells in redshift; no unit.", gt=0)
    n_max: int | None = Field(
        default=100, title="Cap", description="Most objects in a cell; null for no cap but those by survey.", ge=1
    )
    n_max_by_survey: dict[str, int] = Field(
        default_factory=dict,
        title="Cap by survey",
        description="Most objects of this survey in a cell, counted apart from the others.",
    )
    n_max_by_split: dict[str, int] = Field(
        default_factory=dict,
        title="Cap by sample",
        description="Most objects in a cell of train, validation or test, counted apart, in place of n_max.",
    )


class CellCap:
    """Keep at most so many objects in each cell of magnitude and redshift."""

    name: ClassVar[str] = "cell_cap"
    title: ClassVar[str] = "At most so many objects per cell of magnitude and redshift."
    needs_target: ClassVar[bool] = False
    Settings: ClassVar[type[SubsampleSettings]] = CellCapSettings

    def __init__(self, settings: CellCapSettings) -> None:
        self.settings = settings

    def draw(self, table: pa.Table, target: Target | None, *, seed: int) -> Subsample:  # noqa: ARG002 - the protocol's
        """Choose rows at random in each full cell.

        Parameters
        ----------
        table : pa.Table
            A training set; ``survey`` or ``split`` where there are caps by these.
        target : ignored
        seed : int
            Rows are drawn by their id and the seed.

        Returns
        -------
        Subsample
            Rows without redshift, or without a magnitude, are left out and counted.

        Raises
        ------
        ColumnError, BandError
            A column is not there.
        """
        cell = self._cells(table)
        placed = cell >= 0
        keep = placed.copy()
        order = mix(identity_of(table), seed)
        caps = self._caps(table)
        for rows, cap in caps.values():
            keep[rows & placed] &= _first_of_cells(cell[rows & placed], order[rows & placed], cap)
        sizes = np.bincount(cell[placed]) if placed.any() else np.zeros(1, dtype=np.int64)
        counts = {
            "rows_without_magnitude_or_redshift": int(np.count_nonzero(~placed)),
            "rows_above_the_cap": int(np.count_nonzero(placed & ~keep)),
            "cells": int(np.count_nonzero(sizes)),
            "objects_in_the_fullest_cell_before": int(sizes.max()),
        }
        counts |= {f"rows_{name}": int(np.count_nonzero(rows)) for name, (rows, _) in caps.items()}
        return Subsample(keep.astype(np.float64), counts=counts)

    def _cells(self, table: pa.Table) -> NDArray[np.int64]:
        """Number of each row's cell; -1 where the magnitude or the redshift is missing."""
        mag = magnitude_or_column(table, f"mag_{self.settings.mag_band}")
        z = magnitude_or_column(table, "z_spec")
        place = np.column_stack([bins_of(mag, self.settings.mag_width), bins_of(z, self.settings.z_width)])
        known = np.isfinite(place).all(axis=1)
        cell = np.full(table.num_rows, -1, dtype=np.int64)
        cell[known] = np.unique(place[known], axis=0, return_inverse=True)[1].reshape(-1)
        return cell

    def _caps(self, table: pa.Table) -> dict[str, tuple[NDArray[np.bool_], int]]:
        """Rows that are counted together, and the cap of each cell of them."""
        caps = {}
        rest = np.ones(table.num_rows, dtype=bool)
        for column, by_value in (("survey", self.settings.n_max_by_survey), ("split", self.settings.n_max_by_split)):
            for value, cap in by_value.items():
                rows = _has_text(table, column, value)
                rest &= ~rows
                caps[f"of_{column}_{value}"] = rows, cap
        if self.settings.n_max is not None:
            caps["under_the_general_cap"] = rest, self.settings.n_max
        return caps


def _has_text(table: pa.Table, column: str, text: str) -> NDArray[np.bool_]:
    require_columns([column], table.column_names, "the training set")
    encoded = table.column(column).combine_chunks().dictionary_encode()
    same = np.array([item.casefold() == text.casefold() for item in encoded.dictionary.to_pylist()] + [False])
    return np.asarray(same[encoded.indices.fill_null(len(same) - 1).to_numpy(zero_copy_only=False)])


def _first_of_cells(cell: NDArray[np.int64], order: NDArray[np.uint64], n_max: int) -> NDArray[np.bool_]:
    """True for the first rows of each cell in random order."""
    sequence = np.lexsort((order, cell))
    rank = np.arange(cell.size) - np.searchsorted(cell[sequence], cell[sequence])
    first = np.empty(cell.size, dtype=bool)
    first[sequence] = rank < n_max
    return first
