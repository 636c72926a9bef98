"""A small catalogue with the columns of a Rubin Object table, and a small template model for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from pzcenter.estimators import get_estimator
from pzcenter.estimators.protocol import checked_config
from pzcenter.testing import synthetic_sky

N_OBJ = 600
SMALL_TEMPLATES = {"template_set": "cwwsb4", "n_between": 0, "igm": "none", "calibration": "none"}


def object_columns(n_obj=N_OBJ, seed=3):
    """Columns of a catalogue as a user has it, and the redshifts beside it."""
    sky = synthetic_sky(n_obj, seed=seed)
    rng = np.random.default_rng(seed)
    columns = {
        "objectId": np.arange(1, n_obj + 1, dtype=np.int64) * 7,
        "coord_ra": rng.uniform(50, 53, n_obj),
        "coord_dec": rng.uniform(-30, -27, n_obj),
        "ebv": np.full(n_obj, 0.02, dtype=np.float32),
        "refExtendedness": np.ones(n_obj, dtype=np.float32),
    }
    for index, band in enumerate(sky.photometry.bands):
        columns[f"{band}_gaap1p0Flux"] = sky.photometry.flux[:, index].copy()
        columns[f"{band}_gaap1p0FluxErr"] = sky.photometry.flux_err[:, index].copy()
    return columns, sky.z_spec


def write_catalogue(path, columns):
    table = pa.table(columns)
    if path.suffix == ".csv":
        pa_csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path


@pytest.fixture(scope="session")
def columns():
    return object_columns()


@pytest.fixture(scope="session")
def catalogue(columns, tmp_path_factory):
    return write_catalogue(tmp_path_factory.mktemp("catalogue") / "objects.parquet", columns[0])


@pytest.fixture(scope="session")
def redshifts(columns, tmp_path_factory):
    path = tmp_path_factory.mktemp("redshifts") / "redshifts.csv"
    return write_catalogue(path, {"objectId": columns[0]["objectId"], "z_spec": columns[1]})


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Template model that is made in a second."""
    estimator = get_estimator("template")
    directory = tmp_path_factory.mktemp("model") / "small"
    config = checked_config(estimator.Config, SMALL_TEMPLATES)
    estimator.default(config=config, z_grid=np.linspace(0, 3, 61)).save(directory)
    return directory


@pytest.fixture(scope="session")
def make_columns():
    """The function that makes columns, because tests cannot import this file."""
    return object_columns


@pytest.fixture(scope="session")
def write_table():
    """The function that writes columns as a file."""
    return write_catalogue
