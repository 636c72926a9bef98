"""All scores in one pass, divergences from true densities, and curves of calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science import metrics
from pzcenter.science import pz as algebra

Z = np.linspace(0.0, 3.0, 301)
UNEVEN = np.array([0.0, 0.1, 0.4, 0.5, 1.1, 1.2, 2.0])


def mixture(rng, n_obj, grid=Z):
    """Two peaks each, and a redshift drawn from the piecewise linear density itself."""
    centre = rng.uniform(0.3, grid[-1] - 0.3, (n_obj, 2, 1))
    sigma = rng.uniform(0.04, 0.2, (n_obj, 2, 1))
    pdf = algebra.normalise(np.exp(-0.5 * ((grid - centre) / sigma) ** 2).sum(axis=1), grid)
    z_spec = algebra.quantiles(pdf, grid, rng.uniform(size=1))[:, 0].astype(float)
    for g, u in enumerate(rng.uniform(size=n_obj)):
        z_spec[g] = algebra.quantiles(pdf[g : g + 1], grid, [u])[0, 0]
    return pdf, z_spec


@pytest.mark.parametrize("grid", [Z, UNEVEN], ids=["even", "uneven"])
def test_one_pass_gives_what_the_separate_functions_give(grid):
    rng = np.random.default_rng(3)
    pdf = rng.uniform(size=(200, grid.size)).astype(np.float32) ** 4
    pdf[:20, 3:] = 0.0
    z_spec = rng.uniform(-0.2, grid[-1] + 0.2, 200)
    z_spec[:4] = grid[0], grid[-1], grid[2], grid[1] + 1e-9
    found = metrics.pdf_scores(pdf, grid, z_spec)
    np.testing.assert_allclose(found.pit, metrics.pit(pdf, grid, z_spec), atol=1e-12)
    np.testing.assert_allclose(found.crps, metrics.crps_each(pdf, grid, z_spec), atol=1e-12)
    np.testing.assert_allclose(found.brier, metrics.brier_each(pdf, grid, z_spec), atol=1e-12)
    np.testing.assert_allclose(found.hpd_level, metrics.hpd_level(pdf, grid, z_spec), atol=1e-12)
    np.testing.assert_allclose(found.log_score, metrics.log_score_each(pdf, grid, z_spec), atol=1e-6)
    # float32 sums in the separate function
    np.testing.assert_allclose(found.cde_loss, metrics.cde_loss_each(pdf, grid, z_spec), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.credibility, algebra.odds(pdf, grid, z_spec), atol=1e-6)


def test_rows_without_density_or_redshift_are_nan_in_every_score():
    pdf = np.ones((4, Z.size))
    pdf[1, 5], pdf[2] = np.nan, 0.0
    found = metrics.pdf_scores(pdf, Z, [0.5, 0.5, 0.5, np.nan])
    for name, values in vars(found).items():
        assert np.flatnonzero(np.isnan(values)).tolist() == [1, 2, 3], name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_samples_from_the_densities_are_calibrated(seed):
    pdf, z_spec = mixture(np.random.default_rng(seed), 400)
    found = metrics.pdf_scores(pdf, Z, z_spec)
    # one chance in a million for each
    assert stats.kstest(found.pit, "uniform").pvalue > 1e-6
    assert stats.kstest(found.hpd_level, "uniform").pvalue > 1e-6


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3))
def test_scores_lie_where_they_must(seed, scale):
    rng = np.random.default_rng(seed)
    pdf = scale * rng.uniform(size=(20, UNEVEN.size)) ** 6
    z_spec = rng.uniform(-0.5, 2.5, 20)
    found = metrics.pdf_scores(pdf, UNEVEN, z_spec)
    assert np.all(found.crps >= 0.0)
    for name in ("pit", "hpd_level", "credibility"):
        values = getattr(found, name)
        assert np.all((values >= 0.0) & (values <= 1.0)), name
    assert np.all((found.brier >= -1e-12) & (found.brier <= 2.0 + 1e-12))
    assert np.all(found.log_score <= -np.log(1e-5) + 1e-12)


@settings(max_examples=30, deadline=None)
@given(cell=st.integers(1, 299), z_spec=st.floats(0.0, 3.0))
def test_crps_of_a_spike_is_the_absolute_error(cell, z_spec):
    pdf = np.zeros((1, Z.size))
    pdf[0, cell] = 1.0
    assert metrics.pdf_scores(pdf, Z, [z_spec]).crps[0] == pytest.approx(abs(Z[cell] - z_spec), abs=0.01)


def test_the_truth_has_the_least_expected_loss():
    pdf, z_spec = mixture(np.random.default_rng(12), 1500)
    true = metrics.pdf_scores(pdf, Z, z_spec)
    for wrong in (pdf**2, np.sqrt(pdf), np.roll(pdf, 4, axis=1)):
        other = metrics.pdf_scores(wrong, Z, z_spec)
        for name in ("cde_loss", "crps", "log_score", "brier"):
            assert getattr(true, name).mean() < getattr(other, name).mean(), name
    # the expected CDE loss of the truth is minus the mean of int p^2
    expected = -np.trapezoid(pdf.astype(float) ** 2, Z, axis=1)
    error = (true.cde_loss - expected).std() / np.sqrt(1500)
    assert true.cde_loss.mean() == pytest.approx(expected.mean(), abs=5 * error)


def test_the_expected_loss_of_a_point_is_its_risk():
    pdf, z_spec = mixture(np.random.default_rng(13), 3000)
    best = algebra.point_estimates(pdf, Z)
    loss = metrics.lorentzian_loss(best.z_best, z_spec)
    assert loss.mean() == pytest.approx(best.z_risk.mean(), abs=5 * loss.std() / np.sqrt(3000))
    assert metrics.lorentzian_loss([0.3], [0.0])[0] == pytest.approx(0.8)  # dz = 2 gamma


def test_wrong_arguments_are_refused():
    with pytest.raises(ShapeError):
        metrics.pdf_scores(np.ones((2, 301)), Z, [0.1])
    with pytest.raises(UsageError, match="floor"):
        metrics.pdf_scores(np.ones((1, 301)), Z, [0.1], floor=0.0)
    with pytest.raises(ShapeError):
        metrics.kld_each(np.ones((2, 301)), np.ones((1, 301)), Z)
    with pytest.raises(UsageError):
        metrics.qq_curve([0.5], n_point=1)
    with pytest.raises(UsageError):
        metrics.credibility_curve([0.5], n_point=1)


# --- divergences


def gaussian(centre, sigma):
    return np.exp(-0.5 * ((Z - centre) / sigma) ** 2)[None] / (sigma * np.sqrt(2 * np.pi))


def test_kld_of_gaussians_has_its_closed_form():
    mean, sigma, other_mean, other = 1.4, 0.1, 1.5, 0.2
    expected = np.log(other / sigma) + (sigma**2 + (mean - other_mean) ** 2) / (2 * other**2) - 0.5
    found = metrics.kld_each(gaussian(mean, sigma), gaussian(other_mean, other), Z)[0]
    assert found == pytest.approx(expected, rel=1e-4)
    assert metrics.kld_each(gaussian(mean, sigma), 7 * gaussian(mean, sigma), Z)[0] == pytest.approx(0.0, abs=1e-6)
    # it is not symmetric, and the truth comes first
    assert metrics.kld_each(gaussian(other_mean, other), gaussian(mean, sigma), Z)[0] > 2 * expected


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_divergences_are_not_negative(seed):
    rng = np.random.default_rng(seed)
    one, two = rng.uniform(0.01, 1.0, (2, 5, 301))
    assert np.all(metrics.kld_each(one, two, Z) >= -1e-9)
    assert np.all(metrics.rmse_each(one, two, Z) >= 0.0)
    np.testing.assert_allclose(metrics.rmse_each(one, two, Z), metrics.rmse_each(two, one, Z))
    np.testing.assert_allclose(metrics.rmse_each(one, one, Z), 0.0, atol=1e-12)


def test_divergence_from_nothing_is_nan():
    one = np.ones((2, 301))
    two = one.copy()
    two[1] = 0.0
    assert np.isnan(metrics.kld_each(one, two, Z)).tolist() == [False, True]
    assert np.isnan(metrics.rmse_each(two, one, Z)).tolist() == [False, True]


# --- curves


def test_qq_curve_of_the_uniform_distribution_is_the_diagonal():
    u = np.linspace(0.0, 1.0, 1001)
    expected, found = metrics.qq_curve([*u, np.nan], n_point=11)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    _, narrow = metrics.qq_curve(0.5 + 0.25 * (u - 0.5), n_point=11)
    assert narrow[0] == 0.375 and narrow[-1] == 0.625
    assert np.isnan(metrics.qq_curve([])[1]).all()


def test_credibility_curve_counts():
    credibility, found = metrics.credibility_curve([0.1, 0.2, 0.9, np.nan], n_point=3)
    np.testing.assert_allclose(credibility, [0.0, 0.5, 1.0])
    np.testing.assert_allclose(found, [0.0, 2 / 3, 1.0])
    assert np.isnan(metrics.credibility_curve([])[1]).all()


@pytest.mark.filterwarnings("ignore:p-value:UserWarning", "ignore:Parameter `variant`:UserWarning")
def test_two_sample_anderson_darling_is_scipys():
    u = np.random.default_rng(4).beta(1.2, 0.8, 200)
    u[:5], u[5:8] = 0.0, 1.0  # ties with the ends of the spaced values
    theirs = stats.anderson_ksamp([u, np.linspace(0, 1, u.size)]).statistic
    assert metrics.pit_ad_ksamp([*u, np.nan]) == pytest.approx(theirs, rel=1e-12)
    assert np.isnan(metrics.pit_ad_ksamp([0.5]))
