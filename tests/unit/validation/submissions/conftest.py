"""Small submissions of known densities, written with the plainest means."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

Z_GRID = np.linspace(0.0, 3.0, 301)
N_OBJ = 40


class Truth:
    """Gaussian densities well inside the grid."""

    def __init__(self, n_obj=N_OBJ, seed=5):
        rng = np.random.default_rng(seed)
        self.ids = rng.permutation(np.arange(n_obj) * 11 + 8_062_500_001)
        self.z = rng.uniform(0.5, 2.4, n_obj)
        self.width = rng.uniform(0.03, 0.1, n_obj)
        self.mean = self.z + self.width * rng.standard_normal(n_obj)
        pdf = np.exp(-0.5 * ((Z_GRID - self.mean[:, None]) / self.width[:, None]) ** 2)
        self.pdf = pdf / np.trapezoid(pdf, Z_GRID, axis=1)[:, None]
        self.mode = Z_GRID[np.argmax(self.pdf, axis=1)]


@pytest.fixture
def truth():
    """Forty objects."""
    return Truth()


def _write_qp(path, kind, meta, data, ancil=None):
    """An ensemble as qp writes it."""
    with h5py.File(path, "w") as file:
        file["meta/pdf_name"] = np.array([kind.encode()])
        file["meta/pdf_version"] = np.array([0])
        for name, value in meta.items():
            file[f"meta/{name}"] = np.asarray(value)[None]
        for name, value in data.items():
            file[f"data/{name}"] = value
        for name, value in (ancil or {}).items():
            file[f"ancil/{name}"] = value
    return path


@pytest.fixture
def write_qp():
    """Write an ensemble of qp."""
    return _write_qp


@pytest.fixture
def qp_file(tmp_path, truth):
    """An ensemble of type interp with ids and modes."""
    ancil = {"object_id": truth.ids, "zmode": truth.mode}
    return _write_qp(tmp_path / "good.hdf5", "interp", {"xvals": Z_GRID}, {"yvals": truth.pdf}, ancil)


@pytest.fixture
def z_grid():
    """The grid of the densities."""
    return Z_GRID
