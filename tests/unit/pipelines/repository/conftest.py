"""A small repository: three tracts of thirty objects each, with two bands."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects

TRACTS, N_OBJ, RELEASE, SKYMAP = (9000, 9001, 9003), 30, "s", "lsst_cells_v1"
NOBODY = 65534


def objects_of(tract, n_obj=N_OBJ):
    """Object table of a tract, with Rubin's names."""
    random = np.random.default_rng(tract)
    columns = {
        "objectId": tract * 10_000 + np.arange(n_obj),
        "coord_ra": random.uniform(tract - 8990, tract - 8989, n_obj),
        "coord_dec": random.uniform(-1, 0, n_obj),
        "tract": np.full(n_obj, tract, dtype=np.int32),
        "ebv": np.full(n_obj, 0.05, dtype=np.float32),
        "refExtendedness": np.ones(n_obj, dtype=np.float32),
    }
    for band in "ugrizy":
        columns[f"{band}_gaap1p0Flux"] = random.uniform(500, 5000, n_obj)
        columns[f"{band}_gaap1p0FluxErr"] = np.full(n_obj, 20.0)
    return pa.table(columns)


def write_objects(directory, tracts=TRACTS):
    """One file for each tract."""
    directory.mkdir(parents=True, exist_ok=True)
    for tract in tracts:
        pq.write_table(objects_of(tract), directory / f"tract_{tract}.parquet")
    return directory


@pytest.fixture
def write():
    """Function that writes object tables."""
    return write_objects


@pytest.fixture
def objects(tmp_path):
    """Directory of object tables."""
    return write_objects(tmp_path / "objects")


@pytest.fixture(scope="session")
def _empty(tmp_path_factory):
    root = tmp_path_factory.mktemp("repositories") / "empty"
    create_repository(root)
    return root


@pytest.fixture
def empty(_empty, tmp_path):
    """A repository without objects: a copy, since making one takes half a second."""
    return Path(shutil.copytree(_empty, tmp_path / "empty"))


@pytest.fixture(scope="session")
def _filled(_empty, tmp_path_factory):
    place = tmp_path_factory.mktemp("filled")
    root = shutil.copytree(_empty, place / "repo")
    ingest_objects(root, write_objects(place / "objects"), release=RELEASE)
    return Path(root)


@pytest.fixture
def repo(_filled, tmp_path):
    """A repository that knows the objects of three tracts."""
    return Path(shutil.copytree(_filled, tmp_path / "repo"))


@pytest.fixture(scope="session")
def library(_filled):
    """The same, for tests that only read."""
    return _filled


@pytest.fixture
def not_ours():
    """Directory for a repository, and a context in which this process may read it and not write to it."""
    place = Path(tempfile.mkdtemp(prefix="pz-not-ours-"))
    place.chmod(0o755)

    @contextmanager
    def reading_only(root):
        root.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            if user == 0:
                os.seteuid(0)
            root.chmod(0o755)

    yield place, reading_only
    shutil.rmtree(place, ignore_errors=True)
