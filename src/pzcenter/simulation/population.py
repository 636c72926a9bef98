"""Which galaxies there are: evolving luminosity functions of two kinds of galaxies, and draws from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.science.cosmology import Distances

__all__ = ["GALAXY_CLASSES", "GalaxyClass", "Population", "build_population"]

Z_STEP = 0.01
"""Width of the redshift cells that draws are made from; within a cell redshifts are uniform."""

LOG_LUMINOSITY = np.linspace(-5.0, 1.5, 1301)
"""log10(L/L*) at which the number of galaxies brighter is tabulated."""

REFERENCE_Z = 0.5
"""Redshift at which the luminosity functions are stated."""

LINEAR_UNTIL_Z = 1.0
"""Redshift up to which the measured linear evolution holds."""


@dataclass(frozen=True)
class GalaxyClass:
    """A kind of galaxy: a Schechter function of rest-frame B luminosity that evolves, and the SEDs that it has.

    Up to z = 1, M* = ``m_star`` + ``q`` (z - 0.5) and log10 phi* = ``log_phi_star`` + ``p`` (z - 0.5). Beyond, M* goes
    on as ``q`` ln((1+z)/2) and phi* as (1+z)**``high_z_density``, on top of ``p``.

    The SED is a position along the sequence of templates (0 the first, 1 the second, 1.5 halfway between second and
    third), normal about ``position`` + ``position_per_z`` min(z, 2) + ``position_per_mag`` (M - M*), within
    ``position_range``.

    Parameters
    ----------
    name : str
    m_star, q : float
        AB magnitude at z = 0.5 (H0 = 70), and its change per unit redshift.
    log_phi_star, p : float
        log10 of phi* in Mpc^-3 at z = 0.5, and its change per unit redshift.
    alpha : float
        Faint-end slope.
    high_z_density : float
    position, position_per_z, position_per_mag, position_scatter : float
    position_range : tuple of float
    dust : float
        Mean of the exponential distribution of the E(B-V) of dust added to the template.
    """

    name: str
    m_star: float
    q: float
    log_phi_star: float
    p: float
    alpha: float
    high_z_density: float
    position: float
    position_per_z: float
    position_per_mag: float
    position_scatter: float
    position_range: tuple[float, float]
    dust: float

    def characteristic_magnitude(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """M* at redshifts, AB magnitude in rest-frame B."""
        low = np.minimum(z, LINEAR_UNTIL_Z)
        high = np.maximum(z, LINEAR_UNTIL_Z)
        magnitude: NDArray[np.float64] = (
            self.m_star + self.q * (low - REFERENCE_Z) + self.q * np.log((1 + high) / (1 + LINEAR_UNTIL_Z))
        )
        return magnitude

    def characteristic_density(self, z: NDArray[Any]) -> NDArray[np.float64]:
        """phi* at redshifts, Mpc^-3."""
        high = np.maximum(z, LINEAR_UNTIL_Z)
        density: NDArray[np.float64] = (
            10.0 ** (self.log_phi_star + self.p * (np.asarray(z) - REFERENCE_Z))
            * ((1 + high) / (1 + LINEAR_UNTIL_Z)) ** self.high_z_density
        )
        return density

    def mean_position(self, z: NDArray[Any], magnitude_over_star: NDArray[Any]) -> NDArray[np.float64]:
        """Mean place along the sequence of templates for a redshift and M - M*."""
        position: NDArray[np.float64] = (
            self.position + self.position_per_z * np.minimum(z, 2.0) + self.position_per_mag * magnitude_over_star
        )
        return position


# Luminosity functions at 0.2 < z < 1: Lopez-Sanjuan et al. 2017, A&A 599, A62 (ALHAMBRA, rest-frame B, AB, h = 0.7),
# but phi* of star-forming galaxies is 1.2 times theirs (-2.51), to reach the counts at i < 24. Beyond z = 1 the slower
# brightening and the falling density have the form of Gabasch et al. 2004, A&A 421, 41, with an exponent set by n(z).
# The SED sequence and dust are ours, set so that colours and n(z) are those of deep surveys: see
# docs/explanation/simulated-sky.md.
GALAXY_CLASSES: tuple[GalaxyClass, ...] = (
    GalaxyClass(
        name="quiescent",
        m_star=-20.86,
        q=-0.80,
        log_phi_star=-2.76,
        p=-0.41,
        alpha=-0.53,
        high_z_density=0.0,
        position=3.0,
        position_per_z=-0.5,
        position_per_mag=0.6,
        position_scatter=2.0,
        position_range=(0.0, 8.0),
        dust=0.02,
    ),
    GalaxyClass(
        name="star_forming",
        m_star=-21.00,
        q=-1.03,
        log_phi_star=-2.43,
        p=-0.01,
        alpha=-1.29,
        high_z_density=-2.6,
        position=12.5,
        position_per_z=4.5,
        position_per_mag=1.5,
        position_scatter=4.0,
        position_range=(8.0, 30.0),
        dust=0.07,
    ),
)


@dataclass(frozen=True, eq=False)
class Population:
    """Numbers of galaxies by class, redshift and luminosity, ready to be drawn from.

    Parameters
    ----------
    classes : tuple of GalaxyClass
    z_edge : ndarray, (n_cell + 1,)
        Edges of the redshift cells.
    density : ndarray, (n_class, n_cell)
        Galaxies per square arcminute brighter than ``log_luminosity_min``.
    cumulative : ndarray, (n_class, n_luminosity)
        Number brighter than each of :data:`LOG_LUMINOSITY`, in units of phi*; decreasing.
    count_max : ndarray, (n_class, n_cell)
        The same at the faintest luminosity that is drawn.
    """

    classes: tuple[GalaxyClass, ...]
    z_edge: NDArray[np.float64]
    density: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    count_max: NDArray[np.float64]

    @property
    def n_per_arcmin2(self) -> float:
        """Galaxies per square arcminute that are drawn."""
        return float(self.density.sum())

    def draw(
        self, rng: np.random.Generator, n_obj: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Galaxies at random.

        Parameters
        ----------
        rng : Generator
        n_obj : int

        Returns
        -------
        class_index : ndarray of int64, (n_obj,)
        z : ndarray, (n_obj,)
        magnitude_over_star : ndarray, (n_obj,)
            M - M*(z) in rest-frame B.
        """
        u = rng.random((3, n_obj))
        cumulative = np.cumsum(self.density.ravel())
        cell = np.searchsorted(cumulative, u[0] * cumulative[-1], side="right")
        class_index, z_cell = np.divmod(np.minimum(cell, cumulative.size - 1), self.density.shape[1])
        z = self.z_edge[z_cell] + u[1] * (self.z_edge[z_cell + 1] - self.z_edge[z_cell])
        count = u[2] * self.count_max[class_index, z_cell]
        log_luminosity = np.empty(n_obj)
        for k in range(len(self.classes)):
            chosen = class_index == k
            log_luminosity[chosen] = np.interp(count[chosen], self.cumulative[k, ::-1], LOG_LUMINOSITY[::-1])
        return class_index, z, -2.5 * log_luminosity


def count_brighter(alpha: float) -> NDArray[np.float64]:
    r"""Galaxies of a Schechter function brighter than each of :data:`LOG_LUMINOSITY`, in units of phi*.

    .. math:: N(>x) = \int_x^\infty t^\alpha e^{-t} dt

    Parameters
    ----------
    alpha : float
        Any faint-end slope; the integral is taken numerically because the closed form wants alpha > -1.

    Returns
    -------
    ndarray, (n_luminosity,)
        Decreasing, zero at the last.

    References
    ----------
    Schechter 1976, ApJ 203, 297, equation 25.
    """
    x = 10.0**LOG_LUMINOSITY
    integrand = x ** (alpha + 1.0) * np.exp(-x) * np.log(10.0)  # per dex
    slices = 0.5 * (integrand[1:] + integrand[:-1]) * np.diff(LOG_LUMINOSITY)
    count: NDArray[np.float64] = np.append(np.cumsum(slices[::-1])[::-1], 0.0)
    return count


def build_population(
    classes: Sequence[GalaxyClass],
    *,
    distances: Distances,
    z_max: float,
    faintest_magnitude: NDArray[np.float64],
    z_of_faintest: NDArray[np.float64],
) -> Population:
    """Tabulate how many galaxies of each class there are in each redshift cell, down to an absolute magnitude.

    Parameters
    ----------
    classes : sequence of GalaxyClass
    distances : Distances
    z_max : float
    faintest_magnitude : ndarray, (n_class, n)
        Rest-frame B magnitude beyond which no galaxy of the class can be seen.
    z_of_faintest : ndarray, (n,)
        Redshifts of those magnitudes, increasing.

    Returns
    -------
    Population
    """
    z_edge = np.arange(0.0, z_max + 0.5 * Z_STEP, Z_STEP)
    z = 0.5 * (z_edge[1:] + z_edge[:-1])
    volume = distances.volume_per_arcmin2(z) * Z_STEP
    cumulative = np.stack([count_brighter(each.alpha) for each in classes])
    count_max = np.empty((len(classes), z.size))
    density = np.empty((len(classes), z.size))
    for k, each in enumerate(classes):
        faintest = np.interp(z, z_of_faintest, faintest_magnitude[k])
        log_luminosity = -0.4 * (faintest - each.characteristic_magnitude(z))
        count_max[k] = np.interp(log_luminosity, LOG_LUMINOSITY, cumulative[k])
        density[k] = each.characteristic_density(z) * count_max[k] * volume
    return Population(
        classes=tuple(classes), z_edge=z_edge, density=density, cumulative=cumulative, count_max=count_max
    )
