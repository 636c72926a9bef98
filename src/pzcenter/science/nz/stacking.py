"""n(z) as the sum of p(z): simple, and biased.

A sum of posteriors is the distribution of true redshifts only where the prior that is in the p(z) is itself that
distribution; else it leans towards the prior, and every p(z) that is broader than its own truth broadens it (Malz &
Hogg 2022). The resampling tells how much the sum would change with other objects, and nothing of that bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError, EmptyTableError, GridError
from pzcenter.science.nz.estimate import NzEstimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["StackSums", "mass_operators", "stacked_nz"]


def mass_operators(z_grid: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices that take densities on a grid to probabilities and moments.

    Parameters
    ----------
    z_grid : ndarray of float64, (n_z,)
        Increasing; a density is linear between its points and zero outside.
    edges : ndarray of float64, (n_cell + 1,)
        Increasing.

    Returns
    -------
    ndarray of float64, (n_z, n_cell + 3)
        ``pdf @ operator`` has the probability of each cell, then the integrals of p, z p and z² p over the whole
        grid. Exact for densities that are linear between the points.

    Raises
    ------
    GridError
        Grid or edges do not increase.
    """
    for name, values in (("z_grid", z_grid), ("edges", edges)):
        if values.ndim != 1 or values.size < 2 or not np.all(np.diff(values) > 0):
            raise GridError(f"{name} must increase, at least two points; got {values[:5]}")
    inside = edges[(edges > z_grid[0]) & (edges < z_grid[-1])]
    fine = np.union1d(z_grid, inside)
    at = np.clip(np.searchsorted(z_grid, fine, side="right") - 1, 0, z_grid.size - 2)
    part = (fine - z_grid[at]) / np.diff(z_grid)[at]
    hat = np.zeros((fine.size, z_grid.size))
    hat[np.arange(fine.size), at] = 1.0 - part
    hat[np.arange(fine.size), at + 1] += part
    width = np.diff(fine)
    area = 0.5 * width[:, None] * (hat[1:] + hat[:-1])
    cell = np.searchsorted(edges, 0.5 * (fine[1:] + fine[:-1]), side="right") - 1
    operator = np.zeros((z_grid.size, edges.size + 2))
    for index in range(edges.size - 1):
        operator[:, index] = area[cell == index].sum(axis=0)
    # Simpson's rule is exact for z p; for z² p, of third order, it is exact too.
    middle, centre = 0.5 * (hat[1:] + hat[:-1]), 0.5 * (fine[1:] + fine[:-1])
    for power in range(3):
        ends = hat[1:] * (fine[1:] ** power)[:, None] + hat[:-1] * (fine[:-1] ** power)[:, None]
        whole = (width / 6.0)[:, None] * (ends + 4.0 * middle * (centre**power)[:, None])
        operator[:, edges.size - 1 + power] = whole.sum(axis=0)
    return operator


class StackSums:
    """Sums of p(z) by tomographic bin and by group of objects; they need no more memory for more objects.

    Parameters
    ----------
    n_group : int
        Groups in which objects are resampled.
    n_bin : int
        Tomographic bins.
    edges : ndarray of float64, (n_cell + 1,)
    z_grid : ndarray of float64, (n_z,)
    """

    def __init__(self, n_group: int, n_bin: int, edges: NDArray[np.float64], z_grid: NDArray[np.float64]) -> None:
        self.edges = edges
        self._operator = mass_operators(z_grid, edges).astype(np.float32)
        self.sums = np.zeros((n_group, n_bin, edges.size + 2))
        self.n_obj = np.zeros((n_group, n_bin), dtype=np.int64)

    def add(self, pdf: NDArray[np.float32], bin_index: NDArray[np.int16], group: NDArray[np.int64]) -> None:
        """Add objects.

        Parameters
        ----------
        pdf : ndarray of float32, (n_obj, n_z)
            Finite; each is normalised here.
        bin_index : ndarray of int16, (n_obj,)
            -1 where it is in no bin.
        group : ndarray of int64, (n_obj,)
        """
        kept = np.flatnonzero(bin_index >= 0)
        if not kept.size:
            return
        parts = (pdf[kept] @ self._operator).astype(np.float64)
        parts /= parts[:, -3][:, None]
        n_group, n_bin, n_column = self.sums.shape
        place = group[kept] * n_bin + bin_index[kept]
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        flat = self.sums.reshape(n_group * n_bin, n_column)
        flat[place[order][starts]] += np.add.reduceat(parts[order], starts, axis=0)
        self.n_obj += np.bincount(place, minlength=n_group * n_bin).reshape(n_group, n_bin)


def stacked_nz(sums: StackSums, *, n_sample: int = 200, seed: int = 0) -> NzEstimate:
    """Mean p(z) of each bin, with resamples of the groups.

    Parameters
    ----------
    sums : StackSums
    n_sample : int
        Bootstrap resamples: as many groups as there are, drawn with repeats.
    seed : int

    Returns
    -------
    NzEstimate

    Raises
    ------
    EmptyTableError
        No object is in any bin.
    ConfigError
        Fewer than two groups hold objects, and resamples are asked for.

    References
    ----------
    Efron 1979, Ann. Statist. 7, 1; Field & Welsh 2007, JRSS B 69, 369 (groups).
    """
    if not sums.n_obj.any():
        raise EmptyTableError("no object is in any tomographic bin")
    filled = np.flatnonzero(sums.n_obj.any(axis=1))
    if n_sample and filled.size < 2:
        raise ConfigError("all objects are in one group: resampling needs two groups at least, better 30")
    rng = np.random.default_rng(seed)
    times = rng.multinomial(filled.size, np.full(filled.size, 1.0 / filled.size), size=n_sample).astype(np.float64)
    nz, mean, width = _means(sums.sums[filled].sum(axis=0)[None], sums.edges)
    drawn = np.einsum("sg,gbk->sbk", times, sums.sums[filled], optimize=True)
    samples, mean_samples, width_samples = _means(drawn, sums.edges)
    return NzEstimate(
        edges=sums.edges,
        nz=nz[0],
        samples=samples,
        mean=mean[0],
        width=width[0],
        mean_samples=mean_samples,
        width_samples=width_samples,
        n_obj=sums.n_obj.sum(axis=0),
    )


def _means(
    sums: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Density, mean and width of sums (n, n_bin, n_cell + 3)."""
    total = np.where(sums[..., -3] > 0.0, sums[..., -3], np.nan)
    inside = sums[..., :-3].sum(axis=-1)
    density = sums[..., :-3] / np.where(inside > 0.0, inside, np.nan)[..., None] / np.diff(edges)
    mean = sums[..., -2] / total
    return density, mean, np.sqrt(np.maximum(sums[..., -1] / total - mean**2, 0.0))
