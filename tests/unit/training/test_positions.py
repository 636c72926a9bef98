"""Positions in every form that catalogues have."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.errors import ColumnError
from pzcenter.training.positions import read_positions


def test_degrees_with_what_is_missing():
    made = read_positions(pa.array([10.0, None, -999.0, -0.5]), pa.array([1.0, 2.0, -999.0, float("nan")]))
    np.testing.assert_allclose(made.ra, [10.0, np.nan, np.nan, np.nan])
    assert (made.n_missing, made.n_outside, made.unit) == (2, 1, "deg")
    assert "row 3" in made.warnings[0]


def test_right_ascension_is_brought_into_the_circle():
    assert read_positions(pa.array([-0.5, 360.0]), pa.array([0.0, 0.0])).ra.tolist() == [359.5, 0.0]


@pytest.mark.parametrize(
    ("ra", "dec", "wanted"),
    [
        ("12:30:00.0", "-00:30:00", (187.5, -0.5)),
        ("12h30m36s", "+10d15m00.0s", (187.65, 10.25)),
        ("00 00 01.5", "-45 59 59.99", (0.00625, -45.9999972)),
    ],
)
def test_sexagesimal(ra, dec, wanted):
    made = read_positions(pa.array([ra, None]), pa.array([dec, "x"]))
    assert made.unit == "hourangle"
    np.testing.assert_allclose([made.ra[0], made.dec[0]], wanted, atol=1e-6)
    assert made.n_missing == 1


def test_text_with_degrees():
    made = read_positions(pa.array(["187.5", " 1e1 ", "bad"]), pa.array(["-0.5", "2", "3"]))
    np.testing.assert_allclose(made.ra, [187.5, 10.0, np.nan])
    assert made.unit == "deg"


def test_radians_are_noticed_and_read_when_asked():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 6, 200), rng.uniform(-1, 1, 200)
    assert "radians" in read_positions(pa.array(ra), pa.array(dec)).warnings[0]
    made = read_positions(pa.array(ra), pa.array(dec), unit="rad")
    np.testing.assert_allclose(made.ra, np.degrees(ra))
    assert not made.warnings


def test_hours_as_numbers():
    assert read_positions(pa.array([1.0]), pa.array([2.0]), unit="hourangle").ra[0] == 15.0


def test_numbers_that_look_like_hours():
    rng = np.random.default_rng(0)
    dec = pa.array(rng.uniform(-60, 60, 100))
    assert "angle: hourangle" in read_positions(pa.array(rng.uniform(0, 24, 100)), dec).warnings[0]
    assert read_positions(pa.array(rng.uniform(0, 25, 100)), dec).warnings == ()
    assert read_positions(pa.array(rng.uniform(10, 20, 100)), dec).warnings == ()
    assert read_positions(pa.array(rng.uniform(0, 24, 100)), dec, unit="deg").warnings == ()


def test_right_ascension_that_looks_like_declination():
    rng = np.random.default_rng(0)
    field = pa.array(rng.uniform(52, 54, 100))
    made = read_positions(pa.array(rng.uniform(-29, -27, 100)), field)
    assert "100 right ascensions are negative" in made.warnings[0]
    assert "swapped" in made.warnings[0]
    assert read_positions(pa.array(rng.uniform(-170, 170, 100)), field).warnings == ()


def test_sexagesimal_degrees_of_right_ascension():
    ra, dec = pa.array(["151:33:30.1", "23:00:00", "333:58:24"]), pa.array(["+01:58:58", "+04:06:14", "+00:36:36"])
    with pytest.raises(ColumnError, match="if it is in degrees, say so with angle: deg"):
        read_positions(ra, dec)
    assert read_positions(ra, dec, unit="deg").ra[2] == pytest.approx(333.97333, abs=1e-5)
    some = pa.array(["15:33:30.1", "23:00:00", "333:58:24"])
    assert "angle: deg" in read_positions(some, dec).warnings[0]


def test_columns_that_are_swapped_or_no_positions():
    with pytest.raises(ColumnError, match="look swapped"):
        read_positions(pa.array([-10.0, 20.0]), pa.array([150.0, 210.0]))
    with pytest.raises(ColumnError, match="degrees are expected"):
        read_positions(pa.array([1e5, 2e5]), pa.array([1e5, 2e5]), where="mine.fits")
    with pytest.raises(ColumnError, match="furlong"):
        read_positions(pa.array([1.0]), pa.array([1.0]), unit="furlong")
