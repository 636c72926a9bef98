"""Densities that are none: each fault is named with its row, or counted."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import FileFormatError, GridError, ShapeError
from pzcenter.validation.submissions import open_submission


@pytest.fixture
def submit(tmp_path, truth, write_qp, z_grid):
    """Open an ensemble after something was done to its densities."""

    def make(change, **options):
        pdf = truth.pdf.copy()
        change(pdf)
        path = write_qp(tmp_path / "bad.hdf5", "interp", {"xvals": z_grid}, {"yvals": pdf}, {"object_id": truth.ids})
        return open_submission(path, **options)

    return make


def _read(submission):
    return np.concatenate([chunk.pz for chunk in submission.chunks(9)])


def _set(row, value, columns=slice(None)):
    def change(pdf):
        pdf[row, columns] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set(23, np.nan, 5), "NaN or infinite"),
        (_set(23, np.inf, 5), "NaN or infinite"),
        (_set(23, -0.3, 5), "negative"),
        (_set(23, 0.0), "integral is 0"),
        (_set(23, 1.0), "integral is 3"),
    ],
)
def test_a_fault_stops_the_reading_with_file_row_and_object(submit, truth, change, words):
    with pytest.raises(FileFormatError, match=rf"bad.hdf5: row 23 \(object {truth.ids[23]}\).*{words}"):
        _read(submit(change))


@pytest.mark.parametrize("change", [_set(23, np.nan, 5), _set(23, -0.3, 5), _set(23, 0.0), _set(23, 1.0)])
def test_a_fault_is_counted_where_asked_and_the_others_are_read(submit, truth, change):
    submission = submit(change, bad_rows="count")
    pdf = _read(submission)
    assert np.isnan(pdf[23]).all()
    np.testing.assert_allclose(np.delete(pdf, 23, axis=0), np.delete(truth.pdf, 23, axis=0), rtol=1e-9)
    (text,) = submission.tally.sentences()
    assert "1 of 40 rows count as without estimate" in text
    assert f"row 23, object {truth.ids[23]}" in text


def test_a_row_of_nan_says_that_there_is_no_estimate(submit):
    submission = submit(_set(23, np.nan))
    assert np.isnan(_read(submission)[23]).all()
    assert submission.tally.n_no_estimate == 1
    assert "1 of 40 rows have no estimate (first in row 23" in submission.tally.sentences()[0]


def test_integrals_near_1_are_brought_to_1_and_counted(submit, z_grid):
    def change(pdf):
        pdf[3:6] *= 1.02

    submission = submit(change)
    np.testing.assert_allclose(np.trapezoid(_read(submission), z_grid, axis=1), 1.0, atol=1e-9)
    assert submission.tally.n_renormalised == 3
    assert submission.tally.largest_offset == pytest.approx(0.02)
    assert "3 of 40 densities were off a unit integral" in submission.tally.sentences()[0]


def test_small_negative_values_count_as_0_and_are_counted(submit, z_grid):
    submission = submit(_set(4, -1e-5, 0))
    pdf = _read(submission)
    assert pdf.min() == 0.0
    np.testing.assert_allclose(np.trapezoid(pdf, z_grid, axis=1), 1.0, atol=1e-9)
    assert submission.tally.n_clipped == 1


def test_rounding_below_0_is_not_worth_a_word(submit):
    submission = submit(_set(4, -4e-16, 0))
    assert _read(submission).min() == 0.0
    assert submission.tally.sentences() == []


def test_a_reading_begins_its_counts_anew(submit):
    submission = submit(_set(23, np.nan))
    _read(submission)
    _read(submission)
    assert submission.tally.n_no_estimate == 1
    assert submission.tally.n_rows == 40


def test_a_grid_too_short_for_a_density_is_named(submit, truth):
    high = int(np.flatnonzero(truth.mean > 1.0)[0])
    with pytest.raises(GridError, match=f"row {high} .*outside the redshift grid, 0 to 0.8"):
        _read(submit(lambda pdf: None, z_grid=np.linspace(0, 0.8, 81)))


def test_densities_beyond_the_grid_are_counted(submit, truth):
    submission = submit(lambda pdf: None, z_grid=np.linspace(0, 2.42, 243))
    pdf = _read(submission)
    np.testing.assert_allclose(np.trapezoid(pdf, submission.z_grid, axis=1), 1.0, atol=1e-5)
    assert submission.tally.n_truncated > 0
    assert "outside the redshift grid" in " ".join(submission.tally.sentences())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["locs"].__setitem__((7, 3), 0.01), "decrease"),
        (lambda d: d["locs"].__setitem__((7, 3), np.nan), "NaN or infinite"),
    ],
)
def test_quantiles_in_disorder_are_named(tmp_path, truth, write_qp, change, words):
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    data = {"locs": truth.mean[:, None] + truth.width[:, None] * np.array([-1.6, -0.7, 0, 0.7, 1.6])}
    change(data)
    path = write_qp(tmp_path / "q.hdf5", "quant", {"quants": levels}, data, {"object_id": truth.ids})
    with pytest.raises((GridError, FileFormatError), match=f"row 7 .*{words}"):
        _read(open_submission(path))


@pytest.mark.parametrize(("name", "value"), [("stds", -0.1), ("weights", -0.5), ("means", np.nan), ("stds", np.inf)])
def test_parameters_of_a_mixture_that_cannot_be_are_named(tmp_path, truth, write_qp, name, value):
    data = {"weights": np.ones((40, 2)), "means": np.ones((40, 2)), "stds": np.full((40, 2), 0.1)}
    data[name][11, 1] = value
    path = write_qp(tmp_path / "m.hdf5", "mixmod", {}, data, {"object_id": truth.ids})
    with pytest.raises(FileFormatError, match="row 11"):
        _read(open_submission(path))


def test_parts_of_a_mixture_of_different_shapes_are_named(tmp_path, truth, write_qp):
    data = {"weights": np.ones((40, 2)), "means": np.ones((40, 3)), "stds": np.full((40, 2), 0.1)}
    path = write_qp(tmp_path / "m.hdf5", "mixmod", {}, data, {"object_id": truth.ids})
    with pytest.raises(ShapeError, match=r"m.hdf5.*one shape"):
        _read(open_submission(path))
