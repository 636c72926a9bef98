"""What composes catalogues, estimators and validation, and the only place that starts jobs."""

from __future__ import annotations

from pzcenter.pipelines.demo import DemoReport, run_demo
from pzcenter.pipelines.main_line import MainLineReport, estimate_catalog, prepare_model
from pzcenter.pipelines.partition import PartitionProduct, estimate_partition
from pzcenter.pipelines.plan import EstimatePlan, plan_estimate
from pzcenter.pipelines.run import RunReport, run_estimate
from pzcenter.pipelines.train import TrainReport, read_training_set, train_model
from pzcenter.pipelines.truth import KnownRedshifts, read_redshifts
from pzcenter.pipelines.validate import validate_run

__all__ = [
    "DemoReport",
    "EstimatePlan",
    "KnownRedshifts",
    "MainLineReport",
    "PartitionProduct",
    "RunReport",
    "TrainReport",
    "estimate_catalog",
    "estimate_partition",
    "plan_estimate",
    "prepare_model",
    "read_redshifts",
    "read_training_set",
    "run_demo",
    "run_estimate",
    "train_model",
    "validate_run",
]
