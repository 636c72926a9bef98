"""Rows to pixels and margins."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.pixel_split import PixelSet, margin_rows, sort_along_sky, split_by_pixels
from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.errors import ColumnError, SchemaError, UsageError
from pzcenter.science.sky import angular_separation, healpix29, healpix_at_order

RADIUS = 30.0


@pytest.fixture(scope="module")
def sky():
    """20,000 objects around a corner of three base pixels, and the pixels that hold them."""
    random = np.random.default_rng(3)
    ra, dec = (
        random.uniform(44, 46, 20_000),
        np.concatenate([random.uniform(41, 42.6, 12_000), random.normal(41.8, 0.1, 8_000)]),
    )
    hpx29 = healpix29(ra, dec)
    counts = SkyCounts()
    counts.add(hpx29)
    pixels = PixelSet.of((order, pixel) for order, pixel, _ in choose_pixels(counts, 900))
    table = pa.table({"objectId": np.arange(ra.size), "ra": ra, "dec": dec, "_healpix_29": hpx29})
    return table, pixels


def test_each_row_goes_to_the_pixel_that_holds_it(sky):
    table, pixels = sky
    parts = split_by_pixels(table, pixels)
    assert len({order for order, _ in parts}) > 1
    assert sum(part.num_rows for part in parts.values()) == table.num_rows
    assert set(parts) <= {pixels.name(i) for i in range(len(pixels))}
    for (order, pixel), part in parts.items():
        hpx29 = part["_healpix_29"].to_numpy()
        assert np.all(healpix_at_order(hpx29, order) == pixel)
        assert np.all(np.diff(hpx29) >= 0)
    ids = np.concatenate([part["objectId"].to_numpy() for part in parts.values()])
    assert np.array_equal(np.sort(ids), np.arange(table.num_rows))


def test_order_of_the_input_does_not_matter(sky):
    table, pixels = sky
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    one, other = split_by_pixels(table, pixels), split_by_pixels(shuffled, pixels)
    assert list(one) == list(other)
    assert all(one[pixel].equals(other[pixel]) for pixel in one)


def test_rows_in_one_cell_are_sorted_by_id():
    table = pa.table({"objectId": [3, 1, 2, 0], "_healpix_29": [7, 7, 7, 9]})
    ordered = sort_along_sky(table)
    assert ordered["objectId"].to_pylist() == [1, 2, 3, 0]
    assert sort_along_sky(ordered) is ordered


@pytest.mark.parametrize("radius_arcsec", [2.0, RADIUS])
def test_margins_hold_every_row_near_the_border(sky, radius_arcsec):
    """A row is within the radius of a pixel when a point at that distance from it is in the pixel."""
    table, pixels = sky
    margins = margin_rows(table, pixels, radius_arcsec)
    found = {(pixel, i) for pixel, rows in margins.items() for i in rows["objectId"].to_pylist()}
    ra, dec = table["ra"].to_numpy(), table["dec"].to_numpy()
    own = pixels.find(table["_healpix_29"].to_numpy())
    needed = set()
    for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        x = ra + radius_arcsec / 3600 * np.sin(angle) / np.cos(np.radians(dec)) * 0.999
        y = dec + radius_arcsec / 3600 * np.cos(angle) * 0.999
        owner = pixels.find(healpix29(x, y))
        needed |= {(pixels.name(int(owner[i])), int(i)) for i in np.flatnonzero((owner >= 0) & (owner != own))}
    assert len(needed) > 50
    assert needed <= found


def test_margins_hold_nothing_else(sky):
    table, pixels = sky
    margins = margin_rows(table, pixels, RADIUS)
    parts = split_by_pixels(table, pixels)
    for pixel, rows in margins.items():
        inside = parts[pixel]
        assert not set(rows["objectId"].to_pylist()) & set(inside["objectId"].to_pylist())
        assert rows["objectId"].to_numpy().size == np.unique(rows["objectId"].to_numpy()).size
        assert np.all(np.diff(rows["_healpix_29"].to_numpy()) >= 0)
        # The pixels are crowded, so that an object of the pixel is never far from a row of its margin.
        separation = angular_separation(
            rows["ra"].to_numpy()[:, None],
            rows["dec"].to_numpy()[:, None],
            inside["ra"].to_numpy(),
            inside["dec"].to_numpy(),
        )
        assert separation.min(axis=1).max() * 3600 < 40 * RADIUS


def test_a_row_is_in_the_margin_of_a_pixel_that_the_table_does_not_touch():
    ra, dec = np.array([89.999]), np.array([80.0])
    table = pa.table({"objectId": [5], "_healpix_29": healpix29(ra, dec)})
    here = int(healpix_at_order(table["_healpix_29"].to_numpy(), 3)[0])
    there = int(healpix_at_order(healpix29([90.001], [80.0]), 3)[0])
    assert here != there
    margins = margin_rows(table, PixelSet.of([(3, here), (3, there)]), 10.0)
    assert list(margins) == [(3, there)]


def test_an_object_outside_every_pixel_is_named(sky):
    table, pixels = sky
    fewer = PixelSet.of(pixels.name(i) for i in range(1, len(pixels)))
    with pytest.raises(SchemaError, match=r"objects lie outside all \d+ pixels of the tiling: object \d+ at ra"):
        split_by_pixels(table, fewer)
    with pytest.raises(SchemaError, match="outside all 0 pixels"):
        split_by_pixels(table, PixelSet.of([]))


def test_bad_pixels_and_tables_are_refused():
    with pytest.raises(UsageError, match="overlap"):
        PixelSet.of([(3, 5), (4, 20)])
    with pytest.raises(UsageError, match="pixels 0 to"):
        PixelSet.of([(0, 12)])
    with pytest.raises(ColumnError, match="'order' and 'pixel'"):
        PixelSet.of_table(pa.table({"Norder": [1]}))
    with pytest.raises(ColumnError, match="_healpix_29"):
        sort_along_sky(pa.table({"objectId": [1]}))
    with pytest.raises(SchemaError, match="1 of 2 rows have no _healpix_29"):
        sort_along_sky(pa.table({"objectId": [1, 2], "_healpix_29": [1, None]}))
    table = pa.table({"objectId": [1], "_healpix_29": [1]})
    with pytest.raises(UsageError, match="too wide"):
        margin_rows(table, PixelSet.of([(10, 0)]), 600.0)


def test_an_empty_table_gives_nothing():
    table = pa.table({"objectId": pa.array([], pa.int64()), "_healpix_29": pa.array([], pa.int64())})
    pixels = PixelSet.of_table(pa.table({"order": [0], "pixel": [0]}))
    assert split_by_pixels(table, pixels) == {}
    assert margin_rows(table, pixels, 10.0) == {}
