"""Our methods as stages of RAIL: RAIL finds them, runs them, and their p(z) are those that we give.

They need an interpreter that has RAIL and pzcenter, which ``PZCENTER_REFERENCE_PYTHON`` names.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from pzcenter.estimators import get_estimator
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.rail.magnitudes import rail_magnitudes
from pzcenter.estimators.rail.model_file import read_model_file
from pzcenter.estimators.rail.tables import photometry_of_table
from pzcenter.testing.synthetic import synthetic_sky

PYTHON = os.environ.get("PZCENTER_REFERENCE_PYTHON", "")
TRAIN, TEST = synthetic_sky(300, seed=1), synthetic_sky(100, seed=2)
OURS = {
    "PZCenterTemplate": "template",
    "PZCenterDensityNetwork": "density_network",
    "PZCenterNeighbours": "neighbours",
    "PZCenterTrainZ": "trainz",
}
LIMITS = {"u": 27.79, "g": 29.04, "r": 29.06, "i": 28.62, "z": 27.98, "y": 27.05}
"""RAIL's own."""

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the program said, with its directory."""
    if not Path(PYTHON).is_file():
        pytest.skip("PZCENTER_REFERENCE_PYTHON names no interpreter with RAIL")
    asked = subprocess.run(
        [PYTHON, "-c", "import rail.core, rail.pz_center"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        last = asked.stderr.strip().splitlines()[-1:]
        pytest.skip(f"PZCENTER_REFERENCE_PYTHON has not both RAIL and pzcenter: {''.join(last)}")
    folder = tmp_path_factory.mktemp("stages")
    write_table(folder / "train.hdf5", TRAIN)
    write_table(folder / "test.hdf5", TEST)
    script = Path(__file__).parent / "run_rail_stages.py"
    # ceci starts its stages with the 'python3' that it finds.
    environment = os.environ | {"PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"}
    words = [PYTHON, script, folder / "train.hdf5", folder / "test.hdf5", folder]
    run = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.strip().splitlines()[-1]) | {"folder": folder}


def write_table(path, sky):
    mags = rail_magnitudes(sky.photometry.flux, sky.photometry.flux_err, detection_snr=0.0, marks_missing=False)
    with h5py.File(path, "w") as file:
        for k, band in enumerate("ugrizy"):
            file[f"photometry/mag_{band}_lsst"], file[f"photometry/mag_err_{band}_lsst"] = mags[k], mags[6 + k]
        file["photometry/redshift"] = sky.z_spec


def as_rail_reads(path):
    columns = [f"mag_{band}_lsst" for band in "ugrizy"]
    with h5py.File(path) as file:
        table = {name: column[...] for name, column in file["photometry"].items()}
    limits = {f"mag_{band}_lsst": limit for band, limit in LIMITS.items()}
    return photometry_of_table(
        table,
        columns,
        [name.replace("mag_", "mag_err_") for name in columns],
        mag_limits=limits,
        nondetect_val=99.0,
        nonobserved_val=-99.0,
    )


def test_rail_finds_the_stages(told):
    assert told["stages"] == sorted(f"{name}{kind}" for name in OURS for kind in ("Informer", "Estimator"))


@pytest.mark.parametrize("name", OURS)
def test_a_stage_gives_our_densities(told, name):
    """A model that a stage trained is one of ours, and gives the same p(z) here."""
    if name not in told:
        pytest.skip("training needs jax and optax: pzcenter[ml]")
    model = read_model_file(told["folder"] / f"{name}.pzmodel")
    assert model.name == OURS[name]
    pz = model.estimate(as_rail_reads(told["folder"] / "test.hdf5"))
    np.testing.assert_allclose(np.load(told["folder"] / f"{name}.npy"), pz.pdf, rtol=1e-4, atol=1e-5)
    assert told[name]["npdf"] == 100
    np.testing.assert_allclose(told[name]["zmean"], np.trapezoid(pz.pdf * pz.z_grid, pz.z_grid, axis=1), atol=0.005)
    np.testing.assert_allclose(told[name]["zmode"], pz.z_grid[np.argmax(pz.pdf, axis=1)])
    assert {"flags", "zmode", "redshift", "distribution_type"} <= set(told[name]["ancil"])
    assert ("in_train_domain" in told[name]["ancil"]) == ("in_train_domain" in model.declaration.fills)


def test_a_stage_trains_what_we_train(told):
    """Settings, grid and photometry go through RAIL unchanged."""
    method = get_estimator("trainz")
    with h5py.File(told["folder"] / "train.hdf5") as file:
        z_spec = file["photometry/redshift"][...]
    ours = method.train(
        as_rail_reads(told["folder"] / "train.hdf5"), z_spec, config=checked_config(method.Config, {"bandwidth": 0.1})
    )
    there = read_model_file(told["folder"] / "PZCenterTrainZ.pzmodel")
    assert (there.config, there.bands, there.training) == (ours.config, ours.bands, ours.training)
    np.testing.assert_array_equal(there.z_grid, ours.z_grid)


def test_a_pipeline_of_rail_runs_them(told):
    assert told["pipeline"]["status"] == 0
    assert "model_inform.pzmodel" in told["pipeline"]["files"]
    assert told["pipeline"]["mean_z"] == pytest.approx(TEST.z_spec.mean(), abs=0.1)
