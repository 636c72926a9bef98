"""How good and how fast the density networks are, beside four methods run through RAIL, in one run.

    python benchmarks/estimators.py [--quick] [--train FILE.hdf5] [--sample FILE.hdf5] [--peer-python PYTHON]
                                    [--peers flexzboost gpz knn bpz] [--models DIRECTORY]

Ours is trained on the training half of the DC2 sample (10,225 galaxies), where all of its settings were chosen, and
measured on the other half (20,449 galaxies, i < 25.3). The peers get the same files. Everyone's p(z) goes through the
same functions: 301 points, point estimate `z_best`. Rates are of objects in arrays to p(z) on 301 points, for us with
packing (`u8sqrt`), for the peers without; processor seconds, one thread. The peers need an interpreter with RAIL,
`--peer-python` or PZCENTER_REFERENCE_PYTHON; without one they are left out, which is said.

The last line is JSON: `cde_loss`, `sigma_nmad`, `outlier_fraction`, `pit_ks`, `objects_per_cpu_s` of `density_network`,
the same with the prefix `fast_` of its fast variant, and with the name of each peer.
"""

# ruff: noqa: E402 -- libraries read the number of threads when they are imported

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

# One thread for every library, before any of them is imported.
_ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
os.environ.update(dict.fromkeys(_ONE, "1"))
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import h5py
import numpy as np

from pzcenter.estimators.density_network import DensityNetworkEstimator
from pzcenter.schema import Photometry
from pzcenter.science import metrics
from pzcenter.science.packing import pack_u8sqrt
from pzcenter.science.photometry import mag_err_to_flux_err, mag_to_flux
from pzcenter.science.pz import normalise, point_estimates

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
DC2 = ROOT / "tests" / "data" / "dc2"
TRAIN, SAMPLE = DC2 / "test_dc2_training_9816.hdf5", DC2 / "test_dc2_validation_9816.hdf5"
PEERS = ("flexzboost", "gpz", "knn", "bpz")
KEYS = ("cde_loss", "sigma_nmad", "outlier_fraction", "pit_ks", "objects_per_cpu_s")
SHOWN = (*KEYS[:4], "sigma_nmad_mode", "outlier_fraction_mode", "crps", "pit_outlier_rate", KEYS[4], "train_cpu_s")
SETTINGS: dict[str, dict[str, Any]] = {"density_network": {}, "fast": {"speed": "fast"}}
N_QUICK, N_REPEAT = 4000, 3


def read(path: Path) -> tuple[Photometry, NDArray[np.float64]]:
    """Photometry and redshifts of a file of magnitudes; 99 is a non-detection, taken as missing."""
    with h5py.File(path) as file:
        group = file["photometry"]
        mag = np.stack([group[f"mag_{b}_lsst"][:] for b in "ugrizy"], axis=1).astype(np.float64)
        mag_err = np.stack([group[f"mag_err_{b}_lsst"][:] for b in "ugrizy"], axis=1).astype(np.float64)
        z_spec = group["redshift"][:].astype(np.float64)
    mag[mag > 90] = np.nan
    return Photometry(flux=mag_to_flux(mag), flux_err=mag_err_to_flux_err(mag, mag_err), bands=tuple("ugrizy")), z_spec


def shuffled_part(path: Path, out: Path, n_obj: int) -> None:
    """Random rows of a sample: the rows of the DC2 sample are nearly sorted by redshift."""
    with h5py.File(path) as file, h5py.File(out, "w") as new:
        rows = np.random.default_rng(3).permutation(file["photometry"]["redshift"].size)[:n_obj]
        for name in file["photometry"]:
            new[f"photometry/{name}"] = file["photometry"][name][:][rows]


def measure(pdf: NDArray[np.float32], z_grid: NDArray[np.float64], z_spec: NDArray[np.float64]) -> dict[str, float]:
    """All metrics of densities, those without a density left out."""
    good = np.isfinite(pdf).all(axis=1)
    pdf, z_spec = normalise(pdf[good], z_grid), z_spec[good]
    z_best, z_mode = point_estimates(pdf, z_grid).z_best, z_grid[np.argmax(pdf, axis=1)]
    pit = metrics.pit(pdf, z_grid, z_spec)
    return {
        "cde_loss": metrics.cde_loss(pdf, z_grid, z_spec),
        "sigma_nmad": metrics.sigma_nmad(z_best, z_spec),
        "outlier_fraction": metrics.outlier_fraction(z_best, z_spec),
        "sigma_nmad_mode": metrics.sigma_nmad(z_mode, z_spec),
        "outlier_fraction_mode": metrics.outlier_fraction(z_mode, z_spec),
        "pit_ks": metrics.pit_ks(pit),
        "crps": float(np.mean(metrics.crps(pdf, z_grid, z_spec))),
        "pit_outlier_rate": metrics.pit_outlier_rate(pit),
    }


def ours(name: str, train: Path, sample: Path, *, models: Path | None, quick: bool) -> dict[str, float]:
    """Train (or load) a variant, estimate, measure."""
    seconds = 0.0
    if models is not None and (models / name).exists():
        model = DensityNetworkEstimator.load(models / name)
    else:
        photometry, z_spec = read(train)
        config = {"filters": "dc2", **SETTINGS[name]} | ({"n_samples_seen": 150_000} if quick else {})
        begun = time.process_time()
        model = DensityNetworkEstimator.train(photometry, z_spec, config=config)  # type: ignore[arg-type]
        seconds = time.process_time() - begun
        if models is not None:
            model.save(models / name)
    photometry, z_spec = read(sample)
    model.estimate(photometry.select(slice(0, 64)))  # compiles
    pack_u8sqrt(np.ones((1, 301), dtype=np.float32))
    spent = []
    for _ in range(N_REPEAT):
        begun = time.process_time()
        pz = model.estimate(photometry)
        pack_u8sqrt(pz.pdf)
        spent.append(time.process_time() - begun)
    rate = photometry.n_obj / float(np.median(spent))
    return measure(pz.pdf, pz.z_grid, z_spec) | {"objects_per_cpu_s": rate, "train_cpu_s": seconds}


def peers(names: list[str], train: Path, sample: Path, python: str) -> dict[str, dict[str, float]]:
    """Run methods of RAIL in their own interpreter and measure their p(z) with our metrics."""
    if not names:
        return {}
    _, z_spec = read(sample)
    with tempfile.TemporaryDirectory() as folder:
        script = ROOT / "tests" / "reference" / "run_rail_peers.py"
        words = [python, script, train, sample, folder, "--methods", *names]
        run = subprocess.run(list(map(str, words)), check=False, capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"the peers failed in {python}:\n{run.stderr[-3000:]}")
        seconds = json.loads(run.stdout.strip().splitlines()[-1])
        found = {}
        for name in names:
            with np.load(Path(folder) / f"{name}.npz") as result:
                found[name] = measure(result["pdf"], result["z_grid"], z_spec)
            found[name]["objects_per_cpu_s"] = z_spec.size / seconds[name]["estimate_cpu_s"]
            found[name]["train_cpu_s"] = seconds[name]["train_cpu_s"]
    return found


def interpreter_with_rail() -> str | None:
    """Where the peers can run: the one that is set, or this one if it has RAIL."""
    named = os.environ.get("PZCENTER_REFERENCE_PYTHON")
    return named or (sys.executable if importlib.util.find_spec("rail") else None)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a random 4,000 of the objects, short training, one peer")
    parser.add_argument("--train", type=Path, default=TRAIN)
    parser.add_argument("--sample", type=Path, default=SAMPLE)
    parser.add_argument("--models", type=Path, help="directory in which our models are kept between runs")
    parser.add_argument("--peers", nargs="*", default=None, choices=PEERS)
    parser.add_argument("--peer-python", default=interpreter_with_rail())
    arguments = parser.parse_args()
    train, sample = arguments.train.resolve(), arguments.sample.resolve()
    names = list(arguments.peers if arguments.peers is not None else (PEERS[2:3] if arguments.quick else PEERS))
    if names and arguments.peer_python is None:
        print(f"without {', '.join(names)}: no RAIL here, and PZCENTER_REFERENCE_PYTHON is not set", file=sys.stderr)
        names = []
    with tempfile.TemporaryDirectory() as folder:
        if arguments.quick:
            small = [Path(folder) / "train.hdf5", Path(folder) / "sample.hdf5"]
            for path, part in zip((train, sample), small, strict=True):
                shuffled_part(path, part, N_QUICK)
            train, sample = small
        variants = ["density_network"] if arguments.quick else list(SETTINGS)
        results = {
            name: ours(name, train, sample, models=arguments.models, quick=arguments.quick) for name in variants
        } | peers(names, train, sample, arguments.peer_python)
    print(f"{'':24}" + "".join(f"{name:>17}" for name in results))
    for key in SHOWN:
        digits = 0 if key in {"objects_per_cpu_s", "train_cpu_s"} else 4
        print(f"{key:24}" + "".join(f"{result[key]:17.{digits}f}" for result in results.values()))
    line = {key: round(results["density_network"][key], 5) for key in KEYS}
    for name, result in results.items():
        if name != "density_network":
            line |= {f"{name}_{key}": round(result[key], 5) for key in KEYS}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
