"""A self-organising map: a net of cells laid through a cloud of points, each cell with about as many of them.

The batch form: all points are assigned to cells, then each cell moves to the mean of the points of its neighbourhood,
which narrows from epoch to epoch. It starts on the plane of the two main axes, so it needs no random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ConfigError, EmptyTableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SelfOrganisingMap", "nearest_cells", "train_som"]

_BLOCK = 4096
"""Points compared with all cells at a time: their table of distances stays in the cache."""


@dataclass(frozen=True, eq=False)
class SelfOrganisingMap:
    """Cells of a trained map.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the net.
    cells : ndarray of float64, (n_cell, n_feature)
        Place of each cell, row by row.
    quantisation_error : float
        Root of the mean squared distance of the points to their cells.
    """

    shape: tuple[int, int]
    cells: NDArray[np.float64]
    quantisation_error: float


def train_som(
    x: NDArray[np.float64], shape: tuple[int, int], *, n_epoch: int = 15, final_radius: float = 0.5
) -> SelfOrganisingMap:
    """Lay a map through points.

    Parameters
    ----------
    x : ndarray of float64, (n_obj, n_feature)
        Finite, features of about equal width.
    shape : tuple of int
        Rows and columns, at least one each.
    n_epoch : int
        Times that all points are seen.
    final_radius : float
        Width of the neighbourhood at the end, cells; it starts at a quarter of the longer side.

    Returns
    -------
    SelfOrganisingMap

    Raises
    ------
    EmptyTableError
        No points.
    ConfigError
        A shape or a number of epochs that is not positive.

    References
    ----------
    Kohonen 2001, Self-Organizing Maps, 3rd ed., section 3.6 (batch map); Masters et al. 2015, ApJ 813, 53.
    """
    if min(shape) < 1 or n_epoch < 1:
        raise ConfigError(f"a map needs at least one row, column and epoch; got shape {shape}, {n_epoch} epochs")
    if x.shape[0] == 0:
        raise EmptyTableError("a map needs points")
    cells = _main_plane(x, shape)
    start = max(max(shape) / 4.0, final_radius)
    for radius in np.geomspace(start, final_radius, n_epoch):
        cells = _moved(x, cells, _kernel(shape, float(radius)))
    offset = x - cells[nearest_cells(x, cells)]
    return SelfOrganisingMap(shape, cells, float(np.sqrt(np.mean(np.sum(offset**2, axis=1)))))


def nearest_cells(x: NDArray[np.float64], cells: NDArray[np.float64]) -> NDArray[np.int32]:
    """Cell of each point.

    Parameters
    ----------
    x : ndarray of float64, (n_obj, n_feature)
        Finite.
    cells : ndarray of float64, (n_cell, n_feature)

    Returns
    -------
    ndarray of int32, (n_obj,)
        In single precision: which of two cells as near to one part in a million is taken is a matter of rounding.
    """
    # The nearest cell c has the largest x.c - c.c/2: one matrix product for a block of points.
    centre = cells.mean(axis=0)
    shifted = cells - centre
    product = np.vstack([shifted.T, -0.5 * np.sum(shifted**2, axis=1)]).astype(np.float32)
    found = np.empty(x.shape[0], dtype=np.int32)
    block = np.ones((min(_BLOCK, x.shape[0]), x.shape[1] + 1), dtype=np.float32)
    for begin in range(0, x.shape[0], _BLOCK):
        points = block[: min(_BLOCK, x.shape[0] - begin)]
        points[:, :-1] = x[begin : begin + _BLOCK] - centre
        found[begin : begin + _BLOCK] = np.argmax(points @ product, axis=1)
    return found


def _main_plane(x: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Cells on the plane of the two main axes, two standard deviations to each side."""
    centre = x.mean(axis=0)
    value, axes = np.linalg.eigh(np.atleast_2d(np.cov(x - centre, rowvar=False, bias=True)))
    long = axes[:, -1] * np.sqrt(max(value[-1], 0.0))
    wide = axes[:, -2] * np.sqrt(max(value[-2], 0.0)) if value.size > 1 else 0.0 * long
    row, column = (2.0 * np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    plane = centre + row[:, None, None] * long + column[None, :, None] * wide
    return np.asarray(plane.reshape(-1, x.shape[1]))


def _kernel(shape: tuple[int, int], radius: float) -> NDArray[Any]:
    """Gaussian weight of each cell for each other."""
    row, column = (grid.ravel() for grid in np.indices(shape))
    squared = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    return np.asarray(np.exp(-0.5 * squared / radius**2))


def _moved(x: NDArray[np.float64], cells: NDArray[np.float64], kernel: NDArray[Any]) -> NDArray[np.float64]:
    """Each cell at the mean of its neighbourhood; cells without points around stay."""
    cell = nearest_cells(x, cells)
    n = np.bincount(cell, minlength=len(cells)).astype(np.float64)
    total = np.column_stack([np.bincount(cell, column, minlength=len(cells)) for column in x.T])
    weight = kernel @ n
    # Less than a ten-thousandth of a point is too far away to say where to go.
    known = weight > 1e-4
    moved = cells.copy()
    moved[known] = (kernel[known] @ total) / weight[known, None]
    return moved
