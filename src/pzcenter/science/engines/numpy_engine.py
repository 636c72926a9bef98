"""The oracle: the equations of :mod:`pzcenter.science.likelihood` in float64, in batches that fit into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science.engines.problem import TemplateFit, TemplateProblem, check_photometry
from pzcenter.science.likelihood import band_is_usable, flux_variance, log_likelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NumpyEngine"]

CELLS_PER_BATCH = 2_000_000
"""Cells (object, template, redshift) held at a time: about ten float64 arrays of 16 MB."""


class NumpyEngine:
    """Template fit in plain NumPy: slow, clear, and what every other engine is compared with."""

    name = "numpy"

    def fit(
        self, problem: TemplateProblem, flux: NDArray[Any], flux_err: NDArray[Any], prior_mag: NDArray[Any]
    ) -> TemplateFit:
        """Posterior of each object; see :class:`~pzcenter.science.engines.problem.TemplateEngine`."""
        check_photometry(problem, flux, flux_err, prior_mag)
        n_obj = flux.shape[0]
        fit = TemplateFit.empty(n_obj, problem.n_z)
        batch = max(1, CELLS_PER_BATCH // (problem.n_template * problem.n_z))
        for start in range(0, n_obj, batch):
            rows = slice(start, start + batch)
            _fit_batch(problem, flux[rows], flux_err[rows], prior_mag[rows], fit.view(rows))
        return fit


def _fit_batch(
    problem: TemplateProblem, flux: NDArray[Any], flux_err: NDArray[Any], prior_mag: NDArray[Any], fit: TemplateFit
) -> None:
    """Fit the objects of one batch and write them into ``fit``."""
    n_obj = flux.shape[0]
    variance = flux_variance(flux, flux_err, problem.relative_err, problem.template_err)
    log_like, chi2 = log_likelihood(
        flux, variance, problem.model_flux, marginalise_amplitude=problem.marginalise_amplitude
    )
    log_joint = log_like + _log_prior(problem, prior_mag)  # (n_obj, n_template, n_z)

    fit.n_band_used[:] = band_is_usable(flux, flux_err).sum(axis=1)
    peak = log_joint.reshape(n_obj, -1).max(axis=1)
    found = np.flatnonzero(np.isfinite(peak))
    log_joint, peak, chi2 = log_joint[found], peak[found], chi2[found].reshape(found.size, chi2[0].size)
    joint = np.exp(log_joint - peak[:, None, None])
    per_template = joint @ problem.z_weight
    evidence = per_template.sum(axis=1)
    best_cell = log_joint.reshape(found.size, chi2.shape[1]).argmax(axis=1)
    pdf = joint.sum(axis=1)
    pdf[pdf < problem.p_min * pdf.max(axis=1, keepdims=True)] = 0.0

    fit.pdf[found] = pdf / (pdf @ problem.z_weight)[:, None]
    fit.chi2[found] = chi2[np.arange(found.size), best_cell]
    fit.template_id[found] = per_template.argmax(axis=1)
    fit.template_odds[found] = per_template.max(axis=1) / evidence
    fit.log_evidence[found] = peak + np.log(evidence)


def _log_prior(problem: TemplateProblem, prior_mag: NDArray[Any]) -> NDArray[np.float64]:
    """Logarithm of the prior (n_obj, n_template, n_z) at each object's magnitude; zero where that is NaN."""
    row = problem.prior_row(prior_mag)
    log_prior = np.asarray(problem.log_prior, dtype=np.float64)[row][:, problem.template_type]
    return np.where((row < 0)[:, None, None], 0.0, log_prior)
