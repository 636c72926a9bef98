"""Our stages as RAIL's users run them: found by RAIL, one by one, and in a pipeline that ceci runs from YAML.

Usage::

    python run_rail_stages.py TRAIN.hdf5 TEST.hdf5 DIRECTORY

Runs where RAIL and pzcenter are installed together. Leaves p(z) in DIRECTORY and prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import ceci
import numpy as np
import rail.stages
from rail.core import RailEnv
from rail.core.data import QPHandle, TableHandle
from rail.core.stage import RailPipeline, RailStage
from rail.estimation.algos.naive_stack import NaiveStackSummarizer

Z_GRID = np.linspace(0.0, 3.0, 301)
FAST = {
    "PZCenterTemplate": {"template_set": "cwwsb4", "n_between": 0},
    "PZCenterDensityNetwork": {
        "templates": "none",
        "n_member": 2,
        "n_hidden": 8,
        "n_layer": 1,
        "max_epochs": 4,
        "resolution": 0.05,
    },
    "PZCenterNeighbours": {"n_tune": 100},
    "PZCenterTrainZ": {"bandwidth": 0.1},
}


def one_by_one(name: str, train: str, test: str) -> dict[str, object]:
    """Inform and estimate, as in a notebook."""
    informer = getattr(rail.stages, f"{name}Informer").make_stage(
        name=f"inform_{name}", model=f"{name}.pzmodel", hdf5_groupname="photometry", **FAST[name]
    )
    informer.inform(informer.data_store.read_file("train", TableHandle, train))
    estimator = getattr(rail.stages, f"{name}Estimator").make_stage(
        name=f"estimate_{name}",
        model=f"{name}.pzmodel",
        output=f"{name}.hdf5",
        hdf5_groupname="photometry",
        chunk_size=70,
        calculated_point_estimates=["zmean"],
    )
    ensemble = estimator.estimate(estimator.data_store.read_file("test", TableHandle, test))()
    np.save(f"{name}.npy", ensemble.pdf(Z_GRID))
    ancil = {key: np.asarray(value).ravel().tolist() for key, value in ensemble.ancil.items()}
    return {"npdf": int(ensemble.npdf), "ancil": sorted(ancil), "zmode": ancil["zmode"], "zmean": ancil["zmean"]}


class Pipeline(RailPipeline):
    """Train, estimate, and stack with a stage of RAIL."""

    def __init__(self) -> None:
        super().__init__()
        self.inform = rail.stages.PZCenterNeighboursInformer.build(
            aliases={"input": "input_train"}, hdf5_groupname="photometry", **FAST["PZCenterNeighbours"]
        )
        self.estimate = rail.stages.PZCenterNeighboursEstimator.build(
            aliases={"input": "input_test"},
            connections={"model": self.inform.io.model},
            hdf5_groupname="photometry",
            chunk_size=70,
        )
        self.stack = NaiveStackSummarizer.build(connections={"input": self.estimate.io.output}, nsamples=5)


def in_a_pipeline(train: str, test: str) -> dict[str, object]:
    """Write the pipeline as YAML and have ceci run it, each stage in a process of its own."""
    pipeline = Pipeline()
    places = {"output_dir": "out", "log_dir": "log", "resume": False}
    pipeline.initialize({"input_train": train, "input_test": test}, places, None)
    pipeline.save("pipeline.yml")
    status = ceci.Pipeline.read("pipeline.yml").run()
    found = QPHandle("n", path="out/single_NZ_stack.hdf5").read()
    files = sorted(path.name for path in Path("out").iterdir())
    return {"status": int(status or 0), "files": files, "mean_z": float(np.ravel(found.mean())[0])}


def main() -> None:
    """Run all and print."""
    train, test, directory = (str(Path(word).resolve()) for word in sys.argv[1:4])
    os.chdir(directory)
    RailEnv.import_all_packages(silent=True)
    RailEnv.attach_stages(rail.stages, silent=True)
    names = [name for name in FAST if name != "PZCenterDensityNetwork" or find_spec("optax")]
    told = {name: one_by_one(name, train, test) for name in names}
    told["stages"] = sorted(name for name in RailStage.pipeline_stages if name.startswith("PZCenter"))
    told["pipeline"] = in_a_pipeline(train, test)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
