"""Whatever is converted comes back with the same rows, and unpromising conversions say why."""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table

from pzcenter.catalogs import (
    catalog_info,
    convert,
    finish_dataset,
    make_skinny,
    open_catalog,
    target_names,
    verify_manifest,
    write_partition,
)
from pzcenter.catalogs.densities import code_column, codes_of
from pzcenter.catalogs.exporters.qp import BATCH_ROWS, grid_of
from pzcenter.errors import (
    BandError,
    ColumnError,
    FileFormatError,
    GridError,
    NotFoundError,
    OutputExistsError,
    SchemaError,
    UsageError,
)
from pzcenter.schema import arrow_schema
from pzcenter.science.packing import pack_u8sqrt

N_ROWS = 800
Z_GRID = np.linspace(0, 3, 301)


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(8)
    whole = pa.array([None if i % 10 == 0 else i for i in range(N_ROWS)], pa.int32())
    table = pa.table(
        {
            "objectId": np.arange(N_ROWS),
            "ra": rng.uniform(0, 10, N_ROWS),
            "dec": rng.uniform(0, 10, N_ROWS),
            "flux": rng.normal(size=N_ROWS).astype(np.float32),
            "tract": whole,
            "flags": rng.integers(0, 2**32, N_ROWS).astype(np.uint32),
            "primary": rng.random(N_ROWS) < 0.5,
            "name": [f"naïve, {i}" for i in range(N_ROWS)],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rng.random(3 * N_ROWS)), 3),
        },
        schema=pa.schema(
            [
                ("objectId", pa.int64()),
                pa.field("ra", pa.float64(), metadata={"unit": "deg"}),
                pa.field("dec", pa.float64(), metadata={"unit": "deg"}),
                pa.field("flux", pa.float32(), metadata={"unit": "nJy"}),
                ("tract", pa.int32()),
                ("flags", pa.uint32()),
                ("primary", pa.bool_()),
                ("name", pa.string()),
                ("vector", pa.list_(pa.float64(), 3)),
            ]
        ),
    )
    pq.write_table(table, tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def write_pdf(root, n_rows=1_000):
    rng = np.random.default_rng(9)
    mean, width = rng.uniform(0.2, 2.5, n_rows), rng.uniform(0.02, 0.2, n_rows)
    pdf = np.exp(-0.5 * ((Z_GRID - mean[:, None]) / width[:, None]) ** 2)
    pdf /= np.trapezoid(pdf, Z_GRID, axis=1)[:, None]
    pdf[3] = np.nan
    code, row_max = pack_u8sqrt(pdf.astype(np.float32))
    schema = arrow_schema("pz_pdf", columns=["objectId", "pdf_code", "pdf_max"], sizes={"pdf_code": 301})
    grid = {"pz.encoding": "u8sqrt", "pz.z_min": "0.0", "pz.z_max": "3.0", "pz.n_z": "301"}
    arrays = [
        pa.array(np.arange(n_rows) + 50),
        code_column(code),
        pa.array(row_max),
    ]
    table = pa.Table.from_arrays(arrays, schema=schema.with_metadata({**schema.metadata, **grid}))
    record = write_partition(table, root, "part-00000.parquet")
    finish_dataset(root, [record], table="pz_pdf", schema=table.schema)
    return pdf


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.fits", "again.parquet"])
def test_round_trip(source, tmp_path, name):
    columns = [c for c in pq.read_table(source).column_names if "sv" not in name or c != "vector"]
    destination = tmp_path / f"out-{name}"
    report = convert(source, destination, columns=columns)
    assert report.n_rows == N_ROWS
    before, after = pq.read_table(source, columns=columns), open_catalog(destination).read()
    assert after.column_names == columns
    for column in columns:
        if column == "flux":
            np.testing.assert_array_equal(after[column].to_numpy().astype(np.float32), before[column].to_numpy())
        else:
            assert after[column].to_pylist() == before[column].to_pylist(), column


def test_hdf5(source, tmp_path):
    convert(source, tmp_path / "t.hdf5", "hdf5")
    after = open_catalog(tmp_path / "t.hdf5").read()
    before = pq.read_table(source)
    assert after["name"].to_pylist() == before["name"].to_pylist()
    assert after["vector"].to_pylist() == before["vector"].to_pylist()
    np.testing.assert_array_equal(np.isnan(after["tract"].to_numpy()), before["tract"].is_null().to_numpy())


def test_fits_as_astropy_reads_it(source, tmp_path):
    convert(source, tmp_path / "t.fits")
    with fits.open(tmp_path / "t.fits") as hdus:
        hdus.verify("exception")
    table = Table.read(tmp_path / "t.fits")
    before = pq.read_table(source)
    assert table["flux"].unit.to_string() == "nJy"
    np.testing.assert_array_equal(table["flags"], before["flags"].to_numpy())
    np.testing.assert_array_equal(table["tract"].mask, before["tract"].is_null().to_numpy())
    assert list(table["primary"]) == before["primary"].to_pylist()
    np.testing.assert_array_equal(table["vector"][5], before["vector"][5].as_py())


@pytest.mark.parametrize(
    ("name", "to"), [("t.csv.gz", None), ("t.fits", None), ("t.hdf5", "hdf5"), ("t.parquet", None)]
)
def test_same_rows_same_bytes(source, tmp_path, name, to):
    columns = ["objectId", "ra", "flux", "name"]
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        convert(source, tmp_path / run / name, to, columns=columns)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_hats(source, tmp_path):
    convert(source, tmp_path / "hats", "hats")
    catalog = open_catalog(tmp_path / "hats")
    assert (catalog.format, catalog.n_rows, catalog.position_columns) == ("hats", N_ROWS, ("ra", "dec"))
    pixel = catalog.read(["_healpix_29"])["_healpix_29"].to_numpy()
    assert np.all(np.diff(pixel) >= 0)
    read = catalog.read().sort_by("objectId").select(pq.read_table(source).column_names)
    assert read.to_pydict() == pq.read_table(source).to_pydict()
    verify_manifest(tmp_path / "hats")


def test_hats_without_positions(source, tmp_path):
    pq.write_table(pq.read_table(source, columns=["objectId"]), tmp_path / "ids.parquet")
    with pytest.raises(ColumnError, match="no positions"):
        convert(tmp_path / "ids.parquet", tmp_path / "hats", "hats")
    pq.write_table(pa.table({"ra": [1.0, np.nan], "dec": [0.0, 0.0]}), tmp_path / "nan.parquet")
    with pytest.raises(SchemaError, match="1 rows have no position"):
        convert(tmp_path / "nan.parquet", tmp_path / "hats", "hats")
    assert not (tmp_path / "hats").exists()


def test_rail_and_back(tmp_path):
    rng = np.random.default_rng(10)
    columns = {"objectId": np.arange(300)}
    for band in "gri":
        columns[f"flux_{band}"] = rng.normal(100, 80, 300).astype(np.float32)
        columns[f"flux_err_{band}"] = rng.uniform(5, 20, 300).astype(np.float32)
    columns["flux_i"][:5] = columns["flux_err_i"][:5] = np.nan
    columns["z_spec"] = rng.uniform(0, 2, 300)
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    make_skinny(tmp_path / "t.parquet", tmp_path / "skinny")
    convert(tmp_path / "skinny", tmp_path / "rail.hdf5", "rail")
    with h5py.File(tmp_path / "rail.hdf5") as file:
        assert sorted(file) == ["photometry"]
        assert {"id", "redshift", "mag_g_lsst", "mag_err_g_lsst"} <= set(file["photometry"])
        assert file["photometry/mag_g_lsst"].dtype == np.float32
    make_skinny(tmp_path / "rail.hdf5", tmp_path / "again")
    one, two = (open_catalog(tmp_path / name).read() for name in ("skinny", "again"))
    for band in "gri":
        flux = one[f"flux_{band}"].to_numpy()
        np.testing.assert_allclose(two[f"flux_{band}"].to_numpy(), np.where(flux <= 0, 0, flux), rtol=5e-6)
        np.testing.assert_allclose(two[f"flux_err_{band}"].to_numpy(), one[f"flux_err_{band}"].to_numpy(), rtol=5e-6)


def test_rail_needs_skinny_fluxes(source, tmp_path):
    with pytest.raises(BandError, match="skinny table"):
        convert(source, tmp_path / "rail.hdf5", "rail")
    assert not (tmp_path / "rail.hdf5").exists()


class TestQp:
    def test_layout_and_values(self, tmp_path):
        pdf = write_pdf(tmp_path / "pz_pdf")
        report = convert(tmp_path, tmp_path / "qp.hdf5", "qp")
        assert report.n_rows == 1_000
        with h5py.File(tmp_path / "qp.hdf5") as file:
            assert file["meta/pdf_name"][0] == b"interp"
            np.testing.assert_allclose(file["meta/xvals"][0], Z_GRID)
            np.testing.assert_array_equal(file["ancil/object_id"][()], np.arange(1_000) + 50)
            yvals, mode = file["data/yvals"][()], file["ancil/zmode"][()]
        there = np.isfinite(pdf[:, 0])
        # Half a step of the code at the maximum is 1/255 of it; the unit integral moves it a little more.
        assert np.abs(yvals[there] - pdf[there]).max() < 1.5 / 255 * pdf[there].max()
        assert np.isnan(yvals[3]).all()
        assert np.isnan(mode[3])
        np.testing.assert_allclose(mode[there], Z_GRID[np.argmax(pdf[there], axis=1)], atol=0.0101)

    def test_and_back_is_exact(self, tmp_path):
        write_pdf(tmp_path / "pz_pdf", BATCH_ROWS + 10)
        convert(tmp_path, tmp_path / "qp.hdf5", "qp")
        convert(tmp_path / "qp.hdf5", tmp_path / "again")
        one, two = (open_catalog(tmp_path / name).read() for name in ("pz_pdf", "again"))
        assert two["objectId"].equals(one["objectId"])
        difference = _codes(two).astype(int) - _codes(one)
        # The row maximum is rounded once more on the way, which can move a code by one.
        assert np.abs(difference).max() <= 1
        assert np.mean(difference != 0) < 1e-3
        np.testing.assert_array_equal(grid_of(open_catalog(tmp_path / "again").schema), Z_GRID)
        verify_manifest(tmp_path / "again")

    def test_what_cannot_be(self, source, tmp_path):
        with pytest.raises(SchemaError, match="pz_pdf"):
            convert(source, tmp_path / "qp.hdf5", "qp")
        with pytest.raises(SchemaError, match="no redshift grid"):
            grid_of(pa.schema([]))
        write_pdf(tmp_path / "pz_pdf")
        convert(tmp_path, tmp_path / "qp.hdf5", "qp")
        with pytest.raises(UsageError, match="becomes a pz_pdf table only"):
            convert(tmp_path / "qp.hdf5", tmp_path / "x.csv", "csv")
        with pytest.raises(UsageError, match="not a qp file"):
            convert(source, tmp_path / "x", "pz_pdf")
        with h5py.File(tmp_path / "qp.hdf5", "a") as file:
            file["meta/xvals"][0, 5] += 0.001
        with pytest.raises(GridError, match="need a uniform grid"):
            convert(tmp_path / "qp.hdf5", tmp_path / "x")
        with h5py.File(tmp_path / "qp.hdf5", "a") as file:
            file["meta/pdf_name"][0] = b"hist"
        with pytest.raises(FileFormatError, match="type 'hist'"):
            convert(tmp_path / "qp.hdf5", tmp_path / "x")


def _codes(table):
    return codes_of(table["pdf_code"])


class TestRefusals:
    def test_formats(self, source, tmp_path):
        assert target_names() == ["csv", "fits", "hats", "hdf5", "parquet", "pz_pdf", "qp", "rail", "votable"]
        with pytest.raises(NotFoundError, match="accepted are"):
            convert(source, tmp_path / "x", "idl")
        with pytest.raises(UsageError, match=r"not clear from its name; end it in one of \.csv"):
            convert(source, tmp_path / "x")

    def test_arrays_in_votable(self, tmp_path):
        kind = pa.list_(pa.float64(), 2)
        table = pa.table({"objectId": [1, 2, 3], "pair": pa.array([[0.5, None], None, [1.0, 2.0]], kind)})
        pq.write_table(table, tmp_path / "t.parquet")
        convert(tmp_path / "t.parquet", tmp_path / "t.vot")
        back = parse_single_table(tmp_path / "t.vot").array["pair"]
        np.testing.assert_array_equal(np.asarray(back[0]), [0.5, np.nan])
        np.testing.assert_array_equal(np.asarray(back[2]), [1.0, 2.0])
        assert back.mask[1].all()

    def test_arrays_in_text(self, source, tmp_path):
        with pytest.raises(ColumnError, match="'vector'"):
            convert(source, tmp_path / "t.csv")
        assert not (tmp_path / "t.csv").exists()

    def test_unknown_columns(self, source, tmp_path):
        with pytest.raises(ColumnError, match=r"'fluxx' \(nearest: flux\)"):
            convert(source, tmp_path / "t.csv", columns=["fluxx"])

    def test_what_is_there_stays(self, source, tmp_path):
        (tmp_path / "t.csv").write_text("mine")
        with pytest.raises(OutputExistsError):
            convert(source, tmp_path / "t.csv", columns=["flux"])
        convert(source, tmp_path / "t.csv", columns=["flux"], overwrite=True)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.tex").write_text("...")
        with pytest.raises(OutputExistsError, match="other content"):
            convert(source, tmp_path / "mine", "hats", overwrite=True)
        convert(source, tmp_path / "hats", "hats")
        convert(source, tmp_path / "hats", "hats", overwrite=True)


class TestInfo:
    def test_all_of_it(self, source):
        info = catalog_info(source)
        assert (info.format, info.n_rows, info.n_partitions, info.mapping) == ("parquet", N_ROWS, 1, None)
        assert "no mapping fits" in info.note
        assert info.columns[3].unit == "nJy"
        assert 0 < info.sky.ra_min < info.sky.ra_max < 10
        assert info.as_dict()["columns"][0]["name"] == "objectId"
        assert catalog_info(source, sky=False).sky is None

    @pytest.mark.parametrize(("ra", "expected"), [([359.0, 1.0, 2.0], (359.0, 2.0)), ([10.0, 200.0], (200.0, 10.0))])
    def test_sky_box_through_zero(self, tmp_path, ra, expected):
        pq.write_table(pa.table({"ra": ra, "dec": [0.0] * len(ra)}), tmp_path / "t.parquet")
        box = catalog_info(tmp_path / "t.parquet").sky
        assert (box.ra_min, box.ra_max) == expected

    def test_mapping_that_fits(self, tmp_path):
        columns = {"id": [1]}
        for band in "ugrizy":
            columns[f"mag_{band}_lsst"], columns[f"mag_err_{band}_lsst"] = [20.0], [0.1]
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
        info = catalog_info(tmp_path / "t.parquet")
        assert (info.mapping, info.bands, info.sky) == ("rail", tuple("ugrizy"), None)
