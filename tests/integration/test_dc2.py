"""The default model on the real sample: the numbers of docs/explanation/accuracy.md, within what a subset allows."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pzcenter.estimators.shipped_calibration import load_calibration
from pzcenter.pipelines import estimate_catalog

SAMPLE = Path(__file__).parents[1] / "data" / "dc2" / "test_dc2_validation_9816.hdf5"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The main line on 5,000 random galaxies of the test half; the file is nearly sorted by redshift."""
    folder = tmp_path_factory.mktemp("dc2")
    with h5py.File(SAMPLE) as file, h5py.File(folder / "part.hdf5", "w") as part:
        rows = np.sort(np.random.default_rng(6).permutation(file["photometry"]["id"].size)[:5000])
        for name in file["photometry"]:
            part[f"photometry/{name}"] = file["photometry"][name][:][rows]
    return estimate_catalog(folder / "part.hdf5", folder / "run", config={"filters": "dc2"}, workers=1)


def test_accuracy(report):
    value = report.metrics.value
    assert value("sigma_nmad", point="z_best") < 0.026
    assert value("outlier_fraction", point="z_best") < 0.027
    assert abs(value("bias", point="z_best")) < 0.005
    assert value("cde_loss") < -6.3
    assert value("pit_ks") < 0.06
    assert abs(value("coverage_68") - 0.68) < 0.06


def test_everything_is_there(report):
    for name in ("pz", "pz_pdf", "model", "provenance", "metrics", "report"):
        assert report.paths[name].exists(), name
    assert report.run.n_obj == 5000


def test_calibration_never_saw_the_test_half():
    facts = load_calibration("dc2").facts
    assert facts["sample"] == "test_dc2_training_9816.hdf5"
    with h5py.File(SAMPLE) as test, h5py.File(SAMPLE.with_name(facts["sample"])) as training:
        assert facts["n_obj"] == training["photometry"]["id"].size
        assert not set(test["photometry"]["id"][:]) & set(training["photometry"]["id"][:])
