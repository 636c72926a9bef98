"""Distance of each estimated p(z) from the true one, where a simulation knows it, and the loss of a point estimate.

p(z) is linear between grid points (:mod:`pzcenter.science.pz.grid`); rows are normalised on the way, and a row without
a density on either side is NaN. Integrals are the trapezoid rule over the grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ShapeError
from pzcenter.science.metrics.point import delta_z
from pzcenter.science.pz.grid import RISK_GAMMA, check_pdf, integral, trapezoid_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["DENSITY_OF_NOTHING", "kld_each", "lorentzian_loss", "rmse_each"]

DENSITY_OF_NOTHING = 2.220446049250313e-16
"""Density below which the logarithm is not followed: the spacing of float64, as in qp."""


def kld_each(pdf_true: ArrayLike, pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of each estimate from the true density, ``int p_true ln(p_true/p) dz``, nats.

    The information lost by using ``pdf`` in the place of ``pdf_true``. qp's registered metric ``kld`` evaluates
    ``int p ln(p/p_true) dz``, with the estimate where the truth stands here.

    Parameters
    ----------
    pdf_true, pdf : ndarray, (n_obj, n_z)
        Densities per unit redshift, on one grid.
    z_grid : ndarray, (n_z,)
        Increasing.

    Returns
    -------
    ndarray of float64, (n_obj,)
        Not negative but for the error of the rule; 0 for equal densities.

    Raises
    ------
    ShapeError, GridError
        The arrays do not fit each other, or the grid does not increase.

    References
    ----------
    Kullback & Leibler 1951, Ann. Math. Statist. 22, 79; Malz et al. 2018, AJ 156, 35.
    """
    truth, estimate, weight = _normalised(pdf_true, pdf, z_grid)
    floor = DENSITY_OF_NOTHING
    values: NDArray[np.float64] = (
        truth * (np.log(np.maximum(truth, floor)) - np.log(np.maximum(estimate, floor)))
    ) @ weight
    return values


def rmse_each(pdf_true: ArrayLike, pdf: ArrayLike, z_grid: ArrayLike) -> NDArray[np.float64]:
    """Root mean square difference of each estimate from the true density over the grid, density units. qp ``rmse``.

    ``sqrt(int (p - p_true)^2 dz / (z_max - z_min))``.

    Parameters
    ----------
    pdf_true, pdf : ndarray, (n_obj, n_z)
        Densities per unit redshift, on one grid.
    z_grid : ndarray, (n_z,)
        Increasing.

    Returns
    -------
    ndarray of float64, (n_obj,)
    """
    truth, estimate, weight = _normalised(pdf_true, pdf, z_grid)
    values: NDArray[np.float64] = np.sqrt(np.square(estimate - truth) @ weight / weight.sum())
    return values


def lorentzian_loss(z_phot: ArrayLike, z_spec: ArrayLike, *, gamma: float = RISK_GAMMA) -> NDArray[np.float64]:
    """Loss of each point estimate, ``1 - 1/(1 + (dz/gamma)^2)``, (n_obj,), in [0, 1).

    Its mean is what the mean of :func:`pzcenter.science.pz.risk` at ``z_phot`` promises: the two agree for a
    calibrated p(z).

    References
    ----------
    Tanaka et al. 2018, PASJ 70, S9, eq. 3; DMTN-049, app. A.2.
    """
    x2 = np.square(delta_z(z_phot, z_spec) / gamma)
    values: NDArray[np.float64] = x2 / (1.0 + x2)
    return values


def _normalised(
    pdf_true: ArrayLike, pdf: ArrayLike, z_grid: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    truth, z = check_pdf(pdf_true, z_grid)
    estimate, _ = check_pdf(pdf, z_grid)
    if truth.shape != estimate.shape:
        raise ShapeError(f"pdf_true and pdf must have one shape; got {truth.shape} and {estimate.shape}")
    with np.errstate(invalid="ignore", divide="ignore"):
        pair = [p.astype(np.float64) / integral(p.astype(np.float64), z)[:, None] for p in (truth, estimate)]
    return pair[0], pair[1], trapezoid_weights(z)
