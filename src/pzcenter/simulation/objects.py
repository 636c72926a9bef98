"""Objects of a simulated sky: draws of galaxies and stars, and their measurement by the survey."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pzcenter.science.photometry import mag_to_flux
from pzcenter.simulation.galaxies import half_light_arcsec
from pzcenter.simulation.noise import gaap_flux_fraction, profile_area_ratio
from pzcenter.simulation.stars import draw_stars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.simulation.model import SkyModel
    from pzcenter.simulation.noise import FluxNoise

__all__ = ["Measurement", "Sources", "detected_sources", "measure"]

STAR = -1
"""Class of a star; galaxies have their place in the population's classes."""

STAR_FAINTEST_MARGIN = 0.2
"""Stars are drawn so many magnitudes below the detection limit."""

NOISE_CORRELATION = 0.8
"""Between the noise of the cModel and of the GAaP flux, which share most of their pixels."""

BLEND_LIGHT = 0.15
"""Mean share of a neighbour's flux that a blended object holds."""

RESOLVED_ARCSEC = 0.10
"""Half-light radius at which half of the bright galaxies are told from stars."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Objects as they are, outside the Galaxy and before any measurement.

    Parameters
    ----------
    kind : ndarray of int8, (n_obj,)
        Place of the galaxy's class, -1 for a star.
    z : ndarray, (n_obj,)
        NaN for a star.
    flux : ndarray, (n_obj, n_band)
        nJy.
    position : ndarray, (n_obj,)
        Along the sequence of templates; for a star r - i, its place on the locus.
    dust : ndarray, (n_obj,)
        E(B-V) in the galaxy, NaN for a star.
    magnitude : ndarray, (n_obj,)
        Rest-frame B, AB; NaN for a star.
    half_light : ndarray, (n_obj,)
        Arcseconds, 0 for a star.
    """

    kind: NDArray[np.int8]
    z: NDArray[np.float64]
    flux: NDArray[np.float64]
    position: NDArray[np.float64]
    dust: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    half_light: NDArray[np.float64]

    @property
    def n_obj(self) -> int:
        """Number of objects."""
        return int(self.z.size)

    def select(self, rows: Any) -> Self:
        """Rows by slice, mask or index."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """All parts one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True, eq=False)
class Measurement:
    """What the survey measures of some objects, seen through the Galaxy's dust.

    Parameters
    ----------
    gaap, gaap_err, cmodel, cmodel_err : ndarray, (n_obj, n_band)
        nJy; NaN where missing.
    extendedness : ndarray, (n_obj,)
        0 or 1.
    from_blend : ndarray of bool, (n_obj,)
    blendedness : ndarray, (n_obj, n_band)
        Share of the flux that is a neighbour's.
    """

    gaap: NDArray[np.float64]
    gaap_err: NDArray[np.float64]
    cmodel: NDArray[np.float64]
    cmodel_err: NDArray[np.float64]
    extendedness: NDArray[np.float64]
    from_blend: NDArray[np.bool_]
    blendedness: NDArray[np.float64]


def draw_galaxies(model: SkyModel, rng: np.random.Generator, n_obj: int) -> Sources:
    """Galaxies at random, detected or not.

    Parameters
    ----------
    model : SkyModel
    rng : Generator
    n_obj : int

    Returns
    -------
    Sources
    """
    config, grid = model.config, model.grid
    kind, z, over_star = model.population.draw(rng, n_obj)
    normal = rng.standard_normal((3 + len(model.bands), n_obj))
    exponential = rng.standard_exponential(n_obj)
    position = np.empty(n_obj)
    dust = np.empty(n_obj)
    magnitude = np.empty(n_obj)
    for k, each in enumerate(model.population.classes):
        own = kind == k
        # Reflected at the ends of the range, so that no template is piled upon.
        drawn = each.mean_position(z[own], over_star[own]) + each.position_scatter * normal[0, own]
        position[own] = _reflect(drawn, each.position_range)
        dust[own] = each.dust * exponential[own]
        magnitude[own] = over_star[own] + each.characteristic_magnitude(z[own])
    dust = np.minimum(dust, grid.dust[-1])
    comoving = model.distances.comoving(z)
    distance_10pc = np.maximum(comoving * (1.0 + z), 1e-3) * 1e5
    flux = grid.interpolate(position, dust, z) * grid.tilt(config.slope_scatter * normal[1], z)
    flux *= (10.0 ** (-0.4 * magnitude) / distance_10pc**2)[:, None]
    flux *= 10.0 ** (-0.4 * config.colour_scatter * normal[3:].T)
    return Sources(
        kind=kind.astype(np.int8),
        z=z,
        flux=flux,
        position=position,
        dust=dust,
        magnitude=magnitude,
        half_light=half_light_arcsec(over_star, z, comoving, normal[2]),
    )


def _reflect(values: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.float64]:
    low, high = limits
    folded = np.abs(values - low) % (2.0 * (high - low))
    return low + np.where(folded > high - low, 2.0 * (high - low) - folded, folded)


def _draw_star_sources(model: SkyModel, rng: np.random.Generator, n_obj: int) -> Sources:
    faintest = 31.4 - 2.5 * np.log10(model.detection_flux) + STAR_FAINTEST_MARGIN
    mag, r_i = draw_stars(rng, n_obj, faintest_i=faintest)
    nothing = np.full(n_obj, np.nan)
    return Sources(
        kind=np.full(n_obj, STAR, dtype=np.int8),
        z=nothing,
        flux=np.asarray(mag_to_flux(mag), dtype=np.float64),
        position=r_i,
        dust=nothing,
        magnitude=nothing,
        half_light=np.zeros(n_obj),
    )


def detected_sources(model: SkyModel, rng: np.random.Generator, n_obj: int) -> tuple[Sources, NDArray[np.float64]]:
    """Objects that the survey detects, stars and galaxies in random order.

    Detection is decided on the i-band cModel flux with its noise, outside the Galaxy's dust.

    Parameters
    ----------
    model : SkyModel
    rng : Generator
    n_obj : int

    Returns
    -------
    sources : Sources, (n_obj,)
    i_noise : ndarray, (n_obj,)
        Noise of that flux in standard deviations: the measurement must use the same.
    """
    n_star = int(rng.binomial(n_obj, model.config.star_fraction))
    parts: list[Sources] = []
    noises: list[NDArray[np.float64]] = []
    for draw, wanted in ((_draw_star_sources, n_star), (draw_galaxies, n_obj - n_star)):
        found = 0
        while found < wanted:
            # More candidates than are missing, so that two rounds mostly suffice.
            candidates = draw(model, rng, 64 + int(1.7 * (wanted - found)))
            noise = rng.standard_normal(candidates.n_obj)
            rows = np.flatnonzero(_is_detected(model, candidates, noise))[: wanted - found]
            parts.append(candidates.select(rows))
            noises.append(noise[rows])
            found += rows.size
    order = rng.permutation(n_obj)
    return Sources.join(parts).select(order), np.concatenate(noises)[order]


def detected_density(model: SkyModel, rng: np.random.Generator, *, n_trial: int = 40_000) -> float:
    """Objects that the survey detects per square arcminute, stars included.

    Parameters
    ----------
    model : SkyModel
    rng : Generator
    n_trial : int
        Galaxies drawn to find the share that is detected.

    Returns
    -------
    float
    """
    candidates = draw_galaxies(model, rng, n_trial)
    share = _is_detected(model, candidates, rng.standard_normal(n_trial)).mean()
    return float(model.population.n_per_arcmin2 * share / (1.0 - model.config.star_fraction))


def _is_detected(model: SkyModel, sources: Sources, noise: NDArray[np.float64]) -> NDArray[np.bool_]:
    i = model.bands.index("i")
    band = _one_band(model.noise, i)
    flux = sources.flux[:, [i]]
    area = profile_area_ratio(sources.half_light, band.psf_sigma_arcsec)
    measured = flux + noise[:, None] * band.flux_err(flux, area)
    detected: NDArray[np.bool_] = (measured > model.config.detection_snr * band.flux_err(measured, area))[:, 0]
    return detected


def _one_band(noise: FluxNoise, band: int) -> FluxNoise:
    one = slice(band, band + 1)
    return type(noise)(
        bands=noise.bands[one],
        flux_5sigma=noise.flux_5sigma[one],
        gamma=noise.gamma[one],
        n_visit=noise.n_visit[one],
        systematic=noise.systematic,
        psf_sigma_arcsec=noise.psf_sigma_arcsec[one],
    )


def measure(
    model: SkyModel,
    rng: np.random.Generator,
    sources: Sources,
    *,
    i_noise: NDArray[np.float64],
    ebv: NDArray[np.float64],
) -> Measurement:
    """Measure some sources as the survey does.

    Parameters
    ----------
    model : SkyModel
    rng : Generator
    sources : Sources, (n_obj,)
    i_noise : ndarray, (n_obj,)
        Noise of the i-band cModel flux, in standard deviations.
    ebv : ndarray, (n_obj,)
        Galactic E(B-V), mag.

    Returns
    -------
    Measurement
        No band missing yet.
    """
    noise, i = model.noise, model.bands.index("i")
    n_obj, n_band = sources.flux.shape
    u = rng.random((3, n_obj))
    blend = u[0] < model.config.blend_fraction
    added = _neighbours_light(sources.flux, blend * rng.standard_exponential(n_obj), i)
    seen = (sources.flux + added) * 10.0 ** (-0.4 * ebv[:, None] * model.extinction)
    cmodel_normal, own_normal = rng.standard_normal((2, n_obj, n_band))
    cmodel_normal[:, i] = i_noise
    gaap_normal = NOISE_CORRELATION * cmodel_normal + np.sqrt(1.0 - NOISE_CORRELATION**2) * own_normal
    cmodel, cmodel_err = _measured(
        noise, seen, cmodel_normal, profile_area_ratio(sources.half_light, noise.psf_sigma_arcsec)
    )
    in_aperture = seen * gaap_flux_fraction(sources.half_light)[:, None]
    gaap, gaap_err = _measured(noise, in_aperture, gaap_normal, model.gaap_area)
    return Measurement(
        gaap=gaap,
        gaap_err=gaap_err,
        cmodel=cmodel,
        cmodel_err=cmodel_err,
        extendedness=_extendedness(sources, cmodel[:, i] / cmodel_err[:, i], u[1]),
        from_blend=blend,
        blendedness=added / (sources.flux + added),
    )


def _measured(
    noise: FluxNoise, flux: NDArray[Any], normal: NDArray[Any], area_ratio: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Flux with noise, and the error as estimated from that flux, which does not betray the true one."""
    measured = flux + normal * noise.flux_err(flux, area_ratio)
    return measured, noise.flux_err(measured, area_ratio)


def _neighbours_light(flux: NDArray[Any], strength: NDArray[Any], i: int) -> NDArray[np.float64]:
    """Light of the next object of the block that is counted with each, at most as much as its own in i."""
    neighbour = np.roll(flux, 1, axis=0)
    share = np.minimum(BLEND_LIGHT * strength, flux[:, i] / neighbour[:, i])
    light: NDArray[np.float64] = share[:, None] * neighbour
    return light


def _extendedness(sources: Sources, signal_to_noise: NDArray[Any], u: NDArray[Any]) -> NDArray[np.float64]:
    """Star-galaxy separation: by size where the signal is high, a guess in favour of galaxies where it is low."""
    unsure = 1.0 / (1.0 + (np.maximum(signal_to_noise, 0.0) / 12.0) ** 2)
    resolved = 1.0 / (1.0 + np.exp(-(sources.half_light - RESOLVED_ARCSEC) / 0.02))
    star = sources.kind == STAR
    probability = np.where(star, 0.5 * unsure, (1.0 - unsure) * resolved + 0.85 * unsure)
    return np.asarray(u < probability, dtype=np.float64)
