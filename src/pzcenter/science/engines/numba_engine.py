"""First compiled engine: one pass per object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from pzcenter.science.engines.problem import TemplateFit, TemplateProblem, check_photometry
from pzcenter.science.likelihood import unit_norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NumbaEngine"]


class NumbaEngine:
    """Template fit compiled for this processor."""

    name = "numba"

    def fit(
        self, problem: TemplateProblem, flux: NDArray[Any], flux_err: NDArray[Any], prior_mag: NDArray[Any]
    ) -> TemplateFit:
        """Posterior of each object; see :class:`~pzcenter.science.engines.problem.TemplateEngine`."""
        check_photometry(problem, flux, flux_err, prior_mag)
        fit = TemplateFit.empty(flux.shape[0], problem.n_z)
        template_err = problem.template_err
        log_prior = np.asarray(problem.log_prior, dtype=np.float64)
        _fit_objects(
            np.array(flux, np.float64), np.array(flux_err, np.float64), problem.prior_row(prior_mag),
            unit_norm(problem.model_flux), np.array(log_prior), np.array(problem.template_type, np.int64),
            np.array(problem.relative_err, np.float64),
            np.zeros((problem.n_band, problem.n_z)) if template_err is None else np.array(template_err, np.float64),
            problem.z_weight, problem.marginalise_amplitude, problem.p_min,
            fit.pdf, fit.chi2, fit.template_id, fit.template_odds, fit.log_evidence, fit.n_band_used,
        )  # fmt: skip
        return fit


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_objects(  # type: ignore[no-untyped-def]  # noqa: ANN202 -- numba infers the types
    flux, flux_err, prior_row, T, log_prior, template_type, relative_err, template_err, z_weight, marginalise, p_min,
    pdf, chi2_best, template_id, template_odds, log_evidence, n_band_used,
):  # fmt: skip
    n_obj, n_band = flux.shape
    n_template, _, n_z = T.shape
    log_joint = np.empty((n_template, n_z))
    for i in range(n_obj):
        e = flux_err[i]
        f = np.where(np.isfinite(flux[i]) & np.isfinite(e) & (e > 0), flux[i], 0.0)
        peak, chi2_peak = -np.inf, 0.0
        n_used = 0
        for b in range(n_band):
            n_used += np.isfinite(flux[i, b]) and np.isfinite(e[b]) and e[b] > 0
        n_band_used[i] = n_used
        for t in range(n_template):
            for k in range(n_z):
                fT, TT, norm = 0.0, 0.0, 0.0
                for b in range(n_band):
                    if np.isfinite(flux[i, b]) and np.isfinite(e[b]) and e[b] > 0:
                        var = e[b] ** 2 + (relative_err[b] * f[b]) ** 2 + (template_err[b, k] * f[b]) ** 2
                        fT += f[b] * T[t, b, k] / var
                        TT += T[t, b, k] ** 2 / var
                        norm -= 0.5 * np.log(2 * np.pi * var)
                log_joint[t, k] = -np.inf
                if fT > 0:
                    s, chi2 = fT / TT, 0.0
                    for b in range(n_band):
                        if np.isfinite(flux[i, b]) and np.isfinite(e[b]) and e[b] > 0:
                            var = e[b] ** 2 + (relative_err[b] * f[b]) ** 2 + (template_err[b, k] * f[b]) ** 2
                            chi2 += (f[b] - s * T[t, b, k]) ** 2 / var
                    value = norm - 0.5 * chi2
                    if marginalise:
                        value += 0.5 * np.log(2 * np.pi / TT)
                    if prior_row[i] >= 0:
                        value += log_prior[prior_row[i], template_type[t], k]
                    log_joint[t, k] = value
                    if value > peak:
                        peak, chi2_peak = value, chi2
        if peak == -np.inf:
            continue
        total, best = 0.0, 0.0
        p = np.zeros(n_z)
        for t in range(n_template):
            share = 0.0
            for k in range(n_z):
                v = np.exp(log_joint[t, k] - peak)
                p[k] += v
                share += v * z_weight[k]
            total += share
            if share > best:
                best = share
                template_id[i] = t
        cut = p_min * p.max()
        norm = 0.0
        for k in range(n_z):
            if p[k] < cut:
                p[k] = 0.0
            norm += p[k] * z_weight[k]
        for k in range(n_z):
            pdf[i, k] = p[k] / norm
        chi2_best[i] = chi2_peak
        template_odds[i] = best / total
        log_evidence[i] = peak + np.log(total)
