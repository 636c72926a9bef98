"""A target's map: the cells of its colours and magnitudes, and the cell of any object with any of its bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.training.som import nearest_cells, train_som

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.training.colour_space import ColourSpace

__all__ = ["TargetMap", "target_map"]

_MAX_SIDE, _PER_CELL = 32, 20
"""At least this many training objects per cell on average, and never more cells than 32 x 32."""


@dataclass(frozen=True, eq=False)
class TargetMap:
    """Cells of a self-organising map.

    Parameters
    ----------
    space : ColourSpace
        Of the target.
    shape : tuple of int
        Rows and columns.
    cell_mag : ndarray of float64, (n_cell, n_band)
        Asinh magnitudes of the cells: these have a place in the features of any set of bands.
    """

    space: ColourSpace
    shape: tuple[int, int]
    cell_mag: NDArray[np.float64]

    @property
    def n_cell(self) -> int:
        """Number of cells."""
        return len(self.cell_mag)

    def cells_of(self, mag: NDArray[np.float64]) -> NDArray[np.int32]:
        """Cell of each object, found in the bands that it has.

        Parameters
        ----------
        mag : ndarray of float64, (n_obj, n_band)
            Asinh magnitudes, NaN where missing.

        Returns
        -------
        ndarray of int32, (n_obj,)
            -1 for objects with too few bands.
        """
        cell = np.full(mag.shape[0], -1, dtype=np.int32)
        for code, rows in self.space.by_code(mag):
            places = self.space.features(self.cell_mag, code)
            cell[rows] = nearest_cells(self.space.features(mag[rows], code), places)
        return cell

    def count(self, mag: NDArray[np.float64]) -> NDArray[np.int64]:
        """Objects in each cell.

        Parameters
        ----------
        mag : ndarray of float64, (n_obj, n_band)

        Returns
        -------
        ndarray of int64, (n_cell,)
        """
        cell = self.cells_of(mag)
        return np.bincount(cell[cell >= 0], minlength=self.n_cell)


def target_map(space: ColourSpace, *, n_training: int, shape: tuple[int, int] | None = None) -> TargetMap:
    """Lay a map through the target objects that a space was made of.

    Parameters
    ----------
    space : ColourSpace
        Of the target.
    n_training : int
        Training objects that will be counted on the map.
    shape : tuple of int, optional
        Rows and columns; a square of at most 32 x 32, with 20 training objects for each cell.

    Returns
    -------
    TargetMap

    Raises
    ------
    ConfigError
        A shape that is none.
    """
    x = space.features(space.mag_sample)
    side = int(np.clip(np.sqrt(min(n_training, len(x)) / _PER_CELL), 2, _MAX_SIDE))
    net = train_som(x, shape or (side, side))
    return TargetMap(space, net.shape, space.magnitudes_of(net.cells))
