"""Figures of redshifts and training sets: one function each, on the axes given or on a new figure; axes back.

None of them fails on few or no rows: they say that there is nothing to draw. A column that is not there is an error.
"""

from __future__ import annotations

from .composition import plot_split, plot_split_nz, plot_surveys
from .coverage import plot_coverage_cells, plot_coverage_distance, plot_coverage_magnitude, plot_coverage_map
from .photometry import plot_colour, plot_magnitude, plot_reweighted
from .redshifts import plot_nz, plot_z_mag
from .separations import plot_separations
from .sky import plot_sky

__all__ = [
    "plot_colour",
    "plot_coverage_cells",
    "plot_coverage_distance",
    "plot_coverage_magnitude",
    "plot_coverage_map",
    "plot_magnitude",
    "plot_nz",
    "plot_reweighted",
    "plot_separations",
    "plot_sky",
    "plot_split",
    "plot_split_nz",
    "plot_surveys",
    "plot_z_mag",
]
