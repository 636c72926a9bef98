"""What a galaxy looks like: fluxes of a continuous family of SEDs, tabulated once and interpolated for each object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science.extinction import attenuate, calzetti2000
from pzcenter.science.filters import FilterCurve, effective_wavelength
from pzcenter.science.photometry import AB_ZERO_POINT_NJY
from pzcenter.science.sed import Sed
from pzcenter.science.synthetic import synthetic_flux

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.science.sed import TemplateSet
    from pzcenter.science.synthetic import Transmission

__all__ = ["DUST_NODES", "FluxGrid", "build_flux_grid", "half_light_arcsec"]

DUST_NODES = np.array([0.0, 0.15, 0.4, 0.8])
"""E(B-V) at which the grid is tabulated; fluxes between them are mixtures, as of a galaxy partly covered by dust."""

REST_B = (3900.0, 4900.0)
"""Angstrom. The box in which the rest-frame B magnitude of an SED is measured: centre and width of Johnson B."""

TILT_PIVOT = 4400.0
"""Angstrom, rest frame: the wavelength at which a change of spectral slope leaves the flux alone."""

KPC_PER_RADIAN_MPC = 1000.0


@dataclass(frozen=True, eq=False)
class FluxGrid:
    """Fluxes of galaxies of rest-frame M_B = 0 (AB) as if the luminosity distance were 10 pc at every redshift.

    Parameters
    ----------
    z : ndarray, (n_z,)
        From zero in equal steps.
    dust : ndarray, (n_dust,)
        E(B-V), increasing from zero.
    flux : ndarray of float32, (n_template, n_dust, n_z, n_band)
        nJy.
    wavelength : ndarray, (n_band,)
        Effective wavelengths, angstrom.
    """

    z: NDArray[np.float64]
    dust: NDArray[np.float64]
    flux: NDArray[np.float32]
    wavelength: NDArray[np.float64]

    @property
    def n_template(self) -> int:
        """Number of templates in the sequence."""
        return int(self.flux.shape[0])

    def interpolate(self, position: NDArray[Any], dust: NDArray[Any], z: NDArray[Any]) -> NDArray[np.float64]:
        """Fluxes at places between the nodes, linear in each of the three.

        Parameters
        ----------
        position : ndarray, (n_obj,)
            Along the sequence of templates, 0 to n_template - 1.
        dust : ndarray, (n_obj,)
            E(B-V), 0 to the last node.
        z : ndarray, (n_obj,)

        Returns
        -------
        ndarray, (n_obj, n_band)
            nJy for M_B = 0 at 10 pc.
        """
        n_template, n_dust, n_z, n_band = self.flux.shape
        cell = tuple(
            _cell(values, size)
            for values, size in (
                (position, n_template),
                (np.interp(dust, self.dust, np.arange(n_dust)), n_dust),
                (np.asarray(z) / self.z[1], n_z),
            )
        )
        table = self.flux.reshape(-1, n_band)
        total = np.zeros((len(z), n_band))
        for corner in range(8):
            step = (corner >> 2 & 1, corner >> 1 & 1, corner & 1)
            (t, ft), (e, fe), (k, fk) = cell
            row = ((t + step[0]) * n_dust + e + step[1]) * n_z + k + step[2]
            weight = np.ones(len(z))
            for fraction, side in zip((ft, fe, fk), step, strict=True):
                weight *= fraction if side else 1.0 - fraction
            total += weight[:, None] * table[row]
        return total

    def tilt(self, slope: NDArray[Any], z: NDArray[Any]) -> NDArray[np.float64]:
        """Factor by which a change of the spectral slope multiplies the fluxes.

        Parameters
        ----------
        slope : ndarray, (n_obj,)
            Change of the power-law slope of the SED.
        z : ndarray, (n_obj,)

        Returns
        -------
        ndarray, (n_obj, n_band)
            (rest wavelength / 4400 angstrom) ** slope at each band's effective wavelength.
        """
        log_rest = np.log(self.wavelength / TILT_PIVOT) - np.log1p(z)[:, None]
        factor: NDArray[np.float64] = np.exp(slope[:, None] * log_rest)
        return factor


def _cell(place: NDArray[Any], size: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Node below a place in units of nodes, and the fraction of the way to the next."""
    node = np.clip(place.astype(np.int64), 0, size - 2)
    return node, np.clip(place - node, 0.0, 1.0)


def build_flux_grid(
    templates: TemplateSet,
    filters: Sequence[FilterCurve],
    *,
    z_max: float,
    z_step: float = 0.01,
    igm: Transmission | None = None,
) -> FluxGrid:
    """Tabulate the fluxes of a sequence of templates with dust.

    Parameters
    ----------
    templates : TemplateSet
        Neighbours resemble each other.
    filters : sequence of FilterCurve, (n_band,)
    z_max, z_step : float
    igm : callable, optional
        Transmission of the intergalactic medium.

    Returns
    -------
    FluxGrid
    """
    n_z = int(np.ceil(z_max / z_step)) + 1
    z = np.arange(n_z, dtype=np.float64) * z_step
    seds = [_dusty(sed, ebv) for sed in templates.seds for ebv in DUST_NODES]
    flux = synthetic_flux(seds, filters, z, igm=igm)
    # A source of luminosity L_lambda is seen with f_lambda = L_lambda(lambda/(1+z)) / ((1+z) 4 pi d_L^2).
    flux = flux / (1.0 + z) / np.array([_rest_b_flux(sed) for sed in seds])[:, None, None]
    shape = (len(templates), DUST_NODES.size, len(filters), n_z)
    return FluxGrid(
        z=z,
        dust=DUST_NODES,
        flux=np.ascontiguousarray(np.moveaxis(flux.reshape(shape), 2, 3), dtype=np.float32),
        wavelength=np.array([effective_wavelength(each) for each in filters]),
    )


def _dusty(sed: Sed, ebv: float) -> Sed:
    return Sed(
        name=f"{sed.name} E(B-V)={ebv:g}",
        wavelength=sed.wavelength,
        flux=attenuate(sed.wavelength, sed.flux, ebv, calzetti2000),
    )


def _rest_b_flux(sed: Sed) -> float:
    """AB flux in the rest-frame B box over that of magnitude zero."""
    box = FilterCurve("rest_B", np.array(REST_B), np.ones(2))
    return float(synthetic_flux([sed], [box], [0.0])[0, 0, 0] / 10.0 ** (0.4 * AB_ZERO_POINT_NJY))


def half_light_arcsec(
    magnitude_over_star: NDArray[Any], z: NDArray[Any], comoving_mpc: NDArray[Any], scatter: NDArray[Any]
) -> NDArray[np.float64]:
    """Half-light radii of galaxies on the sky.

    Four kiloparsec at L* today, as the fourth root of the luminosity and as (1+z)^-0.75, with a log-normal scatter of
    0.2 dex: round numbers after the size-luminosity relation and its evolution.

    Parameters
    ----------
    magnitude_over_star : ndarray, (n_obj,)
        M - M*.
    z, comoving_mpc : ndarray, (n_obj,)
        Redshift and comoving distance.
    scatter : ndarray, (n_obj,)
        Standard normal numbers.

    Returns
    -------
    ndarray, (n_obj,)
        Arcseconds, at most 5.

    References
    ----------
    Shen et al. 2003, MNRAS 343, 978; van der Wel et al. 2014, ApJ 788, 28.
    """
    kpc = 4.0 * 10.0 ** (-0.1 * magnitude_over_star + 0.2 * scatter) * (1.0 + z) ** -0.75
    radian = kpc * (1.0 + z) / (KPC_PER_RADIAN_MPC * np.maximum(comoving_mpc, 1.0))
    return np.asarray(np.minimum(np.rad2deg(radian) * 3600.0, 5.0), dtype=np.float64)
