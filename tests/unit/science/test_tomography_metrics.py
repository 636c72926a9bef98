"""n(z) of tomographic bins, and what the bins know."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pzcenter.errors import ShapeError, UsageError
from pzcenter.science import metrics

Z = np.linspace(0.0, 3.0, 301)


def bump(centre=1.0, sigma=0.2):
    return np.exp(-0.5 * ((Z - centre) / sigma) ** 2)


# --- n(z)


def test_mean_and_width_are_exact_for_the_linear_density():
    triangle = np.array([0.0, 1.0, 0.0])
    grid = np.array([0.0, 1.0, 2.0])
    assert metrics.nz_mean(triangle, grid) == pytest.approx(1.0)
    assert metrics.nz_width(triangle, grid) == pytest.approx(np.sqrt(1.0 / 6.0))
    ramp = np.array([0.0, 1.0])
    assert metrics.nz_mean(3 * ramp, [0.0, 1.0]) == pytest.approx(2.0 / 3.0)
    assert metrics.nz_width(ramp, [0.0, 1.0]) == pytest.approx(np.sqrt(1.0 / 18.0))
    assert np.isnan(metrics.nz_mean(np.zeros(301), Z))


def test_shifts_are_in_units_of_one_plus_z():
    truth = np.random.default_rng(1).normal(1.0, 0.2, 40_000)
    assert metrics.nz_mean_shift(bump(1.1), Z, truth) == pytest.approx(0.05, abs=0.002)
    assert metrics.nz_width_shift(bump(1.0, 0.24), Z, truth) == pytest.approx(0.02, abs=0.002)
    assert np.isnan(metrics.nz_mean_shift(bump(), Z, []))
    assert np.isnan(metrics.nz_width_shift(bump(), Z, []))


def test_wasserstein_agrees_with_scipy():
    rng = np.random.default_rng(2)
    truth = rng.normal(1.1, 0.25, 500)
    # scipy knows samples: the quantiles of n(z) in their place
    cumulative = np.concatenate(([0.0], np.cumsum(0.5 * 0.01 * (bump()[1:] + bump()[:-1]))))
    sample = np.interp((np.arange(100_000) + 0.5) / 100_000, cumulative / cumulative[-1], Z)
    expected = stats.wasserstein_distance(sample, truth)
    assert metrics.nz_wasserstein(bump(), Z, truth) == pytest.approx(expected, abs=2e-5)
    assert np.isnan(metrics.nz_wasserstein(np.zeros(301), Z, truth))


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-0.3, 0.3))
def test_wasserstein_is_the_shift_at_least(shift):
    truth = np.random.default_rng(3).normal(1.5, 0.1, 300)
    found = metrics.nz_wasserstein(bump(1.5 + shift, 0.1), Z, truth)
    assert found >= abs(1.5 + shift - truth.mean()) - 1e-3
    assert metrics.nz_wasserstein(bump(), Z, [1.0]) == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=1e-3)


def test_kl_in_bits():
    grid, edges = np.array([0.0, 1.0, 2.0]), [0.0, 1.0, 2.0]
    flat = np.ones(3)
    assert metrics.nz_kl_bits(flat, grid, [0.5, 1.5], edges) == pytest.approx(0.0, abs=1e-9)
    assert metrics.nz_kl_bits(flat, grid, [0.5, 0.6], edges) == pytest.approx(1.0, abs=1e-9)  # one bit: which half
    assert metrics.nz_kl_bits([1.0, 0.0, 0.0], grid, [1.5], edges) > 30  # an impossible cell costs much, not all
    assert np.isnan(metrics.nz_kl_bits(flat, grid, [], edges))


def test_overlap():
    assert metrics.nz_overlap(bump(), 4 * bump(), Z) == pytest.approx(1.0)
    assert metrics.nz_overlap(bump(0.5, 0.05), bump(2.5, 0.05), Z) == pytest.approx(0.0, abs=1e-12)
    expected = 2 * stats.norm.cdf(-1.0)  # two Gaussians two sigma apart
    assert metrics.nz_overlap(bump(1.0), bump(1.4), Z) == pytest.approx(expected, rel=1e-3)
    assert np.isnan(metrics.nz_overlap(np.zeros(301), bump(), Z))


def test_wrong_arguments_are_refused():
    with pytest.raises(ShapeError):
        metrics.nz_mean([1.0], Z)
    with pytest.raises(UsageError):
        metrics.nz_mean_shift(bump(), Z, [np.nan])
    with pytest.raises(UsageError):
        metrics.assign_bins([0.1], [0.0])
    with pytest.raises(ShapeError):
        metrics.confusion_table([0], [0, 1], 2)
    with pytest.raises(UsageError):
        metrics.confusion_table([0], [2], 2)
    with pytest.raises(ShapeError):
        metrics.bin_kappa(np.ones((2, 4)))


# --- bins


def test_bins_hold_their_lower_edge():
    assert metrics.assign_bins([0.2, 0.39, 0.4, 0.6, 0.1, np.nan], [0.2, 0.4, 0.6]).tolist() == [0, 0, 1, -1, -1, -1]


def test_a_perfect_assignment():
    true = np.repeat([0, 1, 2], [10, 20, 30])
    table = metrics.confusion_table(true, true, 3)
    assert metrics.bin_accuracy(table) == metrics.balanced_accuracy(table) == metrics.bin_kappa(table) == 1.0
    assert metrics.bin_purity(table).tolist() == [1.0, 1.0, 1.0]
    p = np.array([1, 2, 3]) / 6
    assert metrics.mutual_information(table, corrected=False) == pytest.approx(-(p * np.log2(p)).sum())
    assert metrics.bin_log_loss(table) == pytest.approx(0.0, abs=1e-14)


def test_a_known_table():
    table = np.array([[8, 2], [1, 4], [1, 0]])  # the last row belongs to no bin
    assert metrics.bin_accuracy(table) == 12 / 16
    assert metrics.bin_purity(table).tolist() == [0.8, 4 / 6]
    assert metrics.bin_completeness(table).tolist() == [0.8, 0.8]
    assert metrics.balanced_accuracy(table) == pytest.approx(0.8)
    chance = (10 * 10 + 5 * 6) / 256
    assert metrics.bin_kappa(table) == pytest.approx((12 / 16 - chance) / (1 - chance))
    assert metrics.bin_log_loss(table) == pytest.approx(0.25 * -np.log(1e-15), rel=1e-9)


def test_nothing_assigned_is_nan():
    table = metrics.confusion_table([0, 1], [-1, -1], 2)
    assert np.isnan(metrics.bin_accuracy(table))
    assert np.isnan(metrics.bin_kappa(table))
    assert np.isnan(metrics.mutual_information(table))
    assert np.isnan(metrics.balanced_accuracy(table))
    assert np.isnan(metrics.bin_purity(table)).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_independent_bins_tell_nothing(seed):
    rng = np.random.default_rng(seed)
    table = metrics.confusion_table(rng.integers(0, 4, 4000), rng.integers(0, 4, 4000), 4)
    assert abs(metrics.bin_kappa(table)) < 0.1
    assert abs(metrics.mutual_information(table)) < 0.01
    assert metrics.mutual_information(table, corrected=False) >= 0.0
