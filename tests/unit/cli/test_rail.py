"""Methods of RAIL on the command line; a stand-in is RAIL."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.estimators.rail import end_rail_processes
from pzcenter.science.photometry import flux_err_to_mag_err, flux_to_mag
from pzcenter.testing import synthetic_sky

FAKE_RAIL = Path(__file__).resolve().parents[2] / "data" / "fake_rail"


@pytest.fixture(autouse=True)
def fake_rail(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(FAKE_RAIL))
    monkeypatch.setenv("PZCENTER_RAIL_PYTHON", sys.executable)
    monkeypatch.setenv("PZCENTER_RAIL_TRUST_DIRECTORY", str(tmp_path / "trust"))
    yield
    end_rail_processes()


@pytest.fixture
def galaxies(tmp_path):
    sky = synthetic_sky(120, seed=1)
    flux, flux_err = sky.photometry.flux, sky.photometry.flux_err
    columns = {"id": range(120), "ra": [10.0] * 120, "dec": [-5.0] * 120, "redshift": sky.z_spec}
    for k, band in enumerate(sky.photometry.bands):
        columns[f"mag_{band}_lsst"] = flux_to_mag(flux[:, k])
        columns[f"mag_err_{band}_lsst"] = flux_err_to_mag_err(flux[:, k], flux_err[:, k])
    pq.write_table(pa.table(columns), tmp_path / "galaxies.parquet")
    return tmp_path / "galaxies.parquet"


def run(*words, exit_code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def files_of(table):
    return list(table.rglob("Npix=*.parquet"))


def test_methods_of_rail_are_listed():
    assert {"rail:Counts", "template"} <= {row["name"] for row in json.loads(run("methods", "--json").stdout)}
    assert "only_informer" in run("methods", "rail:Counts").stdout
    assert "Counts of the redshifts near in magnitude" in run("methods", "rail:Counts").stdout


def test_without_rail_the_list_says_why(monkeypatch):
    monkeypatch.setenv("PZCENTER_RAIL_PYTHON", "/no/such/python")
    assert "PZCENTER_RAIL_PYTHON" in run("methods").stdout


def test_train_trust_and_estimate(galaxies, tmp_path):
    model = tmp_path / "model"
    run("train", "rail:Counts", galaxies, model, "--set", "n_near=10", "--json")
    for record in (tmp_path / "trust" / "trusted").iterdir():
        record.unlink()
    refused = run("estimate", galaxies, tmp_path / "pz", "--model", model, exit_code=1)
    assert "pz model trust" in refused.output
    trusted = json.loads(run("model", "trust", model, "--json").stdout)
    assert (trusted["method"], trusted["trusted"]) == ("rail:Counts", True)
    run("estimate", galaxies, tmp_path / "pz", "--model", model, "--workers", "1")
    assert sum(pq.read_metadata(path).num_rows for path in files_of(tmp_path / "pz" / "pz")) == 120
    assert "rail:Counts" in run("model", "show", model).stdout
    run("model", "trust", model, "--withdraw")
    assert "pz model trust" in run("estimate", galaxies, tmp_path / "pz2", "--model", model, exit_code=1).output


def test_a_method_of_rail_needs_training(galaxies, tmp_path):
    refused = run("estimate", galaxies, tmp_path / "pz", "--model", "rail:Counts", exit_code=1)
    assert "train it" in refused.output


def test_a_wrong_parameter_is_answered_with_those_accepted(galaxies, tmp_path):
    refused = run("train", "rail:Counts", galaxies, tmp_path / "model", "--set", "n_nearest=3", exit_code=2)
    assert "n_near (int, 20)" in " ".join(refused.output.split())
    assert not (tmp_path / "model").exists()


def test_a_crash_leaves_nothing_half_written(galaxies, tmp_path):
    run("train", "rail:Dying", galaxies, tmp_path / "model")
    failed = run("estimate", galaxies, tmp_path / "pz", "--model", tmp_path / "model", "--workers", "1", exit_code=1)
    assert "SIGKILL" in failed.output
    assert files_of(tmp_path / "pz" / "pz") == files_of(tmp_path / "pz" / "pz_pdf") == []
