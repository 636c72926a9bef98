"""The requirement lines that photo-z samples are held against, each with its source.

Each requirement is stated on its own part of the sample (a :class:`Selection`), so it is tested there and not on
whatever objects happen to be in the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DMTN049", "LSST_SRD", "REQUIREMENTS", "SELECTIONS", "Requirement", "Selection"]


@dataclass(frozen=True)
class Selection:
    """The part of a sample on which requirements are stated.

    Parameters
    ----------
    name : str
        Short, as in the ``selection`` column of a metric table.
    title : str
        Who states it, for people.
    source : str
        The document.
    z_min, z_max : float
        Limits in ``z_spec``, both exclusive; the upper may be infinite.
    mag_max : float
        Faint limit, AB, in ``mag_band``; infinite where there is none.
    mag_band : str
    """

    name: str
    title: str
    source: str
    z_min: float
    z_max: float
    mag_max: float
    mag_band: str = "i"

    def rows(self, z_spec: NDArray[np.float64], mag: NDArray[np.float64] | None, band: str | None) -> NDArray[np.bool_]:
        """Which objects belong to it; the magnitude limit applies only where ``band`` is its band.

        Parameters
        ----------
        z_spec : ndarray, (n_obj,)
        mag : ndarray, (n_obj,), optional
            AB magnitudes.
        band : str, optional
            Band of ``mag``.

        Returns
        -------
        ndarray of bool, (n_obj,)
        """
        inside = (z_spec > self.z_min) & (z_spec < self.z_max)
        if mag is not None and band == self.mag_band and math.isfinite(self.mag_max):
            inside &= mag < self.mag_max
        return inside

    def words(self, band: str | None) -> str:
        """The limits as text; says so where the magnitude limit could not be applied."""
        limits = f"{self.z_min:g} < z" + (f" < {self.z_max:g}" if math.isfinite(self.z_max) else "")
        if not math.isfinite(self.mag_max):
            return limits
        if band == self.mag_band:
            return f"{self.mag_band} < {self.mag_max:g}, {limits}"
        return f"{limits} (no {self.mag_band} magnitudes: limit {self.mag_band} < {self.mag_max:g} not applied)"


@dataclass(frozen=True)
class Requirement:
    """A limit that the absolute value of one metric must stay below.

    Parameters
    ----------
    selection : Selection
    metric : str
        Name of a metric of the table.
    limit : float
        Unit of the metric.
    words : str
        The requirement as the source states it.
    """

    selection: Selection
    metric: str
    limit: float
    words: str


DMTN049 = Selection(
    name="dmtn049",
    title="Rubin minimum for basic science",
    source="Graham et al., DMTN-049 v4.2 (2022)",
    z_min=0.0,
    z_max=2.0,
    mag_max=25.0,
)
LSST_SRD = Selection(
    name="lsst_srd",
    title="LSST goal for cosmology",
    source="LSST Science Requirements Document, LPM-17, section 2.1",
    z_min=0.3,
    z_max=3.0,
    mag_max=25.0,
)

# The documents say "scatter" and "rms"; outliers have a limit of their own, so the scatter here is that of the core,
# sigma_iqr, and an outlier is what deviates by more than 3 sigma_iqr and by more than 0.06 (DMTN-049, appendix A.2).
REQUIREMENTS = (
    Requirement(DMTN049, "sigma_iqr", 0.05, "scatter below 0.05 (1+z)"),
    Requirement(DMTN049, "outlier_fraction_3sigma", 0.10, "outliers below 10 %"),
    Requirement(LSST_SRD, "sigma_iqr", 0.02, "scatter below 0.02 (1+z)"),
    Requirement(LSST_SRD, "bias", 0.003, "bias below 0.003 (1+z)"),
    Requirement(LSST_SRD, "outlier_fraction_3sigma", 0.10, "catastrophic outliers below 10 %"),
)
SELECTIONS = (DMTN049, LSST_SRD)
