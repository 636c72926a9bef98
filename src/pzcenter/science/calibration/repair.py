"""The shape of the templates: one damped least-squares step towards the fluxes of the objects they fit best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science.calibration.sample import ErrorFunction, Sample, at_redshift, fit_at_redshift

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REPAIR_DAMPING", "apply_operator", "repair_step", "slope_of_fluxes"]

REPAIR_DAMPING = 0.7
"""Fraction of each least-squares step that is taken: the responsibilities move with the templates."""

NEGLIGIBLE_RESPONSIBILITY = 0.02


def repair_step(
    sample: Sample, error: ErrorFunction, *, z_nodes: Any, slope: Any, correction: Any, ridge: float
) -> NDArray[np.float64]:
    """Least-squares change of the corrections (n_sed, n_knot), the amplitude of each object projected out."""
    n_sed, n_knot = correction.shape
    model = slope.sum(axis=1)  # the hat functions sum to one
    normal, right = np.zeros((n_sed, n_knot, n_knot)), np.zeros((n_sed, n_knot))
    for block in sample.blocks():
        weight = error.inverse_variance(block)
        here = at_redshift(model, z_nodes, block.z)
        amplitude, responsibility = fit_at_redshift(block, here, weight)
        for t in range(n_sed):
            rows = np.flatnonzero(responsibility[:, t] > NEGLIGIBLE_RESPONSIBILITY)
            if rows.size == 0:
                continue
            scale = amplitude[rows, t]
            flux = scale[:, None] * here[rows, t]
            design = scale[:, None, None] * at_redshift(slope[t], z_nodes, block.z[rows]).swapaxes(1, 2)
            w = weight[rows] * responsibility[rows, t, None]
            along = np.einsum("nb,nbk->nk", w * flux, design) / np.maximum(np.sum(w * flux**2, axis=1), 1e-300)[:, None]
            design -= flux[:, :, None] * along[:, None, :]
            weighted = (w[:, :, None] * design).reshape(-1, n_knot)
            normal[t] += weighted.T @ design.reshape(-1, n_knot)
            right[t] += weighted.T @ (block.flux[rows] - flux).ravel()
    stiffness = ridge * _stiffness(n_knot)
    return np.stack(
        [np.linalg.solve(normal[t] + stiffness, right[t] - stiffness @ correction[t]) for t in range(n_sed)]
    )


def _stiffness(n_knot: int) -> NDArray[np.float64]:
    """Quadratic form that prefers corrections that are straight, then flat, then zero."""
    identity = np.eye(n_knot)
    bend, slope = np.diff(identity, 2, axis=0), np.diff(identity, 1, axis=0)
    return np.asarray(bend.T @ bend + 0.3 * slope.T @ slope + 0.03 * identity)


def apply_operator(operator: NDArray[np.float64], spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Model fluxes (n_sed, n_band, n_z) of spectra (n_sed, n_wave)."""
    return np.moveaxis(operator @ spectra.T, -1, 0)


def slope_of_fluxes(
    operator: NDArray[np.float64], spectra: NDArray[np.float64], hats: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Change of the model fluxes with the corrections, (n_sed, n_knot, n_band, n_z).

    The hat functions sum to one, so that the sum over knots is the model flux itself.
    """
    slope = np.empty((spectra.shape[0], hats.shape[0], *operator.shape[:2]))
    for k, hat in enumerate(hats):
        support = np.flatnonzero(hat)
        here = slice(support[0], support[-1] + 1)
        slope[:, k] = apply_operator(operator[:, :, here], spectra[:, here] * hat[here])
    return slope
