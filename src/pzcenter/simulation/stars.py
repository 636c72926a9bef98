"""Stars of the Milky Way: a one-parameter family of colours with the counts of a high-latitude field.

Nothing but a foreground that contaminates galaxy samples as the real one does: the colours follow the observed
stellar locus, the counts do not follow any model of the Galaxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_stars", "stellar_colours"]

BRIGHTEST_I = 16.0
"""Brighter stars saturate the detector."""

COUNT_SLOPE = 0.10
"""d log10 N / d mag of stars at high latitude, 18 < i < 26; an approximation."""

LOCUS_SCATTER = 0.03
"""Standard deviation of a star's magnitude about the locus, per band: metallicity, gravity, binaries."""


def stellar_colours(r_i: NDArray[Any]) -> NDArray[np.float64]:
    """Magnitudes relative to i of stars on the main-sequence locus.

    g-r against r-i is the published fit. The other colours are piecewise straight lines through typical stars of the
    same locus, good to about 0.1 mag: turn-off u-g 0.9 at g-r 0.2, K dwarf 2.2 at 0.9, M dwarf 2.6 at 1.4;
    i-z = 0.58 (r-i); z-y = 0.45 (i-z).

    Parameters
    ----------
    r_i : ndarray, (n_obj,)
        r - i, from 0 (A/F stars) to 2.5 (late M dwarfs).

    Returns
    -------
    ndarray, (n_obj, 6)
        u-i, g-i, r-i, 0, z-i, y-i.

    References
    ----------
    Juric et al. 2008, ApJ 673, 864, equation 4. Covey et al. 2007, AJ 134, 2398, for the locus in the other bands.
    """
    r_i = np.asarray(r_i, dtype=np.float64)
    g_r = 1.39 * (1.0 - np.exp(-4.9 * r_i**3 - 2.45 * r_i**2 - 1.68 * r_i - 0.050))
    u_g = np.interp(g_r, [0.0, 0.2, 0.5, 0.9, 1.4], [0.9, 0.9, 1.4, 2.2, 2.6])
    i_z = 0.58 * r_i
    z_y = 0.45 * i_z
    return np.stack([u_g + g_r + r_i, g_r + r_i, r_i, np.zeros_like(r_i), -i_z, -i_z - z_y], axis=1)


def draw_stars(
    rng: np.random.Generator, n_obj: int, *, faintest_i: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stars at random, a mixture of turn-off stars and M dwarfs.

    Parameters
    ----------
    rng : Generator
    n_obj : int
    faintest_i : float
        AB magnitude.

    Returns
    -------
    mag : ndarray, (n_obj, 6)
        AB in ugrizy, outside the Galaxy's dust.
    r_i : ndarray, (n_obj,)
        Place on the locus.
    """
    u = rng.random((2, n_obj))
    normal = rng.standard_normal((7, n_obj))
    steep = np.log(10.0) * COUNT_SLOPE
    i = BRIGHTEST_I + np.log1p(u[0] * np.expm1(steep * (faintest_i - BRIGHTEST_I))) / steep
    dwarf_share = np.interp(i, [17.0, 23.0], [0.3, 0.7])
    r_i = np.where(u[1] < dwarf_share, 1.25 + 0.35 * normal[0], 0.15 + 0.10 * np.abs(normal[0]))
    r_i = np.clip(r_i, 0.0, 2.5)
    mag: NDArray[np.float64] = i[:, None] + stellar_colours(r_i) + LOCUS_SCATTER * normal[1:].T
    return mag, r_i
