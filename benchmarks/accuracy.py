"""How good the default template model is on the DC2 sample, beside BPZ with the same template library.

    python benchmarks/accuracy.py [--quick] [--peer-python PYTHON] [--sample FILE.hdf5] [--model NAME_OR_DIRECTORY]

The default model was calibrated on the training half (10,225 galaxies); the numbers here are from the other half
(20,449 galaxies, i < 25.3), which nothing was chosen on. BPZ is RAIL's, with the 31 COSMOS templates, its HDF-N prior
and zero-point errors of 0.05 mag. All numbers are of the recommended point estimate (`z_best` for us, the median for
BPZ, its best one on this sample) and of the p(z).

The last line is JSON: `sigma_nmad`, `outlier_fraction`, `cde_loss`, `pit_ks` and others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "data" / "dc2" / "test_dc2_validation_9816.hdf5"
SHOWN = ("bias", "sigma_nmad", "sigma_iqr", "outlier_fraction", "cde_loss", "crps", "pit_ks", "pit_outlier_rate")


def our_metrics(sample: Path, model: str) -> dict[str, float]:
    """Run the main line and read its metric table."""
    from pzcenter.pipelines import estimate_catalog

    with tempfile.TemporaryDirectory() as folder:
        config = None if Path(model).is_dir() else {"filters": "dc2"}
        report = estimate_catalog(sample, Path(folder) / "run", model=model, config=config, workers=1)
    assert report.metrics is not None
    rows = {name: report.metrics.select(metric=name, axis="all") for name in SHOWN}
    return {
        name: next(row.value for row in found if row.point in {"z_best", "pdf"})
        for name, found in rows.items()
        if found
    }


def peer_metrics(sample: Path, python: str) -> dict[str, float]:
    """Run BPZ in its own interpreter and measure its p(z) with our metrics."""
    import h5py

    from pzcenter.science import metrics
    from pzcenter.science.pz import point_estimates

    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "bpz.npz"
        script = ROOT / "tests" / "reference" / "make_bpz_reference.py"
        words = [python, script, "--templates", "cosmos31", "--sample", sample, "--full", full]
        subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with np.load(full) as result:
            z_grid, pdf = result["z_grid"], result["pdf"]
    with h5py.File(sample) as file:
        z_spec = file["photometry"]["redshift"][:]
    pdf /= np.trapezoid(pdf, z_grid, axis=1)[:, None].astype(np.float32)
    z_phot = point_estimates(pdf, z_grid).z_median
    pit = metrics.pit(pdf, z_grid, z_spec)
    of_points = {name: getattr(metrics, name)(z_phot, z_spec) for name in SHOWN[:4]}
    of_pdf = {name: getattr(metrics, name)(pdf, z_grid, z_spec) for name in ("cde_loss", "crps")}
    of_pit = {name: getattr(metrics, name)(pit) for name in ("pit_ks", "pit_outlier_rate")}
    return {name: float(np.mean(value)) for name, value in (of_points | of_pdf | of_pit).items()}


def shuffled_part(sample: Path, path: Path, n_obj: int) -> None:
    """Random rows of the sample: its rows are nearly sorted by redshift."""
    import h5py

    with h5py.File(sample) as file, h5py.File(path, "w") as out:
        rows = np.random.default_rng(3).permutation(file["photometry"]["id"].size)[:n_obj]
        for name in file["photometry"]:
            out[f"photometry/{name}"] = file["photometry"][name][:][rows]


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a random 4,000 of the objects")
    parser.add_argument("--sample", type=Path, default=SAMPLE)
    parser.add_argument("--model", default="template")
    parser.add_argument("--peer-python", default=os.environ.get("PZCENTER_REFERENCE_PYTHON", sys.executable))
    parser.add_argument("--no-peer", action="store_true", help="our numbers only")
    arguments = parser.parse_args()
    sample = arguments.sample.resolve()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.quick:
            part = Path(folder) / "part.hdf5"
            shuffled_part(sample, part, 4000)
            sample = part
        ours = our_metrics(sample, arguments.model)
        peer: dict[str, float] = {} if arguments.no_peer else peer_metrics(sample, arguments.peer_python)
    print(f"{'':20}{'PZ Center':>14}{'BPZ':>14}")
    for name in SHOWN:
        theirs = f"{peer[name]:14.4f}" if name in peer else f"{'-':>14}"
        print(f"{name:20}{ours[name]:14.4f}{theirs}")
    result: dict[str, Any] = {name: round(value, 5) for name, value in ours.items()}
    print(json.dumps(result | {f"bpz_{name}": round(value, 5) for name, value in peer.items()}))


if __name__ == "__main__":
    main()
