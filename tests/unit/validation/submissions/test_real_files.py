"""Output of RAIL's estimators on the DC2 sample, where it is at hand."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pzcenter.validation.submissions import align, aligned_chunks, grid_cover, open_submission

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
TRUTH = DATA / "dc2" / "test_dc2_validation_9816.hdf5"

pytestmark = pytest.mark.skipif(not TRUTH.is_file(), reason="the DC2 sample and the outputs of RAIL are not here")


@pytest.fixture(scope="module")
def dc2():
    """Ids and true redshifts."""
    with h5py.File(TRUTH) as file:
        return file["photometry/id"][:], file["photometry/redshift"][:]


@pytest.mark.parametrize("method", ["flexzboost", "knearneigh", "tpz"])
def test_the_output_of_rail_is_a_submission(dc2, method):
    ids, z_spec = dc2
    submission = open_submission(DATA / "rail_outputs" / f"{method}.hdf5")
    alignment = align(submission, ids)
    assert (alignment.n_extra, alignment.n_duplicate, alignment.n_matched) == (0, 0, 5000)
    assert grid_cover(submission.z_grid, z_spec).fraction_outside < 1e-3
    error = []
    for chunk, place in aligned_chunks(submission, alignment, 999):
        np.testing.assert_allclose(np.trapezoid(chunk.pz, submission.z_grid, axis=1), 1.0, atol=1e-9)
        error.append((chunk.z_point - z_spec[place]) / (1 + z_spec[place]))
    assert submission.tally.sentences() == []
    assert abs(np.median(np.concatenate(error))) < 0.01
