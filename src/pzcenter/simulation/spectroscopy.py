"""Redshift surveys of a simulated sky: who was observed, whose redshift came out, and which came out wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REALISTIC_SURVEYS", "ColourCut", "SpecSurvey", "observe_redshifts"]


class ColourCut(BaseModel):
    """Range of one colour, or of one magnitude when there is no second band."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    first: str = Field(title="Band", description="Band of the magnitude.")
    second: str | None = Field(default=None, title="Band", description="Band whose magnitude is subtracted, if any.")
    low: float = Field(default=-50.0, title="From", description="Least value, mag.")
    high: float = Field(default=50.0, title="To", description="Greatest value, mag.")


class SpecSurvey(BaseModel):
    """One redshift survey: where it looks, what it selects and how often it succeeds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(title="Name", description="Value of the survey column.")
    area: float = Field(
        default=1.0, title="Area", description="Share of the footprint, a rectangle at its middle.", gt=0, le=1
    )
    sampling: float = Field(
        default=1.0, title="Sampling", description="Share of the targets that are observed.", gt=0, le=1
    )
    cuts: tuple[ColourCut, ...] = Field(default=(), title="Selection", description="All must hold, on true magnitudes.")
    band: str = Field(default="i", title="Band", description="Band of the success rate.")
    mag_half: float = Field(
        default=30.0, title="Depth", description="Magnitude at which half of the redshifts come out."
    )
    mag_width: float = Field(
        default=0.3, title="Depth", description="Width of the fall of the success rate, mag.", gt=0
    )
    success: float = Field(default=0.98, title="Success", description="Success rate of bright targets.", gt=0, le=1)
    z_low: float = Field(
        default=0.0, title="Redshifts", description="Lowest redshift at which the success rate is full."
    )
    z_high: float = Field(
        default=10.0, title="Redshifts", description="Highest redshift at which the success rate is full."
    )
    desert: float = Field(default=0.05, title="Desert", description="Success outside that range, relative.", ge=0, le=1)
    z_err: float = Field(default=1e-4, title="Error", description="Standard deviation of z over 1 + z.", gt=0)
    wrong: float = Field(default=0.01, title="Wrong", description="Share of wrong redshifts.", ge=0, le=1)


# The selections are those of the surveys named, in round numbers; sampling and area are set so that a small sky still
# holds some of each. Success: the magnitudes and redshift ranges in which the surveys' own papers claim it.
REALISTIC_SURVEYS: tuple[SpecSurvey, ...] = (
    # Strauss et al. 2002, AJ 124, 1810
    SpecSurvey(name="sdss_main_like", cuts=(ColourCut(first="r", high=17.77),), sampling=0.9, wrong=0.002),
    # Dawson et al. 2013, AJ 145, 10: luminous red galaxies
    SpecSurvey(
        name="boss_like",
        cuts=(
            ColourCut(first="i", low=17.5, high=19.9),
            ColourCut(first="g", second="i", low=1.8),
            ColourCut(first="r", second="i", low=0.35),
        ),
        sampling=0.8,
        wrong=0.003,
    ),
    # DESI collaboration 2016, arXiv:1611.00036: bright galaxies, luminous red galaxies, emission-line galaxies
    SpecSurvey(name="desi_bgs_like", cuts=(ColourCut(first="r", high=19.5),), sampling=0.8, wrong=0.003),
    SpecSurvey(
        name="desi_lrg_like",
        cuts=(
            ColourCut(first="z", high=20.6),
            ColourCut(first="r", second="z", low=1.1),
            ColourCut(first="i", high=21.0),
        ),
        sampling=0.6,
        wrong=0.005,
    ),
    SpecSurvey(
        name="desi_elg_like",
        cuts=(
            ColourCut(first="g", low=20.0, high=23.6),
            ColourCut(first="g", second="r", high=0.6),
            ColourCut(first="r", second="z", low=0.3, high=1.3),
        ),
        sampling=0.3,
        success=0.8,
        z_low=0.6,
        z_high=1.6,
        wrong=0.01,
    ),
    # Lilly et al. 2009, ApJS 184, 218
    SpecSurvey(
        name="zcosmos_like",
        area=0.30,
        cuts=(ColourCut(first="i", low=15.0, high=22.5),),
        sampling=0.5,
        mag_half=22.8,
        success=0.93,
        z_high=1.2,
        desert=0.2,
        wrong=0.01,
        z_err=4e-4,
    ),
    # Newman et al. 2013, ApJS 208, 5
    SpecSurvey(
        name="deep2_like",
        area=0.15,
        cuts=(
            ColourCut(first="r", low=18.5, high=24.1),
            ColourCut(first="r", second="i", low=0.4),
        ),
        sampling=0.5,
        band="r",
        mag_half=24.1,
        success=0.85,
        z_high=1.45,
        wrong=0.01,
    ),
    # Le Fevre et al. 2013, A&A 559, A14
    SpecSurvey(
        name="vvds_deep_like",
        area=0.10,
        cuts=(ColourCut(first="i", low=17.5, high=24.0),),
        sampling=0.25,
        mag_half=23.6,
        success=0.90,
        z_high=1.5,
        desert=0.15,
        wrong=0.03,
        z_err=7e-4,
    ),
    # Le Fevre et al. 2015, A&A 576, A79
    SpecSurvey(
        name="vuds_like",
        area=0.10,
        cuts=(
            ColourCut(first="i", low=22.5, high=25.0),
            ColourCut(first="u", second="g", low=0.6),
        ),
        sampling=0.3,
        mag_half=24.8,
        success=0.80,
        z_low=2.0,
        desert=0.3,
        wrong=0.04,
        z_err=7e-4,
    ),
    # Momcheva et al. 2016, ApJS 225, 27 (HST), and the like with JWST: redshifts from space, small and deep
    SpecSurvey(
        name="space_grism_like",
        area=0.03,
        cuts=(ColourCut(first="i", low=20.0, high=25.0),),
        sampling=0.5,
        mag_half=24.8,
        success=0.85,
        z_low=0.7,
        z_high=3.3,
        desert=0.3,
        wrong=0.03,
        z_err=3e-3,
    ),
)

QUALITY_SECURE, QUALITY_PROBABLE = 4, 3
"""Values of the quality column, on the scale that most surveys share: 4 secure, 3 probable."""

PROBABLE_BELOW = 0.5
"""Success rate, relative to that of bright targets, below which a redshift is only called probable."""

WRONG_IF_PROBABLE = 3.0
"""How much more often a probable redshift is wrong than a secure one."""


def observe_redshifts(
    rng: np.random.Generator,
    survey: SpecSurvey,
    *,
    mag: NDArray[Any],
    bands: tuple[str, ...],
    z: NDArray[Any],
    place: NDArray[Any],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]]:
    """Redshifts that a survey obtains from some objects.

    Parameters
    ----------
    rng : Generator
        As many numbers are drawn whatever the selection.
    survey : SpecSurvey
    mag : ndarray, (n_obj, n_band)
        True magnitudes.
    bands : tuple of str
    z : ndarray, (n_obj,)
        True redshifts; NaN for what is no target, such as a star.
    place : ndarray, (n_obj, 2)
        In the footprint, each from 0 to 1.

    Returns
    -------
    row : ndarray of int64, (n_spec,)
        Which objects.
    z_spec, z_spec_err : ndarray, (n_spec,)
    quality : ndarray of int8, (n_spec,)
        4 secure, 3 probable.
    """
    n_obj = z.size
    u = rng.random((4, n_obj))
    error = rng.standard_normal(n_obj)
    side = 0.5 * np.sqrt(survey.area)
    target = np.isfinite(z) & (np.abs(place - 0.5) <= side).all(axis=1) & (u[0] < survey.sampling)
    for cut in survey.cuts:
        value = mag[:, bands.index(cut.first)]
        if cut.second is not None:
            value = value - mag[:, bands.index(cut.second)]
        target &= (value >= cut.low) & (value < cut.high)
    row = np.flatnonzero(target)
    fall = (mag[row, bands.index(survey.band)] - survey.mag_half) / survey.mag_width
    rate = survey.success / (1.0 + np.exp(np.clip(fall, -50, 50)))
    rate = rate * np.where((z[row] >= survey.z_low) & (z[row] <= survey.z_high), 1.0, survey.desert)
    found = u[1, row] < rate
    row, rate = row[found], rate[found]
    z_spec = z[row] + survey.z_err * (1.0 + z[row]) * error[row]
    # A wrong redshift is one line taken for another: uniform in log(1+z) within a factor two.
    probable = rate < PROBABLE_BELOW * survey.success
    wrong = u[2, row] < survey.wrong * np.where(probable, WRONG_IF_PROBABLE, 1.0)
    mistaken = (1.0 + z[row]) * 2.0 ** (2.0 * u[3, row] - 1.0) - 1.0
    z_spec = np.abs(np.where(wrong, mistaken, z_spec))
    quality = np.where(probable, QUALITY_PROBABLE, QUALITY_SECURE)
    return row, z_spec, survey.z_err * (1.0 + z_spec), quality.astype(np.int8)
