"""What a template engine is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pzcenter.errors import GridError, ShapeError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TemplateEngine", "TemplateFit", "TemplateProblem", "check_photometry"]


@dataclass(frozen=True, eq=False)
class TemplateProblem:
    """The part of a template fit that is the same for all objects.

    Parameters
    ----------
    model_flux : ndarray, (n_template, n_band, n_z)
        Flux of each template in each band at each redshift, not negative; the unit is free.
    z_grid : ndarray, (n_z,)
        Increasing.
    log_prior : ndarray, (n_mag, n_type, n_z)
        Natural logarithm of p(z, template | magnitude), for *one* template of the type (the probability of the type
        divided by its number of templates); minus infinity for zero. See
        :func:`pzcenter.science.prior.tabulate_log_prior`. A flat prior is ``zeros((1, 1, n_z))``.
    prior_mag_min, prior_mag_step : float
        Row i of ``log_prior`` is for magnitude ``prior_mag_min + i * prior_mag_step``. The nearest row is taken,
        the first or last one outside the table, and no prior at all for a magnitude of NaN.
    template_type : ndarray of int, (n_template,)
        Index of each template's type in the second axis of ``log_prior``.
    relative_err : ndarray, (n_band,)
        Error of the zero points as a fraction of the flux, added in quadrature.
    template_err : ndarray, (n_band, n_z), optional
        Error of the templates as a fraction of the flux, added in quadrature.
    marginalise_amplitude : bool
        Integrate over the amplitude of the template instead of taking its best value (which is BPZ's choice).
        See :func:`pzcenter.science.likelihood.log_likelihood`.
    p_min : float
        Densities below this fraction of the maximum are set to zero, as BPZ does; 0 keeps all.

    Raises
    ------
    ShapeError
        The arrays do not fit each other.
    GridError
        ``z_grid`` does not increase.
    UsageError
        A value that is not accepted: negative or infinite model fluxes, prior of NaN, ``p_min`` outside [0, 1).
    """

    model_flux: NDArray[Any]
    z_grid: NDArray[np.float64]
    log_prior: NDArray[Any]
    prior_mag_min: float
    prior_mag_step: float
    template_type: NDArray[Any]
    relative_err: NDArray[Any]
    template_err: NDArray[Any] | None = None
    marginalise_amplitude: bool = False
    p_min: float = 0.0

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)

    @property
    def n_template(self) -> int:
        """Number of templates."""
        return int(self.model_flux.shape[0])

    @property
    def n_band(self) -> int:
        """Number of bands."""
        return int(self.model_flux.shape[1])

    @property
    def n_z(self) -> int:
        """Number of points of the redshift grid."""
        return int(self.model_flux.shape[2])

    @property
    def z_weight(self) -> NDArray[np.float64]:
        """Weights (n_z,) of the trapezoidal rule on ``z_grid``: an integral over z is the dot product with these."""
        width = np.diff(self.z_grid)
        return 0.5 * (np.append(width, 0.0) + np.insert(width, 0, 0.0))

    def prior_row(self, prior_mag: NDArray[Any]) -> NDArray[np.int64]:
        """Row of ``log_prior`` for each magnitude.

        Parameters
        ----------
        prior_mag : ndarray, (n_obj,)

        Returns
        -------
        ndarray of int64, (n_obj,)
            Nearest row, clipped to the table; -1 for NaN, which means no prior.
        """
        unknown = np.isnan(prior_mag)
        position = (np.where(unknown, 0.0, prior_mag) - self.prior_mag_min) / self.prior_mag_step
        row = np.rint(np.clip(position, 0, self.log_prior.shape[0] - 1)).astype(np.int64)
        return np.where(unknown, -1, row)


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """What a template fit finds about each object.

    Parameters
    ----------
    pdf : ndarray of float32, (n_obj, n_z)
        Density per unit redshift, unit integral by the trapezoidal rule; a row of NaN where there is no estimate: no
        band was measured, or no template fits with a positive amplitude.
    chi2 : ndarray of float32, (n_obj,)
        Misfit of the most probable pair of template and redshift; NaN where there is no estimate.
    template_id : ndarray of int16, (n_obj,)
        Template with the largest probability over all redshifts; -1 where there is no estimate.
    template_odds : ndarray of float32, (n_obj,)
        Probability of that template, in (0, 1]; NaN where there is no estimate.
    log_evidence : ndarray of float64, (n_obj,)
        Natural logarithm of the probability density of the measured fluxes, summed over templates and integrated
        over redshift with the prior; NaN where there is no estimate. Compare it between models of the same object
        only.
    n_band_used : ndarray of int16, (n_obj,)
        Number of bands with a measurement.
    """

    pdf: NDArray[np.float32]
    chi2: NDArray[np.float32]
    template_id: NDArray[np.int16]
    template_odds: NDArray[np.float32]
    log_evidence: NDArray[np.float64]
    n_band_used: NDArray[np.int16]

    @classmethod
    def empty(cls, n_obj: int, n_z: int) -> TemplateFit:
        """Make a fit without an estimate for any object, to be filled in."""
        return cls(
            pdf=np.full((n_obj, n_z), np.nan, dtype=np.float32),
            chi2=np.full(n_obj, np.nan, dtype=np.float32),
            template_id=np.full(n_obj, -1, dtype=np.int16),
            template_odds=np.full(n_obj, np.nan, dtype=np.float32),
            log_evidence=np.full(n_obj, np.nan, dtype=np.float64),
            n_band_used=np.zeros(n_obj, dtype=np.int16),
        )

    def view(self, rows: slice) -> TemplateFit:
        """Return these rows; writing into them writes into this fit."""
        return TemplateFit(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class TemplateEngine(Protocol):
    """One way to compute the fit: same equations, another machine."""

    name: str

    def fit(
        self, problem: TemplateProblem, flux: NDArray[Any], flux_err: NDArray[Any], prior_mag: NDArray[Any]
    ) -> TemplateFit:
        """Posterior of each object; the arguments stay as they are, and several threads may call at once.

        Parameters
        ----------
        problem : TemplateProblem
        flux, flux_err : ndarray, (n_obj, n_band)
            One unit for both, total and dereddened. NaN, or an error that is not finite and positive, is a band that
            was not measured.
        prior_mag : ndarray, (n_obj,)
            Magnitude in the band of the prior; NaN for no prior.

        Returns
        -------
        TemplateFit

        Raises
        ------
        ShapeError
            The arrays do not fit each other or the problem.
        """
        ...


def check_photometry(
    problem: TemplateProblem, flux: NDArray[Any], flux_err: NDArray[Any], prior_mag: NDArray[Any]
) -> None:
    """Raise ShapeError when the arrays do not fit each other or the problem."""
    n_obj = prior_mag.shape[0] if prior_mag.ndim == 1 else -1
    expected = (n_obj, problem.n_band)
    if flux.shape != expected or flux_err.shape != expected:
        raise ShapeError(
            f"flux and flux_err must be (n_obj, {problem.n_band}) and prior_mag (n_obj,); "
            f"got {flux.shape}, {flux_err.shape} and {prior_mag.shape}"
        )


def _check_shapes(problem: TemplateProblem) -> None:
    if problem.model_flux.ndim != 3 or 0 in problem.model_flux.shape:
        raise ShapeError(f"model_flux must be (n_template, n_band, n_z), none zero; got {problem.model_flux.shape}")
    n_template, n_band, n_z = problem.model_flux.shape
    if problem.log_prior.ndim != 3 or 0 in problem.log_prior.shape:
        raise ShapeError(f"log_prior must be (n_mag, n_type, n_z), none zero; got {problem.log_prior.shape}")
    n_mag, n_type, _ = problem.log_prior.shape
    expected = {
        "z_grid": (n_z,),
        "log_prior": (n_mag, n_type, n_z),
        "template_type": (n_template,),
        "relative_err": (n_band,),
        "template_err": (n_band, n_z),
    }
    for name, shape in expected.items():
        value = getattr(problem, name)
        if value is not None and value.shape != shape:
            raise ShapeError(f"{name} must be {shape} for model_flux {problem.model_flux.shape}; got {value.shape}")
    if problem.template_type.min() < 0 or problem.template_type.max() >= n_type:
        raise ShapeError(f"template_type must index the {n_type} types of log_prior; got {problem.template_type}")


def _check_values(problem: TemplateProblem) -> None:
    if problem.n_z < 2 or not np.all(np.diff(problem.z_grid) > 0):
        raise GridError("z_grid must be increasing, with at least two points")
    if not np.all(np.isfinite(problem.model_flux)) or np.any(problem.model_flux < 0):
        raise UsageError("model_flux must be finite and not negative")
    if np.any(np.isnan(problem.log_prior)) or np.any(np.isposinf(problem.log_prior)):
        raise UsageError("log_prior must be finite, or minus infinity for a prior of zero")
    for name in ("relative_err", "template_err"):
        value = getattr(problem, name)
        if value is not None and not (np.all(np.isfinite(value)) and np.all(value >= 0)):
            raise UsageError(f"{name} must be finite and not negative")
    if not problem.prior_mag_step > 0:
        raise UsageError(f"prior_mag_step must be positive; got {problem.prior_mag_step}")
    if not 0 <= problem.p_min < 1:
        raise UsageError(f"p_min must be in [0, 1); got {problem.p_min}")
