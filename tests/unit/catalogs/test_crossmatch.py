"""The cross-match against brute force: every layout of the catalogue, the poles, the wrap, and bad positions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import convert, open_catalog
from pzcenter.catalogs.crossmatch import ProperMotion, crossmatch
from pzcenter.errors import EmptyTableError, UsageError
from pzcenter.science.association import propagate_positions
from pzcenter.science.sky import angular_separation

PLACES = {
    "equator": (150.0, 0.0), "wrap": (0.0, 2.0), "north": (10.0, 90.0), "south": (200.0, -90.0),
    "cap": (90.0, 60.0), "corner": (45.0, 41.8),
}  # fmt: skip


def sky(place, n_object=1500, n_row=200, width_arcsec=400.0, seed=1):
    """Objects around a place, and rows of which half lie near one of them."""
    random = np.random.default_rng(seed)

    def around(n):
        east, north = random.uniform(-width_arcsec, width_arcsec, (2, n)) * 1000.0
        return propagate_positions(np.full(n, place[0]), np.full(n, place[1]), east, north, 1.0)

    ra, dec = around(n_object)
    s_ra, s_dec = around(n_row)
    near = random.integers(0, n_object, n_row // 2)
    move = random.normal(0.0, 300.0, (2, near.size))
    s_ra[: near.size], s_dec[: near.size] = propagate_positions(ra[near], dec[near], *move, 1.0)
    objects = pa.table(
        {"objectId": np.arange(n_object) + 10, "ra": ra, "dec": dec, "flux_i": np.arange(n_object) * 1.0}
    )
    return objects, s_ra, s_dec


def brute_force(objects, ra, dec, radius):
    """Sorted (row, objectId), and the separation of each."""
    apart = 3600.0 * angular_separation(
        ra[:, None], dec[:, None], objects["ra"].to_numpy(), objects["dec"].to_numpy()
    )  # fmt: skip
    row, column = np.nonzero(apart <= radius)
    return set(zip(row.tolist(), objects["objectId"].to_numpy()[column].tolist(), strict=True)), apart


def write(objects, root, layout):
    """The same objects in another layout."""
    path = root / layout
    if layout == "file":
        pq.write_table(objects, root / "objects.parquet", row_group_size=500)
        return root / "objects.parquet"
    if layout == "directory":
        path.mkdir()
        for number in range(7):
            pq.write_table(objects.take(np.arange(number, objects.num_rows, 7)), path / f"part{number}.parquet")
        return path
    pq.write_table(objects, root / "source.parquet")
    convert(root / "source.parquet", path, "hats")
    return path


def pairs_of(result):
    return list(zip(result.pairs["row"].to_pylist(), result.pairs["objectId"].to_pylist(), strict=True))


@pytest.mark.parametrize("layout", ["file", "directory", "hats"])
@pytest.mark.parametrize("name", list(PLACES))
@pytest.mark.parametrize("radius", [0.5, 3.1, 60.0])
def test_all_pairs_and_no_other(tmp_path, layout, name, radius):
    objects, ra, dec = sky(PLACES[name])
    expected, apart = brute_force(objects, ra, dec, radius)
    result = crossmatch(ra, dec, open_catalog(write(objects, tmp_path, layout)), radius_arcsec=radius, mode="all")
    got = pairs_of(result)
    assert len(got) == len(set(got))
    assert set(got) == expected
    row, number = (result.pairs[column].to_numpy() for column in ("row", "objectId"))
    assert result.pairs["separation_arcsec"].to_numpy() == pytest.approx(apart[row, number - 10], abs=1e-7)
    assert result.pairs["n_within"].to_numpy().tolist() == np.bincount(row)[row].tolist()


@pytest.fixture
def small_hats(tmp_path, monkeypatch):
    """HATS of many partitions, whose borders cut through the pairs."""
    from pzcenter.catalogs.exporters import hats

    monkeypatch.setattr(hats, "BATCH_SIZE", 60)
    objects, ra, dec = sky(PLACES["corner"], seed=3)
    catalog = open_catalog(write(objects, tmp_path, "hats"))
    assert len(catalog.partitions) > 20
    return objects, ra, dec, catalog


@pytest.mark.parametrize("radius", [1.0, 20.0])
def test_pairs_across_borders_of_partitions(small_hats, radius):
    objects, ra, dec, catalog = small_hats
    expected, _ = brute_force(objects, ra, dec, radius)
    assert set(pairs_of(crossmatch(ra, dec, catalog, radius_arcsec=radius, mode="all"))) == expected


def test_only_touched_partitions_are_read(small_hats):
    _, ra, dec, catalog = small_hats
    statistics = crossmatch(ra[:3], dec[:3], catalog, radius_arcsec=1.0).statistics
    assert statistics.n_partitions_read < statistics.n_partitions == len(catalog.partitions)


@pytest.mark.parametrize(
    "options", [{"mode": "nearest"}, {"mode": "k", "k": 2}, {"mode": "all", "one_to_one_only": True}]
)
def test_choices_do_not_depend_on_the_layout(tmp_path, options):
    objects, ra, dec = sky(PLACES["wrap"], n_object=6000)
    found = [
        crossmatch(ra, dec, open_catalog(write(objects, tmp_path, layout)), radius_arcsec=10.0, **options).pairs
        for layout in ("file", "directory", "hats")
    ]
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])


def test_nearest_is_the_nearest(tmp_path):
    objects, ra, dec = sky(PLACES["south"])
    _, apart = brute_force(objects, ra, dec, 20.0)
    result = crossmatch(ra, dec, open_catalog(write(objects, tmp_path, "file")), radius_arcsec=20.0)
    row = result.pairs["row"].to_numpy()
    assert row.tolist() == np.flatnonzero(apart.min(axis=1) <= 20.0).tolist()
    assert (result.pairs["objectId"].to_numpy() - 10).tolist() == apart[row].argmin(axis=1).tolist()


def test_one_to_one_uses_each_side_once(tmp_path):
    objects, ra, dec = sky(PLACES["equator"], n_object=300)
    pairs = crossmatch(
        ra, dec, open_catalog(write(objects, tmp_path, "file")), radius_arcsec=30.0, mode="all", one_to_one_only=True
    ).pairs
    for column in ("row", "objectId"):
        assert np.unique(pairs[column].to_numpy()).size == pairs.num_rows


def test_bad_positions_are_counted(tmp_path):
    objects, ra, dec = sky(PLACES["equator"])
    expected, _ = brute_force(objects, ra, dec, 1.0)
    ra[0], dec[1], dec[2] = np.nan, np.inf, 95.0
    objects = pa.concat_tables([objects, pa.table(
        {"objectId": [1, 2], "ra": [np.nan, 150.0], "dec": [0.0, np.nan], "flux_i": [0.0, 0.0]}
    )])  # fmt: skip
    result = crossmatch(ra, dec, open_catalog(write(objects, tmp_path, "file")), radius_arcsec=1.0, mode="all")
    assert set(pairs_of(result)) == {pair for pair in expected if pair[0] > 2}
    assert result.statistics.n_no_position == 3


def test_negative_right_ascension_is_the_same_place(tmp_path):
    objects, ra, dec = sky(PLACES["wrap"])
    catalog = open_catalog(write(objects, tmp_path, "hats"))
    turned = np.where(ra > 180.0, ra - 360.0, ra)
    assert (turned < 0).any()
    first, second = (crossmatch(each, dec, catalog, radius_arcsec=2.0, mode="all") for each in (ra, turned))
    assert pairs_of(first) == pairs_of(second)


def test_repeated_rows_each_match(tmp_path):
    objects, ra, dec = sky(PLACES["equator"])
    catalog = open_catalog(write(objects, tmp_path, "file"))
    once = crossmatch(ra, dec, catalog, radius_arcsec=1.0, mode="all").pairs.num_rows
    twice = crossmatch(np.tile(ra, 2), np.tile(dec, 2), catalog, radius_arcsec=1.0, mode="all").pairs.num_rows
    assert twice == 2 * once


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, 60.1, 3600.0])
def test_radius_out_of_range(tmp_path, radius):
    objects, ra, dec = sky(PLACES["equator"], n_object=10)
    with pytest.raises(UsageError, match="at most 60"):
        crossmatch(ra, dec, open_catalog(write(objects, tmp_path, "file")), radius_arcsec=radius)


def test_no_overlap_is_told(tmp_path):
    objects, ra, dec = sky((40.0, 20.0))
    catalog = open_catalog(write(objects, tmp_path, "file"))
    with pytest.raises(EmptyTableError, match="near any"):
        crossmatch(ra + 100.0, dec, catalog)
    with pytest.raises(EmptyTableError, match="swapped"):
        crossmatch(dec, ra, catalog)
    with pytest.raises(EmptyTableError, match="radians"):
        crossmatch(np.radians(ra), np.radians(dec), catalog)


def test_offset_is_told(tmp_path):
    objects, _, _ = sky(PLACES["equator"], n_object=300)
    ra, dec = objects["ra"].to_numpy(), objects["dec"].to_numpy() - 0.4 / 3600.0
    statistics = crossmatch(ra, dec, open_catalog(write(objects, tmp_path, "file"))).statistics
    assert statistics.offset_dec_arcsec == pytest.approx(0.4, abs=0.01)
    assert any("declination" in text for text in statistics.warnings)


def test_positions_are_brought_to_the_epoch_of_the_catalogue(tmp_path):
    pq.write_table(pa.table({"objectId": [7], "ra": [10.0], "dec": [60.0]}), tmp_path / "o.parquet")
    ra, dec = np.array([10.0 - 2 / 3600 / np.cos(np.radians(60.0))]), np.array([60.0])
    catalog = open_catalog(tmp_path / "o.parquet")
    assert crossmatch(ra, dec, catalog, radius_arcsec=1.0).pairs.num_rows == 0
    motion = ProperMotion(np.array([200.0]), np.array([np.nan]), 10.0)
    made = crossmatch(ra, dec, catalog, radius_arcsec=1.0, motion=motion)
    assert made.pairs.column("objectId").to_pylist() == [7]
    assert made.statistics.median_separation_arcsec < 0.001


def test_objects_without_position_are_counted(tmp_path):
    pq.write_table(
        pa.table({"objectId": [1, 2, 3], "ra": [10.0, None, 11.0], "dec": [0.0, 0.0, -999.0]}), tmp_path / "o.parquet"
    )
    made = crossmatch(np.array([10.0]), np.array([0.0]), open_catalog(tmp_path / "o.parquet"))
    assert made.statistics.n_objects_no_position == 2


def test_the_nearest_of_an_object_wins(tmp_path):
    pq.write_table(
        pa.table({"objectId": [1, 2], "ra": [10.0, 10.0 + 0.9 / 3600], "dec": [0.0, 0.0]}), tmp_path / "o.parquet"
    )
    ra = np.array([10.0, 10.0 + 0.1 / 3600])
    made = crossmatch(ra, np.zeros(2), open_catalog(tmp_path / "o.parquet"), one_to_one_only=True)
    assert made.pairs.column("row").to_pylist() == [0]
    both = crossmatch(ra, np.zeros(2), open_catalog(tmp_path / "o.parquet"), one_to_one_only=True, mode="all")
    assert both.pairs.column("objectId").to_pylist() == [1, 2]
