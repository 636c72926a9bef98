"""Objects per CPU-second: our template engine beside BPZ, on the same galaxies, templates, filters, prior and grid.

Usage::

    python benchmarks/template_engine.py [--quick] [--peer-python PYTHON]

Ours: kernel with the full p(z), point estimates with credible intervals, and 21 quantiles, arrays in and arrays out.
BPZ: ``BPZliteEstimator`` of ``pz-rail-bpz`` as RAIL users run it, file in and file out. RAIL's own reading and writing
costs some 60 microseconds per object of about 450. BPZ gets its flux tables ready-made, from our synthetic photometry,
which agrees with its own to 1e-7 (``tests/reference/test_bpz.py``) and is quicker by minutes.

One core for both, all thread counts one, CPU seconds (user and system), the two in turns, medians. BPZ needs its own
interpreter only if this one has no ``pz-rail-bpz``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "data" / "dc2" / "test_dc2_validation_9816.hdf5"
TEMPLATE_SETS = ("cwwsb4", "cosmos31")
BARS = {"cwwsb4": 100.0, "cosmos31": 80.0}
BANDS = "ugrizy"
N_QUANTILE = 21
BATCH = 20_000  # objects in one of our runs
OURS_PER_BPZ = 5  # runs of ours after each of BPZ's, which is longer
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")


def main() -> None:
    """Measure both in turns, print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 galaxies for BPZ, 3 repeats: under a minute")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--peer-python",
        default=os.environ.get("PZCENTER_REFERENCE_PYTHON", sys.executable),
        help="interpreter that has pz-rail-bpz",
    )
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    use_one_core()
    if arguments.peer:
        serve_bpz()
        return
    repeats = 3 if arguments.quick else arguments.repeats
    with tempfile.TemporaryDirectory() as scratch:
        sample = shuffled_sample(Path(scratch), 2000 if arguments.quick else None)
        for name in TEMPLATE_SETS:
            write_flux_tables(name, Path(scratch) / "bpz" / "AB")
        with Bpz(arguments.peer_python, sample, Path(scratch)) as bpz:
            figures = {name: measure(name, sample, bpz, repeats) for name in TEMPLATE_SETS}
    report(figures)


def use_one_core() -> None:
    """Pin this process and its children to one core, one thread per library. To be called before NumPy is imported."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.update({f"{library}_NUM_THREADS": "1" for library in THREADS})


def shuffled_sample(directory: Path, n_obj: int | None) -> Path:
    """Write the DC2 validation sample in random order (its rows are nearly sorted by redshift)."""
    import h5py
    import numpy as np

    path = directory / "sample.hdf5"
    with h5py.File(SAMPLE) as source, h5py.File(path, "w") as target:
        columns = source["photometry"]
        order = np.random.default_rng(9816).permutation(len(columns["redshift"]))[:n_obj]
        for name, values in columns.items():
            target[f"photometry/{name}"] = values[...][order]
    return path


def measure(templates: str, sample: Path, bpz: Bpz, repeats: int) -> dict[str, float]:
    """Median objects per CPU-second of both, in turns."""
    ours, n_obj = our_pipeline(templates, sample)
    parts: dict[str, list[float]] = {}
    bpz_rates = []
    ours()  # compiles
    bpz.rate(templates)  # imports
    for _ in range(repeats):
        bpz_rates.append(bpz.rate(templates))
        for _ in range(OURS_PER_BPZ):
            for name, seconds in ours().items():
                parts.setdefault(name, []).append(seconds / n_obj)
    medians = {name: statistics.median(values) for name, values in parts.items()}
    total = statistics.median(sum(values) for values in zip(*parts.values(), strict=True))
    bpz_rate = statistics.median(bpz_rates)
    return {
        "objects_per_cpu_s": 1 / total,
        "kernel_objects_per_cpu_s": 1 / medians["kernel"],
        "bpz_objects_per_cpu_s": bpz_rate,
        "ratio": 1 / total / bpz_rate,
        **{f"{name}_us": 1e6 * seconds for name, seconds in medians.items()},
    }


def our_pipeline(templates: str, sample: Path) -> tuple[Callable[[], dict[str, float]], int]:
    """Return a function that runs our side and gives the CPU seconds of each part, and the number of objects.

    The problem is BPZ's: its templates, filters and prior, and its treatment of errors.
    """
    import h5py
    import numpy as np

    from pzcenter.science.engines import TemplateProblem, get_engine
    from pzcenter.science.filters import load_filter
    from pzcenter.science.photometry import mag_to_flux
    from pzcenter.science.prior import HDFN_PRIOR, tabulate_prior
    from pzcenter.science.pz import point_estimates, quantiles
    from pzcenter.science.sed import load_template_set
    from pzcenter.science.synthetic import synthetic_flux

    z_grid = np.linspace(0.0, 3.0, 301)
    seds = load_template_set(templates)
    prior = tabulate_prior(z_grid, HDFN_PRIOR, seds.types)
    problem = TemplateProblem(
        synthetic_flux(seds, [load_filter(f"dc2_{band}") for band in BANDS], z_grid),
        z_grid,
        prior.log_prior,
        prior.mag_min,
        prior.mag_step,
        template_type=seds.types,
        relative_err=np.full(len(BANDS), 10 ** (0.4 * zero_point_err(templates)) - 1),
        p_min=0.005,
    )
    with h5py.File(sample) as file:
        columns = file["photometry"]
        mag = np.stack([columns[f"mag_{band}_lsst"][...] for band in BANDS], axis=1)
        mag_err = np.stack([columns[f"mag_err_{band}_lsst"][...] for band in BANDS], axis=1)
    copies = -(-BATCH // len(mag))
    mag, mag_err = np.tile(mag, (copies, 1)), np.tile(mag_err, (copies, 1))
    detected = mag < 90.0
    flux = np.where(detected, mag_to_flux(mag), 0.0)
    noise = np.where(detected, 10 ** (0.4 * np.clip(mag_err, 0.005, 20.0)) - 1, 1.0)
    flux_err = noise * np.where(detected, flux, mag_to_flux(np.full_like(mag, 20.0)))
    flux, flux_err = flux.astype(np.float32), flux_err.astype(np.float32)
    prior_mag = mag[:, BANDS.index("i")]
    engine = get_engine("auto")
    levels = np.linspace(0.0, 1.0, N_QUANTILE + 2)[1:-1]

    def run() -> dict[str, float]:
        clock = [time.process_time()]
        pdf = engine.fit(problem, flux, flux_err, prior_mag).pdf
        clock.append(time.process_time())
        point_estimates(pdf, z_grid)
        clock.append(time.process_time())
        quantiles(pdf, z_grid, levels)
        clock.append(time.process_time())
        names = ("kernel", "point_estimates", "quantiles")
        return {name: clock[i + 1] - clock[i] for i, name in enumerate(names)}

    return run, len(mag)


def write_flux_tables(templates: str, directory: Path) -> None:
    """Write the fluxes of each template in each band in the form that BPZ keeps them in."""
    import numpy as np

    from pzcenter.science.filters import load_filter
    from pzcenter.science.sed import load_template_set
    from pzcenter.science.synthetic import synthetic_flux

    directory.mkdir(parents=True, exist_ok=True)
    z_grid = np.arange(0.0, 3.05, 0.01)
    seds = load_template_set(templates)
    fluxes = synthetic_flux(seds, [load_filter(f"dc2_{band}") for band in BANDS], z_grid)
    for name, of_template in zip(seds.names, fluxes / fluxes.max(axis=(1, 2), keepdims=True), strict=True):
        for band, flux in zip(BANDS, of_template, strict=True):
            np.savetxt(directory / f"{name}.DC2LSST_{band}.nomadau.AB", np.transpose([z_grid, flux]), fmt="%.10e")


class Bpz:
    """BPZ in a process of its own, which runs once for each line that it is sent."""

    def __init__(self, python: str, sample: Path, scratch: Path) -> None:
        command = [python, __file__, "--peer"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=scratch)
        self.sample = sample

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def rate(self, templates: str) -> float:
        """Objects per CPU-second of one run."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([templates, str(self.sample)]), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("BPZ stopped: give the interpreter that has pz-rail-bpz as --peer-python")
        return float(json.loads(answer))


def serve_bpz() -> None:
    """Answer each request (templates, sample) by objects per CPU-second. BPZ's own words go to nowhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    reference = load_reference()
    directory = Path.cwd()
    stages: dict[str, Any] = {}
    for line in sys.stdin:
        templates, sample = json.loads(line)
        stage = stages.setdefault(templates, reference.BPZ(templates, directory))
        start = time.process_time()
        n_obj = stage.estimate(Path(sample)).npdf
        print(json.dumps(n_obj / (time.process_time() - start)), file=answers, flush=True)


def load_reference() -> Any:
    """Load the module that runs BPZ for the reference test."""
    path = ROOT / "tests" / "reference" / "make_bpz_reference.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def zero_point_err(templates: str) -> float:
    """Error of the zero points that BPZ is given, magnitudes."""
    return float(load_reference().TEMPLATE_SETS[templates]["zp_err_mag"])


def report(figures: dict[str, dict[str, float]]) -> None:
    """Print a table, and the figures as one line of JSON."""
    rows = (
        ("BPZ through RAIL, objects per CPU-s", "bpz_objects_per_cpu_s", ",.0f"),
        ("ours, objects per CPU-s", "objects_per_cpu_s", ",.0f"),
        ("ratio", "ratio", ".0f"),
        ("kernel with p(z), microseconds", "kernel_us", ".2f"),
        ("point estimates, microseconds", "point_estimates_us", ".2f"),
        ("21 quantiles, microseconds", "quantiles_us", ".2f"),
        ("kernel alone, objects per CPU-s", "kernel_objects_per_cpu_s", ",.0f"),
    )
    print(f"{'':38}" + "".join(f"{name:>14}" for name in figures))
    for label, key, form in rows:
        print(f"{label:38}" + "".join(f"{values[key]:>14{form}}" for values in figures.values()))
    print(f"{'bar for the ratio':38}" + "".join(f"{BARS[name]:>14.0f}" for name in figures))
    eight, cosmos = figures["cwwsb4"], figures["cosmos31"]
    result = {key: round(value, 3) for key, value in eight.items()}
    result |= {f"{key}_cosmos31": round(value, 3) for key, value in cosmos.items()}
    result["bars_met"] = all(figures[name]["ratio"] >= bar for name, bar in BARS.items())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
