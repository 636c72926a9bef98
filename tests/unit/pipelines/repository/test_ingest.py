"""Object tables into a repository: every kind of source, again and again, and what is refused."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import convert
from pzcenter.errors import (
    ChecksumError,
    ColumnError,
    ConfigError,
    DataIdError,
    EmptyTableError,
    FileFormatError,
    NotFoundError,
    StorageError,
)
from pzcenter.pipelines.repository import object_files
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.ingest import ingest_objects
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.pipelines.repository.tiling import HEALPIX_SKYMAP, order_and_pixel

TRACTS, SKYMAP = (9000, 9001, 9003), "lsst_cells_v1"


def table_of(root, tract, release="s", skymap=SKYMAP):
    with open_repository(root) as butler:
        return butler.get("object", skymap=skymap, tract=tract, collections=f"{release}/raw")


def change(path, **columns):
    """Write a table with other columns; None takes one out."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.drop_columns([name])
        if values is not None:
            table = table.append_column(name, values)
    pq.write_table(table, path)


def test_a_directory_by_reference(empty, objects):
    made = ingest_objects(empty, objects, release="s")
    assert (made.run, made.skymap, made.n_new, made.n_known, made.n_obj) == ("s/raw", SKYMAP, 3, 0, 90)
    assert made.tracts == TRACTS
    with open_repository(empty) as butler:
        for ref in butler.query_datasets("object", collections="s/defaults"):
            path = Path(butler.getURI(ref).ospath)
            assert path == objects / f"tract_{ref.dataId['tract']}.parquet"
            record = butler.get("object_record", ref.dataId, collections="s/raw")
            assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert (record["n_rows"], record["n_bytes"]) == (30, path.stat().st_size)
    assert table_of(empty, 9001).equals(pq.read_table(objects / "tract_9001.parquet"))


def test_the_same_again_changes_nothing_and_new_files_are_added(empty, objects, write):
    ingest_objects(empty, objects, release="s")
    again = ingest_objects(empty, objects, release="s")
    assert (again.n_new, again.n_known) == (0, 3)
    write(objects, [9007])
    more = ingest_objects(empty, objects, release="s")
    assert (more.n_new, more.n_known, more.n_obj) == (1, 3, 120)


def test_a_file_that_was_only_touched_is_known(empty, objects):
    ingest_objects(empty, objects, release="s")
    (objects / "tract_9000.parquet").touch()
    assert ingest_objects(empty, objects, release="s").n_known == 3


def test_copies_do_not_need_their_source(empty, objects):
    expected = pq.read_table(objects / "tract_9001.parquet")
    ingest_objects(empty, objects, release="s", transfer="copy")
    shutil.rmtree(objects)
    assert table_of(empty, 9001).equals(expected)


@pytest.mark.parametrize("suffix", [".parquet", ".parq"])
@pytest.mark.parametrize("transfer", ["direct", "copy"])
def test_both_names_of_parquet_files(empty, objects, suffix, transfer):
    for path in list(objects.glob("*.parquet")):
        path.rename(path.with_suffix(suffix))
    assert ingest_objects(empty, objects, release="s", transfer=transfer).n_new == 3
    assert table_of(empty, 9003).num_rows == 30


def test_one_file_is_split_by_its_tracts(empty, objects, tmp_path, monkeypatch):
    monkeypatch.setattr(object_files, "OPEN_FILES", 2)
    whole = pa.concat_tables([pq.read_table(path) for path in sorted(objects.glob("*"))]).sort_by("coord_dec")
    path = tmp_path / "all.parquet"
    pq.write_table(whole, path, row_group_size=25)
    made = ingest_objects(empty, path, release="s", transfer="copy")
    assert (made.n_new, made.n_obj, made.tracts) == (3, 90, TRACTS)
    for tract in TRACTS:
        assert table_of(empty, tract).equals(whole.filter(pc.equal(whole["tract"], tract)).combine_chunks())
    assert ingest_objects(empty, path, release="s", transfer="copy").n_known == 3
    with open_repository(empty) as butler:
        record = butler.get("object_record", skymap=SKYMAP, tract=9001, collections="s/raw")
        stored = butler.getURI("object", skymap=SKYMAP, tract=9001, collections="s/raw")
        assert record["uri"] == path.as_uri()
        assert record["sha256"] == hashlib.sha256(stored.read()).hexdigest()
        assert record["whole_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    pq.write_table(whole.set_column(4, "ebv", pa.array([0.1] * 90, pa.float32())), path)
    with pytest.raises(ChecksumError, match="tract 9000"):
        ingest_objects(empty, path, release="s", transfer="copy")


def test_one_file_of_several_tracts_by_reference_is_told_how(empty, objects, tmp_path):
    pq.write_table(pa.concat_tables([pq.read_table(path) for path in objects.glob("*")]), tmp_path / "all.parquet")
    with pytest.raises(DataIdError, match="--transfer copy"):
        ingest_objects(empty, tmp_path / "all.parquet", release="s")


def test_the_tract_may_be_in_the_name(empty, objects):
    for path in objects.glob("*"):
        change(path, tract=None)
    assert ingest_objects(empty, objects, release="s").tracts == TRACTS


@pytest.fixture(scope="module")
def hats(tmp_path_factory):
    """HATS catalogue of one pixel or more."""
    place = tmp_path_factory.mktemp("hats")
    random = pa.table(
        {
            "objectId": pa.array(range(400)),
            "ra": pa.array([10.0 + 0.1 * (number % 20) for number in range(400)]),
            "dec": pa.array([-5.0 + 0.1 * (number // 20) for number in range(400)]),
        }
    )
    pq.write_table(random, place / "objects.parquet")
    convert(place / "objects.parquet", place / "catalog", "hats")
    return place / "catalog"


def test_pixels_of_a_hats_catalogue_are_tracts(empty, hats):
    made = ingest_objects(empty, hats, release="s")
    assert (made.skymap, made.n_obj) == (HEALPIX_SKYMAP, 400)
    names = {f"Norder={order}/Dir=0/Npix={pixel}" for order, pixel in map(order_and_pixel, made.tracts)}
    files = {str(path.relative_to(hats / "dataset").with_suffix("")) for path in hats.rglob("Npix=*.parquet")}
    assert names == files
    with open_repository(empty) as butler:
        tract = made.tracts[0]
        ra, dec = (table_of(empty, tract, skymap=HEALPIX_SKYMAP).column(name)[0].as_py() for name in ("ra", "dec"))
        where = f"skymap = '{HEALPIX_SKYMAP}' AND tract.region OVERLAPS POINT({ra}, {dec})"
        assert tract in {ref.dataId["tract"] for ref in butler.query_datasets("object", "s/raw", where=where)}


def test_a_hats_collection_is_its_catalogue_without_the_margin(empty, hats, tmp_path):
    shutil.copytree(hats, tmp_path / "col" / "main")
    margin = Path(shutil.copytree(hats, tmp_path / "col" / "margin"))
    (tmp_path / "col" / "collection.properties").write_text("hats_primary_table_url=main\nall_margins=margin\n")
    assert ingest_objects(empty, tmp_path / "col", release="s").n_obj == 400
    for path in margin.glob("*properties"):
        path.write_text(path.read_text().replace("dataproduct_type=object", "dataproduct_type=margin"))
    with pytest.raises(FileFormatError, match="margin"):
        ingest_objects(empty, margin, release="t")


def test_pixels_have_their_own_tiling(empty, hats, objects):
    with pytest.raises(ConfigError, match=HEALPIX_SKYMAP):
        ingest_objects(empty, hats, release="s", skymap=SKYMAP)
    ingest_objects(empty, objects, release="s")
    with pytest.raises(ConfigError, match="twice"):
        ingest_objects(empty, hats, release="s")
    with pytest.raises(ConfigError, match="lsst_cels_v1"):
        ingest_objects(empty, objects, release="s", skymap="lsst_cels_v1")


def test_a_tract_that_grows_in_a_later_release_is_found_in_its_new_part(empty, objects):
    ingest_objects(empty, objects, release="s")
    path = objects / "tract_9000.parquet"
    change(path, coord_dec=pc.add(pq.read_table(path)["coord_dec"], 20.0))
    ingest_objects(empty, objects, release="t")
    table = table_of(empty, 9000, "t")
    with open_repository(empty) as butler:
        for shift in (0.0, -20.0):
            ra, dec = table["coord_ra"][0].as_py(), table["coord_dec"][0].as_py() + shift
            where = f"skymap = '{SKYMAP}' AND tract.region OVERLAPS POINT({ra}, {dec})"
            assert len(butler.query_datasets("object", "t/raw", where=where)) == 1


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def spoil(path):
    data = bytearray(path.read_bytes())
    data[60:900] = bytes(840)
    path.write_bytes(data)


BAD_FILES = {
    "truncated": (truncate, FileFormatError, "cannot be read as Parquet"),
    "damaged inside": (spoil, FileFormatError, "cannot be read as Parquet"),
    "no table": (lambda path: path.write_text("hello"), FileFormatError, "cannot be read as Parquet"),
    "without rows": (lambda path: pq.write_table(pq.read_table(path).slice(0, 0), path), EmptyTableError, "no rows"),
    "without ids": (lambda path: change(path, objectId=None), ColumnError, "objectId"),
    "without positions": (lambda path: change(path, coord_ra=None), ColumnError, "coord_ra"),
    "of two tracts": (lambda path: change(path, tract=pa.array([1] * 15 + [2] * 15)), DataIdError, "1 to 2"),
    "rows without tract": (lambda path: change(path, tract=pa.array([None] + [9001] * 29)), DataIdError, "1 rows"),
    "of a negative tract": (lambda path: change(path, tract=pa.array([-3] * 30)), DataIdError, "tract -3"),
    "of the tract of another": (lambda path: change(path, tract=pa.array([9000] * 30)), DataIdError, "both of tract"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named_before_anything_is_ingested(empty, objects, case):
    spoil_it, error, words = BAD_FILES[case]
    spoil_it(objects / "tract_9001.parquet")
    with pytest.raises(error, match=words) as caught:
        ingest_objects(empty, objects, release="s")
    assert "tract_9001.parquet" in str(caught.value)
    with open_repository(empty) as butler:
        assert not butler.collections.query("s/*")
    made = ingest_objects(empty, objects, release="s", keep_going=True)
    assert [Path(path).name for path in made.refused] == ["tract_9001.parquet"]
    assert made.tracts == (9000, 9003)


def test_a_file_without_tract_and_with_a_name_that_does_not_tell(empty, objects):
    path = (objects / "tract_9001.parquet").rename(objects / "east.parquet")
    change(path, tract=None)
    with pytest.raises(DataIdError, match=r"east\.parquet"):
        ingest_objects(empty, objects, release="s")


def test_a_changed_file_is_named_and_the_others_stay(repo, objects):
    path = objects / "tract_9001.parquet"
    change(path, ebv=pa.array([0.5] * 30, pa.float32()))
    with pytest.raises(ChecksumError, match=r"tract_9001\.parquet of tract 9001 has changed"):
        ingest_objects(repo, objects, release="s")
    assert ingest_objects(repo, objects, release="second").n_new == 3


def test_sources_that_are_not_there(empty, tmp_path):
    with pytest.raises(NotFoundError, match="does not exist"):
        ingest_objects(empty, tmp_path / "nowhere", release="s")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NotFoundError, match="no Parquet files"):
        ingest_objects(empty, tmp_path / "nothing", release="s")


@pytest.mark.parametrize("release", ["", "a b", "a/b", "/a", "a;b", "*"])
def test_names_of_releases(empty, objects, release):
    with pytest.raises(ConfigError, match="cannot name a release"):
        ingest_objects(empty, objects, release=release)


def test_unknown_transfers(empty, objects):
    with pytest.raises(ConfigError, match="direct, copy"):
        ingest_objects(empty, objects, release="s", transfer="symlink")


def test_nothing_is_half_ingested_when_a_copy_fails(empty, objects, monkeypatch):
    from lsst.daf.butler.datastores.fileDatastore import FileDatastore

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FileDatastore, "_finishIngest", fail)
        with pytest.raises(OSError, match="No space"):
            ingest_objects(empty, objects, release="s", transfer="copy")
    assert ingest_objects(empty, objects, release="s", transfer="copy").n_new == 3
    assert table_of(empty, 9003).num_rows == 30


def test_who_may_not_write_is_told(not_ours, objects):
    place, reading_only = not_ours
    create_repository(place / "repo")
    shutil.copytree(objects, place / "objects")
    with reading_only(place / "repo"), pytest.raises(StorageError, match="may not be written to"):
        ingest_objects(place / "repo", place / "objects", release="s")


def test_progress_is_told(empty, objects):
    seen = []
    ingest_objects(empty, objects, release="s", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
