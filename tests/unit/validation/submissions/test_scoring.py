"""A submission on its way to the metrics."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from pzcenter.errors import FileFormatError, ShapeError
from pzcenter.validation import collect_sample
from pzcenter.validation.submissions import align, open_submission, pdf_chunks


def test_the_sample_is_that_of_the_truth(qp_file, truth):
    submission = open_submission(qp_file)
    order = np.argsort(truth.ids)[:-5]
    alignment = align(submission, truth.ids[order])
    mag = np.arange(35.0)
    sample = collect_sample(pdf_chunks(submission, alignment, truth.z[order], mag=mag, size=8), mag_band="i")
    assert sample.n_obj == 35
    kept = np.isin(truth.ids, truth.ids[order])
    np.testing.assert_array_equal(sample.z_spec, truth.z[kept])
    np.testing.assert_array_equal(sample.points["z_mode"], truth.mode[kept])
    np.testing.assert_array_equal(sample.mag, mag[alignment.truth_row[kept]])


def test_what_cannot_be_scored_is_named(tmp_path, qp_file, truth):
    submission = open_submission(qp_file)
    alignment = align(submission, truth.ids)
    with pytest.raises(ShapeError, match=r"z_spec must be \(40,\)"):
        next(pdf_chunks(submission, alignment, truth.z[1:]))
    (tmp_path / "p.csv").write_text("id,z_phot\n1,0.5\n")
    points = open_submission(tmp_path / "p.csv")
    with pytest.raises(FileFormatError, match="point estimates only"):
        next(pdf_chunks(points, align(points, [1]), np.array([0.5])))


def test_a_file_that_states_more_rows_than_any_sky_has_is_refused(qp_file):
    with h5py.File(qp_file, "r+") as file:
        for name, shape in (("data/yvals", (10**10, 301)), ("ancil/object_id", (10**10,)), ("ancil/zmode", (10**10,))):
            del file[name]
            file.create_dataset(name, shape, "f4", chunks=(1024, 301)[: len(shape)])
    with pytest.raises(ShapeError, match="10000000000 rows"):
        open_submission(qp_file)
