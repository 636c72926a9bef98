"""Fluxes as RAIL's tables have them."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.estimators.rail.magnitudes import LIMIT_ERR, limiting_magnitudes, rail_magnitudes


def magnitudes(flux, flux_err, **kwargs):
    options = {"detection_snr": 0.0, "marks_missing": False} | kwargs
    table = rail_magnitudes(np.float32(flux), np.float32(flux_err), **options)
    half = len(table) // 2
    return table[:half].T, table[half:].T


def test_known_answer():
    mag, mag_err = magnitudes([[1000.0, 10.0]], [[10.0, 1.0]])
    np.testing.assert_allclose(mag, [[31.4 - 7.5, 31.4 - 2.5]], rtol=1e-7)
    np.testing.assert_allclose(mag_err, [[0.010857, 0.10857]], rtol=1e-4)


def test_fluxes_that_are_not_positive_are_non_detections():
    mag, mag_err = magnitudes([[-5.0, 0.0, 5.0]], [[1.0, 1.0, 1.0]])
    assert mag[0, :2].tolist() == [99.0, 99.0]
    assert mag_err[0, :2].tolist() == [LIMIT_ERR, LIMIT_ERR]
    assert mag[0, 2] < 30


def test_a_detection_limit_can_be_asked_for():
    mag, _ = magnitudes([[2.9, 3.1]], [[1.0, 1.0]], detection_snr=3.0)
    assert mag[0, 0] == 99.0
    assert mag[0, 1] < 99.0


@pytest.mark.parametrize(("marks_missing", "mark"), [(False, 99.0), (True, -99.0)])
def test_missing_bands_have_the_mark_that_the_method_knows(marks_missing, mark):
    mag, mag_err = magnitudes([[np.nan, 5.0]], [[np.nan, 1.0]], marks_missing=marks_missing)
    assert mag[0, 0] == mark
    assert mag_err[0, 0] == (-99.0 if marks_missing else LIMIT_ERR)


def test_extreme_fluxes_give_finite_numbers():
    mag, mag_err = magnitudes([[3e38, 1e-45, 1e-30]], [[1e-38, 3e38, 1.0]])
    assert np.isfinite(mag).all()
    assert np.isfinite(mag_err).all()


def test_limits_are_those_of_the_median_error():
    flux_err = np.float32([[1.0, np.nan], [10.0, np.nan], [100.0, np.nan]])
    assert limiting_magnitudes(flux_err, ("J", "H")) == {"J": pytest.approx(31.4 - 2.5)}
