import numpy as np
import pytest

from pzcenter.errors import BandError, NotFoundError, ShapeError, UnitError
from pzcenter.science import extinction as ex
from pzcenter.science.filters import load_filter

# A(1 micron)/E(B-V) of the recalibrated map: Schlafly & Finkbeiner 2011, appendix: 0.78 * 1.32.
RECALIBRATED_AT_1_MICRON = 0.78 * 1.32


def test_default_coefficients_are_those_of_rubin_tutorials():
    np.testing.assert_array_equal(ex.extinction_coefficients("ugrizy"), [4.81, 3.64, 2.70, 2.06, 1.58, 1.31])


def test_order_follows_the_bands():
    np.testing.assert_array_equal(ex.extinction_coefficients(("r", "u")), [2.70, 4.81])


def test_lsst_set_follows_from_cardelli():
    derived = [ex.coefficient_from_law(load_filter(f"dc2_{band}"), ex.cardelli1989) for band in "ugrizy"]
    np.testing.assert_allclose(ex.extinction_coefficients("ugrizy"), derived, rtol=0.005)


@pytest.mark.parametrize(("survey", "filters", "bands"), [
    ("lsst_sf11", "lsst2016-{}", "ugrizy"),
    ("sdss", "sdss2010-{}", "ugriz"),
    ("des", "decam2014-{}", "griz"),
])  # fmt: skip
def test_other_sets_follow_from_fitzpatrick(survey, filters, bands):
    # 2.5 %: Schlafly & Finkbeiner weight with a stellar spectrum and use earlier filter curves.
    scale = RECALIBRATED_AT_1_MICRON / ex.fitzpatrick1999(10000.0)
    derived = [scale * ex.coefficient_from_law(load_filter(filters.format(b)), ex.fitzpatrick1999) for b in bands]
    np.testing.assert_allclose(ex.extinction_coefficients(bands, survey), derived, rtol=0.025)


@pytest.mark.parametrize("survey", ex.extinction_surveys())
def test_blue_light_is_dimmed_more(survey):
    bands = {"sdss": "ugriz", "des": "grizY"}.get(survey, "ugrizy")
    assert np.all(np.diff(ex.extinction_coefficients(bands, survey)) < 0)


def test_unknown_bands_and_surveys():
    with pytest.raises(BandError, match="'J'"):
        ex.extinction_coefficients("uJ")
    with pytest.raises(NotFoundError, match="lsst_sf11"):
        ex.extinction_coefficients("u", "nothing")


def test_deredden_brightens_by_the_extinction():
    flux = np.array([[100.0, -5.0], [100.0, np.nan]])
    new, err = ex.deredden(flux, np.ones_like(flux), np.array([0.0, 0.1]), [4.81, 1.31])
    np.testing.assert_allclose(new[0], flux[0])
    assert -2.5 * np.log10(new[1, 0] / 100.0) == pytest.approx(-0.481)
    assert np.isnan(new[1, 1])
    np.testing.assert_allclose(new[1, 0] / err[1, 0], 100.0)


def test_deredden_keeps_float32_and_propagates_missing_ebv():
    flux = np.ones((2, 1), dtype=np.float32)
    new, err = ex.deredden(flux, flux, np.array([np.nan, 0.2]), [3.0])
    assert new.dtype == err.dtype == np.float32
    assert np.isnan(new[0, 0])
    assert np.isnan(err[0, 0])


@pytest.mark.parametrize(("ebv", "coefficients"), [([0.1], [1.0, 2.0]), ([0.1, 0.2], [1.0]), (0.1, [1.0, 2.0])])
def test_deredden_shapes(ebv, coefficients):
    with pytest.raises(ShapeError):
        ex.deredden(np.ones((2, 2)), np.ones((2, 2)), ebv, coefficients)


class ConstantMap:
    def query(self, positions):
        return np.full(positions.shape, 0.05) + 0.0 * positions.ra.deg


def test_dust_map_objects_and_functions():
    ra, dec = np.array([10.0, 20.0]), np.array([-30.0, 5.0])
    np.testing.assert_allclose(ex.ebv_from_map(ConstantMap(), ra, dec), 0.05)
    np.testing.assert_allclose(ex.ebv_from_map(lambda positions: positions.dec.deg / 100, ra, dec), dec / 100)
    with pytest.raises(ShapeError, match="dust map"):
        ex.ebv_from_map(lambda positions: np.zeros(3), ra, dec)


def test_laws_at_v_and_b():
    # A(V)/E(B-V) = R_V, A(B) - A(V) = E(B-V), within what the fits give at single wavelengths.
    for law, r_v in (
        (ex.fitzpatrick1999, 3.1),
        (ex.cardelli1989, 3.1),
        (ex.calzetti2000, 4.05),
        (ex.pei1992_smc, 2.93),
    ):
        b, v = law(np.array([4400.0, 5500.0]))
        assert v == pytest.approx(r_v, rel=0.035)
        assert b - v == pytest.approx(1.0, abs=0.08)


def test_fitzpatrick_passes_its_anchor_points():
    # Fitzpatrick 1999, table 3, R_V = 3.1.
    wavelength = np.array([26500, 12200, 6000, 5470, 4670, 4110, 2700, 2600.0])
    expected = np.array([0.265, 0.829, 2.688, 3.055, 3.806, 4.315, 6.265, 6.591])
    np.testing.assert_allclose(ex.fitzpatrick1999(wavelength), expected, atol=0.002)


def test_bump_at_2175_only_in_the_galaxy():
    sides, bump = np.array([1900.0, 2500.0]), np.array([2175.0])
    assert ex.fitzpatrick1999(bump) > ex.fitzpatrick1999(sides).max()
    assert sides.size == 2
    for law in (ex.pei1992_smc, ex.calzetti2000):
        assert np.all(np.diff(law(np.linspace(1000, 20000, 500))) <= 0.03)


def test_cardelli_says_where_it_ends():
    with pytest.raises(UnitError, match="3,030"):
        ex.cardelli1989([1500.0])


def test_calzetti_is_never_negative():
    assert np.all(ex.calzetti2000(np.linspace(500, 60000, 1000)) >= 0)


def test_attenuation_of_a_template():
    wavelength = np.array([1500.0, 5500.0, 30000.0])
    flux = np.ones((2, 3))
    np.testing.assert_array_equal(ex.attenuate(wavelength, flux, 0.0, ex.calzetti2000), flux)
    dusty = ex.attenuate(wavelength, flux, 0.3, ex.calzetti2000)
    assert dusty.shape == flux.shape
    assert np.all(np.diff(dusty) > 0)
    assert -2.5 * np.log10(dusty[0, 1]) == pytest.approx(0.3 * 4.05, rel=0.01)
    with pytest.raises(UnitError, match="E"):
        ex.attenuate(wavelength, flux, -0.1, ex.calzetti2000)
