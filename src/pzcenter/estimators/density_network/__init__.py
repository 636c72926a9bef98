"""Learned densities: networks, a template fit, and calibration on objects that were not seen."""

from __future__ import annotations

from pzcenter.estimators.density_network.config import DensityNetworkConfig
from pzcenter.estimators.density_network.estimator import DensityNetworkEstimator

__all__ = ["DensityNetworkConfig", "DensityNetworkEstimator"]
