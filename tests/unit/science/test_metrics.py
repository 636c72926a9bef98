"""Metrics by their definitions, limits and known answers."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science import metrics
from pzcenter.science import pz as algebra

Z = np.linspace(0.0, 3.0, 301)


def gaussian(centre, sigma, z_grid=Z):
    centre, sigma = np.atleast_1d(centre)[:, None], np.atleast_1d(sigma)[:, None]
    return np.exp(-0.5 * ((z_grid - centre) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))


@pytest.fixture(scope="module")
def calibrated():
    """Gaussian p(z) whose redshifts are drawn from them."""
    rng = np.random.default_rng(11)
    centre = rng.uniform(0.6, 2.2, 4000)
    sigma = rng.uniform(0.03, 0.12, 4000)
    return algebra.normalise(gaussian(centre, sigma), Z), centre + sigma * rng.normal(size=4000), centre, sigma


# --- points


def test_gaussian_residuals_have_one_width():
    rng = np.random.default_rng(1)
    zs = rng.uniform(0.1, 2.0, 200_000)
    zp = zs + (1.0 + zs) * (0.01 + 0.03 * rng.normal(size=zs.size))
    assert metrics.bias(zp, zs) == pytest.approx(0.01, abs=3e-4)
    assert metrics.mean_bias(zp, zs) == pytest.approx(0.01, abs=3e-4)
    for sigma in (metrics.sigma_mad, metrics.sigma_iqr, metrics.sigma_rms):
        assert sigma(zp, zs) == pytest.approx(0.03, rel=0.01), sigma.__name__
    assert metrics.sigma_nmad(zp, zs) == pytest.approx(0.03, rel=0.02)  # its median is of z_phot - z_spec


def test_outliers_are_counted_by_their_definitions():
    zs = np.zeros(100)
    zp = np.zeros(100)
    zp[:5] = [0.05, 0.1, -0.16, 0.9, 1.2]
    assert metrics.outlier_fraction(zp, zs) == 0.03
    assert metrics.outlier_fraction(zp, zs, threshold=0.95) == 0.01
    assert metrics.outlier_fraction_3sigma(zp, zs) == 0.04
    assert metrics.catastrophic_fraction(zp, zs) == 0.01
    # a broad core lifts the 3 sigma line above 0.06
    wide = np.linspace(-0.3, 0.3, 101)
    assert metrics.outlier_fraction_3sigma(wide, np.zeros(101)) == 0.0


def test_outliers_do_not_move_robust_metrics():
    rng = np.random.default_rng(2)
    zs = rng.uniform(0.1, 2.0, 10_000)
    zp = zs + 0.02 * (1 + zs) * rng.normal(size=zs.size)
    wild = zp.copy()
    wild[:300] = 2.9
    assert metrics.sigma_nmad(wild, zs) == pytest.approx(metrics.sigma_nmad(zp, zs), rel=0.05)
    assert metrics.sigma_rms(wild, zs) > 5 * metrics.sigma_rms(zp, zs)


def test_missing_objects_are_left_out_and_counted():
    zs = np.array([0.5, 1.0, np.nan, 0.7, 0.2])
    zp = np.array([0.5, np.nan, 0.3, 0.8, 0.2])
    m = metrics.point_metrics(zp, zs)
    assert (m.n_used, m.n_excluded) == (3, 2)
    keep = [0, 3, 4]
    expected = asdict(metrics.point_metrics(zp[keep], zs[keep])) | {"n_excluded": 2}
    assert asdict(m) == expected


def test_nothing_to_measure_gives_nan():
    m = asdict(metrics.point_metrics([np.nan], [0.3]))
    assert m.pop("n_used") == 0
    assert m.pop("n_excluded") == 1
    assert all(np.isnan(value) for value in m.values())
    m = asdict(metrics.pdf_metrics(np.full((2, 301), np.nan), Z, [0.3, 0.4]))
    assert m.pop("n_used") == 0
    assert m.pop("n_excluded") == 2
    assert all(np.isnan(value) for value in m.values())


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-0.5, 0.5), scale=st.floats(0.1, 5.0))
def test_widths_ignore_shifts_and_scale(shift, scale):
    dz = np.random.default_rng(5).standard_t(3, 501) * 0.02
    zs = np.zeros(501)  # 1 + z = 1: dz is the residual
    for sigma in (metrics.sigma_nmad, metrics.sigma_mad, metrics.sigma_iqr, metrics.sigma_rms):
        assert sigma(scale * dz + shift, zs) == pytest.approx(scale * sigma(dz, zs), rel=1e-9)
    assert metrics.bias(dz + shift, zs) == pytest.approx(metrics.bias(dz, zs) + shift, abs=1e-12)


# --- densities


def test_a_calibrated_sample_is_found_calibrated(calibrated):
    pdf, zs, _, _ = calibrated
    m = metrics.pdf_metrics(pdf, Z, zs)
    assert m.n_used == 4000
    assert m.pit_ks < 1.63 / np.sqrt(4000)  # 1 % level
    assert m.pit_cvm < 0.743  # 1 % level
    assert m.pit_ad < 3.86  # 1 % level
    assert m.pit_outlier_rate < 0.002
    assert m.coverage_68 == pytest.approx(0.68, abs=0.02)
    assert m.coverage_95 == pytest.approx(0.95, abs=0.01)
    hpd = metrics.hpd_level(pdf, Z, zs)
    assert stats.kstest(hpd, "uniform").pvalue > 0.01
    assert metrics.coverage(0.5 + 0.5 * hpd, level=0.68) == pytest.approx(0.68, abs=0.02)


def test_proper_scores_prefer_the_truth(calibrated):
    pdf, zs, centre, sigma = calibrated
    for factor in (0.6, 1.6):
        wrong = algebra.normalise(gaussian(centre, factor * sigma), Z)
        for score in (metrics.cde_loss, metrics.crps, metrics.log_score, metrics.brier):
            assert score(pdf, Z, zs) < score(wrong, Z, zs), (score.__name__, factor)
    narrow = algebra.normalise(gaussian(centre, 0.6 * sigma), Z)
    assert metrics.pit_ks(metrics.pit(narrow, Z, zs)) > metrics.pit_ks(metrics.pit(pdf, Z, zs))


def test_gaussian_scores_have_their_closed_forms():
    zs, centre, sigma = np.array([1.0, 1.1, 1.33]), 1.0, 0.1
    pdf = gaussian([centre] * 3, sigma)
    w = (zs - centre) / sigma
    crps = sigma * (w * (2 * stats.norm.cdf(w) - 1) + 2 * stats.norm.pdf(w) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(metrics.crps_each(pdf, Z, zs), crps, rtol=5e-3)  # Gneiting et al. 2005
    np.testing.assert_allclose(metrics.log_score_each(pdf, Z, zs), -stats.norm.logpdf(zs, centre, sigma), atol=6e-3)
    cde = 1 / (2 * sigma * np.sqrt(np.pi)) - 2 * stats.norm.pdf(zs, centre, sigma)
    np.testing.assert_allclose(metrics.cde_loss_each(pdf, Z, zs), cde, atol=0.01)
    np.testing.assert_allclose(metrics.pit(pdf, Z, zs), stats.norm.cdf(w), atol=3e-4)  # chords of a curve
    np.testing.assert_allclose(metrics.hpd_level(pdf, Z, zs), 2 * stats.norm.cdf(np.abs(w)) - 1, atol=2e-3)


def test_crps_is_exact_for_the_piecewise_linear_density():
    rng = np.random.default_rng(6)
    grid = np.array([0.0, 0.1, 0.4, 0.5, 1.1, 1.2])
    pdf = algebra.normalise(rng.uniform(size=(20, grid.size)), grid)
    zs = rng.uniform(-0.3, 1.6, 20)
    fine = np.union1d(np.linspace(-0.5, 2.0, 250_001), zs)
    for g in range(20):
        c = algebra.cdf_at(np.repeat(pdf[g : g + 1], fine.size, axis=0), grid, fine)
        brute = np.trapezoid((c - (fine >= zs[g])) ** 2, fine)
        assert metrics.crps_each(pdf[g : g + 1], grid, zs[g : g + 1])[0] == pytest.approx(brute, abs=2e-5)


def test_crps_of_a_spike_is_the_distance():
    pdf = np.zeros((3, 301))
    pdf[:, 100] = 1.0
    np.testing.assert_allclose(metrics.crps_each(pdf, Z, [1.5, 0.2, 3.7]), [0.5, 0.8, 2.7], atol=0.005)


def test_a_uniform_density_has_known_scores():
    pdf = np.ones((2, 301)) / 3.0
    zs = [1.005, 2.0049]
    assert metrics.cde_loss(pdf, Z, zs) == pytest.approx(-1.0 / 3.0, abs=1e-6)
    assert metrics.log_score(pdf, Z, zs) == pytest.approx(np.log(3.0), abs=1e-6)
    assert metrics.brier(pdf, Z, zs) == pytest.approx(1.0 - 1.0 / 300.0, abs=1e-6)
    np.testing.assert_allclose(metrics.pit(pdf, Z, zs), np.array(zs) / 3.0, atol=1e-6)


def test_brier_runs_from_zero_to_two():
    pdf = np.zeros((2, 3))
    pdf[:, 0] = 1.0  # all probability in the first cell
    np.testing.assert_allclose(metrics.brier_each(pdf, [0.0, 1.0, 2.0], [0.5, 1.5]), [0.0, 2.0])


def test_redshifts_off_the_grid_are_data():
    pdf = gaussian([1.0, 1.0], 0.1)
    zs = [-0.1, 3.2]
    np.testing.assert_array_equal(metrics.pit(pdf, Z, zs), [0.0, 1.0])
    np.testing.assert_array_equal(metrics.hpd_level(pdf, Z, zs), [1.0, 1.0])
    assert metrics.log_score(pdf, Z, zs, floor=1e-3) == pytest.approx(-np.log(1e-3))
    assert metrics.pit_outlier_rate(metrics.pit(pdf, Z, zs)) == 1.0


@pytest.mark.parametrize(
    "each",
    [
        metrics.pit,
        metrics.cde_loss_each,
        metrics.crps_each,
        metrics.log_score_each,
        metrics.brier_each,
        metrics.hpd_level,
    ],
)
def test_scores_do_not_depend_on_the_norm_and_pass_nan_on(each):
    rng = np.random.default_rng(8)
    pdf = gaussian(rng.uniform(0.5, 2.0, 20), 0.07).astype(np.float32)
    zs = rng.uniform(0.5, 2.0, 20)
    np.testing.assert_allclose(each(4.0 * pdf, Z, zs), each(pdf, Z, zs), rtol=1e-6, atol=1e-9)
    pdf[3, 17] = np.nan
    pdf[4] = 0.0
    zs[5] = np.nan
    assert np.flatnonzero(np.isnan(each(pdf, Z, zs))).tolist() == [3, 4, 5]


def test_pit_statistics_agree_with_scipy():
    u = np.random.default_rng(9).beta(1.1, 0.9, 777)
    assert metrics.pit_ks(u) == pytest.approx(stats.kstest(u, "uniform").statistic, rel=1e-12)
    assert metrics.pit_cvm(u) == pytest.approx(stats.cramervonmises(u, "uniform").statistic, rel=1e-12)
    ecdf = lambda x: np.searchsorted(np.sort(u), x, side="right") / u.size  # noqa: E731 - a formula
    x = np.linspace(0.0, 1.0, 2_000_001)[1:-1]
    brute = u.size * np.trapezoid((ecdf(x) - x) ** 2 / (x * (1 - x)), x)
    assert metrics.pit_ad(u) == pytest.approx(brute, rel=1e-3)
    assert np.isfinite(metrics.pit_ad([0.0, 0.5, 1.0]))


def test_wrong_arguments_are_refused():
    with pytest.raises(ShapeError):
        metrics.bias([0.1], [0.1, 0.2])
    with pytest.raises(ShapeError):
        metrics.crps(np.ones((2, 301)), Z, [0.1])
    with pytest.raises(UsageError):
        metrics.log_score(np.ones((1, 301)), Z, [0.1], floor=0.0)
