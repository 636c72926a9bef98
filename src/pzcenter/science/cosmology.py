"""Distances in a flat universe of matter and a cosmological constant, tabulated once and interpolated.

A catalogue needs the same curves for every object; a table of them costs microseconds where an astronomy
library integrates each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Distances", "tabulate_distances"]

SPEED_OF_LIGHT_KM_S = 299_792.458
"""Exact, by the definition of the metre."""

STEP = 0.001
"""Redshift step of the table; the trapezium rule is then good to 1e-6 of a distance above z = 0.01."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Comoving distance against redshift.

    Parameters
    ----------
    z : ndarray, (n,)
        From zero, increasing.
    comoving_mpc : ndarray, (n,)
        Line-of-sight comoving distance; also the transverse one, space being flat.
    hubble_mpc : ndarray, (n,)
        c / H(z), the comoving depth of a unit of redshift.
    """

    z: NDArray[np.float64]
    comoving_mpc: NDArray[np.float64]
    hubble_mpc: NDArray[np.float64]

    def comoving(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Comoving distance in Mpc."""
        return np.asarray(np.interp(z, self.z, self.comoving_mpc), dtype=np.float64)

    def luminosity(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Luminosity distance in Mpc."""
        distance: NDArray[np.float64] = self.comoving(z) * (1.0 + z)
        return distance

    def modulus(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Distance modulus, magnitudes; minus infinity at z = 0."""
        with np.errstate(divide="ignore"):
            modulus: NDArray[np.float64] = 5.0 * np.log10(self.luminosity(z)) + 25.0
        return modulus

    def volume_per_arcmin2(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """Comoving volume behind one square arcminute per unit redshift, Mpc^3."""
        arcmin2 = np.deg2rad(1.0 / 60.0) ** 2
        volume: NDArray[np.float64] = arcmin2 * self.comoving(z) ** 2 * np.interp(z, self.z, self.hubble_mpc)
        return volume


def tabulate_distances(*, z_max: float, hubble: float = 70.0, omega_matter: float = 0.3) -> Distances:
    """Distances up to a redshift in a flat universe.

    Parameters
    ----------
    z_max : float
        Redshift up to which the table reaches.
    hubble : float
        Hubble constant, km/s/Mpc.
    omega_matter : float
        Matter density today over the critical density; radiation is left out.

    Returns
    -------
    Distances

    References
    ----------
    Hogg 1999, arXiv:astro-ph/9905116, equations 14, 15, 21 and 28.
    """
    z = np.arange(0.0, z_max + 2 * STEP, STEP)
    hubble_mpc = SPEED_OF_LIGHT_KM_S / hubble / np.sqrt(omega_matter * (1 + z) ** 3 + 1 - omega_matter)
    slices = 0.5 * STEP * (hubble_mpc[1:] + hubble_mpc[:-1])
    return Distances(z=z, comoving_mpc=np.concatenate([[0.0], np.cumsum(slices)]), hubble_mpc=hubble_mpc)
