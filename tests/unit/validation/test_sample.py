"""One pass over the PDFs: the same whatever the chunks, and nothing lost without being counted."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import EmptyTableError, GridError, ShapeError
from pzcenter.schema import PZ, PZFlag
from pzcenter.science.packing import pack_u8sqrt
from pzcenter.validation import PdfChunk, collect_sample
from pzcenter.validation.examples import EXAMPLE_KINDS

Z_GRID = np.linspace(0.0, 3.0, 301)
COLUMNS = ("z_spec", "pit", "cde", "crps", "log_score", "pdf_mean", "mag", "ra", "dec")


def test_chunks_do_not_matter(chunk, sample, rows_of):
    pieces = [rows_of(chunk, slice(first, first + 700)) for first in range(0, 3000, 700)]
    cut = collect_sample(iter(pieces), mag_band="i")
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(cut, name), getattr(sample, name))
    for name, value in sample.points.items():
        np.testing.assert_array_equal(cut.points[name], value)
    np.testing.assert_allclose(cut.stack, sample.stack, rtol=1e-12)
    assert [e.object_id for e in cut.examples] == [e.object_id for e in sample.examples]
    assert cut.flag_counts == sample.flag_counts


def test_row_order_does_not_change_the_examples(chunk, sample, rows_of):
    shuffled = collect_sample([rows_of(chunk, np.random.default_rng(2).permutation(3000))])
    assert [e.object_id for e in shuffled.examples] == [e.object_id for e in sample.examples]


def test_packed_is_as_good_as_plain(chunk, sample):
    codes, row_max = pack_u8sqrt(chunk.pdf)
    packed = collect_sample([PdfChunk(codes, Z_GRID, chunk.z_spec, pdf_max=row_max)])
    assert np.max(np.abs(packed.pit - sample.pit)) < 5e-3
    assert abs(packed.cde.mean() - sample.cde.mean()) < 2e-3 * abs(sample.cde.mean())


def test_published_points_win_over_computed_ones(chunk):
    z_best = np.full(3000, 1.25)
    mixed = collect_sample([PdfChunk(chunk.pdf, Z_GRID, chunk.z_spec, points={"z_best": z_best})])
    np.testing.assert_array_equal(mixed.points["z_best"], z_best)
    assert np.std(mixed.points["z_mode"]) > 0.3


def test_objects_left_out_are_counted(gaussian_chunk):
    chunk = gaussian_chunk(100)
    pdf, z_spec, z_mode = chunk.pdf.copy(), chunk.z_spec.copy(), chunk.z_spec.copy()
    pdf[:3] = np.nan
    z_spec[2:10] = np.nan
    z_mode[50] = np.nan
    got = collect_sample([PdfChunk(pdf, Z_GRID, z_spec, points={"z_mode": z_mode})])
    assert (got.n_in, got.n_no_truth, got.n_no_estimate, got.n_obj) == (100, 8, 3, 89)
    assert np.isfinite(got.pit).all()
    assert got.mag is None
    assert got.flag_counts == {}


def test_flags_are_counted_by_name(chunk, sample):
    assert sample.flag_counts["few_bands"] == np.count_nonzero(chunk.flags & np.uint32(PZFlag.few_bands)) > 0
    assert sample.flag_counts["failed"] == 0


def test_stacked_nz_is_the_mean_pdf_of_a_bin(chunk, sample):
    inside = (sample.points["z_best"] >= 0.5) & (sample.points["z_best"] < 1.0)
    expected = chunk.pdf[inside].astype(float).mean(axis=0)
    np.testing.assert_allclose(sample.stacked_nz(0.5, 1.0), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(GridError, match=r"0\.07"):
        sample.stacked_nz(0.07, 1.0)


def test_points_above_the_grid_step_fall_into_the_cell_that_begins_there():
    pdf = np.zeros((1, 301), dtype=np.float32)
    pdf[0, 59:62] = (25.0, 50.0, 25.0)
    got = collect_sample([PdfChunk(pdf, Z_GRID, np.array([0.6]), points={"z_best": np.float32([0.6])})])
    assert got.stacked_nz(0.6, 0.65).sum() > 0
    assert got.stacked_nz(0.55, 0.6).sum() == 0


def test_examples_are_of_the_kind_they_claim(gaussian_chunk):
    n_obj = 400
    chunk = gaussian_chunk(n_obj)
    pdf = chunk.pdf.astype(float).copy()
    z_spec = chunk.z_spec.copy()
    z_spec[:40] = np.where(z_spec[:40] > 1.5, 0.3, 2.9)
    pdf[40:80] = np.exp(-0.5 * ((Z_GRID - 1.0) / 0.4) ** 2)
    pdf[80:120] = np.exp(-0.5 * ((Z_GRID - 0.5) / 0.05) ** 2) + 0.8 * np.exp(-0.5 * ((Z_GRID - 2.0) / 0.05) ** 2)
    pdf /= np.trapezoid(pdf, Z_GRID, axis=1)[:, None]
    got = collect_sample([PdfChunk(pdf, Z_GRID, z_spec)])
    kinds = [example.kind for example in got.examples]
    assert {kind: kinds.count(kind) for kind in EXAMPLE_KINDS} == EXAMPLE_KINDS
    for example in got.examples:
        first = {"wrong": 0, "broad": 40, "bimodal": 80}.get(example.kind)
        assert first is None or first <= example.object_id < first + 40


def test_a_missing_kind_is_filled_up(sample):
    assert {example.kind for example in sample.examples} == {"good"}
    assert len(sample.examples) == 9


def test_objects_without_ids_are_numbered_across_chunks(chunk):
    plain = [PdfChunk(chunk.pdf[i : i + 1000], Z_GRID, chunk.z_spec[i : i + 1000]) for i in range(0, 3000, 1000)]
    shown = collect_sample(plain).examples
    for example in shown:
        assert chunk.z_spec[example.object_id] == example.z_spec


def test_nothing_to_compare():
    with pytest.raises(EmptyTableError, match="among 0 read"):
        collect_sample([])
    with pytest.raises(EmptyTableError, match="among 5 read"):
        collect_sample([PdfChunk(np.ones((5, 301)) / 3, Z_GRID, np.full(5, np.nan))])


def test_one_grid_for_all_chunks(chunk):
    other = PdfChunk(np.ones((2, 11)) / 3, np.linspace(0, 3, 11), np.ones(2))
    with pytest.raises(GridError, match="one redshift grid"):
        collect_sample([chunk, other])


@pytest.mark.parametrize("wrong", [{"z_spec": np.ones(4)}, {"mag": np.ones(2)}, {"points": {"z_mode": np.ones(1)}}])
def test_columns_must_fit(wrong):
    columns = {"pdf": np.ones((3, 301)), "z_grid": Z_GRID, "z_spec": np.ones(3)} | wrong
    with pytest.raises(ShapeError, match=r"must be \(3,\)"):
        PdfChunk(**columns)


def test_unknown_point_estimate():
    with pytest.raises(ShapeError, match="z_wish"):
        PdfChunk(np.ones((3, 301)), Z_GRID, np.ones(3), points={"z_wish": np.ones(3)})


def test_from_pz(chunk, sample):
    result = PZ(pdf=chunk.pdf, z_grid=Z_GRID, flags=chunk.flags)
    got = collect_sample([PdfChunk.from_pz(result, chunk.z_spec, object_id=chunk.object_id)])
    np.testing.assert_array_equal(got.pit, sample.pit)
    assert got.flag_counts == sample.flag_counts
