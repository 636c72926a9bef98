"""What a template fit needs, made from settings alone: model fluxes, prior, errors and zero points, all as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from pzcenter.errors import BandError, ConfigError, UsageError
from pzcenter.estimators.protocol import EstimatorConfig
from pzcenter.estimators.shipped_calibration import DEFAULT_CALIBRATION, load_calibration
from pzcenter.science.calibration import calibrated_templates, error_on_grid, prior_on_grid
from pzcenter.science.engines import TemplateProblem
from pzcenter.science.filters import effective_wavelength, load_filter
from pzcenter.science.igm import inoue2014_transmission, madau1995_transmission
from pzcenter.science.prior import HDFN_PRIOR, BpzPrior, flat_prior, tabulate_prior
from pzcenter.science.sed import interpolate_templates, load_template_set
from pzcenter.science.synthetic import synthetic_flux

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pzcenter.science.calibration import TemplateCalibration
    from pzcenter.science.filters import FilterCurve
    from pzcenter.science.prior import PriorTable
    from pzcenter.science.sed import TemplateSet
    from pzcenter.science.synthetic import Transmission

__all__ = [
    "PriorParameters",
    "TemplateConfig",
    "TemplateModel",
    "build_model",
    "calibrated_model",
    "filters_of",
    "template_error",
    "template_problem",
    "templates_of",
    "transmission_of",
]

_PRIOR_MAG_STEP = 0.02
_IGM: dict[str, Transmission | None] = {
    "none": None,
    "madau1995": madau1995_transmission,
    "inoue2014": inoue2014_transmission,
}
_UGRIZY = "ugrizy"
_UNCALIBRATED_ERR = 0.05
"""Error of the zero points with published templates, which carry no error function of their own."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class PriorParameters(EstimatorConfig):
    """Parameters of a prior of Benitez (2000); see :class:`pzcenter.science.prior.BpzPrior`."""

    fraction: tuple[float, ...] = Field(title="f_T", description="Of each type but the last at mag_0.")
    fraction_decay: tuple[float, ...] = Field(title="k_T", description="Per magnitude, of each type but the last.")
    alpha: tuple[float, ...] = Field(title="alpha_T", description="Exponent, no unit.")
    z_scale: tuple[float, ...] = Field(title="z_T", description="Redshift scale at mag_0.")
    z_scale_slope: tuple[float, ...] = Field(title="k_mT", description="Redshift per magnitude.")
    mag_0: float = Field(default=20.0, title="Brightest magnitude", description="AB; constant above.")
    mag_max: float = Field(default=32.0, title="Faintest magnitude", description="AB; constant below.")
    tail_cut: float = Field(default=0.01, ge=0, lt=1, title="Cut of the tails", description="Of the mean density.")
    floor: float = Field(default=0.0, ge=0, le=1, title="Even part", description="Fraction of the probability.")


class TemplateConfig(EstimatorConfig):
    """Settings of the template fit."""

    template_set: str = Field(
        default="cosmos31", title="Template set", description="One of pzcenter.science.sed.template_set_names()."
    )
    n_between: int = Field(
        default=1, ge=0, le=20, title="Interpolated templates", description="Number between two neighbours of the set."
    )
    calibration: str = Field(
        default="auto",
        title="Calibration of a model that is not trained",
        description="Repaired templates, their error function and the prior that come with the package: a name of "
        "pzcenter.estimators.calibration_names(), none, or auto: the one of the default template set, unless template "
        "set, interpolation, prior or error function are set to something else.",
    )
    filters: dict[str, str] | str = Field(
        default="lsst",
        min_length=1,
        title="Filters",
        description="Filter name or file of each band, in the order of the model's bands; or a survey whose filters "
        "come with the package, such as lsst or dc2, for its ugrizy.",
    )
    igm: Literal["none", "madau1995", "inoue2014"] = Field(
        default="inoue2014", title="Absorption", description="Mean transmission of the intergalactic medium."
    )
    prior: Literal["hdfn", "flat"] | PriorParameters = Field(
        default="hdfn", title="Prior", description="Of redshift and type, given the magnitude: a name or parameters."
    )
    prior_band: str = Field(default="i", title="Band of the prior", description="Its magnitude enters the prior.")
    prior_fallback: tuple[str, ...] = Field(
        default=("r", "z", "g", "y", "u"),
        title="Bands for the prior when its own is missing",
        description="In this order; their magnitude is used as it is.",
    )
    zero_point_factor: dict[str, Positive] = Field(
        default={}, title="Zero points", description="Factor on the measured flux of a band; 1 when not given."
    )
    zero_point_err: Fraction | dict[str, Fraction] | None = Field(
        default=None,
        title="Error of the zero points",
        description="Fraction of the flux, for all bands or for each; by default 0.05 for published templates and 0 "
        "for calibrated ones, whose error function holds it.",
    )
    template_err: tuple[tuple[Positive, Fraction], ...] = Field(
        default=(),
        title="Template error function",
        description="Pairs of rest-frame wavelength (angstrom, increasing) and error as a fraction of the flux; "
        "linear in the logarithm of the wavelength, constant outside.",
    )
    marginalise_amplitude: bool = Field(
        default=True,
        title="Marginalise the amplitude",
        description="Instead of taking its best value, which is BPZ's choice.",
    )
    p_min: float = Field(default=0.0, ge=0, lt=1, title="Smallest density kept", description="Fraction of the maximum.")
    calibrate_templates: bool = Field(
        default=True,
        title="Calibrate the templates",
        description="When trained: smooth corrections of their shapes, and their error, from fluxes at z_spec.",
    )
    calibrate_zero_points: bool = Field(
        default=False,
        title="Calibrate zero points",
        description="When trained: factors from residuals of the published templates at z_spec; corrections of the "
        "templates take up most of an offset by themselves.",
    )
    calibrate_prior: bool = Field(
        default=True, title="Calibrate the prior", description="When trained: from counts of the training objects."
    )

    @property
    def filter_of_band(self) -> dict[str, str]:
        """Filter of each band."""
        if isinstance(self.filters, str):
            return {band: f"{self.filters}_{band}" for band in _UGRIZY}
        return self.filters

    def for_bands(self, bands: Iterable[str]) -> Self:
        """Give the same settings with the filters of these bands only."""
        wanted = set(bands)
        known = self.filter_of_band
        if unknown := sorted(wanted - set(known)):
            raise BandError(f"no filter is set for the bands {unknown}; there are filters for {list(known)}")
        return self.model_copy(update={"filters": {band: known[band] for band in known if band in wanted}})

    @property
    def calibration_name(self) -> str | None:
        """The calibration that a model without training has, None for the published templates."""
        if self.calibration == "auto":
            decisive = ("template_set", "n_between", "prior", "template_err")
            fields = type(self).model_fields
            is_default = all(getattr(self, name) == fields[name].default for name in decisive)
            return DEFAULT_CALIBRATION if is_default else None
        return None if self.calibration == "none" else self.calibration

    engine: str = Field(
        default="auto", title="Engine", description="One of pzcenter.science.engines.engine_names(), or auto."
    )


@dataclass(frozen=True, eq=False)
class TemplateModel:
    """All numbers of a template fit.

    Parameters
    ----------
    model_flux : ndarray of float32, (n_template, n_band, n_z)
        Of each template; the unit is free.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    log_prior : ndarray of float32, (n_mag, n_type, n_z)
        See :class:`pzcenter.science.engines.TemplateProblem`.
    prior_mag_min, prior_mag_step : float
        Magnitudes of the first axis of ``log_prior``.
    template_type : ndarray of int64, (n_template,)
        Type of each template in ``log_prior``.
    relative_err : ndarray of float64, (n_band,)
        Error of the zero points, fraction of the flux.
    template_err : ndarray of float64, (n_band, n_z), or None
        Error of the templates, fraction of the flux.
    zero_point_factor : ndarray of float64, (n_band,)
        On measured fluxes and their errors, before the fit.
    """

    model_flux: NDArray[np.float32]
    z_grid: NDArray[np.float64]
    log_prior: NDArray[np.float32]
    prior_mag_min: float
    prior_mag_step: float
    template_type: NDArray[np.int64]
    relative_err: NDArray[np.float64]
    template_err: NDArray[np.float64] | None
    zero_point_factor: NDArray[np.float64]


def build_model(config: TemplateConfig, bands: tuple[str, ...], z_grid: NDArray[np.float64]) -> TemplateModel:
    """Compute the model that settings describe.

    Parameters
    ----------
    config : TemplateConfig
        Settings.
    bands : tuple of str
        Bands of the model; each needs a filter.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.

    Returns
    -------
    TemplateModel

    Raises
    ------
    BandError
        A band without a filter.
    NotFoundError
        No such template set or filter.
    ConfigError
        Prior or template error function that make no sense.
    """
    name = config.calibration_name
    if name is not None:
        shipped = load_calibration(name)
        if shipped.template_set != config.template_set:
            raise ConfigError(
                f"calibration {name!r} is of the template set {shipped.template_set!r}; got {config.template_set!r}"
            )
        return calibrated_model(config, shipped.calibration, bands, z_grid)
    templates, curves = templates_of(config), filters_of(config, bands)
    model_flux = synthetic_flux(templates, curves, z_grid, igm=transmission_of(config)).astype(np.float32)
    prior, template_type = _prior_of(config, templates, z_grid)
    return TemplateModel(
        model_flux=model_flux,
        z_grid=z_grid,
        log_prior=prior.log_prior,
        prior_mag_min=prior.mag_min,
        prior_mag_step=prior.mag_step,
        template_type=template_type,
        relative_err=_zero_point_err(config, bands, _UNCALIBRATED_ERR),
        template_err=template_error(config, curves, z_grid),
        zero_point_factor=np.array([config.zero_point_factor.get(band, 1.0) for band in bands]),
    )


def calibrated_model(
    config: TemplateConfig, calibration: TemplateCalibration, bands: tuple[str, ...], z_grid: NDArray[np.float64]
) -> TemplateModel:
    """Compute the model of calibrated templates.

    Parameters
    ----------
    config : TemplateConfig
        Template set, filters, absorption and zero points are taken from it.
    calibration : TemplateCalibration
        Of that template set.
    bands : tuple of str
        Bands of the model; each needs a filter.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.

    Returns
    -------
    TemplateModel
        In which each template is its own type.

    Raises
    ------
    BandError, NotFoundError
        As :func:`build_model`.
    """
    templates = calibrated_templates(load_template_set(config.template_set), calibration)
    curves = filters_of(config, bands)
    prior = prior_on_grid(calibration, templates.types, z_grid)
    return TemplateModel(
        model_flux=synthetic_flux(templates, curves, z_grid, igm=transmission_of(config)).astype(np.float32),
        z_grid=z_grid,
        log_prior=prior.log_prior,
        prior_mag_min=prior.mag_min,
        prior_mag_step=prior.mag_step,
        template_type=np.arange(len(templates)),
        relative_err=_zero_point_err(config, bands, 0.0),
        template_err=error_on_grid(calibration, curves, z_grid),
        zero_point_factor=np.array([config.zero_point_factor.get(band, 1.0) for band in bands]),
    )


def _zero_point_err(config: TemplateConfig, bands: tuple[str, ...], default: float) -> NDArray[np.float64]:
    err = default if config.zero_point_err is None else config.zero_point_err
    return np.array([err.get(band, 0.0) if isinstance(err, dict) else err for band in bands])


def template_problem(model: TemplateModel, config: TemplateConfig) -> TemplateProblem:
    """Give the engine's view of a model.

    Parameters
    ----------
    model : TemplateModel
        Numbers.
    config : TemplateConfig
        ``marginalise_amplitude`` and ``p_min`` are taken from it.

    Returns
    -------
    TemplateProblem
    """
    return TemplateProblem(
        model_flux=model.model_flux,
        z_grid=model.z_grid,
        log_prior=model.log_prior,
        prior_mag_min=model.prior_mag_min,
        prior_mag_step=model.prior_mag_step,
        template_type=model.template_type,
        relative_err=model.relative_err,
        template_err=model.template_err,
        marginalise_amplitude=config.marginalise_amplitude,
        p_min=config.p_min,
    )


def templates_of(config: TemplateConfig) -> TemplateSet:
    """Load and interpolate the template set of the settings."""
    return interpolate_templates(load_template_set(config.template_set), config.n_between)


def filters_of(config: TemplateConfig, bands: tuple[str, ...]) -> list[FilterCurve]:
    """Load the filter of each band.

    Raises
    ------
    BandError
        A band without a filter in the settings.
    """
    filters = config.filter_of_band
    unknown = [band for band in bands if band not in filters]
    if unknown:
        raise BandError(f"no filter is set for the bands {unknown}; filters are set for {list(filters)}")
    return [load_filter(filters[band]) for band in bands]


def transmission_of(config: TemplateConfig) -> Transmission | None:
    """Give the intergalactic transmission of the settings."""
    return _IGM[config.igm]


def template_error(
    config: TemplateConfig, curves: list[FilterCurve], z_grid: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Evaluate the template error function where each band sees it.

    Parameters
    ----------
    config : TemplateConfig
        With the knots of the function.
    curves : list of FilterCurve, (n_band,)
        Filters.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.

    Returns
    -------
    ndarray of float64, (n_band, n_z), or None
        Fraction of the flux; None without a function.

    Raises
    ------
    ConfigError
        The wavelengths do not increase.

    References
    ----------
    Brammer, van Dokkum & Coppi 2008, ApJ 686, 1503, section 2.4.
    """
    if not config.template_err:
        return None
    wavelength, fraction = np.array(config.template_err).T
    if not np.all(np.diff(wavelength) > 0):
        raise ConfigError(f"the wavelengths of template_err must increase; got {wavelength.tolist()}")
    observed = np.array([effective_wavelength(curve) for curve in curves])
    rest = observed[:, None] / (1.0 + z_grid)
    return np.asarray(np.interp(np.log(rest), np.log(wavelength), fraction))


def _prior_of(
    config: TemplateConfig, templates: TemplateSet, z_grid: NDArray[Any]
) -> tuple[PriorTable, NDArray[np.int64]]:
    if config.prior == "flat":
        return flat_prior(z_grid, len(templates)), np.zeros(len(templates), dtype=np.int64)
    try:
        params = HDFN_PRIOR if isinstance(config.prior, str) else BpzPrior(**config.prior.model_dump())
        prior = tabulate_prior(z_grid, params, templates.types, mag_step=_PRIOR_MAG_STEP)
    except UsageError as error:
        raise ConfigError(f"the prior cannot be used: {error}") from error
    return prior, templates.types
