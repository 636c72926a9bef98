"""The table of all metrics: values, errors, bins, tomography, and what the suite knows of itself."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from pzcenter.errors import ConfigError, UsageError
from pzcenter.science import metrics
from pzcenter.validation.binned_metrics import MetricAxis, binned_rows, default_axes, round_edges
from pzcenter.validation.binned_nz import LENS_Y1, LENS_Y10, TomographicBins, nz_rows, source_bins, tomography_rows
from pzcenter.validation.metric_resamples import Resampler, pdf_metrics_of, point_metrics_of
from pzcenter.validation.metric_suite import evaluate_suite
from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.streamed_metrics import MetricChunk, score_chunks, score_points
from pzcenter.validation.technical_metrics import TechnicalFacts, measure_cost


def covariates(n_obj):
    rng = np.random.default_rng(5)
    return {
        "colour_gr": rng.normal(0.7, 0.4, n_obj),
        "ebv": rng.exponential(0.05, n_obj),
        "tract": rng.integers(4000, 4003, n_obj),
        "n_bands": rng.integers(4, 7, n_obj),
    }


@pytest.fixture(scope="module")
def scores(gaussian_chunk):
    chunk = gaussian_chunk(4000)
    extra = covariates(4000)
    return score_chunks([MetricChunk(chunk.pdf, chunk.z_grid, chunk.z_spec, mag=chunk.mag, covariates=extra)])


@pytest.fixture(scope="module")
def suite(scores):
    facts = TechnicalFacts(train_s=2.0, estimate_s=4.0, n_obj=4000, peak_bytes=1e9, output_bytes=4e6, model_bytes=1e6)
    return evaluate_suite(scores, mag_band="i", technical=facts, n_bootstrap=40)


def test_every_metric_is_there_and_defined(suite):
    made = {row.metric for row in suite}
    assert made | {"kld", "rmse"} == set(SUITE)
    for name, definition in SUITE.items():
        assert definition.title and definition.definition, name
        assert definition.better in {"lower", "higher", "target"}


def test_values_are_those_of_the_functions(suite, scores):
    for point, z_phot in scores.points.items():
        for row in suite.select(axis="all", point=point):
            function = getattr(metrics, row.metric, None)
            if function is not None:
                assert row.value == pytest.approx(function(z_phot, scores.z_spec), rel=1e-9, abs=1e-12), row.metric
    pit = scores.pdf["pit"]
    for name in ("pit_ks", "pit_cvm", "pit_ad", "pit_ad_ksamp", "pit_outlier_rate"):
        assert suite.value(name) == pytest.approx(getattr(metrics, name)(pit), rel=1e-9), name
    assert suite.value("coverage_95") == metrics.coverage(pit, level=0.95)
    assert suite.value("outlier_fraction_0p2", point="z_mode") == metrics.outlier_fraction(
        scores.points["z_mode"], scores.z_spec, threshold=0.2
    )


def test_the_promised_risk_is_the_loss(suite):
    loss, risk = suite.row("loss", point="z_best"), suite.row("risk")
    assert loss.value == pytest.approx(risk.value, abs=5 * math.hypot(loss.error, risk.error))


def test_every_axis_is_there(suite):
    axes = {row.axis for row in suite}
    assert axes == {
        "all", "z_spec", "z_best", "mag", "colour_gr", "ebv", "tract", "n_bands", "lens_y1", "lens_y10", "source",
        "selection",
    }  # fmt: skip
    tracts = suite.select(axis="tract", metric="sigma_nmad")
    assert [(row.bin_low, row.bin_high) for row in tracts] == [(4000, 4000), (4001, 4001), (4002, 4002)]
    assert sum(row.n_obj for row in tracts) == 4000


def test_bins_are_samples_of_their_own(scores, suite):
    ebv = scores.covariates["ebv"]
    for row in suite.select(axis="ebv", metric="crps"):
        inside = (ebv >= row.bin_low) & (ebv < row.bin_high)
        assert row.n_obj == np.count_nonzero(inside)
        if row.n_obj >= 20:
            assert row.value == pytest.approx(scores.pdf["crps"][inside].mean(), rel=1e-6)


def test_nan_covariates_are_in_no_bin_and_small_bins_have_no_numbers(scores):
    values = np.where(np.arange(4000) < 1000, np.nan, 0.5)
    values[1000:1010] = 1.5
    rows = binned_rows(scores, MetricAxis("x", values, np.array([0.0, 1.0, 2.0, 3.0])), n_bootstrap=0)
    sizes = {row.bin_low: row.n_obj for row in rows}
    assert sizes == {0.0: 2990, 1.0: 10, 2.0: 0}
    assert all(math.isnan(row.value) for row in rows if row.bin_low >= 1.0)
    categories = binned_rows(scores, MetricAxis("x", values), n_bootstrap=0)
    assert {row.bin_low: row.n_obj for row in categories} == {0.5: 2990, 1.5: 10}


def test_errors_are_the_scatter_of_samples(gaussian_chunk):
    """Forty independent samples scatter as each says that it does."""
    found = {}
    for seed in range(40):
        scores = score_chunks([gaussian_chunk(600, seed=100 + seed)])
        resampler = Resampler(60, seed=seed)
        numbers = point_metrics_of(scores.points["z_best"], scores.z_spec, resampler)
        numbers |= pdf_metrics_of(scores.pdf, resampler)
        for name, number in numbers.items():
            found.setdefault(name, []).append(number)
    for name in ("bias", "mean_bias", "sigma_nmad", "sigma_iqr", "biweight_sigma", "sigma_rms", "crps", "coverage_68"):
        value, error = np.array(found[name]).T
        assert 0.6 < np.median(error) / value.std(ddof=1) < 1.7, name


def test_a_large_group_is_resampled_in_part():
    rng = np.random.default_rng(3)
    z_spec = rng.uniform(0.2, 2.0, 40_000)
    z_phot = z_spec + 0.03 * (1 + z_spec) * rng.normal(size=z_spec.size)
    whole = point_metrics_of(z_phot, z_spec, Resampler(100, max_rows=40_000))
    part = point_metrics_of(z_phot, z_spec, Resampler(100, max_rows=2000))
    for name in ("bias", "sigma_nmad", "sigma_iqr", "biweight_sigma"):
        assert part[name][0] == whole[name][0]
        assert part[name][1] == pytest.approx(whole[name][1], rel=0.4), name


def test_the_seed_decides_and_the_company_does_not(scores, suite):
    again = evaluate_suite(scores, mag_band="i", n_bootstrap=40, axes=default_axes(scores)[:1], bins=())
    pairs = {(row.metric, row.point, row.axis, row.bin_low, row.selection): row for row in suite}
    for row in again:
        other = pairs[row.metric, row.point, row.axis, row.bin_low, row.selection]
        assert (row.value, row.error) == (other.value, other.error) or math.isnan(row.error)
    different = evaluate_suite(scores, mag_band="i", n_bootstrap=40, seed=1, axes=(), bins=())
    assert different.row("bias", point="z_best").error != suite.row("bias", point="z_best").error
    assert different.row("bias", point="z_best").value == suite.row("bias", point="z_best").value


def test_no_bootstrap_leaves_the_errors_of_means(scores):
    table = evaluate_suite(scores, n_bootstrap=0, axes=(), bins=())
    assert math.isnan(table.row("bias", point="z_best").error)
    assert table.row("crps").error > 0
    with pytest.raises(ConfigError):
        evaluate_suite(scores, n_bootstrap=-1)


def test_point_estimates_only():
    rng = np.random.default_rng(4)
    z_spec = rng.uniform(0.2, 1.4, 500)
    table = evaluate_suite(score_points({"z_mode": z_spec + 0.02 * rng.normal(size=500)}, z_spec), n_bootstrap=10)
    families = {SUITE[row.metric].family for row in table}
    assert families == {"point", "bins"}


# --- tomography


def test_nz_of_calibrated_densities_is_right(scores):
    for bins in (LENS_Y1, LENS_Y10, source_bins(scores)):
        rows = nz_rows(scores, bins, n_bootstrap=50)
        for row in rows:
            # the densities know nothing of the ends of the sample, at 0.3 and 2.5
            if row.metric == "nz_mean_shift" and row.bin_low >= 0.5 and row.bin_high <= 2.2:
                assert abs(row.value) < 5 * row.error, (bins.name, row)
    # the sum of the densities has the mean and the width that their own moments say
    chosen = metrics.assign_bins(scores.points["z_best"], LENS_Y1.edges) == 2
    nz = scores.stacked_nz(0.6, 0.8)
    rows = {row.metric: row for row in nz_rows(scores, LENS_Y1, n_bootstrap=0) if row.bin_low == 0.6}
    truth = scores.z_spec[chosen]
    for name in ("nz_mean_shift", "nz_width_shift"):
        assert rows[name].value == pytest.approx(getattr(metrics, name)(nz, scores.z_grid, truth), abs=2e-5)


def test_shifted_densities_shift_the_bins(gaussian_chunk):
    shifted = score_chunks([gaussian_chunk(4000, shift=0.02)])
    rows = [row for row in nz_rows(shifted, LENS_Y1, n_bootstrap=30) if row.metric == "nz_mean_shift"]
    assert np.mean([row.value for row in rows]) == pytest.approx(0.02, abs=0.006)
    wide = nz_rows(score_chunks([gaussian_chunk(4000, width=3.0)]), LENS_Y1, n_bootstrap=30)
    assert all(row.value > 0 for row in wide if row.metric == "nz_width_shift" and row.bin_low > 0.2)


def test_errors_of_distances_are_their_scatter(gaussian_chunk):
    found = {"nz_wasserstein": [], "nz_kl_bits": []}
    for seed in range(25):
        scores = score_chunks([gaussian_chunk(1500, seed=seed, shift=0.03)])
        for row in nz_rows(scores, TomographicBins("one", "", (0.8, 1.6)), n_bootstrap=40):
            if row.metric in found:
                found[row.metric].append((row.value, row.error))
    for name, pairs in found.items():
        value, error = np.array(pairs).T
        assert 0.6 < np.median(error) / value.std(ddof=1) < 1.7, name


def test_tomography_counts(scores):
    rows = {(row.metric, row.bin_low): row for row in tomography_rows(scores, LENS_Y1, n_bootstrap=30)}
    true = metrics.assign_bins(scores.z_spec, LENS_Y1.edges)
    assigned = metrics.assign_bins(scores.points["z_best"], LENS_Y1.edges)
    inside = assigned == 1
    assert rows["bin_purity", 0.4].value == pytest.approx(np.mean(true[inside] == 1))
    assert rows["bin_purity", 0.4].n_obj == np.count_nonzero(inside)
    assert rows["bin_accuracy", None].value == pytest.approx(np.mean(true[assigned >= 0] == assigned[assigned >= 0]))
    purity = rows["bin_purity", 0.4]
    expected = math.sqrt(purity.value * (1 - purity.value) / purity.n_obj)
    assert purity.error == pytest.approx(expected, rel=0.5)
    assert 1.0 < rows["mutual_information", None].value < math.log2(5)


def test_source_bins_hold_equal_numbers(scores):
    bins = source_bins(scores)
    counts = np.bincount(metrics.assign_bins(scores.points["z_best"], bins.edges))
    assert counts.sum() == scores.n_obj
    assert bins.n_bin == 5
    assert counts.max() < 1.2 * counts.min()


def test_bins_and_axes_are_checked(scores):
    with pytest.raises(ConfigError):
        TomographicBins("odd", "", (0.2, 0.1))
    with pytest.raises(ConfigError, match="must increase"):
        MetricAxis("x", scores.z_spec, np.array([1.0, 0.0]))
    with pytest.raises(ConfigError, match="must have 4000 values"):
        binned_rows(scores, MetricAxis("x", np.zeros(3)))


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [(0.3, 2.47, 0.2, 2.6), (18.2, 25.4, 18.0, 26.0), (0.0, 0.0, 0.0, 0.1), (-3, 900, -100, 900)],
)
def test_edges_are_round_and_cover(low, high, first, last):
    edges = round_edges(low, high)
    assert edges[0] == pytest.approx(first) and edges[-1] == pytest.approx(last)
    assert 2 <= edges.size <= 15
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0])


# --- what it costs


def test_technical_facts():
    values = TechnicalFacts(train_s=2.0, estimate_s=4.0, n_obj=2000, output_bytes=8e5).values
    assert values["estimate_ms"] == 2.0
    assert values["output_bytes"] == 400.0
    assert math.isnan(values["model_mb"])
    assert math.isnan(TechnicalFacts(estimate_s=1.0).values["estimate_ms"])
    with pytest.raises(UsageError):
        TechnicalFacts(train_s=-1.0)


def test_cost_of_a_block():
    with measure_cost() as cost:
        np.sort(np.random.default_rng(1).random(100_000))
    assert cost.cpu_s >= 0.0
    assert cost.wall_s > 0.0
    assert cost.peak_bytes > 1e7


# --- the page


def test_the_page_names_every_metric_and_its_example_runs(capsys):
    page = (Path(__file__).parents[3] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert sorted(name for name in SUITE if f"`{name}`" not in page) == []
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], {})
    assert "crps" in capsys.readouterr().out
