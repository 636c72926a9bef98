"""The default engine: brings a problem into the form of :mod:`pzcenter.science.engines.numba_kernel` and runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from pzcenter.science.engines.numba_kernel import LANES, NEVER, fit_objects, weigh_bands
from pzcenter.science.engines.problem import TemplateFit, TemplateProblem, check_photometry
from pzcenter.science.likelihood import unit_norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NumbaEngine"]


class NumbaEngine:
    """Template fit compiled by numba: the default."""

    name = "numba"

    def __init__(self) -> None:
        self._tables: WeakKeyDictionary[TemplateProblem, _Tables] = WeakKeyDictionary()

    def fit(
        self, problem: TemplateProblem, flux: NDArray[Any], flux_err: NDArray[Any], prior_mag: NDArray[Any]
    ) -> TemplateFit:
        """Posterior of each object; see :class:`~pzcenter.science.engines.problem.TemplateEngine`."""
        check_photometry(problem, flux, flux_err, prior_mag)
        tables = self._tables.get(problem)
        if tables is None:
            tables = self._tables.setdefault(problem, _Tables.of(problem))
        fit = TemplateFit.empty(flux.shape[0], problem.n_z)
        photometry = weigh_bands(
            np.array(flux, dtype=np.float64, order="C"),
            np.array(flux_err, dtype=np.float64, order="C"),
            tables.relative_err,
            fit.n_band_used,
        )
        fit_objects(
            (0,) * problem.n_band,
            photometry,
            problem.prior_row(prior_mag),
            tables.model_flux,
            tables.log_prior,
            tables.prior_support,
            tables.template_type,
            tables.template_variance,
            tables.z_weight,
            True if problem.marginalise_amplitude else None,
            np.float32(problem.p_min),
            (fit.pdf, fit.chi2, fit.template_id, fit.template_odds, fit.log_evidence),
        )
        return fit


@dataclass(frozen=True, eq=False)
class _Tables:
    """A problem in the form of the kernel: float32, unit norm, padded along z to ``n_pad``."""

    model_flux: NDArray[np.float32]  # (n_template, n_band, n_pad)
    log_prior: NDArray[np.float32]  # (n_mag + 1, n_type, n_pad), twice the logarithm; the last row is no prior
    prior_support: NDArray[np.int64]  # (n_mag + 1, n_type, 2), cells outside have zero prior; multiples of LANES
    template_type: NDArray[np.int64]  # (n_template,)
    relative_err: NDArray[np.float64]  # (n_band,)
    template_variance: NDArray[np.float32] | None  # (n_band, n_pad), square of the template error
    z_weight: NDArray[np.float32]  # (n_pad,)

    @classmethod
    def of(cls, problem: TemplateProblem) -> _Tables:
        n_z = problem.n_z
        n_pad = -(-n_z // LANES) * LANES

        def pad(values: NDArray[Any], fill: float) -> NDArray[np.float32]:
            padded = np.full((*values.shape[:-1], n_pad), fill, dtype=np.float32)
            padded[..., :n_z] = values
            return padded

        no_prior = np.zeros((1, *problem.log_prior.shape[1:]))
        log_prior = np.concatenate([problem.log_prior, no_prior])
        log_prior = pad(np.maximum(2.0 * log_prior, NEVER), float(NEVER))
        return cls(
            model_flux=pad(unit_norm(problem.model_flux), 0.0),
            log_prior=log_prior,
            prior_support=_support(log_prior),
            template_type=np.array(problem.template_type, dtype=np.int64),
            relative_err=np.array(problem.relative_err, dtype=np.float64),
            template_variance=None if problem.template_err is None else pad(problem.template_err**2, 0.0),
            z_weight=pad(problem.z_weight, 0.0),
        )


def _support(log_prior: NDArray[np.float32]) -> NDArray[np.int64]:
    """First and last + 1 cell with a prior, (n_mag, n_type, 2), widened to multiples of LANES."""
    possible: Any = (log_prior > NEVER).reshape(*log_prior.shape[:2], -1, LANES).any(axis=-1)
    first = possible.argmax(axis=-1)
    last = possible.shape[-1] - possible[..., ::-1].argmax(axis=-1)
    support = LANES * np.stack([first, last], axis=-1)
    return np.where(possible.any(axis=-1, keepdims=True), support, 0)
