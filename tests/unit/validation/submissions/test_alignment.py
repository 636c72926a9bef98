"""Missing, extra and doubled objects are named and counted; the order of the truth set is restored."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import DuplicateIdError, EmptyTableError, GridError, ShapeError
from pzcenter.validation.submissions import align, aligned_chunks, grid_cover, open_submission


def test_the_order_of_the_truth_set_is_restored(qp_file, truth):
    submission = open_submission(qp_file)
    order = np.argsort(truth.ids)
    alignment = align(submission, truth.ids[order])
    assert alignment.is_complete
    assert alignment.coverage == 1.0
    assert not alignment.is_in_order
    assert alignment.sentences() == []
    np.testing.assert_array_equal(alignment.in_truth_order(truth.mode), truth.mode[order])
    z = np.full(40, np.nan)
    for chunk, place in aligned_chunks(submission, alignment, 7):
        z[place] = chunk.z_point
    np.testing.assert_array_equal(z, truth.mode[order])


def test_missing_extra_and_doubled_objects_are_named():
    truth = np.arange(100, 130)
    ids = np.concatenate([[7, 8], np.arange(100, 115), [103, 103]])
    alignment = align(ids, truth)
    assert (alignment.n_missing, alignment.n_extra, alignment.n_duplicate) == (15, 2, 1)
    assert alignment.missing == tuple(range(115, 125))
    assert alignment.extra == (7, 8)
    assert alignment.duplicate == (103,)
    assert alignment.n_matched == 14
    assert alignment.coverage == 14 / 30
    assert alignment.submission_row[3] == -1
    assert (alignment.truth_row[[0, 1, 5, 17, 18]] == -1).all()
    text = " ".join(alignment.sentences())
    assert "15 objects of the truth set are missing" in text
    assert "115, 116" in text
    assert "..." in text
    assert "2 rows are of objects that are not in the truth set" in text
    values = alignment.in_truth_order(np.arange(19))
    np.testing.assert_array_equal(np.isnan(values), alignment.submission_row < 0)
    assert values[0] == 2


def test_rows_of_unknown_objects_are_not_given_out(qp_file, truth):
    submission = open_submission(qp_file)
    wanted = truth.ids[::3]
    alignment = align(submission, wanted)
    found = [(chunk, place) for chunk, place in aligned_chunks(submission, alignment, 10)]
    ids = np.concatenate([chunk.object_id for chunk, _ in found])
    np.testing.assert_array_equal(np.sort(ids), np.sort(wanted))
    for chunk, place in found:
        np.testing.assert_array_equal(wanted[place], chunk.object_id)
        assert chunk.pz.shape == (chunk.object_id.size, 301)
        assert chunk.extra["row"].size == chunk.z_point.size == chunk.object_id.size


def test_a_truth_set_with_doubled_ids_or_none_is_refused():
    with pytest.raises(DuplicateIdError, match=r"1 ids.*5"):
        align([1, 2], [5, 5, 6])
    with pytest.raises(EmptyTableError):
        align([1, 2], np.array([], dtype=int))


def test_numbers_of_another_length_are_refused():
    with pytest.raises(ShapeError, match="2; got 3"):
        align([1, 2], [1, 2]).in_truth_order(np.ones(3))


def test_ids_as_text_agree_with_numbers():
    assert align(np.array(["11", "12"]), np.array([12.0, 11.0])).is_complete


def test_a_grid_too_short_for_the_truth_is_told():
    cover = grid_cover(np.linspace(0.1, 2.0, 20), np.array([0.05, 0.5, 1.0, 2.5, np.nan]))
    assert (cover.n_below, cover.n_above, cover.n_truth) == (1, 1, 4)
    assert cover.fraction_outside == 0.5
    assert "50.00%" in cover.sentences()[0]
    assert grid_cover(np.linspace(0, 3, 4), np.array([0.0, 3.0])).sentences() == []
    with pytest.raises(GridError, match="none of 2"):
        grid_cover(np.linspace(0, 1, 5), np.array([2.0, 3.0]))
