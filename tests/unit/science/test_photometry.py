import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pzcenter.errors import UnitError
from pzcenter.science import photometry as ph

MAGS = arrays(np.float64, st.integers(1, 20), elements=st.floats(5, 40))
SOFTENINGS = st.floats(1e-2, 1e4)


def test_one_nanojansky_is_31_4_mag():
    assert ph.flux_to_mag(1.0) == pytest.approx(31.4)
    assert ph.mag_to_flux(31.4) == pytest.approx(1.0)


def test_known_magnitudes():
    # 3631 Jy is magnitude 0 on the AB system; the rounded zero point 31.4 differs from it by 1e-4 mag.
    assert ph.flux_to_mag(3631e9) == pytest.approx(0.0, abs=2e-4)
    assert ph.mag_to_flux(31.4 - 5.0) == pytest.approx(100.0)


@given(MAGS)
def test_mag_round_trip(mag):
    np.testing.assert_allclose(ph.flux_to_mag(ph.mag_to_flux(mag)), mag, rtol=1e-12)


@given(MAGS, st.floats(1e-4, 2.0))
def test_error_round_trip(mag, err):
    flux = ph.mag_to_flux(mag)
    np.testing.assert_allclose(ph.flux_err_to_mag_err(flux, ph.mag_err_to_flux_err(mag, err)), err, rtol=1e-12)


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e6, 1e6)), SOFTENINGS)
def test_asinh_round_trip_keeps_negative_fluxes(flux, softening):
    back = ph.asinh_mag_to_flux(ph.flux_to_asinh_mag(flux, softening), softening)
    np.testing.assert_allclose(back, flux, rtol=1e-9, atol=1e-9 * softening)


@given(st.floats(-1e5, 1e5), st.floats(1e-2, 1e3), SOFTENINGS)
def test_asinh_error_round_trip(flux, err, softening):
    mag = ph.flux_to_asinh_mag(flux, softening)
    mag_err = ph.flux_err_to_asinh_mag_err(flux, err, softening)
    np.testing.assert_allclose(ph.asinh_mag_err_to_flux_err(mag, mag_err, softening), err, rtol=1e-8)


def test_asinh_is_the_usual_magnitude_for_bright_objects():
    assert ph.flux_to_asinh_mag(1e6, 5.0) == pytest.approx(float(ph.flux_to_mag(1e6)), abs=1e-9)


def test_asinh_of_sdss_matches_its_published_zero_flux_magnitude():
    # SDSS: b = 1.2e-10 in r, magnitude 24.80 at zero flux (sdss.org, algorithms, magnitudes).
    assert ph.flux_to_asinh_mag(0.0, 1.2e-10, zero_point=0.0) == pytest.approx(24.80, abs=0.005)


@pytest.mark.parametrize("softening", [0.0, -1.0, np.nan])
def test_softening_must_be_positive(softening):
    with pytest.raises(UnitError, match="softening"):
        ph.flux_to_asinh_mag(1.0, softening)


def test_no_magnitude_without_positive_flux():
    np.testing.assert_array_equal(np.isnan(ph.flux_to_mag([-1.0, 0.0, np.nan, 1.0])), [True, True, True, False])
    np.testing.assert_array_equal(np.isnan(ph.flux_err_to_mag_err([-1.0, 0.0, 1.0], 1.0)), [True, True, False])


def test_float32_stays():
    assert ph.flux_to_mag(np.ones(3, dtype=np.float32)).dtype == np.float32
    assert ph.mag_to_flux(np.full(3, 24, dtype=np.float32)).dtype == np.float32


def test_magnitudes_are_recognised():
    rng = np.random.default_rng(1)
    mags = rng.normal(24.5, 1.5, (500, 6))
    mags[::17, 0] = 99.0
    mags[::13, 5] = np.nan
    assert ph.looks_like_magnitudes(mags, np.full_like(mags, 0.1))
    assert ph.looks_like_magnitudes(mags)


def test_fluxes_are_not_taken_for_magnitudes():
    rng = np.random.default_rng(2)
    flux = ph.mag_to_flux(rng.normal(24.5, 1.5, (500, 6)))
    assert not ph.looks_like_magnitudes(flux, 0.1 * flux)
    assert not ph.looks_like_magnitudes(rng.normal(25.0, 30.0, 1000), np.full(1000, 30.0))  # noise around zero
    assert not ph.looks_like_magnitudes(rng.uniform(12, 38, 1000), np.full(1000, 8.0))  # faint, but with flux errors


def test_few_values_decide_nothing():
    assert not ph.looks_like_magnitudes(np.full(9, 25.0))
    assert not ph.looks_like_magnitudes(np.full(100, np.nan))
