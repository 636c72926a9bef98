"""The grid of the densities, the bumps that make them, and the coarse grid of the template fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.estimators.density_network.kernel import UNROLL
from pzcenter.science.pz.grid import trapezoid_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DensityGrid", "density_grid"]

_REACH = 5
"""Distances between bumps at which a bump is cut."""


@dataclass(frozen=True, eq=False)
class DensityGrid:
    """Linear maps onto the grid of the densities.

    Parameters
    ----------
    z_grid : ndarray of float64, (n_z,)
        Redshifts.
    z_weight : ndarray of float32, (n_z,)
        Of the trapezoidal rule.
    bumps : ndarray of float32, (n_bump, n_z)
        Gaussians in ln(1 + z), whose sum is one at each redshift.
    first_bump : ndarray of int64, (n_z,)
        First bump that is not zero.
    taps : ndarray of float32, (n_z, n_tap)
        Bumps from there on.
    log_coarse : ndarray of float32, (n_coarse, n_z)
        Linear interpolation from the coarse grid.
    coarse_cell : ndarray of int64, (n_z,)
    coarse_part : ndarray of float32, (n_z,)
        The same by cell and position in it.
    """

    z_grid: NDArray[np.float64]
    z_weight: NDArray[np.float32]
    bumps: NDArray[np.float32]
    first_bump: NDArray[np.int64]
    taps: NDArray[np.float32]
    log_coarse: NDArray[np.float32]
    coarse_cell: NDArray[np.int64]
    coarse_part: NDArray[np.float32]

    @property
    def n_bump(self) -> int:
        """Number of bumps."""
        return int(self.bumps.shape[0])

    def place(self, z: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Cell of the grid that holds each redshift, and the position within it."""
        cell = np.clip(np.searchsorted(self.z_grid, z, side="right") - 1, 0, self.z_grid.size - 2)
        part = (z - self.z_grid[cell]) / (self.z_grid[cell + 1] - self.z_grid[cell])
        return cell.astype(np.int32), np.clip(part, 0.0, 1.0).astype(np.float32)


def density_grid(z_grid: NDArray[np.float64], coarse: NDArray[np.float64], resolution: float) -> DensityGrid:
    """Make the maps.

    Parameters
    ----------
    z_grid : ndarray of float64, (n_z,)
        Grid of the densities.
    coarse : ndarray of float64, (n_coarse,)
        Grid of the template fit, in equal steps over the same range.
    resolution : float
        Distance of the bumps in ln(1 + z).

    Returns
    -------
    DensityGrid
    """
    u = np.log1p(z_grid)
    n_bump = max(int(np.ceil((u[-1] - u[0]) / resolution)) + 1, 2 * _REACH + 2)
    n_bump = -(-n_bump // UNROLL) * UNROLL
    centre = np.linspace(u[0], u[-1], n_bump)
    apart = (u[:, None] - centre) / (centre[1] - centre[0])
    value = np.where(np.abs(apart) <= _REACH, np.exp(-0.5 * apart**2), 0.0)
    value /= value.sum(axis=1, keepdims=True)
    n_tap = 2 * _REACH + 1
    first = np.clip(np.argmax(value > 0, axis=1), 0, n_bump - n_tap)
    taps = np.take_along_axis(value, first[:, None] + np.arange(n_tap), axis=1)
    place = np.clip((z_grid - coarse[0]) / (coarse[1] - coarse[0]), 0, coarse.size - 1)
    cell = np.minimum(place.astype(np.int64), coarse.size - 2)
    part = place - cell
    log_coarse = np.zeros((coarse.size, z_grid.size))
    log_coarse[cell, np.arange(z_grid.size)] = 1 - part
    log_coarse[cell + 1, np.arange(z_grid.size)] += part
    return DensityGrid(
        z_grid=z_grid,
        z_weight=trapezoid_weights(z_grid).astype(np.float32),
        bumps=np.ascontiguousarray(value.T, dtype=np.float32),
        first_bump=first.astype(np.int64),
        taps=np.ascontiguousarray(taps, dtype=np.float32),
        log_coarse=log_coarse.astype(np.float32),
        coarse_cell=cell,
        coarse_part=part.astype(np.float32),
    )
