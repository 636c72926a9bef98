"""RAIL's tables as photometry."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import ColumnError
from pzcenter.estimators.rail.columns import band_of_column
from pzcenter.estimators.rail.magnitudes import rail_magnitudes
from pzcenter.estimators.rail.tables import photometry_of_table
from pzcenter.testing.synthetic import synthetic_sky

COLUMNS, ERRORS = ["mag_g_lsst", "mag_J"], ["mag_err_g_lsst", "mag_err_J"]
LIMITS = {"mag_g_lsst": 29.0, "mag_J": 24.0}


def photometry(mag, mag_err, **more):
    table = dict(zip(COLUMNS + ERRORS, [*np.transpose(mag), *np.transpose(mag_err)], strict=True))
    options = {"mag_limits": LIMITS, "nondetect_val": 99.0, "nonobserved_val": -99.0} | more
    return photometry_of_table(table, COLUMNS, ERRORS, **options)


def test_known_answer():
    found = photometry([[23.9, 21.4]], [[0.1, 0.01]])
    assert found.bands == ("g", "J")
    np.testing.assert_allclose(found.flux, [[1000.0, 10000.0]], rtol=1e-5)
    np.testing.assert_allclose(found.flux_err, [[92.103, 92.103]], rtol=1e-4)


def test_non_detections_are_zero_with_the_error_of_the_limit():
    found = photometry([[99.0, 98.995]], [[1.0, 1.0]])
    assert found.flux.tolist() == [[0.0, 0.0]]
    np.testing.assert_allclose(31.4 - 2.5 * np.log10(found.flux_err), [[29.0, 24.0]], rtol=1e-6)


@pytest.mark.parametrize("mark", [-99.0, np.nan])
def test_bands_that_were_not_observed_are_missing(mark):
    found = photometry([[mark, 21.4]], [[0.1, 0.01]])
    assert np.isnan([found.flux[0, 0], found.flux_err[0, 0]]).all()


def test_nan_may_mark_non_detections():
    assert photometry([[np.nan, 21.4]], [[0.1, 0.01]], nondetect_val=np.nan).flux[0, 0] == 0


def test_there_and_back():
    sky = synthetic_sky(50, seed=3).photometry
    flux, flux_err = (array[:, [1, 3]] for array in (sky.flux, sky.flux_err))
    mags = rail_magnitudes(flux, flux_err, detection_snr=0.0, marks_missing=True)
    found = photometry(mags[:2].T, mags[2:].T)
    positive = flux > 0
    np.testing.assert_allclose(found.flux[positive], flux[positive], rtol=1e-5)
    np.testing.assert_allclose(found.flux_err[positive], flux_err[positive], rtol=1e-5)


def test_missing_columns_and_limits_are_told():
    marks = {"mag_limits": {}, "nondetect_val": 99.0, "nonobserved_val": -99.0}
    with pytest.raises(ColumnError, match="mag_J"):
        photometry_of_table({"mag_g_lsst": [1.0]}, COLUMNS, ERRORS, **marks)
    with pytest.raises(ColumnError, match="non-detections"):
        photometry([[99.0, 21.4]], [[0.1, 0.01]], mag_limits={"mag_J": 24.0})
    with pytest.raises(ColumnError, match="one each"):
        photometry_of_table({name: [1.0] for name in COLUMNS + ERRORS}, COLUMNS, ERRORS[:1], **marks)


@pytest.mark.parametrize(
    ("column", "band"), [("mag_u_lsst", "u"), ("mag_J", "J"), ("mag_Ks_lsst", "Ks"), ("F105W", "F105W")]
)
def test_bands_of_columns(column, band):
    assert band_of_column(column) == band
