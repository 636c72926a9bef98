"""A small truth set with photometry, and submissions of several forms and qualities."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from pzcenter.testing import synthetic_sky
from pzcenter.validation.comparison import checked_settings, compare

N_OBJ = 500
Z_GRID = np.linspace(0.0, 3.0, 121)


def gaussians(centre, sigma):
    pdf = np.exp(-0.5 * ((Z_GRID - centre[:, None]) / sigma[:, None]) ** 2) + 1e-12
    return pdf / np.trapezoid(pdf, Z_GRID, axis=1)[:, None]


def write_grid(path, object_id, pdf, **columns):
    """Parquet with densities on the grid."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(pdf.ravel()), Z_GRID.size)
    table = pa.table({"object_id": object_id, **columns, "pdf": lists})
    pq.write_table(table.replace_schema_metadata({"z_grid": json.dumps(Z_GRID.tolist())}), path)
    return path


def write_qp(path, object_id, pdf, **ancil):
    """An ensemble as RAIL writes it."""
    with h5py.File(path, "w") as file:
        file["meta/pdf_name"], file["meta/pdf_version"] = np.array([b"interp"]), np.array([0])
        file["meta/xvals"], file["data/yvals"] = Z_GRID[None], pdf
        for name, values in {"object_id": object_id, **ancil}.items():
            file[f"ancil/{name}"] = values
    return path


class World:
    """Files of a truth set, a training set and submissions."""

    def __init__(self, folder):
        sky = synthetic_sky(2 * N_OBJ, seed=4)
        rng = np.random.default_rng(7)
        self.folder, self.write_grid, self.write_qp, self.gaussians = folder, write_grid, write_qp, gaussians
        object_id = np.arange(1, 2 * N_OBJ + 1) * 11
        columns = {"objectId": object_id, "z_spec": np.clip(sky.z_spec, 0.05, 2.9)}
        for index, band in enumerate(sky.photometry.bands):
            columns[f"flux_{band}"] = sky.photometry.flux[:, index].astype(np.float32)
            columns[f"flux_err_{band}"] = sky.photometry.flux_err[:, index].astype(np.float32)
        table = pa.table(columns)
        self.truth, self.training = folder / "truth.parquet", folder / "training.parquet"
        pq.write_table(table.slice(0, N_OBJ), self.truth)
        pq.write_table(table.slice(N_OBJ), self.training)
        self.object_id, self.z_spec = object_id[:N_OBJ], columns["z_spec"][:N_OBJ]
        self.sigma = 0.03 * (1 + self.z_spec)
        self.centre = np.clip(self.z_spec + self.sigma * rng.standard_normal(N_OBJ), 0.0, 3.0)
        self.worse = np.clip(self.z_spec + 4 * self.sigma * rng.standard_normal(N_OBJ), 0.0, 3.0)
        far = np.where(self.z_spec[:16] < 1.4, self.z_spec[:16] + 1.2, self.z_spec[:16] - 1.2)
        self.centre[:16], self.worse[:16] = far, far  # all get these wrong
        self.pdf, self.worse_pdf = gaussians(self.centre, self.sigma), gaussians(self.worse, 4 * self.sigma)
        write_grid(folder / "good.parquet", self.object_id, self.pdf, z_best=self.centre)
        part = np.arange(0, N_OBJ, 2)
        write_qp(folder / "part.hdf5", self.object_id[part], self.worse_pdf[part], zmode=self.worse[part])
        points = pa.table({"object_id": self.object_id[::-1], "z_phot": self.centre[::-1]})
        pa_csv.write_csv(points, folder / "points.csv")
        bad = self.pdf.copy()
        bad[17] *= 3.0
        write_grid(folder / "bad.parquet", self.object_id, bad)
        (folder / "model.pkl").write_bytes(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.")

    def settings(self, *names, **more):
        """Settings of a comparison of some of these files."""
        entries = [each if isinstance(each, dict) else {"path": str(self.folder / each)} for each in names]
        content = {"truth": str(self.truth), "submissions": entries, "n_bootstrap": 20, "n_rank_bootstrap": 40, **more}
        return checked_settings(content, "test")


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def whole(world, tmp_path_factory):
    """A comparison with everything in it: good, partial, points only, two failures, controls."""
    settings = world.settings(
        {"path": str(world.folder / "good.parquet"), "name": "<b>good</b>", "author": "A & B", "method": "exact"},
        "part.hdf5",
        "points.csv",
        "bad.parquet",
        "model.pkl",
        training=str(world.training),
        controls=["trainz"],
    )
    return compare(settings, tmp_path_factory.mktemp("whole") / "out")
