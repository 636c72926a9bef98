from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import make_skinny
from pzcenter.estimators import get_estimator
from pzcenter.testing import synthetic_sky


@pytest.fixture(scope="session")
def sky():
    """Photometry and redshifts of a few thousand made-up galaxies."""
    made = synthetic_sky(3000, seed=4)
    return made.photometry, made.z_spec


@pytest.fixture(scope="session")
def source(sky, tmp_path_factory):
    """The same as a skinny-like Parquet file with positions."""
    photometry, z_spec = sky
    rng = np.random.default_rng(8)
    columns = {
        "objectId": photometry.object_id,
        "ra": rng.uniform(50, 53, photometry.n_obj),
        "dec": rng.uniform(-30, -27, photometry.n_obj),
        "z_spec": np.where(np.arange(photometry.n_obj) % 2 == 0, z_spec, np.nan),
        "flags": np.zeros(photometry.n_obj, dtype=np.uint32),
        "ebv": np.zeros(photometry.n_obj, dtype=np.float32),
    }
    for index, band in enumerate(photometry.bands):
        columns[f"flux_{band}"] = photometry.flux[:, index].astype(np.float32)
        columns[f"flux_err_{band}"] = photometry.flux_err[:, index].astype(np.float32)
    path = tmp_path_factory.mktemp("source") / "objects.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="session")
def skinny(source, tmp_path_factory):
    root = tmp_path_factory.mktemp("skinny") / "skinny"
    make_skinny(source, root, rows_per_partition=800)
    return root


@pytest.fixture(scope="session")
def model(sky, tmp_path_factory):
    photometry, z_spec = sky
    directory = tmp_path_factory.mktemp("model") / "neighbours"
    get_estimator("neighbours").train(photometry, z_spec).save(directory)
    return directory
