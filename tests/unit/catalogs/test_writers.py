"""Partitions are written whole or not at all, the same rows to the same bytes, and what is written is known."""

import errno
import hashlib
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import (
    FileRecord,
    Journal,
    Manifest,
    data_path,
    finish_dataset,
    merge_to_parquet,
    open_catalog,
    verify_manifest,
    write_partition,
)
from pzcenter.catalogs.storage import HashingFile, atomic_file, atomic_path, write_text_atomically
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import ChecksumError, FileFormatError, NotFoundError, OutputExistsError, SchemaError, StorageError
from pzcenter.science.sky import healpix29, healpix_at_order


@pytest.fixture
def table() -> pa.Table:
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(10, 20, 2_000), rng.uniform(-5, 5, 2_000)
    pixel = np.sort(healpix29(ra, dec))
    return pa.table(
        {
            "objectId": rng.permutation(2_000) + 100,
            "ra": ra,
            "dec": dec,
            "_healpix_29": pixel,
            "z_best": rng.random(2_000).astype(np.float32),
            "flags": rng.integers(0, 3, 2_000).astype(np.uint32),
            "pdf_code": pa.FixedSizeListArray.from_arrays(
                pa.array(rng.integers(0, 9, 20_000).astype(np.uint8)),
                type=pa.list_(pa.field("element", pa.uint8()), 10),
            ),
        }
    ).replace_schema_metadata({"pz.n_z": "10"})


@pytest.fixture
def dataset(table, tmp_path):
    cell = healpix_at_order(table["_healpix_29"].to_numpy(), 3)
    root = tmp_path / "pz"
    records = [
        write_partition(table.filter(pa.array(cell == pixel)), root, data_path(f"Norder=3/Npix={pixel}"))
        for pixel in np.unique(cell)
    ]
    finish_dataset(root, records, table="pz", schema=table.schema)
    return root


class TestPartition:
    def test_record_is_true(self, table, tmp_path):
        record = write_partition(table, tmp_path, "part-00000.parquet")
        content = (tmp_path / record.path).read_bytes()
        assert record == FileRecord(
            "part-00000.parquet", hashlib.sha256(content).hexdigest(), len(content), 2_000, 100, 2_099
        )

    def test_rows_metadata_and_types_come_back(self, table, tmp_path):
        write_partition(table, tmp_path, "t.parquet")
        read = pq.read_table(tmp_path / "t.parquet")
        assert read.equals(table)
        assert read.schema.metadata[b"pz.n_z"] == b"10"

    def test_same_rows_same_bytes(self, table, tmp_path):
        chunked = pa.concat_tables([table.slice(0, 700), table.slice(700)])
        first = write_partition(table, tmp_path, "a.parquet")
        assert write_partition(chunked, tmp_path, "b.parquet").sha256 == first.sha256

    def test_settings(self, table, tmp_path):
        write_partition(table, tmp_path, "t.parquet")
        group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
        columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
        assert {column.compression for column in columns.values()} == {"ZSTD"}
        assert "BYTE_STREAM_SPLIT" in columns["z_best"].encodings
        assert "DELTA_BINARY_PACKED" in columns["_healpix_29"].encodings
        assert columns["flags"].has_dictionary_page
        assert columns["objectId"].statistics.min == 100
        assert group.sorting_columns[0].column_index == 3
        assert parquet_options(table.schema)["compression_level"] == 3

    def test_empty_table(self, table, tmp_path):
        record = write_partition(table.slice(0, 0), tmp_path, "t.parquet")
        assert (record.n_rows, record.id_min, record.id_max) == (0, None, None)

    @pytest.mark.parametrize("refusal", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_no_space_leaves_nothing(self, table, tmp_path, monkeypatch, refusal):
        def refuse(_self, _data):
            raise OSError(refusal, os.strerror(refusal))

        monkeypatch.setattr(HashingFile, "write", refuse)
        with pytest.raises(StorageError, match=r"cannot write .*t\.parquet: ") as caught:
            write_partition(table, tmp_path, "t.parquet")
        assert caught.value.errno == refusal
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_interrupt_leaves_the_old_file(self, tmp_path):
        write_text_atomically(tmp_path / "t.txt", "old")

        def interrupted():
            with atomic_file(tmp_path / "t.txt") as sink:
                sink.write(b"half of the ne")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("t.txt", "old")]

    def test_library_that_opens_files_itself(self, tmp_path):
        def failing():
            with atomic_path(tmp_path / "t.bin") as path:
                path.write_bytes(b"half")
                raise OSError(errno.ENOSPC, "no space")

        with pytest.raises(StorageError, match="no space left on the device"):
            failing()
        assert list(tmp_path.iterdir()) == []

    def test_other_errors_stay_what_they_are(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(NotADirectoryError):
            write_text_atomically(tmp_path / "file" / "t.txt", "x")


class TestDataset:
    def test_is_read_as_hats(self, dataset, table):
        catalog = open_catalog(dataset)
        assert (catalog.format, catalog.n_rows, catalog.position_columns) == ("hats", 2_000, ("ra", "dec"))
        pixel = catalog.read(["_healpix_29"])["_healpix_29"].to_numpy()
        np.testing.assert_array_equal(pixel, table["_healpix_29"].to_numpy())
        assert sum(partition.n_rows for partition in catalog.partitions) == 2_000
        assert all(partition.name.startswith("Norder=3/Npix=") for partition in catalog.partitions)
        assert not (dataset / ".tmp").exists()

    def test_nothing_in_it_depends_on_the_time(self, dataset, table, tmp_path):
        again = tmp_path / "again"
        records = [
            write_partition(partition.read(), again, data_path(partition.name))
            for partition in reversed(open_catalog(dataset).partitions)
        ]
        finish_dataset(again, records, table="pz", schema=table.schema, name="pz")
        assert (again / "manifest.json").read_bytes() == (dataset / "manifest.json").read_bytes()

    def test_verify(self, dataset):
        manifest = verify_manifest(dataset)
        assert (manifest.table, manifest.n_rows) == ("pz", 2_000)
        assert manifest == Manifest.read(dataset)

    def test_verify_names_what_changed(self, dataset):
        first, second, third, *_ = sorted((dataset / "dataset").rglob("*.parquet"))
        content = bytearray(first.read_bytes())
        content[50] ^= 1
        first.write_bytes(content)
        second.write_bytes(second.read_bytes()[:-1])
        third.rename(third.with_name("other.parquet"))
        with pytest.raises(ChecksumError) as caught:
            verify_manifest(dataset)
        message = str(caught.value)
        assert f"{first.name} has SHA-256" in message
        assert f"{second.name} has {second.stat().st_size} bytes" in message
        assert f"{third.name} is missing" in message
        assert "other.parquet is not in the manifest" in message

    def test_manifest_that_cannot_be_read(self, tmp_path):
        with pytest.raises(NotFoundError, match=r"no manifest\.json"):
            Manifest.read(tmp_path)
        (tmp_path / "manifest.json").write_text('{"format": "pzcenter-manifest", "version": 99, "files": []}')
        with pytest.raises(FileFormatError, match="version 99"):
            Manifest.read(tmp_path)
        (tmp_path / "manifest.json").write_text('{"format"')
        with pytest.raises(FileFormatError, match="damaged"):
            Manifest.read(tmp_path)

    def test_hats_needs_pixels_and_positions(self, dataset, table):
        records = [record for record in Manifest.read(dataset).files if record.n_rows]
        with pytest.raises(SchemaError, match="needs the columns"):
            finish_dataset(dataset, records, table="pz", schema=table.drop_columns("ra").schema)

    def test_collection(self, dataset, table):
        (dataset.parent / "collection.properties").write_text("#c\nhats_primary_table_url=pz\n")
        assert open_catalog(dataset.parent).n_rows == 2_000
        (dataset.parent / "collection.properties").write_text("hats_primary_table_url=elsewhere\n")
        with pytest.raises(FileFormatError, match="elsewhere"):
            open_catalog(dataset.parent)

    def test_missing_pixel_is_named(self, dataset):
        lost = open_catalog(dataset).partitions[1]
        lost.path.unlink()
        with pytest.raises(FileFormatError, match=rf"Norder=3, Npix={lost.pixel} is listed"):
            open_catalog(dataset).read()

    def test_damaged_list_of_pixels(self, dataset):
        (dataset / "partition_info.csv").write_text("Norder\n3\n")
        with pytest.raises(FileFormatError, match="Norder and Npix"):
            open_catalog(dataset)
        (dataset / "partition_info.csv").unlink()
        with pytest.raises(FileFormatError, match="not complete"):
            open_catalog(dataset)


class TestMerge:
    def test_one_file(self, dataset, table, tmp_path):
        record = merge_to_parquet(dataset, tmp_path / "pz.parquet")
        read = pq.read_table(tmp_path / "pz.parquet")
        assert read.equals(table)
        assert read.schema.metadata[b"pz.n_z"] == b"10"
        assert (record.n_rows, record.id_min, record.id_max) == (2_000, 100, 2_099)
        assert record.sha256 == hashlib.sha256((tmp_path / "pz.parquet").read_bytes()).hexdigest()

    def test_keeps_what_is_there(self, dataset, tmp_path):
        (tmp_path / "pz.parquet").write_text("mine")
        with pytest.raises(OutputExistsError):
            merge_to_parquet(dataset, tmp_path / "pz.parquet")
        merge_to_parquet(dataset, tmp_path / "pz.parquet", columns=["z_best"], overwrite=True)
        assert pq.read_table(tmp_path / "pz.parquet").column_names == ["z_best"]


class TestJournal:
    def test_lines_come_back(self, tmp_path):
        journal = Journal(tmp_path / "deep" / "journal.jsonl")
        assert journal.entries() == []
        journal.append({"partition": "a", "n": 1})
        journal.append({"partition": "b"})
        assert journal.entries() == [{"partition": "a", "n": 1}, {"partition": "b"}]

    def test_line_cut_short_by_a_crash(self, tmp_path):
        journal = Journal(tmp_path / "journal.jsonl")
        journal.append({"n": 1})
        with journal.path.open("ab") as file:
            file.write(json.dumps({"n": 2}).encode()[:-3])
        assert journal.entries() == [{"n": 1}]
        journal.append({"n": 3})
        assert journal.entries() == [{"n": 1}, {"n": 3}]
