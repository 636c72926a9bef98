"""``pz validate run``: exit status, what goes to which stream, settings from a file and from the line."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app

FAST = ("--no-pages", "--bootstrap", "5")


def pz(*words):
    return CliRunner().invoke(app, ["validate", "run", *map(str, words)])


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A truth set and two submissions of point estimates, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    ids, z = np.arange(200), rng.uniform(0.1, 2.0, 200)
    pa_csv.write_csv(pa.table({"objectId": ids, "z_spec": z}), "truth.csv")
    for name, sigma in (("one", 0.02), ("two", 0.2)):
        z_phot = z + sigma * (1 + z) * rng.standard_normal(200)
        pa_csv.write_csv(pa.table({"object_id": ids, "z_phot": z_phot}), f"{name}.csv")
    (tmp_path / "bad.csv").write_text("object_id,colour\n1,2\n", encoding="utf-8")
    return tmp_path


def test_scores_and_says_where_everything_is(files):
    result = pz("truth.csv", "one.csv", "two.csv", "--out", "out", *FAST)
    assert result.exit_code == 0, result.output
    assert "2 submissions were held against 200 objects" in result.stdout
    assert "out/metrics.parquet" in result.stdout
    assert "scoring one" in result.stderr
    assert (files / "out" / "manifest.json").is_file()


def test_a_bad_submission_is_told_and_the_others_are_scored(files):
    result = pz("truth.csv", "bad.csv", "one.csv", "no.csv", "--out", "out", *FAST, "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert [method["name"] for method in content["methods"]] == ["one"]
    assert [failure["code"] for failure in content["failures"]] == ["column", "not_found"]


def test_failures_go_to_stderr(files):
    result = pz("truth.csv", "bad.csv", "one.csv", "--out", "out", *FAST)
    assert result.exit_code == 1
    assert "not scored: bad: error[column]" in result.stderr


def test_settings_of_a_file_and_of_the_line(files):
    text = "truth: truth.csv\nsubmissions:\n- {path: one.csv, name: mine}\nn_bootstrap: 5\ntitle: From the file\n"
    (files / "c.yaml").write_text(text, encoding="utf-8")
    result = pz("c.yaml", "two.csv", "--out", "out", "--title", "From the line", "--no-pages", "--json")
    assert result.exit_code == 0, result.output
    assert [method["name"] for method in json.loads(result.stdout)["methods"]] == ["mine", "two"]
    assert "From the line" in (files / "out" / "comparison.yaml").read_text(encoding="utf-8")


def test_dry_run_writes_nothing(files):
    result = pz("truth.csv", "one.csv", "bad.csv", "--out", "out", "--dry-run")
    assert result.exit_code == 1
    assert "100.0%" in result.stdout
    assert "not scored: bad" in result.stderr
    assert not (files / "out").exists()
    content = json.loads(pz("truth.csv", "one.csv", "--out", "out", "--dry-run", "--json").stdout)
    assert content["submissions"][0]["coverage"] == 1.0


def test_again_is_quick_and_says_so(files):
    pz("truth.csv", "one.csv", "--out", "out", *FAST)
    assert "1 of 1 methods were scored by an earlier run" in pz("truth.csv", "one.csv", "--out", "out", *FAST).stdout


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("truth.csv", "--out", "out"), 2),
        (("truth.csv", "one.csv", "--out", "out", "--bad-rows", "maybe"), 2),
        (("truth.csv", "one.csv"), 2),
        (("no.csv", "one.csv", "--out", "out"), 1),
        (("truth.csv", "one.csv", "--out", "."), 1),
        (("truth.csv", "one.csv", "--out", "out", "--photometry", "truth.csv"), 1),
    ],
)
def test_misuse_and_failure(files, words, status):
    result = pz(*words)
    assert result.exit_code == status, result.output
