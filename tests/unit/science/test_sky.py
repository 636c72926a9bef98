import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pzcenter.errors import UnitError, UsageError
from pzcenter.science import sky

RA = st.floats(0, 360, exclude_max=True)
DEC = st.floats(-90, 90)


def test_known_pixels():
    # Base pixels: 4 is centred on (0, 0), 0 to 3 touch the north pole, 8 to 11 the south pole.
    pixels = sky.healpix29([0.0, 45.0, 315.0, 45.0], [0.0, 89.9, 80.0, -89.9])
    assert pixels.dtype == np.int64
    np.testing.assert_array_equal(sky.healpix_at_order(pixels, 0), [4, 0, 3, 8])


@given(RA, DEC, st.integers(0, 28))
def test_parents_hold_their_children(ra, dec, order):
    pixel = sky.healpix29(ra, dec)
    parent, child = sky.healpix_at_order(pixel, order), sky.healpix_at_order(pixel, order + 1)
    assert child[0] >> 2 == parent[0]
    first, end = sky.pixel_range_29(int(parent[0]), order)
    assert first <= pixel[0] < end


@given(st.integers(0, 12 * 4**8 - 1))
def test_centre_lies_in_its_pixel(pixel):
    ra, dec = sky.healpix_center(pixel, 8)
    assert sky.healpix_at_order(sky.healpix29(ra, dec), 8)[0] == pixel


def test_right_ascension_wraps():
    np.testing.assert_array_equal(sky.healpix29([-10.0, 370.0], [5.0, 5.0]), sky.healpix29([350.0, 10.0], [5.0, 5.0]))


def test_pixels_of_order_10_are_3_arcmin_wide():
    pixel = sky.healpix_at_order(sky.healpix29(120.5, -33.25), 10)[0]
    ra, dec = sky.healpix_center(pixel, 10)
    assert sky.angular_separation(ra, dec, 120.5, -33.25)[0] < 0.05


@pytest.mark.parametrize(("ra", "dec"), [(np.nan, 0.0), (0.0, np.nan), (0.0, 90.1), (np.inf, 0.0)])
def test_bad_coordinates(ra, dec):
    with pytest.raises(UnitError):
        sky.healpix29(ra, dec)


def test_bad_orders_and_pixels():
    with pytest.raises(UsageError, match="30"):
        sky.healpix_at_order([0], 30)
    with pytest.raises(UsageError, match="pixels 0 to 11"):
        sky.pixel_range_29(12, 0)
    with pytest.raises(UsageError, match="at_order"):
        sky.margin_pixels(0, 5, 4)
    for margin in (0.0, np.nan, 1e7):
        with pytest.raises(UsageError, match="margin"):
            sky.margin_order(margin)


@given(RA, DEC, RA, DEC)
def test_separation_is_symmetric_and_bounded(ra1, dec1, ra2, dec2):
    there, back = sky.angular_separation(ra1, dec1, ra2, dec2), sky.angular_separation(ra2, dec2, ra1, dec1)
    assert there == pytest.approx(float(back), abs=1e-9)
    assert 0 <= there <= 180


def test_separation_at_all_scales():
    assert sky.angular_separation(10, 60, 10, 60 + 1e-7) == pytest.approx(1e-7, rel=1e-5)
    assert sky.angular_separation(0, 0, 90, 0) == pytest.approx(90)
    assert sky.angular_separation(0, 0, 180, 0) == pytest.approx(180)
    assert sky.angular_separation(0, 60, 1, 60) == pytest.approx(0.5, rel=1e-4)
    assert np.isnan(sky.angular_separation(np.nan, 0, 0, 0))


def test_neighbours_are_mutual():
    order = 3
    around = sky.pixel_neighbours(np.arange(12 * 4**order), order)
    assert around.shape == (768, 8)
    assert np.count_nonzero(around == -1) == 24
    for pixel, row in enumerate(around):
        assert pixel not in row
        for other in row[row >= 0]:
            assert pixel in around[other]


def test_margin_covers_every_close_point():
    # Points outside pixel 40 of order 2 but within the margin of points inside must lie in its margin pixels.
    rng = np.random.default_rng(4)
    margin_arcsec = 600.0
    at_order = sky.margin_order(margin_arcsec)
    margin = set(sky.margin_pixels(40, 2, at_order).tolist())
    ra0, dec0 = sky.healpix_center(40, 2)
    ra, dec = ra0 + rng.uniform(-20, 20, 200_000), np.clip(dec0 + rng.uniform(-15, 15, 200_000), -90, 90)
    pixel = sky.healpix29(ra, dec)
    inside = sky.healpix_at_order(pixel, 2) == 40
    angle = rng.uniform(0, 2 * np.pi, inside.sum())
    step = rng.uniform(0, margin_arcsec / 3600.0, inside.sum())
    dec_b = dec[inside] + step * np.sin(angle)
    ra_b = ra[inside] + step * np.cos(angle) / np.cos(np.radians(dec_b))
    moved = sky.healpix29(ra_b, dec_b)
    left = sky.healpix_at_order(moved, 2) != 40
    assert left.sum() > 100
    assert set(sky.healpix_at_order(moved[left], at_order).tolist()) <= margin


def test_margin_at_the_same_order_is_the_neighbours():
    around = sky.pixel_neighbours([40], 2)[0]
    np.testing.assert_array_equal(sky.margin_pixels(40, 2, 2), np.sort(around[around >= 0]))
