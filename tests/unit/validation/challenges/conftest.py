"""A small challenge: two scenarios with photometry that follows redshift, and submissions to it."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pzcenter.validation.challenges import create_challenge, open_challenge
from pzcenter.validation.submissions.qp_writing import write_interp

KEY = bytes(range(32))
Z_GRID = np.linspace(0.0, 3.0, 151)


def _objects(n_obj, first_id, *, seed):
    """Objects in the order of redshift, with ids in that order: whatever leaks, leaks all."""
    rng = np.random.default_rng(seed)
    z = np.sort(rng.uniform(0.1, 2.5, n_obj))
    columns = {"objectId": first_id + 10 * np.arange(n_obj), "ra": 150 + z, "dec": -30 + z}
    for band, slope in zip("gri", (0.2, 0.5, 0.8), strict=True):
        flux = 1000 * np.exp(-slope * z) * rng.lognormal(0, 0.3, n_obj)
        columns |= {f"flux_{band}": flux.astype(np.float32), f"flux_err_{band}": np.full(n_obj, 5.0, dtype=np.float32)}
    flags = np.zeros(n_obj, dtype=np.uint32)
    return pa.table(
        columns | {"flags": flags, "ebv": rng.uniform(0.01, 0.1, n_obj), "z_spec": z, "survey": ["x"] * n_obj}
    )


@pytest.fixture(scope="session")
def objects():
    """Make a table of objects."""
    return _objects


@pytest.fixture(scope="session")
def key():
    return KEY


def _write_sources(root):
    for index, name in enumerate(("wide", "deep")):
        pq.write_table(_objects(400, 100_000 * (2 * index + 1), seed=index), root / f"{name}_train.parquet")
        pq.write_table(_objects(300, 100_000 * (2 * index + 2), seed=10 + index), root / f"{name}_test.parquet")
    settings = {
        "name": "first_light",
        "scenarios": [
            {"name": name, "training": f"{name}_train.parquet", "test": f"{name}_test.parquet"}
            for name in ("wide", "deep")
        ],
        "scoring": {"controls": ["trainz"], "n_bootstrap": 10, "n_rank": 20},
    }
    (root / "challenge.yaml").write_text(yaml.safe_dump(settings))


@pytest.fixture
def sources(tmp_path):
    """Directory with tables and ``challenge.yaml`` of a challenge of two scenarios."""
    root = tmp_path / "sources"
    root.mkdir()
    _write_sources(root)
    return root


@pytest.fixture(scope="session")
def made_challenge(tmp_path_factory):
    """A challenge on disk, to be copied."""
    root = tmp_path_factory.mktemp("challenge")
    _write_sources(root)
    create_challenge(root / "challenge.yaml", root / "challenge", key=KEY)
    return root


@pytest.fixture
def challenge(made_challenge, tmp_path):
    """A challenge of one's own."""
    for name in ("challenge", "challenge.truth"):
        shutil.copytree(made_challenge / name, tmp_path / name)
    return open_challenge(tmp_path / "challenge")


def _predictions(path, ids, z_spec, *, width=0.05, seed=0, order=None, pdf=None):
    """Gaussians about the truth, as a qp file."""
    rng = np.random.default_rng(seed)
    sigma = width * (1 + z_spec)
    centre = z_spec + sigma * rng.standard_normal(z_spec.size)
    made = np.exp(-0.5 * ((Z_GRID - centre[:, None]) / sigma[:, None]) ** 2) + 1e-9
    made /= np.trapezoid(made, Z_GRID, axis=1)[:, None]
    made = made if pdf is None else pdf(made)
    rows = np.arange(ids.size) if order is None else order
    path.parent.mkdir(parents=True, exist_ok=True)
    write_interp(path, Z_GRID, [(made[rows], {"object_id": ids[rows]})], n_rows=rows.size, overwrite=True)
    return path


@pytest.fixture(scope="session")
def predictions():
    """Write predictions."""
    return _predictions


@pytest.fixture
def handed_in(challenge, tmp_path):
    """Write a whole submission: a directory with a file per scenario."""

    def make(name="one", scenarios=("wide", "deep"), **options):
        for scenario in scenarios:
            truth = challenge.vault.table(scenario)
            ids, z = np.asarray(truth["object_id"]), np.asarray(truth["z_spec"])
            _predictions(tmp_path / name / f"{scenario}.hdf5", ids, z, **options)
        return tmp_path / name

    return make
