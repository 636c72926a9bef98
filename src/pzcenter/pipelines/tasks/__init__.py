"""PipelineTasks: thin frames of the middleware around functions of the rooms below.

A task is imported when it is first asked for, so that one that is not used costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pzcenter.pipelines.tasks.consolidate_pz import ConsolidatePzTask
    from pzcenter.pipelines.tasks.estimate_pz import EstimatePzTask
    from pzcenter.pipelines.tasks.finish_catalog import FinishCatalogTask
    from pzcenter.pipelines.tasks.ingest_qa import IngestQaTask
    from pzcenter.pipelines.tasks.join_pz import JoinPzTask
    from pzcenter.pipelines.tasks.model_index import ModelIndexTask
    from pzcenter.pipelines.tasks.qa_maps import QaMapsTask
    from pzcenter.pipelines.tasks.qa_pz import QaPzTask
    from pzcenter.pipelines.tasks.skinny import SkinnyTask
    from pzcenter.pipelines.tasks.summarise_release import SummariseReleaseTask
    from pzcenter.pipelines.tasks.train_pz import TrainPzTask

__all__ = [
    "ConsolidatePzTask",
    "EstimatePzTask",
    "FinishCatalogTask",
    "IngestQaTask",
    "JoinPzTask",
    "ModelIndexTask",
    "QaMapsTask",
    "QaPzTask",
    "SkinnyTask",
    "SummariseReleaseTask",
    "TrainPzTask",
]

_MODULES = {
    "ConsolidatePzTask": "consolidate_pz",
    "EstimatePzTask": "estimate_pz",
    "FinishCatalogTask": "finish_catalog",
    "IngestQaTask": "ingest_qa",
    "JoinPzTask": "join_pz",
    "ModelIndexTask": "model_index",
    "QaMapsTask": "qa_maps",
    "QaPzTask": "qa_pz",
    "SkinnyTask": "skinny",
    "SummariseReleaseTask": "summarise_release",
    "TrainPzTask": "train_pz",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
