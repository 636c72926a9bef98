"""Runs carried between repositories on the command line, also from files and SQLite to an object store."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.pipelines.repository.open import open_repository

SCREEN = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def pz(*words, status=0):
    found = CliRunner(env=SCREEN).invoke(app, [str(word) for word in words])
    assert found.exit_code == status, found.output
    return found


@pytest.fixture(scope="module")
def there(toy, tmp_path_factory):
    """A repository with two runs and their chain."""
    root = tmp_path_factory.mktemp("there") / "repo"
    toy.make_repository(root, {1: 1, 2: 2})
    return root


@pytest.fixture(scope="module")
def bundle(there, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "raw.tar"
    words = pz("repo", "export-run", there, "toy/raw", path).output
    assert "2 datasets of 1 runs" in words
    assert "SHA-256" in words
    return path


def test_a_bundle_goes_in_once_and_again_does_nothing(bundle, tmp_path):
    pz("repo", "create", tmp_path / "here")
    first = json.loads(pz("repo", "import-run", tmp_path / "here", bundle, "--json").stdout)
    assert (first["n_new"], first["n_known"]) == (2, 0)
    words = pz("repo", "import-run", tmp_path / "here", bundle).output
    assert "known already" in words
    assert json.loads(pz("repo", "import-run", tmp_path / "here", bundle, "--json").stdout)["n_new"] == 0


def test_four_runs_keep_their_old_names(bundle, tmp_path):
    here = tmp_path / "here"
    pz("repo", "create", here)
    for number in range(4):
        pz("repo", "import-run", here, bundle, "--rename", f"toy/raw=2.2i/runs/DP0.{number}")
    found = json.loads(pz("repo", "imported", here, "--json").stdout)
    assert [(each["run"], each["original"]) for each in found] == [
        (f"2.2i/runs/DP0.{number}", "toy/raw") for number in range(4)
    ]
    assert "2.2i/runs/DP0.3" in pz("repo", "imported", here).output
    with open_repository(here) as butler:
        assert len(butler.query_datasets("number", collections="2.2i/runs/*", find_first=False)) == 8


def test_what_is_wrong_is_said(bundle, there, tmp_path):
    pz("repo", "import-run", there, bundle, "--rename", "toy/raw", status=2)
    pz("repo", "export-run", there, "toy/none", tmp_path / "x.tar", status=1)
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.slow
def test_a_bundle_goes_from_files_into_an_object_store(bundle, there, toy, tmp_path, *, postgres_url, s3_uri):
    here = tmp_path / "here"
    toy.make_repository(here, {2: 2, 3: 3}, db=postgres_url, store=s3_uri)
    merged = json.loads(pz("repo", "import-run", here, bundle, "--json").stdout)
    assert (merged["n_new"], merged["n_known"]) == (1, 1)
    back = json.loads(pz("repo", "export-run", here, "toy/raw", tmp_path / "all", "--json").stdout)
    assert back["n_datasets"] == 3
    merged = json.loads(pz("repo", "import-run", there, tmp_path / "all", "--json").stdout)
    assert (merged["n_new"], merged["n_known"]) == (1, 2)
