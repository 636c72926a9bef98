"""What running a method of RAIL from here costs beside RAIL alone: objects per processor second of both, in one run.

    PZCENTER_RAIL_PYTHON=PYTHON python benchmarks/rail_methods.py [--quick] [--methods KNearNeigh GPz ...]

Each method is trained on DC2 galaxies here, once. Then the same model estimates the same magnitudes twice: by RAIL as
its users run it (a file of the table in, a file of densities out, read again on 301 points), and from here (arrays in,
densities of unit integral on 301 points out; the processor time of both processes). FlexZBoost is trained with fewer
tuning steps than its default, which changes nothing in what an estimate does. One thread.

The last line is JSON: for each method `NAME_objects_per_cpu_s`, `NAME_alone_objects_per_cpu_s` and `NAME_ratio`.
"""

# ruff: noqa: E402 -- libraries read the number of threads when they are imported

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# One thread for every library, before any of them is imported.
_ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
os.environ.update(dict.fromkeys(_ONE, "1"))

import h5py
import numpy as np

from pzcenter.estimators import get_estimator
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.rail import RailSettings, rail_names
from pzcenter.estimators.rail.magnitudes import rail_magnitudes
from pzcenter.schema import Photometry
from pzcenter.science.photometry import mag_err_to_flux_err, mag_to_flux

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.estimators.rail import RailEstimator

DC2 = Path(__file__).resolve().parent.parent / "tests" / "data" / "dc2"
TRAIN, SAMPLE = DC2 / "test_dc2_training_9816.hdf5", DC2 / "test_dc2_validation_9816.hdf5"
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "KNearNeigh": ("k_nearneigh", {"ngrid_sigma": 2}),
    "GPz": ("gpz", {"max_iter": 50}),
    "BPZlite": ("bpz_lite", {}),
    "FlexZBoost": ("flexzboost", {"nbump": 2, "nsharp": 2}),
}
ALONE = """
import sys, time, numpy as np
from rail.core.data import TableHandle
from rail.estimation.algos.{module} import {name}Estimator as Stage
times = []
for turn in range({n_repeat} + 1):
    begun = time.process_time()
    stage = Stage.make_stage(name=f"alone{{turn}}", model="model.pkl", hdf5_groupname="photometry", output="out.hdf5")
    found = stage.estimate(stage.data_store.read_file(f"test{{turn}}", TableHandle, "test.hdf5"))
    found().pdf(np.linspace(0, 3, 301))
    times.append(time.process_time() - begun)
print("cpu_s", float(np.median(times[1:])))
"""
N_TRAIN, N_TEST, N_QUICK, N_REPEAT = 3000, 10_000, 2000, 3


def read(path: Path, n_obj: int) -> tuple[Photometry, NDArray[np.float64]]:
    """Random rows of a DC2 file; 99 is a non-detection, a flux of zero."""
    with h5py.File(path) as file:
        group = file["photometry"]
        rows = np.sort(np.random.default_rng(3).permutation(group["redshift"].size)[:n_obj])
        mag = np.stack([group[f"mag_{b}_lsst"][:][rows] for b in "ugrizy"], axis=1).astype(np.float64)
        mag_err = np.stack([group[f"mag_err_{b}_lsst"][:][rows] for b in "ugrizy"], axis=1).astype(np.float64)
        z_spec = group["redshift"][:][rows].astype(np.float64)
    flux = np.where(mag > 90, 0.0, mag_to_flux(mag))
    flux_err = np.where(mag > 90, mag_to_flux(mag_err), mag_err_to_flux_err(mag, mag_err))
    return Photometry(flux=flux.astype(np.float32), flux_err=flux_err.astype(np.float32), bands=tuple("ugrizy")), z_spec


def alone(name: str, model: RailEstimator, photometry: Photometry, python: str) -> float:
    """Processor seconds of RAIL's estimator, a file in and a file out."""
    mags = rail_magnitudes(photometry.flux, photometry.flux_err, detection_snr=0.0, marks_missing=False)
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(Path(folder) / "test.hdf5", "w") as file:
            for k, band in enumerate("ugrizy"):
                file[f"photometry/mag_{band}_lsst"], file[f"photometry/mag_err_{band}_lsst"] = mags[k], mags[6 + k]
        (Path(folder) / "model.pkl").write_bytes(model.pickle)
        program = ALONE.format(module=METHODS[name][0], name=name, n_repeat=N_REPEAT)
        words = [python, "-c", program]
        run = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder)
    return float(run.stdout.decode().rpartition("cpu_s")[2])


def from_here(model: RailEstimator, photometry: Photometry) -> float:
    """Processor seconds of both processes."""
    model.estimate(photometry.select(slice(0, 50)))  # opens the model, compiles
    spent = []
    for _ in range(N_REPEAT):
        begun, begun_there = time.process_time(), model.cpu_s
        model.estimate(photometry)
        spent.append(time.process_time() - begun + model.cpu_s - begun_there)
    return float(np.median(spent))


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 objects, nearest neighbours only")
    parser.add_argument("--methods", nargs="*", default=None, choices=list(METHODS))
    arguments = parser.parse_args()
    names = arguments.methods or (["KNearNeigh"] if arguments.quick else list(METHODS))
    there = rail_names()
    python = RailSettings.from_environment().python or "python"
    train, z_spec = read(TRAIN, N_TRAIN)
    sample, _ = read(SAMPLE, N_QUICK if arguments.quick else N_TEST)
    line: dict[str, float] = {}
    print(f"{'objects per CPU second':24}{'RAIL alone':>12}{'from here':>12}{'ratio':>8}")
    for name in [name for name in names if f"rail:{name}" in there]:
        method = get_estimator(f"rail:{name}")
        model = method.train(train, z_spec, config=checked_config(method.Config, METHODS[name][1]))
        rates = [sample.n_obj / alone(name, model, sample, python), sample.n_obj / from_here(model, sample)]  # type: ignore[arg-type]
        print(f"{name:24}{rates[0]:12.0f}{rates[1]:12.0f}{rates[1] / rates[0]:8.2f}", flush=True)
        line |= {f"{name}_alone_objects_per_cpu_s": rates[0], f"{name}_objects_per_cpu_s": rates[1]}
        line[f"{name}_ratio"] = rates[1] / rates[0]
    print(json.dumps({key: round(value, 3) for key, value in line.items()}))


if __name__ == "__main__":
    main()
