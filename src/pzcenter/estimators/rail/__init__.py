"""Methods of RAIL behind our protocol, in a process of their own: ``rail:NAME``."""

from __future__ import annotations

from pzcenter.estimators.rail.estimator import FAMILY, RailEstimator, trust_model, withdraw_model
from pzcenter.estimators.rail.methods import rail_estimator, rail_names
from pzcenter.estimators.rail.process import end_rail_processes
from pzcenter.estimators.rail.settings import RailSettings

__all__ = [
    "FAMILY",
    "RailEstimator",
    "RailSettings",
    "end_rail_processes",
    "rail_estimator",
    "rail_names",
    "trust_model",
    "withdraw_model",
]
