"""Where things are: a footprint cut into tracts and patches, Galactic dust over it, and galaxies in groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.science.cosmology import Distances

__all__ = ["DustField", "Footprint", "draw_dust_field", "gather_groups", "lay_footprint"]

TALLEST_DEG = 60.0
"""Greatest height of the footprint; a larger area is wider."""

FIRST_TRACT = 9000
MAX_TRACT = 9000
"""Tracts are numbered from 9000, below the 18,938 of Rubin's sky map, of which they are no part."""

PATCHES_PER_SIDE = 10
"""As in Rubin's sky map."""

N_WAVE = 6
"""Waves in the dust field."""

GROUP_SIZE = 6
"""Galaxies in a group, on average."""

GROUP_RADIUS_MPC = 0.5
"""Comoving; scale of the distances of a group's galaxies from its centre."""


@dataclass(frozen=True, eq=False)
class Footprint:
    """A rectangle in right ascension and sine of declination, so that equal cells are equal areas.

    Parameters
    ----------
    ra_min, ra_width : float
        Degrees; it may run over 360.
    sin_dec_min, sin_dec_max : float
    n_row, n_column : int
        Tracts in declination and right ascension.
    """

    ra_min: float
    ra_width: float
    sin_dec_min: float
    sin_dec_max: float
    n_row: int
    n_column: int

    @property
    def n_tract(self) -> int:
        """Number of tracts."""
        return self.n_row * self.n_column

    @property
    def area_deg2(self) -> float:
        """Area, square degrees."""
        return float(np.rad2deg(self.ra_width * (self.sin_dec_max - self.sin_dec_min)))

    def tract_number(self, index: int) -> int:
        """Name by number the tract at an index from 0 to ``n_tract - 1``."""
        return FIRST_TRACT + index

    def place(self, index: int, xy: NDArray[Any]) -> NDArray[np.float64]:
        """Places in the footprint, 0 to 1 in each direction, of places in a tract.

        Parameters
        ----------
        index : int
            Of the tract.
        xy : ndarray, (n_obj, 2)
            East and north in the tract, 0 to 1.

        Returns
        -------
        ndarray, (n_obj, 2)
        """
        row, column = divmod(index, self.n_column)
        place: NDArray[np.float64] = (xy + np.array([column, row])) / [self.n_column, self.n_row]
        return place

    def coordinates(self, place: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Right ascension and declination of places in the footprint, degrees ICRS."""
        ra = (self.ra_min + self.ra_width * place[:, 0]) % 360.0
        sin_dec = self.sin_dec_min + (self.sin_dec_max - self.sin_dec_min) * place[:, 1]
        return ra, np.rad2deg(np.arcsin(np.clip(sin_dec, -1.0, 1.0)))

    def degrees_across(self, index: int) -> tuple[float, float]:
        """Width and height of a tract in degrees on the sky, at its middle."""
        row = index // self.n_column
        edges = np.arcsin(np.interp([row, row + 0.5, row + 1], [0, self.n_row], [self.sin_dec_min, self.sin_dec_max]))
        width = self.ra_width / self.n_column * np.cos(edges[1])
        return float(width), float(np.rad2deg(edges[2] - edges[0]))


def lay_footprint(*, ra: float, dec: float, area_deg2: float, n_tract: int) -> Footprint:
    """Lay a footprint about a centre, as square as it can be.

    Parameters
    ----------
    ra, dec : float
        Centre, degrees; moved towards the equator where the footprint would not fit on the sky.
    area_deg2 : float
    n_tract : int
        Tracts at least; there may be a few more, so that they fill the rectangle.

    Returns
    -------
    Footprint

    Raises
    ------
    ConfigError
        The area does not fit on the sky.
    """
    height = min(np.sqrt(area_deg2), TALLEST_DEG)
    # A band of this height all around the sky, of middle declination d, has 360 deg * 2 cos d sin(height/2).
    needed = float(np.deg2rad(area_deg2) / 360.0 / (2.0 * np.sin(np.deg2rad(height / 2.0))))
    if needed > 1.0:
        raise ConfigError(
            f"the sky would cover {area_deg2:.0f} deg2, which does not fit within {height:.0f} deg of declination; "
            "ask for fewer objects or a higher density"
        )
    farthest = min(90.0 - height / 2.0, float(np.rad2deg(np.arccos(needed))))
    middle = float(np.clip(dec, -farthest, farthest))
    low, high = np.sin(np.deg2rad([middle - height / 2, middle + height / 2]))
    width = float(np.deg2rad(area_deg2) / (high - low))
    n_row = max(1, round(np.sqrt(n_tract)))
    return Footprint(
        ra_min=(ra - width / 2) % 360.0,
        ra_width=width,
        sin_dec_min=float(low),
        sin_dec_max=float(high),
        n_row=n_row,
        n_column=-(-n_tract // n_row),
    )


def patch_number(xy: NDArray[Any]) -> NDArray[np.int64]:
    """Patch of places in a tract, counted eastwards and then northwards."""
    column, row = np.minimum((xy * PATCHES_PER_SIDE).astype(np.int64), PATCHES_PER_SIDE - 1).T
    patch: NDArray[np.int64] = row * PATCHES_PER_SIDE + column
    return patch


@dataclass(frozen=True, eq=False)
class DustField:
    """A smooth Galactic E(B-V): the exponential of a sum of a few plane waves through the celestial sphere.

    Parameters
    ----------
    mean : float
        Median E(B-V), mag.
    wave : ndarray, (n_wave, 3)
        Wave vectors, radians per unit vector.
    phase, amplitude : ndarray, (n_wave,)
    """

    mean: float
    wave: NDArray[np.float64]
    phase: NDArray[np.float64]
    amplitude: NDArray[np.float64]

    def ebv(self, ra: NDArray[Any], dec: NDArray[Any]) -> NDArray[np.float64]:
        """E(B-V) at positions in degrees, mag."""
        ra, dec = np.deg2rad(ra), np.deg2rad(dec)
        unit = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
        ripple = self.amplitude @ np.sin(self.wave @ unit + self.phase[:, None])
        return np.asarray(self.mean * np.exp(ripple), dtype=np.float64)


def draw_dust_field(rng: np.random.Generator, *, mean: float) -> DustField:
    """Draw a dust field at random, with structure from half a degree to tens of degrees.

    Parameters
    ----------
    rng : Generator
    mean : float
        Median E(B-V), mag.

    Returns
    -------
    DustField
    """
    direction = rng.standard_normal((N_WAVE, 3))
    wavelength_deg = np.geomspace(0.5, 40.0, N_WAVE)
    wave = direction / np.linalg.norm(direction, axis=1, keepdims=True) * (360.0 / wavelength_deg)[:, None]
    return DustField(
        mean=mean,
        wave=wave,
        phase=rng.uniform(0, 2 * np.pi, N_WAVE),
        amplitude=0.25 * np.geomspace(0.4, 1.0, N_WAVE),
    )


def gather_groups(
    rng: np.random.Generator,
    xy: NDArray[Any],
    z: NDArray[Any],
    *,
    fraction: float,
    distances: Distances,
    degrees_across: tuple[float, float],
) -> NDArray[np.float64]:
    """Move a share of the galaxies of a tract into groups of nearly one redshift.

    Parameters
    ----------
    rng : Generator
    xy : ndarray, (n_obj, 2)
        In the tract, 0 to 1.
    z : ndarray, (n_obj,)
        NaN for stars, which stay where they are.
    fraction : float
        Share of the galaxies that are moved.
    distances : Distances
    degrees_across : tuple of float
        Width and height of the tract.

    Returns
    -------
    ndarray, (n_obj, 2)
        Inside the tract: who would leave it is reflected at its edge.
    """
    moved = np.flatnonzero(np.isfinite(z) & (rng.random(z.size) < fraction))
    moved = moved[np.argsort(z[moved], kind="stable")]
    if moved.size < 2:
        return np.asarray(xy, dtype=np.float64)
    starts = rng.random(moved.size) < 1.0 / GROUP_SIZE
    starts[0] = True
    group = np.cumsum(starts) - 1
    centre = rng.random((int(group[-1]) + 1, 2))[group]
    offset_mpc = GROUP_RADIUS_MPC * rng.standard_normal((moved.size, 2))
    offset_deg = np.rad2deg(offset_mpc / np.maximum(distances.comoving(z[moved]), 20.0)[:, None])
    place = np.abs(centre + offset_deg / np.array(degrees_across)) % 2.0
    gathered = np.array(xy, dtype=np.float64)
    gathered[moved] = np.where(place > 1.0, 2.0 - place, place)
    return gathered
