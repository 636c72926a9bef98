"""Run BPZ, as RAIL's users run it, on the DC2 validation sample, and keep its answers.

Usage::

    python make_bpz_reference.py                                  # writes the committed data/bpz_*.npz
    python make_bpz_reference.py --templates cwwsb4 --full O.npz  # every p(z), for the live comparison

Needs ``pz-rail-bpz`` (which brings ``pz-rail-base`` with templates and filters) and nothing of this project, so that
it can run in an interpreter of its own. PROVENANCE.md has versions and settings.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "data" / "dc2" / "test_dc2_validation_9816.hdf5"
FILTERS = [f"DC2LSST_{band}" for band in "ugrizy"]
TEMPLATE_SETS = {
    "cwwsb4": {"list": "CWWSB4.list", "n_per_type": [1, 2, 5], "zp_err_mag": 0.01},
    "cosmos31": {"list": "COSMOS_seds.list", "n_per_type": [10, 5, 16], "zp_err_mag": 0.05},
}
"""Templates, how many of each type (elliptical, spiral, irregular), and error of the zero points in magnitudes."""
HDFN = {
    "fo_arr": np.array([0.35, 0.5]),
    "kt_arr": np.array([0.45, 0.147]),
    "zo_arr": np.array([0.431, 0.39, 0.0626]),
    "km_arr": np.array([0.0913, 0.0636, 0.123]),
    "a_arr": np.array([2.465, 1.806, 0.906]),
    "mo": 20.0,
}
"""Benitez 2000, table 1, under the names that BPZ's prior has for them."""
KEEP_ONE_IN = 20
"""Of the p(z), how many the committed file keeps: 20,449 / 20 is 1,023, in 0.3 MB."""


class BPZ:
    """RAIL's BPZ estimator, on a private copy of its data: it writes flux tables beside the templates."""

    def __init__(self, templates: str, directory: Path) -> None:
        import rail.examples_data.estimation_data as package

        settings = TEMPLATE_SETS[templates]
        self.templates, self.directory = templates, directory
        self.n_run = 0
        self.settings = {
            "model": {
                "priormodel": HDFN | {"nt_array": settings["n_per_type"]},
                "zp_offsets": {"offsets": np.zeros(len(FILTERS))},
            },
            "hdf5_groupname": "photometry",
            "bpz_ref_data_path": str(directory / "bpz"),
            "spectra_file": settings["list"],
            "zp_errors": [settings["zp_err_mag"]] * len(FILTERS),
            "filter_list": FILTERS,
        }
        if not (directory / "bpz" / "SED").exists():
            source = Path(next(iter(package.__path__))) / "data"
            for folder in ("SED", "FILTER"):
                shutil.copytree(source / folder, directory / "bpz" / folder)
            (directory / "bpz" / "AB").mkdir(exist_ok=True)

    def estimate(self, sample: Path):
        """Run on one file of magnitudes, and return the qp ensemble."""
        from rail.core.data import TableHandle
        from rail.estimation.algos.bpz_lite import BPZliteEstimator

        self.n_run += 1
        name = f"{self.templates}_{self.n_run}"
        stage = BPZliteEstimator.make_stage(name=name, output=str(self.directory / f"{name}.hdf5"), **self.settings)
        handle = stage.data_store.read_file(f"input_{name}", TableHandle, str(sample))
        ensemble = stage.estimate(handle)()
        stage.data_store.clear()  # it would keep every input and output
        return ensemble

    def model_flux(self, z_grid: np.ndarray) -> np.ndarray:
        """Return BPZ's fluxes (n_template, n_band, n_z), by its own linear interpolation of its tables."""
        names = (self.directory / "bpz" / "SED" / TEMPLATE_SETS[self.templates]["list"]).read_text().split()
        flux = []
        for name in names:
            for band in FILTERS:
                table = self.directory / "bpz" / "AB" / f"{name.removesuffix('.sed')}.{band}.nomadau.AB"
                flux.append(np.interp(z_grid, *np.loadtxt(table, usecols=(0, 1)).T))
        return np.reshape(flux, (len(names), len(FILTERS), z_grid.size)).astype(np.float32)


def run(templates: str, sample: Path, directory: Path) -> dict[str, np.ndarray]:
    """BPZ's p(z) and model fluxes for every object of the sample."""
    bpz = BPZ(templates, directory)
    ensemble = bpz.estimate(sample)
    z_grid = np.asarray(ensemble.metadata["xvals"]).ravel()
    pdf = np.asarray(ensemble.objdata["yvals"])
    return {"z_grid": z_grid, "pdf": pdf.astype(np.float32), "model_flux": bpz.model_flux(z_grid)}


def compact(result: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep the cell of the mode of every object, and one p(z) in KEEP_ONE_IN as a fraction of its maximum."""
    pdf = result["pdf"]
    kept = pdf[::KEEP_ONE_IN] / pdf[::KEEP_ONE_IN].max(axis=1, keepdims=True)
    return {
        "z_grid": result["z_grid"],
        "mode_cell": pdf.argmax(axis=1).astype(np.uint16),
        "pdf_over_max": kept.astype(np.float16),
        "model_flux": result["model_flux"],
    }


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--templates", nargs="*", default=list(TEMPLATE_SETS), choices=list(TEMPLATE_SETS))
    parser.add_argument("--sample", type=Path, default=SAMPLE)
    parser.add_argument("--full", type=Path, help="write every p(z) of one template set here")
    arguments = parser.parse_args()
    for package in ("pz-rail-base", "pz-rail-bpz", "desc-bpz", "numpy"):
        print(package, version(package), file=sys.stderr)  # noqa: T201 -- a script
    sample, full = arguments.sample.resolve(), arguments.full and arguments.full.resolve()
    with tempfile.TemporaryDirectory() as scratch:  # one for all runs: BPZ remembers the first
        os.chdir(scratch)  # RAIL writes into the working directory
        for templates in arguments.templates:
            result = run(templates, sample, Path(scratch))
            if full:
                np.savez(full, **result)
            else:
                np.savez_compressed(HERE / "data" / f"bpz_{templates}.npz", **compact(result))
        os.chdir(HERE)


if __name__ == "__main__":
    main()
