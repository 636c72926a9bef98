"""A pipeline of two tasks over the middleware alone, to test executors: it doubles numbers of tracts and adds them up.

A tract whose number is negative fails; one whose number is 13 brings its process down the first time.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from lsst.daf.butler import Butler, CollectionType, DatasetType
from lsst.pipe.base import (
    Pipeline,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    Struct,
    connectionTypes,
)
from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder

from pzcenter.pipelines.repository.create import create_repository

__all__ = ["DoubleTask", "GatherTask", "files", "make_graph", "make_repository"]

SKYMAP = "toy"
KIND = "StructuredDataDict"


class DoubleConnections(PipelineTaskConnections, dimensions=("skymap", "tract")):
    number = connectionTypes.Input(name="number", storageClass=KIND, dimensions=("skymap", "tract"), doc="in")
    doubled = connectionTypes.Output(name="doubled", storageClass=KIND, dimensions=("skymap", "tract"), doc="out")


class DoubleConfig(PipelineTaskConfig, pipelineConnections=DoubleConnections):
    pass


class DoubleTask(PipelineTask):
    ConfigClass = DoubleConfig
    _DefaultName = "double"

    def run(self, number):
        value = number["value"]
        if value < 0 and not Path(os.environ.get("PZ_TOY_MENDED", "/nowhere")).exists():
            raise ValueError(f"cannot double {value}")
        time.sleep(float(os.environ.get("PZ_TOY_SLEEP", "0")))
        marker = os.environ.get("PZ_TOY_MARKER")
        if value == 13 and marker and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Struct(doubled={"value": 2 * value})


class GatherConnections(PipelineTaskConnections, dimensions=("skymap",)):
    doubled = connectionTypes.Input(
        name="doubled", storageClass=KIND, dimensions=("skymap", "tract"), doc="in", multiple=True
    )
    total = connectionTypes.Output(name="total", storageClass=KIND, dimensions=("skymap",), doc="out")


class GatherConfig(PipelineTaskConfig, pipelineConnections=GatherConnections):
    pass


class GatherTask(PipelineTask):
    ConfigClass = GatherConfig
    _DefaultName = "gather"

    def run(self, doubled):
        return Struct(total={"value": sum(one["value"] for one in doubled)})


def make_repository(root, numbers, **back_end):
    """A repository with one number for each tract."""
    create_repository(root, **back_end)
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.registry.insertDimensionData(
            "skymap", {"name": SKYMAP, "hash": b"toy", "tract_max": 100, "patch_nx_max": 1, "patch_ny_max": 1}
        )
        butler.registry.insertDimensionData("tract", *[{"skymap": SKYMAP, "id": tract} for tract in numbers])
        butler.registry.registerDatasetType(
            DatasetType("number", ("skymap", "tract"), KIND, universe=butler.dimensions)
        )
        butler.collections.register("toy/raw", CollectionType.RUN)
        for tract, value in numbers.items():
            butler.put({"value": value}, "number", skymap=SKYMAP, tract=tract, run="toy/raw")


def make_graph(root, path, *, run="toy/out", records=True):
    """Write the graph of both tasks."""
    pipeline = Pipeline("toy")
    pipeline.addTask("toy.DoubleTask", "double")
    pipeline.addTask("toy.GatherTask", "gather")
    with Butler.from_config(str(root), collections=["toy/raw"]) as butler:
        builder = AllDimensionsQuantumGraphBuilder(
            pipeline.to_graph(registry=butler.registry), butler, output_run=run, input_collections=["toy/raw"]
        )
        builder.finish(attach_datastore_records=records).write(str(path))
    return path


def files(root, name):
    """The files that the datastore has for a dataset type, by name."""
    return {path.name: path for path in sorted((Path(root) / "toy" / "out" / name).rglob("*.*"))}
