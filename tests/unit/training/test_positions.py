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


def test_columns_that_are_swapped_or_no_positions():
    with pytest.raises(ColumnError, match="look swapped"):
        read_positions(pa.array([-10.0, 20.0]), pa.array([150.0, 210.0]))
    with pytest.raises(ColumnError, match="degrees are expected"):
        read_positions(pa.array([1e5, 2e5]), pa.array([1e5, 2e5]), where="mine.fits")
    with pytest.raises(ColumnError, match="furlong"):
        read_positions(pa.array([1.0]), pa.array([1.0]), unit="furlong")
