"""From chunks to scores per object, in one pass."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import ColumnError, DuplicateIdError, EmptyTableError, GridError, ShapeError
from pzcenter.science import metrics, packing, pz
from pzcenter.validation import PdfChunk, collect_sample
from pzcenter.validation.streamed_metrics import (
    PDF_SCORES,
    MetricChunk,
    ScoreCollector,
    join_scores,
    score_chunks,
    score_points,
)


def with_covariates(chunk, **more):
    rng = np.random.default_rng(7)
    n_obj = chunk.pdf.shape[0]
    covariates = {"ebv": rng.exponential(0.05, n_obj), "tract": rng.integers(4000, 4005, n_obj), **more}
    return MetricChunk(
        chunk.pdf, chunk.z_grid, chunk.z_spec, object_id=chunk.object_id, mag=chunk.mag, covariates=covariates
    )


def parts_of(chunk, *ends):
    for first, last in zip((0, *ends), (*ends, None), strict=True):
        rows = slice(first, last)
        covariates = {name: value[rows] for name, value in chunk.covariates.items()}
        yield MetricChunk(
            chunk.pdf[rows],
            chunk.z_grid,
            chunk.z_spec[rows],
            object_id=chunk.object_id[rows],
            mag=chunk.mag[rows],
            covariates=covariates,
        )


def assert_same(one, two):
    for group in ("points", "pdf", "covariates"):
        assert list(getattr(one, group)) == list(getattr(two, group))
        for name, values in getattr(one, group).items():
            np.testing.assert_array_equal(values, getattr(two, group)[name], err_msg=name)
    np.testing.assert_array_equal(one.object_id, two.object_id)
    np.testing.assert_array_equal(one.z_spec, two.z_spec)
    np.testing.assert_allclose(one.stack, two.stack, rtol=1e-12, atol=1e-12)
    assert (one.n_in, one.n_no_truth, one.n_no_estimate) == (two.n_in, two.n_no_truth, two.n_no_estimate)


def test_scores_are_those_of_the_functions(chunk):
    scores = score_chunks([with_covariates(chunk)])
    assert scores.n_obj == scores.n_in == chunk.pdf.shape[0]
    assert set(scores.pdf) == set(PDF_SCORES)
    np.testing.assert_array_equal(scores.pdf["pit"], metrics.pit(chunk.pdf, chunk.z_grid, chunk.z_spec))
    np.testing.assert_allclose(scores.pdf["crps"], metrics.crps_each(chunk.pdf, chunk.z_grid, chunk.z_spec), rtol=1e-6)
    best = pz.point_estimates(chunk.pdf, chunk.z_grid)
    np.testing.assert_array_equal(scores.points["z_best"], best.z_best)
    np.testing.assert_array_equal(scores.pdf["risk"], best.z_risk)
    np.testing.assert_array_equal(scores.covariates["tract"], with_covariates(chunk).covariates["tract"])
    np.testing.assert_allclose(scores.covariates["mag"], chunk.mag, rtol=1e-6)
    np.testing.assert_allclose(scores.stack.sum(axis=0), chunk.pdf.sum(axis=0, dtype=float), rtol=1e-4)


def test_the_chunking_does_not_matter(chunk):
    whole = with_covariates(chunk)
    assert_same(score_chunks([whole]), score_chunks(parts_of(whole, 1, 700, 2500)))


def test_parts_join_to_the_whole(chunk):
    whole = with_covariates(chunk)
    assert_same(score_chunks([whole]), join_scores([score_chunks([part]) for part in parts_of(whole, 1000)]))


def test_joining_keeps_what_all_have(chunk):
    first, second = parts_of(with_covariates(chunk), 1000)
    plain = PdfChunk(second.pdf, second.z_grid, second.z_spec, object_id=second.object_id)
    joined = join_scores([score_chunks([first]), score_chunks([plain])])
    assert joined.covariates == {}
    assert joined.n_obj == chunk.pdf.shape[0]
    with pytest.raises(DuplicateIdError, match="come more than once"):
        join_scores([score_chunks([first]), score_chunks([first])])
    with pytest.raises(EmptyTableError):
        join_scores([])


def test_one_reading_serves_the_report_too(chunk):
    collector = ScoreCollector()
    sample = collect_sample(collector.watch(parts_of(with_covariates(chunk), 1000)), mag_band="i")
    scores = collector.finish()
    np.testing.assert_array_equal(sample.z_spec, scores.z_spec)
    np.testing.assert_allclose(sample.crps, scores.pdf["crps"], rtol=1e-5)


def test_packed_densities(chunk):
    code, row_max = packing.pack_u8sqrt(chunk.pdf)
    packed = PdfChunk(code, chunk.z_grid, chunk.z_spec, pdf_max=row_max)
    np.testing.assert_allclose(score_chunks([packed]).pdf["crps"], score_chunks([chunk]).pdf["crps"], atol=1e-3)


def test_objects_without_truth_or_estimate_are_counted(gaussian_chunk):
    chunk = gaussian_chunk(50)
    pdf, z_spec = chunk.pdf.copy(), chunk.z_spec.copy()
    pdf[3:5], z_spec[5:8] = np.nan, np.nan
    scores = score_chunks([PdfChunk(pdf, chunk.z_grid, z_spec)])
    assert (scores.n_in, scores.n_no_truth, scores.n_no_estimate, scores.n_obj) == (50, 3, 2, 45)
    assert not set(scores.object_id) & {3, 4, 5, 6, 7}
    with pytest.raises(EmptyTableError, match="among 50 read"):
        score_chunks([PdfChunk(pdf, chunk.z_grid, np.full(50, np.nan))])
    with pytest.raises(EmptyTableError):
        score_chunks([])


def test_true_densities_give_divergences(chunk):
    true = MetricChunk(chunk.pdf, chunk.z_grid, chunk.z_spec, pdf_true=chunk.pdf)
    scores = score_chunks([true])
    np.testing.assert_allclose(scores.pdf["kld"], 0.0, atol=1e-5)
    np.testing.assert_allclose(scores.pdf["rmse"], 0.0, atol=1e-5)


def test_published_points_take_the_place_of_computed_ones(chunk):
    published = MetricChunk(chunk.pdf, chunk.z_grid, chunk.z_spec, points={"z_mode": chunk.z_spec + 0.1})
    np.testing.assert_allclose(score_chunks([published]).points["z_mode"], chunk.z_spec + 0.1)


def test_points_alone():
    z_spec = np.array([0.5, 1.0, np.nan, 0.2])
    scores = score_points({"z_mode": np.array([0.5, np.nan, 0.3, 0.3])}, z_spec, covariates={"mag": np.arange(4.0)})
    assert scores.points.keys() == {"z_best", "z_mode"}
    assert scores.pdf == {}
    assert (scores.n_obj, scores.n_no_truth, scores.n_no_estimate) == (2, 1, 1)
    assert scores.covariates["mag"].tolist() == [0.0, 3.0]
    with pytest.raises(ShapeError, match="z_mode"):
        score_points({"z_mode": np.zeros(3)}, z_spec)
    with pytest.raises(EmptyTableError):
        score_points({}, z_spec)
    with pytest.raises(EmptyTableError):
        score_points({"z": np.full(4, np.nan)}, z_spec)
    with pytest.raises(DuplicateIdError, match="such as 7"):
        score_points({"z": z_spec}, z_spec, object_id=np.array([7, 7, 8, 9]))


def test_stacks_are_cut_at_multiples_of_their_cells(chunk):
    scores = score_chunks([chunk])
    z_best = scores.points["z_best"]
    expected = chunk.pdf[(z_best > 0.595) & (z_best < 0.795)].sum(axis=0, dtype=float)
    np.testing.assert_allclose(scores.stacked_nz(0.6, 0.8), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(GridError, match=r"0\.605"):
        scores.stacked_nz(0.605, 0.8)
    some = scores.select(z_best > 1.0)
    assert some.n_obj == np.count_nonzero(z_best > 1.0)


def test_wrong_arguments_are_refused(chunk):
    with pytest.raises(ShapeError, match="covariate 'ebv'"):
        MetricChunk(chunk.pdf, chunk.z_grid, chunk.z_spec, covariates={"ebv": np.zeros(3)})
    with pytest.raises(ColumnError, match="must be numbers"):
        MetricChunk(chunk.pdf, chunk.z_grid, chunk.z_spec, covariates={"field": np.full(chunk.z_spec.size, "ecdfs")})
    with pytest.raises(ShapeError, match="pdf_true"):
        MetricChunk(chunk.pdf, chunk.z_grid, chunk.z_spec, pdf_true=chunk.pdf[:3])
    with pytest.raises(GridError):
        score_chunks([chunk, PdfChunk(chunk.pdf, chunk.z_grid * 1.1, chunk.z_spec)])
