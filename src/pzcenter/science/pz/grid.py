"""What the algebra needs to know about a redshift grid, computed once per grid.

The convention of the whole project: a p(z) is the *piecewise linear density* through its values on the grid, and zero
outside the grid. Every integral of it is therefore a fixed linear combination of the grid values, exact on any
increasing grid; with the hat function phi_i of node i (1 at ``z_i``, falling linearly to 0 at its neighbours)

    int p(z) z^k dz = sum_i p_i int phi_i(z) z^k dz.

For k = 0 this is the trapezoid rule.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pzcenter.errors import GridError, ShapeError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["GridTables", "check_grid", "check_pdf", "grid_tables", "integral", "trapezoid_weights"]

LANES = 16
"""Grid points per block of the kernels: one AVX-512 or two AVX2 registers of float32."""

RISK_GAMMA = 0.15
"""Width of the Lorentzian loss in units of 1 + z (Tanaka et al. 2018, PASJ 70, S9)."""


class GridTables(NamedTuple):
    """Per-grid constants of the kernels; arrays over grid points are padded with zeros to whole blocks of 16."""

    z: NDArray[np.float64]
    """(n_z,) grid points."""
    width: NDArray[np.float32]
    """(n_pad,) width of the cell to the right of each point, 0 from the last point on."""
    hat: NDArray[np.float32]
    """(5, n_pad) moments 0 to 4 of each hat function about its own node."""
    first: NDArray[np.float32]
    """(n_pad,) first moment of each hat function about ``z[0]``."""
    offset: NDArray[np.float32]
    """(n_pad,) grid points minus ``z[0]``."""
    loss: NDArray[np.float32]
    """(n_z, n_pad) expected-loss weights: row i times p gives the risk of the estimate ``z[i]``."""
    bend: NDArray[np.float32]
    """(n_pad,) weights whose sum with p bounds the second derivative of the risk everywhere."""
    bend_of_peak: NDArray[np.float32]
    """(n_z,) times the largest density, bounds it at and above each grid point."""


def check_grid(z_grid: ArrayLike) -> NDArray[np.float64]:
    """Give the grid as float64.

    Raises
    ------
    GridError
        It is not one-dimensional, has fewer than two points, or does not increase.
    """
    z = np.ascontiguousarray(z_grid, dtype=np.float64)
    if z.ndim != 1 or z.size < 2 or not np.all(np.diff(z) > 0.0) or not np.all(np.isfinite(z)):
        raise GridError(f"z_grid must be one-dimensional, finite, increasing, with at least two points; got {z!r}")
    return z


def check_pdf(pdf: ArrayLike, z_grid: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give the densities as contiguous float32 rows, and the grid as float64.

    Raises
    ------
    ShapeError
        ``pdf`` is not (n_obj, n_z).
    GridError
        The grid does not increase, or reaches down to -1.
    """
    z = check_grid(z_grid)
    p = np.ascontiguousarray(pdf, dtype=np.float32)
    if p.ndim != 2 or p.shape[1] != z.size:
        raise ShapeError(f"pdf must be (n_obj, {z.size}); got {p.shape}")
    return p, z


def trapezoid_weights(z_grid: ArrayLike) -> NDArray[np.float64]:
    """Weights w with ``sum(w * f) = int f dz`` for a piecewise linear f on the grid, (n_z,)."""
    step = np.diff(check_grid(z_grid))
    return 0.5 * (np.concatenate(([0.0], step)) + np.concatenate((step, [0.0])))


def integral(pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float64]:
    """Integral of each density over the grid, float64.

    Parameters
    ----------
    pdf : ndarray, (..., n_z)
        Density per unit redshift.
    z_grid : ndarray, (n_z,)
        Increasing.

    Returns
    -------
    ndarray, (...)
    """
    # vecdot, not a matrix product: the bits of a row must not depend on how many rows there are.
    values: NDArray[np.float64] = np.vecdot(np.asarray(pdf), trapezoid_weights(z_grid))
    return values


def grid_tables(z_grid: ArrayLike) -> GridTables:
    """Give the constants of this grid, kept for the last few grids used.

    Raises
    ------
    GridError
        The grid does not increase, or reaches down to -1.
    """
    z = check_grid(z_grid)
    if z[0] <= -1.0:
        raise GridError(f"redshifts must be above -1; the grid begins at {z[0]}")
    return _tables(z.tobytes())


def _padded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Copy as float32 with zeros up to a multiple of ``LANES`` on the last axis."""
    n_pad = -(-values.shape[-1] // LANES) * LANES
    out = np.zeros((*values.shape[:-1], n_pad), dtype=np.float32)
    out[..., : values.shape[-1]] = values
    return out


@lru_cache(maxsize=8)
def _tables(grid: bytes) -> GridTables:
    z = np.frombuffer(grid, dtype=np.float64)
    step = np.diff(z)
    left = np.concatenate(([0.0], step))
    right = np.concatenate((step, [0.0]))
    k = np.arange(5)[:, None]
    # int_0^h t^k (1 - t/h) dt = h^(k+1) / ((k+1)(k+2)); the left half has t < 0.
    hat = (right ** (k + 1) + (-1.0) ** k * left ** (k + 1)) / ((k + 1) * (k + 2))
    scaled = (z[:, None] - z[None, :]) / (RISK_GAMMA * (1.0 + z[None, :]))
    loss = scaled**2 / (1.0 + scaled**2)
    return GridTables(
        z=z,
        width=_padded(right),
        hat=_padded(hat),
        first=_padded(hat[1] + hat[0] * (z - z[0])),
        offset=_padded(z - z[0]),
        loss=_padded(loss * hat[0]),
        bend=_padded(hat[0] * 2.0 / (RISK_GAMMA * (1.0 + z)) ** 2),
        bend_of_peak=_bend_of_peak(z, float(step.max())),
    )


def _bend_of_peak(z: NDArray[np.float64], step: float) -> NDArray[np.float32]:
    """Bound on R'' per unit of max(p).

    With x = (z' - z)/(gamma (1 + z)), dx/dz = -(1 + z')/(gamma (1 + z)^2), so that the positive part of L''
    integrates to (3 sqrt(3)/4)/(gamma (1 + z')). The trapezoid rule exceeds the integral of a single bump by at most
    the step times its height, and L'' > 0 only for 1 + z > (1 + z')/(1 + gamma/sqrt(3)), where the height is at most
    2/(gamma (1 + z))^2.
    """
    scale = RISK_GAMMA * (1.0 + z)
    height = 2.0 * ((1.0 + RISK_GAMMA / np.sqrt(3.0)) / scale) ** 2
    bound: NDArray[np.float32] = (0.75 * np.sqrt(3.0) / scale + step * height).astype(np.float32)
    return bound
