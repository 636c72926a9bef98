"""The probability integral transform of held-out objects, made uniform.

If F(z) is the cumulative of a density p(z) and g the density of F(z_spec) over held-out objects, then p(z) g(F(z)) is
calibrated on them: its own transform is uniform.

References
----------
Bordoloi, Lilly & Amara 2010, MNRAS 406, 881, section 4; Dey et al. 2022, arXiv:2205.14568.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["N_LEVEL", "pit_density"]

N_LEVEL = 65
"""Levels at which the density of the transform is tabulated."""
_N_BIN = 32
_PRIOR_OBJECTS = 40.0
"""Objects in each bin that pull the density to one: with few held-out objects nothing is changed."""


def pit_density(pit: NDArray[np.float64]) -> NDArray[np.float32]:
    """Density of the transform at equal steps from 0 to 1.

    Parameters
    ----------
    pit : ndarray, (n_obj,)
        Transforms of held-out objects, in [0, 1]; NaN is left out.

    Returns
    -------
    ndarray of float32, (N_LEVEL,)
        Positive; its mean over the bins is one.
    """
    counts = np.histogram(pit[np.isfinite(pit)], bins=_N_BIN, range=(0.0, 1.0))[0].astype(np.float64)
    mean = counts.mean()
    density = (counts + _PRIOR_OBJECTS) / (mean + _PRIOR_OBJECTS)
    # A running mean takes out the noise of the counts; the outermost bins, where outliers pile up, stay.
    inner = density[1:-1].copy()
    inner[1:-1] = 0.25 * density[1:-3] + 0.5 * density[2:-2] + 0.25 * density[3:-1]
    density[1:-1] = inner
    centre = (np.arange(_N_BIN) + 0.5) / _N_BIN
    levels: NDArray[np.float32] = np.interp(np.linspace(0.0, 1.0, N_LEVEL), centre, density).astype(np.float32)
    return levels
