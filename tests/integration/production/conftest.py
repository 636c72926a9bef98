"""Servers for the tests of the production. A test asks for ``postgres_url`` and ``s3_uri``; each is new and empty."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest


def _load(name, as_name=None):
    """A module beside this file; tests are not a package."""
    place = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(as_name or f"production_{name}", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


servers = _load("servers")


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server."""
    if servers.postgres_programs() is None:
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    with servers.postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres, monkeypatch):
    """URL of an empty database, without its password, which is in the environment."""
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    return postgres.new_database()


@pytest.fixture(scope="session")
def s3():
    """An S3 server."""
    with servers.s3_server() as server:
        yield server


@pytest.fixture
def s3_uri(s3, monkeypatch):
    """URI of an empty bucket; the keys are in the environment."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return s3.new_bucket()


@pytest.fixture(scope="session")
def toy():
    """The toy pipeline, under the name by which other processes import it."""
    pytest.importorskip("lsst.ctrl.bps.parsl")
    return _load("toy", "toy")


@pytest.fixture(scope="session")
def release():
    """Functions that make a small release."""
    return _load("small_release")


@pytest.fixture(scope="session")
def objects(release, tmp_path_factory):
    """Object tables of a few tracts."""
    return release.make_objects(tmp_path_factory.mktemp("objects") / "sky")


@pytest.fixture(scope="session")
def six_tracts(release, tmp_path_factory):
    """Object tables of six tracts of 300 objects."""
    return release.make_six_tracts(tmp_path_factory.mktemp("campaign") / "sky")


@pytest.fixture(scope="session")
def fresh(release, six_tracts, tmp_path_factory):
    """A repository that no campaign has used; to be copied."""
    return release.make_repository(tmp_path_factory.mktemp("fresh") / "repo", six_tracts)


@pytest.fixture
def repo(fresh, tmp_path):
    """A repository of six tracts for one test alone."""
    return shutil.copytree(fresh, tmp_path / "repo")


@pytest.fixture(scope="session")
def undisturbed(release, fresh, tmp_path_factory):
    """A campaign that nothing disturbs: its repository and its directory."""
    place = tmp_path_factory.mktemp("undisturbed")
    root = shutil.copytree(fresh, place / "repo")
    end = release.produce(root, place / "first", executor={"kind": "local", "workers": 1})
    assert end.state == "done", end
    return root, place / "first"
