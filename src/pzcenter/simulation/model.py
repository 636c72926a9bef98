"""Everything about a simulated sky that does not depend on the object: tables made once, at the start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError
from pzcenter.schema import BANDS
from pzcenter.science.cosmology import tabulate_distances
from pzcenter.science.extinction import extinction_coefficients
from pzcenter.science.filters import load_filter
from pzcenter.science.igm import inoue2014_transmission
from pzcenter.science.photometry import flux_to_mag
from pzcenter.science.sed import load_template_set
from pzcenter.simulation.galaxies import build_flux_grid
from pzcenter.simulation.noise import gaap_area_ratio, lsst_noise
from pzcenter.simulation.population import GALAXY_CLASSES, build_population

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.science.cosmology import Distances
    from pzcenter.simulation.config import SimulationConfig
    from pzcenter.simulation.galaxies import FluxGrid
    from pzcenter.simulation.noise import FluxNoise
    from pzcenter.simulation.population import Population

__all__ = ["SkyModel", "build_model"]

MARGIN_MAG = 0.5
"""Galaxies this much fainter than the detection limit are drawn too: noise may lift them over it."""


@dataclass(frozen=True, eq=False)
class SkyModel:
    """Tables that objects are drawn from.

    Parameters
    ----------
    config : SimulationConfig
    bands : tuple of str
    grid : FluxGrid
    population : Population
    distances : Distances
    noise : FluxNoise
    gaap_area : ndarray, (n_band,)
        Effective area of the GAaP aperture over that of the point-spread function.
    extinction : ndarray, (n_band,)
        A / E(B-V) of the Milky Way.
    detection_flux : float
        Flux of a point source at the detection limit, i band, nJy.
    """

    config: SimulationConfig
    bands: tuple[str, ...]
    grid: FluxGrid
    population: Population
    distances: Distances
    noise: FluxNoise
    gaap_area: NDArray[np.float64]
    extinction: NDArray[np.float64]
    detection_flux: float


def build_model(config: SimulationConfig) -> SkyModel:
    """Make the tables of a configuration.

    Parameters
    ----------
    config : SimulationConfig

    Returns
    -------
    SkyModel

    Raises
    ------
    ConfigError
        The template set is too short for the sequence of galaxy types.
    NotFoundError
        There is no such template set.
    """
    bands = tuple(BANDS)
    grid = _flux_grid(config.templates, bands, z_max=config.z_max)
    distances = tabulate_distances(z_max=config.z_max)
    noise = lsst_noise(bands, years=config.years)
    i_band = bands.index("i")
    detection_flux = float(noise.flux_limit[i_band] * config.detection_snr / 5.0)
    z = grid.z[1:]
    faintest = float(flux_to_mag(np.array(detection_flux))) + MARGIN_MAG
    # The galaxy of each class that shines most in i for its luminosity in B sets how deep the class is drawn.
    brightest = np.stack(
        [
            grid.flux[int(low) : int(high) + 1, :, 1:, i_band].max(axis=(0, 1))
            for low, high in (each.position_range for each in GALAXY_CLASSES)
        ]
    )
    faintest_magnitude = faintest - distances.modulus(z) - flux_to_mag(brightest)
    population = build_population(
        GALAXY_CLASSES,
        distances=distances,
        z_max=config.z_max,
        faintest_magnitude=faintest_magnitude,
        z_of_faintest=z,
    )
    coefficients = extinction_coefficients(bands)
    return SkyModel(
        config=config,
        bands=bands,
        grid=grid,
        population=population,
        distances=distances,
        noise=noise,
        gaap_area=gaap_area_ratio(noise.psf_sigma_arcsec),
        extinction=np.asarray(coefficients, dtype=np.float64),
        detection_flux=detection_flux,
    )


@lru_cache(maxsize=2)
def _flux_grid(template_set: str, bands: tuple[str, ...], *, z_max: float) -> FluxGrid:
    """Fluxes of the templates, the costly part of a model and the same for most configurations."""
    templates = load_template_set(template_set)
    last = max(each.position_range[1] for each in GALAXY_CLASSES)
    if len(templates) <= last:
        raise ConfigError(f"templates: {template_set!r} has {len(templates)} SEDs; the galaxies need {int(last) + 1}")
    filters = [load_filter(f"lsst_{band}") for band in bands]
    return build_flux_grid(templates, filters, z_max=z_max, igm=inoue2014_transmission)
