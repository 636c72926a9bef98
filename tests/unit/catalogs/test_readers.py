"""Every reader gives the same rows, and says clearly what it cannot read."""

import gzip
import pickle

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from pzcenter.catalogs import format_names, open_catalog, reader_for
from pzcenter.errors import ColumnError, EmptyTableError, FileFormatError, NotFoundError, SchemaError

N_ROWS = 1_000


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(1)
    return pa.table(
        {
            "objectId": np.arange(N_ROWS) + 2**60,
            "ra": rng.uniform(0, 360, N_ROWS),
            "flux": rng.normal(size=N_ROWS).astype(np.float32),
            "tract": rng.integers(0, 9, N_ROWS).astype(np.int32),
            "primary": rng.random(N_ROWS) < 0.5,
            "name": [f"object {i % 7}" for i in range(N_ROWS)],
        }
    )


def write_as(kind: str, table: pa.Table, directory):
    if kind == "parquet":
        pq.write_table(table, directory / "t.parquet", row_group_size=300)
        return directory / "t.parquet"
    if kind == "parquet_directory":
        root = directory / "tracts"
        root.mkdir()
        for index in range(4):
            pq.write_table(table.slice(index * 250, 250), root / f"tract-{index}.parquet")
        return root
    if kind in {"fits", "fits.gz"}:
        columns = {name: np.asarray(table[name].to_numpy()) for name in table.column_names}
        columns["name"] = columns["name"].astype("S8")
        made = Table(columns)
        made["ra"].unit = "deg"
        made.write(directory / f"t.{kind}")
        return directory / f"t.{kind}"
    if kind == "hdf5":
        with h5py.File(directory / "t.hdf5", "w") as file:
            for name in table.column_names:
                values = table[name].to_numpy()
                file[f"photometry/{name}"] = values.astype("S8") if name == "name" else values
        return directory / "t.hdf5"
    pa_csv.write_csv(table, directory / "t.csv")
    if kind == "csv.gz":
        (directory / "t.csv.gz").write_bytes(gzip.compress((directory / "t.csv").read_bytes()))
        return directory / "t.csv.gz"
    return directory / "t.csv"


KINDS = ["parquet", "parquet_directory", "fits", "fits.gz", "hdf5", "csv", "csv.gz"]


@pytest.fixture(scope="module", params=KINDS)
def catalog(request, table, tmp_path_factory):
    return open_catalog(write_as(request.param, table, tmp_path_factory.mktemp(request.param.replace(".", "_"))))


def test_reads_what_was_written(catalog, table):
    read = catalog.read(table.column_names)
    assert read.column_names == table.column_names
    for name in table.column_names:
        if pa.types.is_float32(table[name].type):
            np.testing.assert_array_equal(read[name].to_numpy().astype(np.float32), table[name].to_numpy())
        else:
            assert read[name].to_pylist() == table[name].to_pylist()


def test_batches_are_bounded_and_in_order(catalog, table):
    batches = list(catalog.batches(["objectId", "flux"], 64))
    assert max(batch.num_rows for batch in batches) <= 64
    assert all(batch.num_rows for batch in batches)
    assert all(batch.schema.names == ["objectId", "flux"] for batch in batches)
    assert pa.Table.from_batches(batches)["objectId"].to_pylist() == table["objectId"].to_pylist()


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (295, 305), (749, 1000), (500, None), (990, 2000)])
def test_row_ranges(catalog, table, start, stop):
    read = catalog.read(["objectId"], start=start, stop=stop)
    assert read["objectId"].to_pylist() == table["objectId"].to_pylist()[start:stop]


def test_partitions_hold_each_row_once_from_another_process(catalog, table):
    partitions = pickle.loads(pickle.dumps(catalog.partitions))
    assert len({partition.name for partition in partitions}) == len(partitions)
    ids = [value for partition in partitions for value in partition.read(["objectId"])["objectId"].to_pylist()]
    assert ids == table["objectId"].to_pylist()
    assert sum(partition.n_rows for partition in partitions) == N_ROWS
    assert catalog.partitions == open_catalog(catalog.path).partitions


def test_knows_rows_without_reading(catalog):
    assert catalog.n_rows == N_ROWS
    assert str(N_ROWS) in repr(catalog)


def test_missing_column_names_the_nearest(catalog):
    with pytest.raises(ColumnError, match=r"no column 'Flux' \(nearest: flux\)"):
        catalog.batches(["objectId", "Flux"])


def test_units_come_from_fits_and_hdf5(table, tmp_path):
    catalog = open_catalog(write_as("fits", table, tmp_path))
    assert catalog.schema.field("ra").metadata == {b"unit": b"deg"}
    with h5py.File(tmp_path / "u.hdf5", "w") as file:
        file["flux"] = [1.0]
        file["flux"].attrs["unit"] = "nJy"
    assert open_catalog(tmp_path / "u.hdf5").schema.field("flux").metadata == {b"unit": b"nJy"}


def test_registry():
    assert format_names() == ["csv", "fits", "hats", "hdf5", "parquet", "parquet_directory"]
    with pytest.raises(NotFoundError, match="accepted are"):
        reader_for("votable")


class TestParquet:
    def test_cut_short(self, table, tmp_path):
        path = write_as("parquet", table, tmp_path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(FileFormatError, match="damaged or cut short"):
            open_catalog(path)

    def test_damaged_inside(self, table, tmp_path):
        path = write_as("parquet", table, tmp_path)
        content = bytearray(path.read_bytes())
        content[100:2000] = b"\xff" * 1900
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="cannot be read"):
            open_catalog(path).read()

    def test_doubled_names(self, tmp_path):
        pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "t.parquet")
        with pytest.raises(ColumnError, match="several columns of the same name: a"):
            open_catalog(tmp_path / "t.parquet")

    def test_no_rows(self, table, tmp_path):
        pq.write_table(table.slice(0, 0), tmp_path / "t.parquet")
        with pytest.raises(EmptyTableError, match="6 columns and no rows"):
            open_catalog(tmp_path / "t.parquet")

    def test_directory_brings_files_to_one_type(self, table, tmp_path):
        root = write_as("parquet_directory", table, tmp_path)
        wider = table.slice(750).set_column(2, "flux", table["flux"].slice(750).cast(pa.float64()))
        pq.write_table(wider.select(wider.column_names[::-1]), root / "tract-3.parquet")
        assert open_catalog(root).read()["flux"].to_pylist() == table["flux"].to_pylist()

    def test_directory_names_the_file_that_differs(self, table, tmp_path):
        root = write_as("parquet_directory", table, tmp_path)
        pq.write_table(table.slice(0, 5).drop_columns("flux"), root / "tract-2.parquet")
        with pytest.raises(ColumnError, match=r"tract-2\.parquet has no column 'flux'"):
            open_catalog(root).read()
        text = table.slice(0, 5).set_column(2, "flux", pa.array(["a"] * 5))
        pq.write_table(text, root / "tract-2.parquet")
        with pytest.raises(SchemaError, match=r"tract-2\.parquet"):
            open_catalog(root).read()

    def test_directory_without_tables(self, tmp_path):
        with pytest.raises(FileFormatError, match="directory without Parquet files"):
            open_catalog(tmp_path)

    def test_unfinished_and_hidden_files_are_left_out(self, table, tmp_path):
        root = write_as("parquet_directory", table, tmp_path)
        (root / ".tmp").mkdir()
        (root / ".tmp" / "1-x.parquet").write_bytes(b"PAR1")
        assert open_catalog(root).n_rows == N_ROWS


class TestFits:
    def test_scaled_and_missing_numbers(self, tmp_path):
        shifted = fits.Column("u2", "I", array=np.array([1, 2, 40_000], np.uint16), bzero=32768)
        scaled = fits.Column("scaled", "J", array=np.array([0, 2, 4]))
        null = fits.Column("null", "J", array=np.array([7, -99, 9]), null=-99)
        vector = fits.Column("vector", "3E", array=np.arange(9.0).reshape(3, 3))
        lists = fits.Column("lists", "PJ()", array=np.array([[1], [2, 3], [4]], dtype=object))
        after = fits.Column("after", "D", array=np.array([1.5, 2.5, 3.5]))
        fits.BinTableHDU.from_columns([shifted, scaled, null, vector, lists, after]).writeto(tmp_path / "t.fits")
        for key, value in (("TSCAL2", 0.5), ("TZERO2", 1.0)):
            fits.setval(tmp_path / "t.fits", key, value=value, ext=1)
        catalog = open_catalog(tmp_path / "t.fits")
        assert catalog.column_names == ["u2", "scaled", "null", "vector", "after"]
        assert catalog.read().to_pydict() == {
            "u2": [1, 2, 40_000],
            "scaled": [1.0, 2.0, 3.0],
            "null": [7, None, 9],
            "vector": [[0, 1, 2], [3, 4, 5], [6, 7, 8]],
            "after": [1.5, 2.5, 3.5],
        }

    def test_cut_short(self, table, tmp_path):
        path = write_as("fits", table, tmp_path)
        path.write_bytes(path.read_bytes()[:-6000])
        with pytest.raises(FileFormatError, match="cut short"):
            open_catalog(path)

    def test_image_only(self, tmp_path):
        fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
        with pytest.raises(FileFormatError, match="no binary table"):
            open_catalog(tmp_path / "image.fits")

    def test_extension_by_name(self, tmp_path):
        one = fits.BinTableHDU(Table({"a": [1]}), name="ONE")
        two = fits.BinTableHDU(Table({"b": [2, 3]}), name="TWO")
        fits.HDUList([fits.PrimaryHDU(), one, two]).writeto(tmp_path / "t.fits")
        assert open_catalog(tmp_path / "t.fits").column_names == ["a"]
        catalog = open_catalog(tmp_path / "t.fits", group="TWO")
        assert catalog.partitions[0].read().to_pydict() == {"b": [2, 3]}
        with pytest.raises(NotFoundError, match="no binary table 'THREE'"):
            open_catalog(tmp_path / "t.fits", group="THREE")


class TestHdf5:
    def test_flat_compound_and_chosen_group(self, tmp_path):
        with h5py.File(tmp_path / "flat.h5", "w") as file:
            file["a"], file["b"] = [1, 2], np.array([[1.0, 2.0], [3.0, 4.0]])
        assert open_catalog(tmp_path / "flat.h5").read().to_pydict() == {"a": [1, 2], "b": [[1.0, 2.0], [3.0, 4.0]]}
        with h5py.File(tmp_path / "compound.h5", "w") as file:
            file["data/table"] = np.array([(1, 2.5), (3, 4.5)], dtype=[("id", "i8"), ("flux", "f4")])
        assert open_catalog(tmp_path / "compound.h5").read(["flux"]).to_pydict() == {"flux": [2.5, 4.5]}
        with h5py.File(tmp_path / "two.h5", "w") as file:
            file["one/a"], file["two/a"] = [1], [2, 3]
        with pytest.raises(FileFormatError, match="several tables, in "):
            open_catalog(tmp_path / "two.h5")
        catalog = open_catalog(tmp_path / "two.h5", group="two")
        assert catalog.partitions[0].read().to_pydict() == {"a": [2, 3]}

    def test_columns_of_different_length(self, tmp_path):
        with h5py.File(tmp_path / "t.h5", "w") as file:
            file["a"], file["b"] = [1, 2], [1]
        with pytest.raises(FileFormatError, match="must be of one length"):
            open_catalog(tmp_path / "t.h5")

    def test_cut_short(self, table, tmp_path):
        path = write_as("hdf5", table, tmp_path)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(FileFormatError, match="damaged or cut short"):
            open_catalog(path)


class TestCsv:
    def read(self, path, content: bytes) -> dict:
        path.write_bytes(content)
        return open_catalog(path).read().to_pydict()

    @pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
    @pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["unix", "windows"])
    def test_delimiters_and_byte_order_marks(self, tmp_path, delimiter, mark, end):
        lines = [b"id" + delimiter + b"flux", b"1" + delimiter + b"2.5", b"2" + delimiter]
        read = self.read(tmp_path / "t.csv", mark + end.join(lines) + end)
        assert read == {"id": [1, 2], "flux": [2.5, None]}

    def test_empty_column_counts_as_numbers(self, tmp_path):
        assert open_catalog(self._write(tmp_path, b"id,z\n1,\n2,\n")).schema.field("z").type == pa.float64()

    def test_whole_numbers_then_fractions(self, tmp_path, monkeypatch):
        monkeypatch.setattr("pzcenter.catalogs.readers.csv.BLOCK_BYTES", 64)
        rows = b"".join(b"%d,%d\n" % (i, i) for i in range(20)) + b"20,0.5\n"
        catalog = open_catalog(self._write(tmp_path, b"id,flux\n" + rows))
        assert catalog.schema.field("id").type == pa.int64()
        assert catalog.read()["flux"].to_pylist()[-1] == 0.5
        assert catalog.n_rows == 21

    def test_commented_header(self, tmp_path):
        assert self.read(tmp_path / "t.csv", b"# made by hand\n# id,flux\n1,2.5\n") == {"id": [1], "flux": [2.5]}
        assert self.read(tmp_path / "u.csv", b"# made by hand\nid,flux\n1,2.5\n") == {"id": [1], "flux": [2.5]}

    def _write(self, directory, content: bytes):
        (directory / "t.csv").write_bytes(content)
        return directory / "t.csv"

    @pytest.mark.parametrize(
        ("content", "error", "message"),
        [
            (b"id;mag\n1;23,5\n", FileFormatError, "decimal comma"),
            (b"id,mag\n1,23,5\n", FileFormatError, "decimal comma"),
            (b"1,23.5\n2,24.5\n", FileFormatError, "no header line"),
            (b"id mag\n1 23.5\n", FileFormatError, "no delimiter"),
            (b"id,mag,mag\n1,2,3\n", ColumnError, "same name: mag"),
            (b"id,mag\n", EmptyTableError, "no rows"),
            (b"", FileFormatError, "empty"),
            (b"\n", FileFormatError, "empty|no"),
            ("id,mag\n1,2\n".encode("utf-16"), FileFormatError, "UTF-16"),
        ],
    )
    def test_bad_files(self, tmp_path, content, error, message):
        with pytest.raises(error, match=message):
            open_catalog(self._write(tmp_path, content)).read()

    def test_cut_short_gzip(self, tmp_path):
        whole = gzip.compress(b"id,flux\n" + b"".join(b"%d,0.5\n" % i for i in range(50_000)))
        (tmp_path / "t.csv.gz").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(FileFormatError, match=r"t\.csv\.gz"):
            open_catalog(tmp_path / "t.csv.gz").read()


class TestSniff:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(NotFoundError, match="no file or directory"):
            open_catalog(tmp_path / "absent.parquet")

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("t.parquet", b"", "empty"),
            ("t.parquet", b"hello, world\n", "named as parquet, and holds"),
            ("t.parquet", b"SIMPLE  =   T", "named as parquet, and holds fits"),
            ("t.fits", b"\x89HDF\r\n\x1a\n", "named as fits, and holds hdf5"),
            ("t.zip", b"PK\x03\x04....", "ZIP archive"),
            ("t.xml", b"<?xml version", "VOTable"),
            ("t.pkl", b"\x80\x04\x95....", "pickle"),
        ],
    )
    def test_says_what_was_found(self, tmp_path, name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=message):
            open_catalog(tmp_path / name)
