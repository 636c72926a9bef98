from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pzcenter.catalogs import open_catalog
from pzcenter.cli.app import app
from pzcenter.pipelines import train_model
from pzcenter.testing import synthetic_sky


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    place = tmp_path_factory.mktemp("nz")
    sky = synthetic_sky(300, seed=1)
    columns = {"objectId": np.arange(300)}
    for index, band in enumerate("ugrizy"):
        columns[f"flux_{band}"] = sky.photometry.flux[:, index]
        columns[f"flux_err_{band}"] = sky.photometry.flux_err[:, index]
    pq.write_table(pa.table(columns | {"z_spec": sky.z_spec, "flags": np.zeros(300, np.uint32)}), place / "t.parquet")
    pq.write_table(pa.table({"objectId": np.arange(300), "p_agn": np.full(300, 0.6)}), place / "classes.parquet")
    train_model(place / "t.parquet", place / "knn", "neighbours")
    words = ["estimate", str(place / "t.parquet"), str(place / "run"), "--model", str(place / "knn"), "-j", "1"]
    result = CliRunner().invoke(app, [*words, "--physical", "--classes", str(place / "classes.parquet"), "--json"])
    assert result.exit_code == 0, result.output
    return place


def test_extra_columns_are_asked_for_on_the_command_line(room):
    core = open_catalog(room / "run" / "pz")
    assert {"p_agn", "phys_chi2", "mag_abs_r"} <= set(core.column_names)


def test_n_of_z_is_estimated_and_shown(room, tmp_path):
    words = ["nz", "estimate", str(room / "run"), str(tmp_path / "nz"), "--bins", "0.2,0.8,1.4", "--n-sample", "5"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert [each["point_low"] for each in made["bins"]] == [0.2, 0.8]
    shown = CliRunner().invoke(app, ["nz", "show", str(tmp_path / "nz")])
    assert shown.exit_code == 0 and "0.2 to 0.8" in shown.stdout
    again = CliRunner().invoke(app, words)
    assert again.exit_code != 0


def test_overlapping_bins_are_refused(room, tmp_path):
    words = ["nz", "estimate", str(room / "run"), str(tmp_path / "nz"), "--bins", "0.2:0.6,0.4:0.8"]
    assert CliRunner().invoke(app, words).exit_code != 0
    assert not (tmp_path / "nz").exists()
