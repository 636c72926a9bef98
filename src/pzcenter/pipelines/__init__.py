"""What composes catalogues, estimators and validation, and the only place that starts jobs.

Names are imported when they are first asked for: a worker process needs a small part of the room, and must start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pzcenter.pipelines.demo import DemoReport, run_demo
    from pzcenter.pipelines.figures import ObjectPdf, plot_objects, plot_run, read_objects
    from pzcenter.pipelines.main_line import MainLineReport, estimate_catalog
    from pzcenter.pipelines.partition import PartitionProduct, estimate_partition
    from pzcenter.pipelines.plan import EstimatePlan, plan_estimate
    from pzcenter.pipelines.prepare import prepare_model
    from pzcenter.pipelines.run import RunReport, run_estimate
    from pzcenter.pipelines.sky import simulate_sky
    from pzcenter.pipelines.train import TrainReport, read_training_set, train_model
    from pzcenter.pipelines.truth import KnownRedshifts, read_redshifts
    from pzcenter.pipelines.validate import validate_run

__all__ = [
    "DemoReport",
    "EstimatePlan",
    "KnownRedshifts",
    "MainLineReport",
    "ObjectPdf",
    "PartitionProduct",
    "RunReport",
    "TrainReport",
    "estimate_catalog",
    "estimate_partition",
    "plan_estimate",
    "plot_objects",
    "plot_run",
    "prepare_model",
    "read_objects",
    "read_redshifts",
    "read_training_set",
    "run_demo",
    "run_estimate",
    "simulate_sky",
    "train_model",
    "validate_run",
]

_MODULES = {
    "demo": ("DemoReport", "run_demo"),
    "figures": ("ObjectPdf", "plot_objects", "plot_run", "read_objects"),
    "main_line": ("MainLineReport", "estimate_catalog"),
    "partition": ("PartitionProduct", "estimate_partition"),
    "plan": ("EstimatePlan", "plan_estimate"),
    "prepare": ("prepare_model",),
    "run": ("RunReport", "run_estimate"),
    "sky": ("simulate_sky",),
    "train": ("TrainReport", "read_training_set", "train_model"),
    "truth": ("KnownRedshifts", "read_redshifts"),
    "validate": ("validate_run",),
}
_LATE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
