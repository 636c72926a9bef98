"""A few hundred galaxies with known redshifts, made in a millisecond from a formula.

Their spectra are power laws with a 4000 angstrom break, so that colours tell the redshift as they do in the sky;
nothing else about them is real. For a realistic sky use :mod:`pzcenter.simulation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.schema import Photometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SYNTHETIC_BANDS", "SyntheticSky", "synthetic_sky"]

SYNTHETIC_BANDS = ("u", "g", "r", "i", "z", "y")

_WAVELENGTH = dict(zip(SYNTHETIC_BANDS, (3680.0, 4820.0, 6220.0, 7545.0, 8690.0, 9710.0), strict=True))
"""Angstrom, about the centres of the LSST bands."""
_SKY_NOISE = dict(zip(SYNTHETIC_BANDS, (30.0, 9.0, 9.0, 14.0, 25.0, 60.0), strict=True))
"""One sigma, nJy, about that of ten years of LSST."""
_SYSTEMATIC_ERR = 0.005
_ZERO_POINT_MAG = 31.4


@dataclass(frozen=True, eq=False)
class SyntheticSky:
    """Galaxies with their redshifts.

    Parameters
    ----------
    photometry : Photometry
        Noisy fluxes, nJy, float32.
    z_spec : ndarray of float64, (n_obj,)
        True redshifts, in no order.
    """

    photometry: Photometry
    z_spec: NDArray[np.float64]


def synthetic_sky(
    n_obj: int, *, seed: int = 0, bands: tuple[str, ...] = SYNTHETIC_BANDS, z_max: float = 2.5
) -> SyntheticSky:
    """Draw galaxies.

    Parameters
    ----------
    n_obj : int
        Number of galaxies.
    seed : int
        The same seed gives the same sky.
    bands : tuple of str
        Of ``SYNTHETIC_BANDS``, in any order.
    z_max : float
        Redshifts are between 0.02 and this.

    Returns
    -------
    SyntheticSky
    """
    rng = np.random.default_rng(seed)
    z = np.clip(0.02 + rng.gamma(2.0, 0.33, n_obj), 0.02, z_max)
    blueness = rng.beta(1.2, 1.0, n_obj)
    i_mag = 25.3 - rng.gamma(2.0, 1.0, n_obj)
    noise = rng.standard_normal((n_obj, len(SYNTHETIC_BANDS)))
    i_shape = _f_nu(_WAVELENGTH["i"] / (1 + z), blueness)
    amplitude = 10 ** (-0.4 * (i_mag - _ZERO_POINT_MAG)) / i_shape
    flux = np.empty((n_obj, len(bands)), dtype=np.float32)
    flux_err = np.empty_like(flux)
    for column, band in enumerate(bands):
        true = amplitude * _f_nu(_WAVELENGTH[band] / (1 + z), blueness)
        err = np.hypot(_SKY_NOISE[band], _SYSTEMATIC_ERR * true)
        flux[:, column] = true + err * noise[:, SYNTHETIC_BANDS.index(band)]
        flux_err[:, column] = err
    return SyntheticSky(photometry=Photometry(flux=flux, flux_err=flux_err, bands=bands), z_spec=z)


def _f_nu(wavelength: NDArray[np.float64], blueness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectrum at rest-frame wavelengths in angstrom, for 0 (red) to 1 (blue); an arbitrary unit."""
    slope = 2.2 * (1 - blueness) + 0.1
    step = 0.2 + 0.6 * (1 - blueness)
    above_break = 1 / (1 + np.exp((4000.0 - wavelength) / 120.0))
    above_lyman = 1 / (1 + np.exp((1100.0 - wavelength) / 60.0))
    return np.asarray((wavelength / 4000.0) ** slope * (1 - step + step * above_break) * above_lyman)
