"""Maps of the occupied sky: area, text forms there and back, damage refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pzcenter.errors import FileFormatError, UsageError
from pzcenter.science.sky import healpix_center
from pzcenter.training.moc import Moc, cell_area, moc_of_positions, read_moc


def test_the_whole_sky():
    ra, dec = healpix_center(np.arange(12 * 4**3), 3)
    moc = moc_of_positions(ra, dec, order=3)
    assert moc.area_deg2 == pytest.approx(4 * np.pi * np.degrees(1) ** 2)
    assert moc.to_ascii() == "0/0-11 3/"
    assert json.loads(moc.to_json()) == {"0": list(range(12)), "3": []}


@given(st.sets(st.integers(0, 12 * 4**3 - 1), max_size=80))
def test_there_and_back(cells):
    moc = Moc(3, np.array(sorted(cells), dtype=np.int64))
    for text in (moc.to_ascii(), moc.to_json()):
        again = read_moc(text)
        assert again.order == 3
        assert again.cells.tolist() == moc.cells.tolist()


def test_same_as_another_program():
    other = pytest.importorskip("mocpy").MOC
    rng = np.random.default_rng(0)
    from astropy import units

    ra, dec = rng.uniform(10, 30, 3000), rng.uniform(-5, 5, 3000)
    moc = moc_of_positions(ra, dec, order=7)
    theirs = other.from_lonlat(ra * units.deg, dec * units.deg, max_norder=7)
    assert other.from_string(moc.to_ascii()) == theirs
    assert read_moc(theirs.to_string(format="ascii")).cells.tolist() == moc.cells.tolist()
    assert read_moc(theirs.to_string(format="json")).cells.tolist() == moc.cells.tolist()


def test_positions_that_are_none_are_left_out():
    moc = moc_of_positions([np.nan, 10.0, 10.0], [0.0, 5.0, 5.0], order=5)
    assert moc.cells.size == 1
    assert moc.area_deg2 == cell_area(5)
    assert moc_of_positions([], [], order=5).to_ascii() == "5/"


def test_larger_cells():
    moc = Moc(4, np.array([0, 1, 17]))
    assert moc.at_order(3).cells.tolist() == [0, 4]
    with pytest.raises(UsageError, match="order 4 says nothing"):
        moc.at_order(5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "3/900",
        "3/5-2",
        "3/a",
        "31/1",
        "{",
        '{"a": [1]}',
        '{"3": 4}',
        '{"3": [-1]}',
        "[1]",
        "0/0-11 20/1",
    ],
)
def test_damaged_maps_are_refused(text):
    with pytest.raises(FileFormatError):
        read_moc(text)
