"""Lines, challenge scores, ranks and controls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pzcenter.errors import ConfigError, EmptyTableError, NotFoundError, ShapeError
from pzcenter.schema import Photometry
from pzcenter.validation.control import CONTROLS, run_controls
from pzcenter.validation.metric_suite import evaluate_suite
from pzcenter.validation.ranking import RANKED_METRICS, rank_methods
from pzcenter.validation.streamed_metrics import PdfChunk, score_chunks, score_points
from pzcenter.validation.table import MetricRow
from pzcenter.validation.verdicts import (
    BIN_LINES,
    CHALLENGE_BANDS,
    CHALLENGE_TIME_BANDS,
    LINES,
    challenge_scores,
    give_verdicts,
)

# --- lines


def row(metric, value, *, selection="dmtn049", error=0.001):
    return MetricRow(metric, "z_best", "selection", value, error, 1000, selection=selection)


def bin_row(metric, axis, value, low):
    return MetricRow(metric, "pdf", axis, value, 0.0001, 500, low, low + 0.2)


def by_words(verdicts):
    return {(verdict.requirement.selection.name, verdict.requirement.metric): verdict for verdict in verdicts}


def test_each_line_has_a_verdict_and_a_source():
    verdicts = give_verdicts([])
    assert len(verdicts) == len(LINES)
    assert {verdict.words for verdict in verdicts} == {"not tested"}
    assert all(line.selection.source and line.words and line.limit > 0 for line in LINES)


def test_selections_are_held_against_their_lines():
    found = by_words(give_verdicts([row("sigma_iqr", 0.04), row("outlier_fraction_3sigma", 0.12)], mag_band="i"))
    assert found["dmtn049", "sigma_iqr"].words == "met"
    assert found["dmtn049", "outlier_fraction_3sigma"].words == "not met"
    assert found["dmtn049", "sigma_iqr"].sample == "i < 25, 0 < z < 2"
    assert found["lsst_srd", "sigma_iqr"].words == "not tested"
    close = by_words(give_verdicts([row("sigma_iqr", 0.0505)]))
    assert close["dmtn049", "sigma_iqr"].words == "not met, within the error"
    assert "not applied" in close["dmtn049", "sigma_iqr"].sample


def test_one_part_of_the_sample_serves_both_lines_of_dp2():
    found = by_words(give_verdicts([row("sigma_nmad", 0.035, selection="dp2_6_band")]))
    assert found["dp2_6_band", "sigma_nmad"].met is False
    assert found["dp2_4_band", "sigma_nmad"].met is True
    assert found["dp2_4_band", "sigma_nmad"].sample == "0.001 < z"


def test_the_worst_bin_decides():
    rows = [
        bin_row("nz_mean_shift", "lens_y1", value, low) for low, value in ((0.2, 0.001), (0.4, -0.006), (0.6, np.nan))
    ]
    verdict = by_words(give_verdicts(rows))["desc_lss_y1", "nz_mean_shift"]
    assert verdict.words == "not met"
    assert verdict.row.bin_low == 0.4
    assert verdict.sample == "worst of 2 bins, 0.4 to 0.6; 1 too empty to test"
    nothing = by_words(give_verdicts(rows[2:]))["desc_lss_y1", "nz_mean_shift"]
    assert nothing.words == "not tested"


def test_the_numbers_of_the_desc():
    limits = {(line.requirement.selection.name, line.requirement.metric): line.requirement.limit for line in BIN_LINES}
    assert limits["desc_wl_y1", "nz_mean_shift"] == 0.002
    assert limits["desc_wl_y10", "nz_mean_shift"] == 0.001
    assert limits["desc_lss_y10", "nz_width_shift"] == 0.03


def test_a_suite_brings_its_verdicts(gaussian_chunk):
    table = evaluate_suite(score_chunks([gaussian_chunk()]), mag_band="i", n_bootstrap=20, axes=())
    found = by_words(table.verdicts)
    assert found["dmtn049", "sigma_iqr"].met is True  # 0.03
    assert found["lsst_srd", "sigma_iqr"].met is False  # 0.02
    assert found["desc_lss_y1", "nz_width_shift"].met is True
    assert "verdict" in table.to_json()


# --- the challenge


def test_challenge_bands_are_nested_and_hold_their_ends():
    for band in (*CHALLENGE_BANDS, *CHALLENGE_TIME_BANDS):
        (low1, high1), (low2, high2), (low3, high3) = band.bands
        assert low3 <= low2 <= low1 <= high1 < high2 < high3
        assert [band.score(high) for high in (high1, high2, high3, 1.01 * high3)] == [3, 2, 1, 0]
        assert band.score(float("nan")) == 0
    names = {band.name for band in CHALLENGE_BANDS}
    assert names == {"mean", "std", "abs_outlier_rate", "CvM", "outlier", "ks", "ksamp"}


def test_challenge_scores():
    values = {
        "mean": -0.02,
        "std": 0.02,
        "abs_outlier_rate": 0.15,
        "CvM": 2000,
        "outlier": 0.1,
        "ks": 0.5,
        "ksamp": -1.0,
    }
    score = challenge_scores(values)
    assert score.points == {
        "biweight_bias": 2,
        "biweight_sigma": 3,
        "outlier_fraction_0p2": 1,
        "pit_cvm": 0,
        "pit_outlier_rate": 3,
        "pit_ks": 1,
        "pit_ad_ksamp": 0,
    }
    assert (score.total, score.possible, score.missing) == (10, 21, ())
    assert score.fraction == pytest.approx(10 / 21)


def test_what_is_missing_scores_nothing_and_is_told():
    score = challenge_scores({"biweight_bias": 0.0, "pit_ks": math.nan})
    assert score.total == 3
    assert set(score.missing) == {band.metric for band in CHALLENGE_BANDS} - {"biweight_bias"}


# --- ranks


@pytest.fixture(scope="module")
def methods(gaussian_chunk):
    """Right, almost the same, too wide, and shifted; all of the same objects."""
    right = gaussian_chunk(3000)
    almost = PdfChunk(right.pdf**1.001, right.z_grid, right.z_spec, object_id=right.object_id)
    return {
        "wide": score_chunks([gaussian_chunk(3000, width=2.0)]),
        "right": score_chunks([right]),
        "almost": score_chunks([almost]),
        "shifted": score_chunks([gaussian_chunk(3000, shift=0.05)]),
    }


def test_no_medal_inside_the_error(methods):
    ranking = rank_methods(methods, "bias", point="z_mode", n_bootstrap=100)
    ranks = {line.name: line.rank for line in ranking.methods}
    assert ranks["right"] == ranks["almost"] == ranks["wide"] == 1  # all unbiased
    assert ranks["shifted"] == 4
    assert set(ranking.method("right").same_as) == {"almost", "wide"}
    assert ranking.method("shifted").same_as == ()
    assert ranking.n_obj == 3000


@pytest.mark.parametrize("metric", ["crps", "cde_loss", "log_score", "coverage_68", "pit_ks", "pit_cvm"])
def test_differences_that_are_real_count(methods, metric):
    ranking = rank_methods(methods, metric, n_bootstrap=60)
    assert ranking.method("wide").rank > ranking.method("right").rank
    assert {line.name for line in ranking.methods[:2]} == {"right", "almost"}
    assert all(line.rank_low <= line.rank_high for line in ranking.methods)
    assert ranking.method("wide").error > 0


@pytest.mark.parametrize("metric", RANKED_METRICS)
def test_values_are_those_of_the_suite(methods, metric):
    if metric in {"kld", "rmse"}:
        assert all(math.isnan(line.value) for line in rank_methods(methods, metric, n_bootstrap=10).methods)
        return
    table = evaluate_suite(methods["right"], n_bootstrap=0, axes=(), bins=())
    value = next(line.value for line in table.select(metric=metric, axis="all") if line.point in {"z_best", "pdf"})
    line = rank_methods({"right": methods["right"]}, metric, n_bootstrap=10).method("right")
    assert line.value == pytest.approx(value, rel=1e-9, abs=1e-12)
    assert (line.rank, line.rank_low, line.rank_high) == (1, 1, 1)


def test_paired_differences_are_sharper_than_errors(methods):
    """A small bias that all objects of a method have is seen though it is far below the error of each value."""
    base = methods["right"]
    points = {"a": base.points["z_best"] + 0.02, "b": base.points["z_best"] + 0.0205 + 0.0005 * base.z_spec}
    pair = {name: score_points({"z_best": z}, base.z_spec, object_id=base.object_id) for name, z in points.items()}
    ranking = rank_methods(pair, "mean_bias", n_bootstrap=50)
    difference = abs(ranking.method("a").value - ranking.method("b").value)
    assert difference < 2 * ranking.method("a").error
    assert [line.rank for line in ranking.methods] == [1, 2]


def test_only_common_objects_count_and_the_rest_is_told(methods):
    some = methods["right"].select(np.arange(0, 2000))
    ranking = rank_methods({"all": methods["wide"], "some": some}, "crps", n_bootstrap=20)
    assert ranking.n_obj == 2000
    assert ranking.n_left_out == {"all": 1000, "some": 0}


def test_a_method_without_the_metric_is_last(methods):
    base = methods["right"]
    points = score_points({"z_best": base.points["z_best"]}, base.z_spec, object_id=base.object_id)
    ranking = rank_methods({"points": points, "wide": methods["wide"], "right": base}, "crps", n_bootstrap=20)
    last = ranking.methods[-1]
    assert (last.name, last.rank, last.rank_low) == ("points", 3, 3)
    assert math.isnan(last.value)
    assert last.same_as == ()


def test_rankings_are_reproducible_and_checked(methods):
    assert rank_methods(methods, "crps", n_bootstrap=20) == rank_methods(methods, "crps", n_bootstrap=20)
    with pytest.raises(ConfigError, match="risk"):
        rank_methods(methods, "risk")
    with pytest.raises(ConfigError):
        rank_methods(methods, "crps", n_bootstrap=2)
    with pytest.raises(EmptyTableError):
        rank_methods({}, "crps")
    base = methods["right"]
    other = score_points({"z": base.z_spec}, base.z_spec, object_id=base.object_id + 10**6)
    with pytest.raises(EmptyTableError, match="in common"):
        rank_methods({"a": base, "b": other}, "bias")
    moved = score_points({"z": base.z_spec}, base.z_spec + 0.1, object_id=base.object_id)
    with pytest.raises(ConfigError, match="true redshifts of b"):
        rank_methods({"a": base, "b": moved}, "bias")
    with pytest.raises(NotFoundError):
        rank_methods(methods, "crps", n_bootstrap=10).method("nobody")


# --- controls


@pytest.fixture(scope="module")
def photometry():
    """Fluxes from which a redshift can be read: three bands that fade one after another."""
    rng = np.random.default_rng(9)
    z_spec = rng.uniform(0.1, 1.5, 700)
    flux = 1000.0 * np.exp(-np.abs(z_spec[:, None] - np.array([0.2, 0.8, 1.4])))
    flux_err = np.full_like(flux, 10.0)
    return Photometry(
        flux + flux_err * rng.normal(size=flux.shape), flux_err, ("g", "r", "i"), np.arange(700) + 50
    ), z_spec


def test_controls_are_made_for_the_test_set(photometry):
    everything, z_spec = photometry
    training, test = everything.select(slice(0, 500)), everything.select(slice(500, 700))
    controls = run_controls(training, z_spec[:500], test)
    assert tuple(control.name for control in controls) == CONTROLS
    scored = {}
    for control in controls:
        assert control.object_id.tolist() == list(range(550, 750))
        assert control.technical.values["estimate_ms"] >= 0
        scored[control.name] = score_chunks([control.chunk(z_spec[500:])])
    ranking = rank_methods(scored, "crps", n_bootstrap=50)
    assert [line.name for line in ranking.methods] == ["neighbours", "trainz"]
    trainz = controls[0].pz.pdf
    np.testing.assert_array_equal(trainz, np.broadcast_to(trainz[0], trainz.shape))


def test_controls_refuse_what_does_not_fit(photometry):
    everything, z_spec = photometry
    with pytest.raises(ShapeError, match="one per training object"):
        run_controls(everything, z_spec[:3], everything)
    with pytest.raises(NotFoundError):
        run_controls(everything, z_spec, everything, names=("astrology",))
