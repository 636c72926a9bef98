"""Algebra of p(z) on a grid.

One convention for all of it: p(z) is linear between the points of its grid and zero outside. Its integral is the
trapezoid rule, its cumulative is quadratic within a cell, quantiles are the exact inverse of that cumulative, moments
are exact, and the mode and the point of least risk are grid points. See ``docs/explanation/pdf-packing.md``.
"""

from __future__ import annotations

from pzcenter.science.pz.density import cdf, cdf_at, density_at, mean, mode, normalise, quantiles, resample, stack
from pzcenter.science.pz.estimates import PointEstimates, point_estimates
from pzcenter.science.pz.grid import RISK_GAMMA, integral, trapezoid_weights
from pzcenter.science.pz.intervals import credible_interval, odds, risk

__all__ = [
    "RISK_GAMMA",
    "PointEstimates",
    "cdf",
    "cdf_at",
    "credible_interval",
    "density_at",
    "integral",
    "mean",
    "mode",
    "normalise",
    "odds",
    "point_estimates",
    "quantiles",
    "resample",
    "risk",
    "stack",
    "trapezoid_weights",
]
