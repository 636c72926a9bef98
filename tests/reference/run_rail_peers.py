"""Train and run methods of RAIL, as RAIL's users run them, and keep every p(z) with the processor time it took.

Usage::

    python run_rail_peers.py TRAIN.hdf5 TEST.hdf5 DIRECTORY --methods flexzboost gpz knn bpz

Writes ``DIRECTORY/<method>.npz`` (p(z) on 301 points, float32) and prints one JSON object with the processor seconds
of each. Needs ``pz-rail-flexzboost``, ``pz-rail-gpz-v1``, ``pz-rail-sklearn``, ``pz-rail-bpz`` and nothing of this
project, so that it can run in an interpreter of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

# One thread for every library, before any of them is imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
# FlexZBoost trains in processes of its own otherwise, whose seconds would not be counted.
os.environ["LOKY_MAX_CPU_COUNT"] = "1"

import numpy as np

Z_GRID = np.linspace(0.0, 3.0, 301)
STAGES = {
    "flexzboost": ("flexzboost", "FlexZBoost", {"include_mag_err": False}),
    "gpz": ("gpz", "GPz", {}),
    "knn": ("k_nearneigh", "KNearNeigh", {}),
}
"""Module, class and the settings that are not RAIL's defaults."""
COMMON = {"hdf5_groupname": "photometry", "zmin": 0.0, "zmax": 3.0, "nzbins": 301}


def learned(method: str, train: Path, test: Path, directory: Path) -> tuple[np.ndarray, float, float]:
    """Densities of a trained method, and the processor seconds of training and of estimates with their densities."""
    from importlib import import_module

    from rail.core.data import TableHandle

    module_name, name, settings = STAGES[method]
    module = import_module(f"rail.estimation.algos.{module_name}")
    model = str(directory / f"{method}.pkl")
    begun = time.process_time()
    informer = getattr(module, f"{name}Informer").make_stage(
        name=f"inform_{method}", model=model, **accepted(getattr(module, f"{name}Informer"), settings)
    )
    informer.inform(informer.data_store.read_file(f"train_{method}", TableHandle, str(train)))
    trained = time.process_time()
    estimator = getattr(module, f"{name}Estimator").make_stage(
        name=f"estimate_{method}",
        model=model,
        output=str(directory / f"{method}.hdf5"),
        **accepted(getattr(module, f"{name}Estimator"), settings),
    )
    handle = estimator.data_store.read_file(f"test_{method}", TableHandle, str(test))
    pdf = estimator.estimate(handle)().pdf(Z_GRID)
    return np.asarray(pdf, dtype=np.float32), trained - begun, time.process_time() - trained


def accepted(stage: type, settings: dict) -> dict:
    """Those of the settings that the stage has."""
    return {name: value for name, value in (COMMON | settings).items() if name in stage.config_options}


def templates(test: Path, directory: Path) -> tuple[np.ndarray, float, float]:
    """Densities of BPZ with the COSMOS templates, its best on the DC2 sample."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from make_bpz_reference import BPZ

    bpz = BPZ("cosmos31", directory)
    bpz.estimate(test)  # writes its flux tables
    begun = time.process_time()
    pdf = bpz.estimate(test).pdf(Z_GRID)
    return np.asarray(pdf, dtype=np.float32), 0.0, time.process_time() - begun


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--methods", nargs="*", default=[*STAGES, "bpz"], choices=[*STAGES, "bpz"])
    arguments = parser.parse_args()
    train, test, directory = (path.resolve() for path in (arguments.train, arguments.test, arguments.directory))
    directory.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, dict[str, float]] = {}
    for method in arguments.methods:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # stages leave files where they run
            place = Path(folder)
            found = templates(test, place) if method == "bpz" else learned(method, train, test, place)
            os.chdir(directory)
        np.savez(directory / f"{method}.npz", z_grid=Z_GRID, pdf=found[0])
        seconds[method] = {"train_cpu_s": found[1], "estimate_cpu_s": found[2]}
    sys.stdout.write(json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main()
