"""Scoring in pieces gives what scoring at once gives, and keeps the right p(z)."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import EmptyTableError
from pzcenter.validation.comparison.kept import chosen_for_all
from pzcenter.validation.comparison.scoring import score_densities, truth_chunk
from pzcenter.validation.comparison.store import read_kept, read_scores, write_scored
from pzcenter.validation.comparison.truth import read_truth
from pzcenter.validation.streamed_metrics import score_chunks

GRID = np.linspace(0, 3, 121)


@pytest.fixture(scope="module")
def truth(world):
    return read_truth(world.truth)


def pieces(world, truth, size, pdf=None):
    pdf = world.pdf if pdf is None else pdf
    for first in range(0, truth.n_obj, size):
        place = np.arange(first, min(first + size, truth.n_obj))
        yield truth_chunk(truth, place, pdf[place], GRID)


def same_scores(one, other):
    np.testing.assert_array_equal(one.object_id, other.object_id)
    for group in ("points", "pdf", "covariates"):
        assert getattr(one, group).keys() == getattr(other, group).keys()
        for name, values in getattr(one, group).items():
            np.testing.assert_allclose(values, getattr(other, group)[name], rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(one.stack, other.stack, atol=1e-5)
    assert (one.n_in, one.n_no_truth, one.n_no_estimate) == (other.n_in, other.n_no_truth, other.n_no_estimate)


@pytest.mark.parametrize("size", [7, 100, 10_000])
def test_pieces_do_not_matter(world, truth, size):
    scored = score_densities(pieces(world, truth, size), truth)
    same_scores(scored.scores, score_chunks(pieces(world, truth, 500)))
    whole = score_densities(pieces(world, truth, 500), truth).kept
    assert [each.object_id for each in scored.kept.examples] == [each.object_id for each in whole.examples]
    assert scored.kept.worst == whole.worst
    np.testing.assert_array_equal(np.sort(scored.kept.object_id), np.sort(whole.object_id))


def test_pieces_without_an_estimate_are_counted(world, truth):
    pdf = world.pdf.copy()
    pdf[100:200] = np.nan
    scored = score_densities(pieces(world, truth, 50, pdf), truth)
    assert (scored.scores.n_in, scored.scores.n_obj, scored.scores.n_no_estimate) == (500, 400, 100)
    with pytest.raises(EmptyTableError, match="none of the 500 objects"):
        score_densities(pieces(world, truth, 50, np.full_like(pdf, np.nan)), truth)


def test_kept_densities_are_of_their_objects(world, truth):
    kept = score_densities(pieces(world, truth, 64), truth).kept
    assert set(kept.object_id) == set(chosen_for_all(truth.object_id))
    for object_id, pdf in zip(kept.object_id, kept.pdf, strict=True):
        row = np.searchsorted(truth.object_id, object_id)
        np.testing.assert_allclose(pdf, world.pdf[row], rtol=1e-6)
    for item, pdf in zip(kept.worst, kept.worst_pdf, strict=True):
        np.testing.assert_allclose(pdf, world.pdf[np.searchsorted(truth.object_id, item.object_id)], rtol=1e-6)
    errors = [abs(item.delta_z) for item in kept.worst]
    assert errors == sorted(errors, reverse=True)
    assert len(errors) == 20
    assert errors[15] > 0.3  # sixteen objects are far off


def test_stored_and_read_again(world, truth, tmp_path):
    scored = score_densities(pieces(world, truth, 64), truth)
    write_scored(tmp_path, scored.scores, scored.kept, [])
    same_scores(read_scores(tmp_path), scored.scores)
    kept = read_kept(tmp_path)
    assert kept.worst == scored.kept.worst
    assert [each.kind for each in kept.examples] == [each.kind for each in scored.kept.examples]
    np.testing.assert_array_equal(kept.pdf, scored.kept.pdf)
    few = read_scores(tmp_path, ("pdf.pit", "pdf.kld"))
    assert list(few.pdf) == ["pit"]
    assert not few.points
