"""Real methods of RAIL behind our protocol: the conformance suite, and the same p(z) as RAIL gives alone.

They need an interpreter with RAIL, which ``PZCENTER_REFERENCE_PYTHON`` names.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pytest

from pzcenter.estimators import get_estimator
from pzcenter.estimators.checks import check_training
from pzcenter.estimators.protocol import Declaration, checked_config
from pzcenter.estimators.rail import end_rail_processes, rail_names
from pzcenter.estimators.rail.magnitudes import rail_magnitudes
from pzcenter.science.pz import normalise
from pzcenter.testing import EstimatorSuite
from pzcenter.testing.synthetic import synthetic_sky

PYTHON = os.environ.get("PZCENTER_REFERENCE_PYTHON", "")
WITHOUT_RAIL = "PZCENTER_REFERENCE_PYTHON names no interpreter with RAIL"

pytestmark = [pytest.mark.reference, pytest.mark.skipif(not Path(PYTHON).is_file(), reason=WITHOUT_RAIL)]


@pytest.fixture(autouse=True, scope="module")
def rail(tmp_path_factory):
    """RAIL is in the interpreter for references, and what these tests train is trusted by them alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PZCENTER_RAIL_PYTHON", PYTHON)
        patch.setenv("PZCENTER_RAIL_TRUST_DIRECTORY", str(tmp_path_factory.mktemp("trust")))
        yield
        end_rail_processes()


class _OfRail(EstimatorSuite):
    """The suite, whose class is known when RAIL was asked."""

    method: str

    @pytest.fixture(autouse=True)
    def _ask_rail(self):
        type(self).estimator_class = get_estimator(self.method)


class TestKNearNeigh(_OfRail):
    method = "rail:KNearNeigh"
    config: ClassVar = {"ngrid_sigma": 3}


class TestTrainZ(_OfRail):
    method = "rail:TrainZ"


def test_the_usual_methods_are_listed():
    assert {"rail:TrainZ", "rail:KNearNeigh"} <= set(rail_names())


TRAIN, SAMPLE = synthetic_sky(1000, seed=1), synthetic_sky(500, seed=2)
HIGHEST_DIFFERENCE = 1e-3
"""Of the highest density: float32 with unit integral on 301 points, against float64 that RAIL normalises by itself."""


def test_trains_what_rail_trains_alone(tmp_path):
    """The same magnitudes in the same order of rows, through files and RAIL's own reading, give the same p(z)."""
    in_order = check_training(TRAIN.photometry, TRAIN.z_spec, None, Declaration())
    write_table(tmp_path / "train.hdf5", in_order.flux, in_order.flux_err, in_order.z_spec)
    write_table(tmp_path / "test.hdf5", SAMPLE.photometry.flux, SAMPLE.photometry.flux_err, SAMPLE.z_spec)
    script = Path(__file__).parent / "run_rail_peers.py"
    run(script, tmp_path / "train.hdf5", tmp_path / "test.hdf5", tmp_path / "out", "--methods", "knn")
    with np.load(tmp_path / "out" / "knn.npz") as found:
        alone = normalise(found["pdf"], found["z_grid"])
    model = get_estimator("rail:KNearNeigh").train(TRAIN.photometry, TRAIN.z_spec)
    assert_alike(model.estimate(SAMPLE.photometry).pdf, alone)


METHODS = {
    "GPz": ("gpz", {"max_iter": 20}),
    "BPZlite": ("bpz_lite", {}),
    "FlexZBoost": ("flexzboost", {"max_basis": 10, "nbump": 2, "nsharp": 2}),
}


@pytest.mark.parametrize("name", METHODS)
def test_estimates_what_rail_estimates_alone(tmp_path, name):
    """The same model, opened by RAIL itself, on a file of the same magnitudes."""
    if f"rail:{name}" not in rail_names():
        pytest.skip(f"{name} is not installed")
    module, config = METHODS[name]
    method = get_estimator(f"rail:{name}")
    model = method.train(TRAIN.photometry, TRAIN.z_spec, config=checked_config(method.Config, config))
    sample = SAMPLE.photometry.select(slice(0, 100))
    write_table(tmp_path / "test.hdf5", sample.flux, sample.flux_err, SAMPLE.z_spec[:100])
    (tmp_path / "model.pkl").write_bytes(model._content)
    program = (
        "import sys, numpy as np\n"
        "from rail.core.data import TableHandle\n"
        f"from rail.estimation.algos.{module} import {name}Estimator as Stage\n"
        "stage = Stage.make_stage(name='alone', model='model.pkl', hdf5_groupname='photometry', output='out.hdf5')\n"
        "found = stage.estimate(stage.data_store.read_file('test', TableHandle, 'test.hdf5'))\n"
        "np.save('pdf.npy', found().pdf(np.linspace(0, 3, 301)))\n"
    )
    run("-c", program, cwd=tmp_path)
    assert_alike(model.estimate(sample).pdf, normalise(np.load(tmp_path / "pdf.npy"), model.z_grid))


def run(*words, **options):
    subprocess.run([PYTHON, *words], check=True, capture_output=True, **options)


def assert_alike(pdf, alone):
    assert np.max(np.abs(pdf - alone) / alone.max(axis=1, keepdims=True)) < HIGHEST_DIFFERENCE


def write_table(path, flux, flux_err, z_spec):
    mags = rail_magnitudes(flux, flux_err, detection_snr=0.0, marks_missing=False)
    with h5py.File(path, "w") as file:
        for k, band in enumerate("ugrizy"):
            file[f"photometry/mag_{band}_lsst"], file[f"photometry/mag_err_{band}_lsst"] = mags[k], mags[6 + k]
        file["photometry/redshift"] = z_spec
