"""How bright and how deep a band is, and whether that can be: the check of the unit of fluxes.

A wrong unit multiplies a flux and its error alike, so that no signal to noise shows it. The magnitudes show it: nJy
read as Jy are wrong by 22.5 mag, uJy read as nJy by 7.5 mag.

The first is seen in the median magnitude of the detected objects, which is within :data:`PLAUSIBLE_MAG` for every
survey. The second is not: SDSS spectroscopic galaxies have a median near 17, ten years of LSST near 26, so that one
of 17 may be either of them. The depth tells them apart, because the noise belongs to the survey and not to the sample:
even a choice of bright galaxies is measured with the noise of its images. A mapping declares the depths that its survey
can have (``photometry.plausible_depth``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import UnitError
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingType

    from numpy.typing import NDArray

    from pzcenter.schema import Mapping

__all__ = ["DEPTH_SIGMA", "MIN_JUDGED", "PLAUSIBLE_MAG", "FluxLevel", "flux_level", "require_plausible_fluxes"]

DEPTH_SIGMA = 5.0
"""Signal to noise of a detection, and of the flux that a depth is."""

PLAUSIBLE_MAG = (12.0, 32.0)
"""Median magnitude, AB, of the detected objects of a band that a survey may have. Wide on purpose: the 2MASS Redshift
Survey ends at Ks = 11.75 Vega, 13.6 AB (Huchra et al. 2012, ApJS 199, 26), and no image yet reaches 32."""

MIN_JUDGED = 100
"""Detected objects below which nothing is judged: a handful may be anything."""


@dataclass(frozen=True)
class FluxLevel:
    """What the fluxes of one band look like.

    Parameters
    ----------
    n_measured : int
        Objects with a finite flux and a positive error.
    n_detected : int
        Of those, objects above :data:`DEPTH_SIGMA`.
    median_mag : float
        Of the detected objects, AB; NaN where there are none.
    depth : float
        Magnitude, AB, of :data:`DEPTH_SIGMA` times the median error; NaN where nothing is measured.
    """

    n_measured: int
    n_detected: int
    median_mag: float
    depth: float


def flux_level(flux: NDArray[Any], flux_err: NDArray[Any]) -> FluxLevel:
    """Look at the fluxes of a band.

    Parameters
    ----------
    flux, flux_err : ndarray, (n_obj,)
        nJy, NaN where missing.
    """
    measured = np.isfinite(flux) & np.isfinite(flux_err) & (flux_err > 0)
    flux, flux_err = flux[measured], flux_err[measured]
    detected = flux[flux > DEPTH_SIGMA * flux_err]
    return FluxLevel(flux.size, detected.size, _median_mag(detected), _median_mag(DEPTH_SIGMA * flux_err))


def _median_mag(flux: NDArray[Any]) -> float:
    return float(flux_to_mag(np.median(flux.astype(np.float64)))) if flux.size else float("nan")


def require_plausible_fluxes(levels: MappingType[str, FluxLevel], mapping: Mapping, where: str) -> None:
    """Refuse fluxes that no survey has, or not this one: their unit is not the declared one.

    Parameters
    ----------
    levels : mapping of str to FluxLevel
        By band.
    mapping : Mapping
    where : str
        Name of the table, for the message.

    Raises
    ------
    UnitError
        The median magnitude of a band is out of :data:`PLAUSIBLE_MAG`, or its depth out of the range that the mapping
        declares.
    """
    low, high = PLAUSIBLE_MAG
    for band, level in levels.items():
        if level.n_detected < MIN_JUDGED:
            continue
        seen = (
            f"{where}: the median magnitude in {band} is {level.median_mag:.1f} ({level.n_detected} detected objects)"
        )
        if not low <= level.median_mag <= high:
            raise UnitError(f"{seen}; {low:g} to {high:g} is plausible. {_question(mapping, band)}")
        depths = mapping.photometry.plausible_depth
        if depths is not None and not depths[0] <= level.depth <= depths[1]:
            raise UnitError(
                f"{seen}, and {DEPTH_SIGMA:g} times the median error is magnitude {level.depth:.1f}; "
                f"{depths[0]:g} to {depths[1]:g} is plausible for the depth of this survey. {_question(mapping, band)}"
            )


def _question(mapping: Mapping, band: str) -> str:
    kind, column = mapping.photometry.kind, mapping.value_column(band)
    unit = f"a flux in {mapping.photometry.unit}" if kind == "flux" else "an AB magnitude"
    if kind == "asinh_mag":
        unit = "an asinh magnitude"
    elif mapping.photometry.zero_point is not None:
        unit = f"a flux of zero point {mapping.photometry.zero_point:g}"
    return f"Is {column} {unit}, as the mapping {mapping.name!r} says?"
