"""Credible intervals, the probability around a point, and the expected loss of a point."""
# ruff: noqa: ANN001, ANN202 - numba infers the types of its kernels

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numba import njit

from pzcenter.errors import UsageError
from pzcenter.science.pz.density import cdf_at, quantiles
from pzcenter.science.pz.grid import RISK_GAMMA, check_pdf, integral, trapezoid_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["credible_interval", "odds", "risk"]


def credible_interval(
    pdf: ArrayLike, z_grid: ArrayLike, *, level: float = 0.68, kind: Literal["equal_tail", "hpd"] = "equal_tail"
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Interval that holds the probability ``level``.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.
    level : float
        In (0, 1).
    kind : {"equal_tail", "hpd"}
        Equal probability on both sides, or the shortest interval between two grid points that holds at least ``level``
        (the highest-density interval of a p(z) with one peak).

    Returns
    -------
    low, high : ndarray of float32, (n_obj,)
        NaN in rows without a density.

    Raises
    ------
    UsageError
        ``level`` is not in (0, 1), or ``kind`` is unknown.
    """
    if not 0.0 < level < 1.0:
        raise UsageError(f"level must lie between 0 and 1; got {level}")
    if kind == "equal_tail":
        ends = quantiles(pdf, z_grid, [0.5 * (1.0 - level), 0.5 * (1.0 + level)])
        return ends[:, 0], ends[:, 1]
    if kind != "hpd":
        raise UsageError(f"kind must be 'equal_tail' or 'hpd'; got {kind!r}")
    p, z = check_pdf(pdf, z_grid)
    low = np.empty(p.shape[0], dtype=np.float32)
    high = np.empty(p.shape[0], dtype=np.float32)
    _shortest_rows(p, z, level, low, high)
    return low, high


def odds(pdf: ArrayLike, z_grid: ArrayLike, z: ArrayLike, *, half_width: float = 0.03) -> NDArray[np.float32]:
    """Probability within ``half_width (1 + z)`` of a redshift.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.
    z : float or ndarray, (n_obj,)
        Centre, such as the mode (BPZ's odds) or ``z_best`` (``z_conf``).
    half_width : float
        In units of 1 + z; 0.03 in DMTN-049, 0.06 in BPZ.

    Returns
    -------
    ndarray of float32, (n_obj,)

    References
    ----------
    Benitez 2000, ApJ 536, 571.
    """
    centre = np.asarray(z, dtype=np.float64)
    reach = half_width * (1.0 + centre)
    return (cdf_at(pdf, z_grid, centre + reach) - cdf_at(pdf, z_grid, centre - reach)).astype(np.float32)


def risk(pdf: ArrayLike, z_grid: ArrayLike, z: ArrayLike | None = None) -> NDArray[np.float32]:
    """Lorentzian loss to expect when calling each object's redshift ``z``.

    ``R(z') = int p(z) (1 - 1/(1 + x^2)) dz`` with ``x = (z' - z)/(gamma (1 + z))``, gamma = 0.15, by trapezoid rule.

    Parameters
    ----------
    pdf : ndarray, (n_obj, n_z)
        Density per unit redshift; rows need not be normalised.
    z_grid : ndarray, (n_z,)
        Increasing.
    z : ndarray, (n_try,), optional
        Redshifts to try; the grid when not given.

    Returns
    -------
    ndarray of float32, (n_obj, n_try)
        In [0, 1].

    References
    ----------
    Tanaka et al. 2018, PASJ 70, S9.
    """
    p, grid = check_pdf(pdf, z_grid)
    tried = grid if z is None else np.atleast_1d(np.asarray(z, dtype=np.float64))
    x2 = ((tried[:, None] - grid) / (RISK_GAMMA * (1.0 + grid))) ** 2
    weighted_loss = trapezoid_weights(grid) * x2 / (1.0 + x2)
    with np.errstate(invalid="ignore", divide="ignore"):
        values: NDArray[np.float32] = ((p @ weighted_loss.T) / integral(p, grid)[:, None]).astype(np.float32)
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def _shortest_rows(pdf, z, level, low, high):  # type: ignore[no-untyped-def]
    """Two pointers over the cumulative at the grid points."""
    n = z.shape[0]
    c = np.empty(n)
    for g in range(pdf.shape[0]):
        c[0] = 0.0
        for k in range(1, n):
            left = max(np.float64(pdf[g, k - 1]), 0.0)
            right = max(np.float64(pdf[g, k]), 0.0)
            if not (np.isfinite(pdf[g, k]) and np.isfinite(pdf[g, k - 1])):
                left = np.nan
            c[k] = c[k - 1] + 0.5 * (left + right) * (z[k] - z[k - 1])
        if not c[n - 1] > 0.0:
            low[g] = np.nan
            high[g] = np.nan
            continue
        need = level * c[n - 1]
        best = np.inf
        j = 0
        for i in range(n):
            while j < n and c[j] - c[i] < need:
                j += 1
            if j == n:
                break
            if z[j] - z[i] < best:
                best = z[j] - z[i]
                low[g] = z[i]
                high[g] = z[j]
