"""A sample whose answers are known: Gaussian PDFs that are exactly right, or wrong in a known way."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.validation import PdfChunk, collect_sample, evaluate

Z_GRID = np.linspace(0.0, 3.0, 301)


def _gaussian_chunk(n_obj=3000, *, seed=1, width=1.0, shift=0.0, **columns):
    """Objects with true redshifts 0.3 to 2.5 whose PDFs are Gaussians.

    ``width`` and ``shift`` (in units of 1 + z) make the PDFs wrong.
    """
    rng = np.random.default_rng(seed)
    z_spec = rng.uniform(0.3, 2.5, n_obj)
    sigma = 0.03 * (1.0 + z_spec)
    centre = z_spec + sigma * rng.standard_normal(n_obj) + shift * (1.0 + z_spec)
    pdf = np.exp(-0.5 * ((Z_GRID - centre[:, None]) / (width * sigma[:, None])) ** 2)
    pdf /= np.trapezoid(pdf, Z_GRID, axis=1)[:, None]
    defaults = {
        "object_id": np.arange(n_obj) * 17 + 5,
        "mag": rng.uniform(20.0, 25.4, n_obj),
        "flags": np.where(rng.random(n_obj) < 0.1, np.uint32(2), np.uint32(0)),
        "ra": rng.uniform(359.0, 361.0, n_obj) % 360.0,
        "dec": rng.uniform(-31.0, -29.0, n_obj),
    }
    return PdfChunk(pdf.astype(np.float32), Z_GRID, z_spec, **(defaults | columns))


def _rows_of(chunk, rows):
    """Some rows of a chunk."""
    names = ("pdf_max", "object_id", "mag", "flags", "ra", "dec")
    optional = {name: None if getattr(chunk, name) is None else getattr(chunk, name)[rows] for name in names}
    points = {name: value[rows] for name, value in chunk.points.items()}
    return PdfChunk(chunk.pdf[rows], chunk.z_grid, chunk.z_spec[rows], points=points, **optional)


@pytest.fixture(scope="session")
def gaussian_chunk():
    """Make a chunk."""
    return _gaussian_chunk


@pytest.fixture(scope="session")
def rows_of():
    """Take rows of a chunk."""
    return _rows_of


@pytest.fixture(scope="session")
def chunk():
    return _gaussian_chunk()


@pytest.fixture(scope="session")
def sample(chunk):
    return collect_sample([chunk], mag_band="i")


@pytest.fixture(scope="session")
def table(sample):
    return evaluate(sample, n_bootstrap=30)
