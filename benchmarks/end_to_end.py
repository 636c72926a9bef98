"""From a Parquet file of magnitudes to the PZ table and the packed p(z) on disk, beside BPZ through RAIL.

    python benchmarks/end_to_end.py [--quick] [--peer-python PYTHON]

Both do the same science: the eight CWW+SB templates, DC2 filters, the HDF-N prior, 301 redshifts. BPZ reads HDF5 and
writes a qp file, as RAIL does; we read Parquet, make the skinny table (with checks of ids and units), write the core
table with all point estimates and flags, the packed densities, manifests with checksums and the provenance record.

One core, all thread counts 1; processor seconds of the process after one small warm-up (compilation, template
tables), without imports. Runs alternate, medians are quoted. The last line is JSON: `ratio` of objects per processor
second, `peak_mb_above_import`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "data" / "dc2" / "test_dc2_validation_9816.hdf5"
ONE_THREAD = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "VECLIB", "ARROW_IO")
}
SETTINGS = {
    "template_set": "cwwsb4", "n_between": 0, "filters": "dc2", "igm": "none", "prior": "hdfn",
    "zero_point_err": 0.01, "marginalise_amplitude": False, "calibration": "none",
}  # fmt: skip


def make_input(path: Path, n_obj: int) -> None:
    """Repeat the DC2 sample with new ids and fluxes scattered within a tenth of their errors."""
    import h5py
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    with h5py.File(SAMPLE) as file:
        sample = {name: file["photometry"][name][:] for name in file["photometry"]}
    rng = np.random.default_rng(1)
    n_sample = sample["id"].size
    writer = None
    for start in range(0, n_obj, 100_000):
        rows = rng.integers(0, n_sample, min(100_000, n_obj - start))
        columns = {"id": np.arange(start, start + rows.size)}
        for band in "ugrizy":
            mag, err = sample[f"mag_{band}_lsst"][rows], sample[f"mag_err_{band}_lsst"][rows]
            shift = 0.1 * np.minimum(err, 1) * rng.standard_normal(rows.size)
            columns[f"mag_{band}_lsst"] = np.where(mag > 90, mag, mag + shift).astype(np.float32)
            columns[f"mag_err_{band}_lsst"] = err
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def ours(source: Path, warm_up: Path) -> None:
    """One run in this process; prints its figures."""
    import resource
    import time

    import pyarrow as pa

    from pzcenter.pipelines import estimate_catalog

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        estimate_catalog(warm_up, Path(folder) / "warm", workers=1, report=False, config=SETTINGS)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.process_time()
        report = estimate_catalog(source, Path(folder) / "out", workers=1, report=False, config=SETTINGS)
        cpu_s = time.process_time() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"objects_per_cpu_s": report.run.n_obj / cpu_s, "peak_mb": peak / 1024, "warm_mb": before / 1024}
    print(json.dumps(figures))


def import_only() -> None:
    """Memory of the imports alone."""
    import resource

    import pzcenter.catalogs
    import pzcenter.estimators.template
    import pzcenter.pipelines
    import pzcenter.science.engines.numba_engine  # noqa: F401

    print(json.dumps({"import_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


PEER = """
import json, sys, tempfile, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from make_bpz_reference import BPZ
with tempfile.TemporaryDirectory() as scratch:
    import os
    os.chdir(scratch)
    bpz = BPZ("cwwsb4", Path(scratch))
    bpz.estimate(Path(sys.argv[2]))
    begin = time.process_time()
    ensemble = bpz.estimate(Path(sys.argv[3]))
    print(json.dumps({"objects_per_cpu_s": ensemble.npdf / (time.process_time() - begin)}))
"""


def peer_sample(path: Path, n_obj: int) -> None:
    """The first rows of a shuffled sample as the HDF5 that RAIL reads."""
    import h5py
    import numpy as np

    with h5py.File(SAMPLE) as file, h5py.File(path, "w") as out:
        rows = np.random.default_rng(2).permutation(file["photometry"]["id"].size)[:n_obj]
        for name in file["photometry"]:
            out[f"photometry/{name}"] = file["photometry"][name][:][rows]


def measure(words: list[str]) -> dict[str, float]:
    """Figures of a child process that is pinned to one core."""
    prefix = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    done = subprocess.run(
        [*prefix, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | ONE_THREAD,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    """Parse, measure in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer objects, one run each")
    parser.add_argument("--n-obj", type=int, help="objects of our run")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer-python", default=os.environ.get("PZCENTER_REFERENCE_PYTHON", sys.executable))
    parser.add_argument("--child", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        if arguments.child:
            ours(*map(Path, arguments.child))
        else:
            import_only()
        return
    n_obj = arguments.n_obj or (200_000 if arguments.quick else 1_000_000)
    n_peer, repeat = (5_000, 1) if arguments.quick else (20_449, arguments.repeat)
    found: dict[str, list[dict[str, float]]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as folder:
        source, warm_up = Path(folder) / "objects.parquet", Path(folder) / "few.parquet"
        peer_input, peer_warm_up = Path(folder) / "peer.hdf5", Path(folder) / "peer_few.hdf5"
        make_input(source, n_obj)
        make_input(warm_up, 3000)
        peer_sample(peer_input, n_peer)
        peer_sample(peer_warm_up, 200)
        me = [sys.executable, str(Path(__file__).resolve()), "--child"]
        import_mb = measure(me)["import_mb"]
        for _ in range(repeat):
            reference = str(ROOT / "tests" / "reference")
            words = [arguments.peer_python, "-c", PEER, reference, str(peer_warm_up), str(peer_input)]
            found["peer"].append(measure(words))
            found["ours"].append(measure([*me, str(source), str(warm_up)]))
    rates = {who: [run["objects_per_cpu_s"] for run in runs] for who, runs in found.items()}
    ratios = [mine / theirs for mine, theirs in zip(rates["ours"], rates["peer"], strict=True)]
    print(f"{'':24}{'median':>12}{'min':>12}{'max':>12}   objects per processor second, one core")
    for who, label in (("peer", "BPZ through RAIL"), ("ours", "PZ Center, end to end")):
        row = rates[who]
        print(f"{label:24}{statistics.median(row):12,.0f}{min(row):12,.0f}{max(row):12,.0f}")
    print(f"{'ratio':24}{statistics.median(ratios):12.1f}{min(ratios):12.1f}{max(ratios):12.1f}")
    peak = max(run["peak_mb"] for run in found["ours"])
    print(f"peak memory {peak:.0f} MB, {peak - import_mb:.0f} MB above the imports, for {n_obj:,} objects")
    result = {
        "ratio": statistics.median(ratios),
        "objects_per_cpu_s": statistics.median(rates["ours"]),
        "bpz_objects_per_cpu_s": statistics.median(rates["peer"]),
        "peak_mb_above_import": peak - import_mb,
        "n_obj": n_obj,
    }
    print(json.dumps({key: round(value, 2) for key, value in result.items()}))


if __name__ == "__main__":
    main()
