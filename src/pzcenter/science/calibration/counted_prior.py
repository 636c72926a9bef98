"""The prior p(z, template | magnitude) as a smoothed count of the objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.calibration.sample import ErrorFunction, Sample, at_redshift, fit_at_redshift

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["measure_prior", "prior_magnitudes"]

PRIOR_MAG_MIN, PRIOR_MAG_MAX = 16.0, 28.0
"""AB magnitudes between which the prior is tabulated; the first and last row serve beyond."""

PRIOR_ROW_STEP = 0.5
"""Magnitudes between the rows that are stored; the width of the smoothing is about as large."""

PRIOR_ROUNDS = 3
RARE = 0.03
"""Part of the prior at each magnitude and redshift that goes to the templates in proportion to their total count."""


def measure_prior(
    sample: Sample,
    error: ErrorFunction,
    *,
    z_nodes: NDArray[np.float64],
    model: NDArray[np.float64],
    prior_mag: NDArray[np.float64],
    prior_z: NDArray[np.float64],
    mag_width: float,
    z_width: float,
) -> NDArray[np.float64]:
    """Natural logarithm of the smoothed counts (n_mag, n_template, n_prior_z), by expectation and maximisation."""
    sample = sample.rows(np.isfinite(sample.mag))
    n_template, (n_mag, n_z) = model.shape[0], (prior_mag.size, prior_z.size)
    log_prior = np.zeros((n_mag, n_template, n_z))
    for _ in range(PRIOR_ROUNDS):
        counts, total = np.zeros((n_mag, n_template, n_z)), np.zeros(n_template)
        for block in sample.blocks():
            weight = error.inverse_variance(block)
            mag_row = np.clip(np.searchsorted(prior_mag, block.mag - 0.5 * PRIOR_ROW_STEP), 0, n_mag - 1)
            z_row = np.clip(np.searchsorted(prior_z, block.z), 0, n_z - 1)
            _, responsibility = fit_at_redshift(
                block, at_redshift(model, z_nodes, block.z), weight, log_prior[mag_row, :, z_row]
            )
            width = z_width * (1 + block.z)[:, None]
            in_z = np.exp(-0.5 * ((prior_z - block.z[:, None]) / width) ** 2) / width
            distance = prior_mag - block.mag[:, None]
            in_mag = np.exp(-0.5 * (distance / mag_width) ** 2) + 1e-4 * np.exp(-np.abs(distance))
            counts += np.einsum("nm,nt,nz->mtz", in_mag, responsibility, in_z, optimize=True)
            total += responsibility.sum(axis=0)
        density = counts / counts.sum(axis=(1, 2), keepdims=True)
        shared = density.sum(axis=1, keepdims=True) * (total / total.sum())[:, None]
        log_prior = np.log((1 - RARE) * density + RARE * shared + 1e-8)
    return log_prior


def prior_magnitudes() -> NDArray[np.float64]:
    """Magnitudes at which the prior is counted."""
    return np.arange(PRIOR_MAG_MIN, PRIOR_MAG_MAX + 0.5 * PRIOR_ROW_STEP, PRIOR_ROW_STEP)
