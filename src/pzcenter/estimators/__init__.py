"""Photo-z methods behind one protocol, found by entry points, with models that are data and never code."""

from __future__ import annotations

from pzcenter.estimators.model_set import ModelSet, default_model_set
from pzcenter.estimators.protocol import Declaration, Estimator, EstimatorConfig, TrainingFacts, default_z_grid
from pzcenter.estimators.registry import (
    RegisteredEstimator,
    estimator_names,
    get_estimator,
    load_model,
    registered_estimators,
)
from pzcenter.estimators.shipped_calibration import calibration_names
from pzcenter.estimators.storage import model_digest

__all__ = [
    "Declaration",
    "Estimator",
    "EstimatorConfig",
    "ModelSet",
    "RegisteredEstimator",
    "TrainingFacts",
    "calibration_names",
    "default_model_set",
    "default_z_grid",
    "estimator_names",
    "get_estimator",
    "load_model",
    "model_digest",
    "registered_estimators",
]
