"""Nearest neighbours in colour space, with a local linear correction and tuned densities."""

from __future__ import annotations

from pzcenter.estimators.neighbours.estimator import NeighboursConfig, NeighboursEstimator

__all__ = ["NeighboursConfig", "NeighboursEstimator"]
