"""Biweight statistics, and the metrics of many samples at once."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import stats as astropy_stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import sigmaclip

from pzcenter.science import metrics
from pzcenter.science.metrics.rows import nmad_of_rows, pit_statistics_of_rows, point_statistics_of_rows


def residuals(seed=1, n_obj=3000):
    rng = np.random.default_rng(seed)
    dz = 0.03 * rng.standard_t(2.5, n_obj) + 0.004
    return np.where(rng.random(n_obj) < 0.03, rng.uniform(-0.5, 0.5, n_obj), dz)


def test_biweight_agrees_with_astropy():
    dz = residuals()
    assert metrics.biweight_location(dz) == pytest.approx(astropy_stats.biweight_location(dz), rel=1e-12)
    assert metrics.biweight_scale(dz) == pytest.approx(astropy_stats.biweight_scale(dz), rel=1e-12)
    np.testing.assert_array_equal(metrics.clip_sigma(dz), sigmaclip(dz, 3.0, 3.0).clipped)


def test_metrics_are_of_the_clipped_residuals():
    zs = np.random.default_rng(2).uniform(0.1, 2.0, 3000)
    zp = zs + (1 + zs) * residuals()
    dz = metrics.delta_z(zp, zs)
    kept = sigmaclip(dz, 3.0, 3.0).clipped
    scale = astropy_stats.biweight_scale(kept)
    assert metrics.biweight_bias(zp, zs) == pytest.approx(astropy_stats.biweight_location(kept), rel=1e-12)
    assert metrics.biweight_sigma(zp, zs) == pytest.approx(scale, rel=1e-12)
    assert metrics.outlier_fraction_biweight(zp, zs) == np.mean(np.abs(dz) > 3 * scale)


def test_missing_and_level_samples():
    assert np.isnan(metrics.biweight_bias([np.nan], [0.5]))
    assert np.isnan(metrics.biweight_sigma([], []))
    assert np.isnan(metrics.outlier_fraction_biweight([], []))
    assert metrics.biweight_bias([0.2, 0.2, np.nan], [0.2, 0.2, 0.2]) == 0.0
    assert metrics.biweight_sigma([0.5] * 4, [0.5] * 4) == 0.0
    assert metrics.clip_sigma([3.0]).tolist() == [3.0]


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-0.5, 0.5), scale=st.floats(0.1, 5.0))
def test_biweight_follows_shifts_and_scale(shift, scale):
    dz = residuals(5, 501)
    assert metrics.biweight_scale(scale * dz + shift) == pytest.approx(scale * metrics.biweight_scale(dz), rel=1e-9)
    expected = scale * metrics.biweight_location(dz) + shift
    assert metrics.biweight_location(scale * dz + shift) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n_obj", [1, 2, 5, 400])
def test_rows_give_what_the_single_functions_give(n_obj):
    samples = np.sort([residuals(seed, n_obj) for seed in range(6)], axis=1)
    samples[5] = 0.25  # all the same
    zs = np.zeros(n_obj)
    for name, values in point_statistics_of_rows(samples).items():
        expected = [getattr(metrics, name)(dz, zs) for dz in samples]
        np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, err_msg=name)


def test_nmad_of_rows():
    zs = np.random.default_rng(3).uniform(0.1, 2.0, (4, 300))
    zp = zs + 0.05 * np.random.default_rng(4).normal(size=zs.shape)
    expected = [metrics.sigma_nmad(p, s) for p, s in zip(zp, zs, strict=True)]
    np.testing.assert_allclose(nmad_of_rows(zp - zs, 1.0 + zs), expected, rtol=1e-12)


def test_pit_statistics_of_rows():
    pit = np.sort(np.random.default_rng(5).beta(1.2, 0.9, (5, 333)), axis=1)
    pit[4, -3:] = 1.0
    for name, values in pit_statistics_of_rows(pit).items():
        np.testing.assert_allclose(values, [getattr(metrics, name)(u) for u in pit], rtol=1e-10, err_msg=name)
