"""``pz challenge`` parses, calls one function and prints; the exit status says what happened."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from pzcenter.cli.challenge import group


def pz(*words):
    return CliRunner().invoke(group, [str(word) for word in words])


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(1)
    for name, first in (("train", 0), ("test", 5000)):
        z = rng.uniform(0.1, 2.0, 200)
        flux = 500 * np.exp(-z) * rng.lognormal(0, 0.2, 200)
        columns = {f"flux_{band}": flux.astype(np.float32) for band in "ri"}
        columns |= {f"flux_err_{band}": np.full(200, 5, dtype=np.float32) for band in "ri"}
        pq.write_table(
            pa.table({"objectId": first + np.arange(200), **columns, "z_spec": z}), tmp_path / f"{name}.parquet"
        )
    settings = {
        "name": "tiny",
        "scenarios": [{"name": "one", "training": "train.parquet", "test": "test.parquet"}],
        "scoring": {"controls": ["trainz"], "n_bootstrap": 5, "n_rank": 10},
    }
    (tmp_path / "challenge.yaml").write_text(yaml.safe_dump(settings))
    assert pz("create", tmp_path / "challenge.yaml", tmp_path / "c").exit_code == 0
    return tmp_path


def write_points(root, name, n_obj=200):
    pq.write_table(pa.table({"objectId": np.arange(1, n_obj + 1), "z_best": np.linspace(0.1, 2, n_obj)}), root / name)
    return root / name


def test_from_sets_to_leaderboard(root):
    assert "no leak was found" in pz("pack", root / "c", root / "out.tgz").stdout
    handed = write_points(root, "mine.parquet")
    who = ("--author", "Ada", "--method", "mine", "--technical", "train_s=3")
    first = json.loads(pz("submit", root / "c", handed, *who, "--json").stdout)
    assert first[0]["is_new"]
    assert "was there already" in pz("submit", root / "c", handed, *who).stdout
    scored = json.loads(pz("score", root / "c", "-j", 1, "--json").stdout)
    assert scored["n_scored"] == 2
    assert "2 made again and the same" in pz("score", root / "c", "-j", 1, "--again").stdout
    shown = pz("leaderboard", root / "c").stdout
    assert "control" in shown
    assert (root / "c" / "leaderboard" / "index.html").is_file()
    listed = json.loads(pz("list", root / "c", "--json").stdout)
    assert [each["technical"] for each in listed["submissions"] if each["kind"] == "participant"] == [{"train_s": 3.0}]
    facts = json.loads(pz("info", root / "c", "--json").stdout)
    assert facts["leaks"] == []
    assert facts["scenarios"]["one"] == {"training": 200, "validation": 0, "test": 200}


def test_refused_submission_is_told_and_the_others_are_taken(root):
    short = write_points(root, "short.parquet", 150)
    result = pz("submit", root / "c", short, write_points(root, "whole.parquet"), "--author", "a", "--method", "b")
    assert result.exit_code == 1
    assert "50 objects of the truth set are missing" in result.stderr
    assert "whole.parquet" in result.stdout
    assert "refused" in pz("list", root / "c").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit", "c", "test.parquet", "--technical", "train_s=long"), "KEY=NUMBER"),
        (("submit", "c", "a", "b", "--scenario", "one"), "--scenario goes with one file"),
        (("stress", "x", "y", "--mag-cut", "i"), "BAND=MAG"),
        (("stress", "x", "y", "--missing-z", "1"), "LOW:HIGH"),
        (("stress", "x", "y"), "nothing to degrade"),
    ],
)
def test_misuse_is_named(root, monkeypatch, words, said):
    monkeypatch.chdir(root)
    assert said in str(pz(*words).exception)


def test_key_of_an_earlier_version_gives_the_same_ids(root):
    assert pz("create", root / "challenge.yaml", root / "d", "--key-of", root / "c.truth").exit_code == 0
    assert pz("create", root / "challenge.yaml", root / "e").exit_code == 0
    test = [(root / name / "public" / "one" / "test.parquet").read_bytes() for name in "cde"]
    assert test[0] == test[1] != test[2]


def test_stress_of_a_method(root):
    words = ("stress", root / "train.parquet", root / "s", "--test", root / "test.parquet", "--missing-z", "0.5:0.8")
    result = pz(*words, "--method", "trainz")
    assert result.exit_code == 0
    assert "without_z_0.5_to_0.8" in result.stdout
    assert (root / "s" / "stress.json").is_file()


def test_sets(root):
    settings = {"name": "s", "source": {"simulate": {"n_obj": 800}}, "variants": [{"name": "all"}]}
    (root / "sets.yaml").write_text(yaml.safe_dump(settings))
    result = pz("sets", root / "sets.yaml", root / "sets", "-j", 1)
    assert result.exit_code == 0
    assert "all" in result.stdout


def test_help_is_quick_and_imports_late():
    code = (
        "import sys, pzcenter.cli.challenge; print([m for m in ('numpy', 'pyarrow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
