"""HATS catalogues with a directory of files for each pixel, with margins and ``_metadata``."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import FileRecord, Manifest, finish_dataset, open_catalog, verify_manifest, write_partition
from pzcenter.catalogs.content_hash import content_hash, hash_of_records
from pzcenter.catalogs.hats_layout import MarginOf, part_path, write_collection
from pzcenter.catalogs.pixel_split import PixelSet, margin_rows, split_by_pixels
from pzcenter.errors import NotFoundError, SchemaError
from pzcenter.science.sky import healpix29

PIXELS = PixelSet.of((4, pixel) for pixel in range(12 * 4**4))
RADIUS = 60.0


def tract(number, n_obj=400):
    """Objects of a tract; neighbouring tracts share pixels."""
    random = np.random.default_rng(number)
    ra, dec = random.uniform(number, number + 1, n_obj), random.uniform(0, 1, n_obj)
    return pa.table(
        {
            "objectId": number * 10_000 + np.arange(n_obj),
            "ra": ra,
            "dec": dec,
            "_healpix_29": healpix29(ra, dec),
            "tract": pa.array(np.full(n_obj, number, np.int32)),
        }
    )


def footers(root, records):
    return ((record.path, pq.read_metadata(root / record.path)) for record in records)


def write_parts(root, parts, number):
    return [write_partition(rows, root, part_path(*pixel, f"tract_{number}")) for pixel, rows in parts.items()]


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    root = tmp_path_factory.mktemp("release")
    records = {"pz": [], "pz_margin": []}
    for number in (10, 11, 12):
        table = tract(number)
        records["pz"] += write_parts(root / "pz", split_by_pixels(table, PIXELS), number)
        records["pz_margin"] += write_parts(root / "pz_margin", margin_rows(table, PIXELS, RADIUS), number)
    schema = tract(10).schema
    for name, margin in (("pz", None), ("pz_margin", MarginOf("pz", RADIUS))):
        parts = records[name]
        finish_dataset(
            root / name, parts, table=name, schema=schema, margin=margin, footers=footers(root / name, parts)
        )
    write_collection(root, name="release", primary="pz", margins=["pz_margin"])
    return root


def test_reader_reads_directories(release):
    catalog = open_catalog(release)
    assert catalog.format == "hats"
    assert catalog.n_rows == 1200
    several = [part for part in catalog.partitions if len(list(part.path.glob("*.parquet"))) > 1]
    assert several, "some pixels hold rows of two tracts"
    assert sum(part.n_rows for part in catalog.partitions) == 1200
    for part in several:
        rows = part.read()
        assert rows.num_rows == part.n_rows
        assert np.all(rows["_healpix_29"].to_numpy() >> 2 * (29 - part.order) == part.pixel)
    ids = np.concatenate([batch.column("objectId").to_numpy() for batch in catalog.batches(["objectId"], 100)])
    assert np.unique(ids).size == ids.size == 1200
    assert catalog.read(["objectId"], start=500, stop=700).num_rows == 200


def test_metadata_lists_every_row(release):
    metadata = pq.read_metadata(release / "pz" / "dataset" / "_metadata")
    assert metadata.num_rows == 1200
    assert metadata.schema.to_arrow_schema().equals(tract(10).schema)
    paths = {metadata.row_group(i).column(0).file_path for i in range(metadata.num_row_groups)}
    assert all((release / "pz" / "dataset" / path).is_file() for path in paths)
    whole = pq.ParquetDataset(release / "pz" / "dataset" / "_common_metadata").schema
    assert whole.equals(tract(10).schema)


def test_manifest_and_hash(release):
    assert verify_manifest(release / "pz").n_rows == 1200
    records = Manifest.read(release / "pz").files
    assert [record.path for record in records if record.path.startswith("dataset/_")] == [
        "dataset/_common_metadata",
        "dataset/_metadata",
    ]
    one = content_hash(release / "pz")
    assert len(one) == 64
    assert one != content_hash(release / "pz_margin") != content_hash(release)


def test_hash_knows_the_rows_alone(release, tmp_path):
    """Order of writing, name of the catalogue and extra files do not enter; a changed row does."""

    def hash_of(directory, tracts, **options):
        root = tmp_path / directory
        parts = [r for t in tracts for r in write_parts(root, split_by_pixels(t, PIXELS), t["tract"][0].as_py())]
        finish_dataset(root, parts, table="pz", schema=tracts[0].schema, **options)
        return content_hash(root)

    tracts = [tract(number) for number in (12, 10, 11)]
    assert hash_of("other", tracts, name="another name") == content_hash(release / "pz")
    changed = tracts[0].set_column(0, "objectId", pa.array(tracts[0]["objectId"].to_numpy() + 1))
    assert hash_of("changed", [changed, *tracts[1:]]) != content_hash(release / "pz")
    with pytest.raises(NotFoundError, match="manifest"):
        content_hash(tmp_path / "other" / "dataset")


def test_companions_do_not_enter_the_hash():
    files = [FileRecord("pz/dataset/Norder=0/Dir=0/Npix=1.parquet", "a", 1, 1), FileRecord("pz/properties", "b", 1)]
    companion = FileRecord("pz_quality.parquet", "c", 1, 1)
    assert hash_of_records(files) == hash_of_records([*files, companion])
    assert hash_of_records([companion]) != hash_of_records([])


def test_mixed_layouts_and_schemas_are_refused(tmp_path):
    table = tract(10, 5)
    rows = next(iter(split_by_pixels(table, PIXELS).values()))
    one = write_partition(rows, tmp_path, part_path(4, 7, "tract_10"))
    two = write_partition(rows, tmp_path, "dataset/Norder=4/Dir=0/Npix=8.parquet")
    with pytest.raises(SchemaError, match="here are both"):
        finish_dataset(tmp_path, [one, two], table="pz", schema=table.schema)
    other = table.schema.with_metadata({"pz.z_max": "2"})
    with pytest.raises(SchemaError, match=r"Npix=7/tract_10.parquet does not fit the catalogue"):
        finish_dataset(tmp_path, [one], table="pz", schema=other, footers=footers(tmp_path, [one]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_lsdb_opens_it_with_its_margin_and_matches_across_pixels(release):
    lsdb = pytest.importorskip("lsdb")
    catalog = lsdb.open_catalog(release)
    assert len(catalog) == 1200
    assert catalog.margin is not None
    assert catalog.margin.hc_structure.catalog_info.margin_threshold == RADIUS
    frame = catalog.compute()
    assert frame["objectId"].is_unique
    assert set(frame["tract"]) == {10, 11, 12}
    matched = catalog.crossmatch(catalog, n_neighbors=1, radius_arcsec=1, suffixes=("_1", "_2")).compute()
    assert len(matched) == 1200
    assert (matched["objectId_1"] == matched["objectId_2"]).all()
