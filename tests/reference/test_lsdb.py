"""LSDB and hats take our catalogues for their own.

The packages are the reference for what a HATS catalogue is; nothing here is compared with a tolerance.
"""

import logging
import re
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import convert, data_path, finish_dataset, make_skinny, open_catalog, write_partition
from pzcenter.catalogs.densities import code_column
from pzcenter.schema import arrow_schema

pytestmark = pytest.mark.reference

with warnings.catch_warnings():
    # Deprecations inside the packages of the stack are not ours to fail on.
    warnings.simplefilter("ignore")
    hats = pytest.importorskip("hats", reason="hats is not installed (extra 'lsdb')")
    lsdb = pytest.importorskip("lsdb", reason="lsdb is not installed (extra 'lsdb')")

N_ROWS = 4_000


@pytest.fixture(scope="module")
def skinny(tmp_path_factory):
    root = tmp_path_factory.mktemp("hats")
    rng = np.random.default_rng(11)
    columns = {
        "objectId": rng.permutation(N_ROWS),
        "coord_ra": rng.uniform(355, 365, N_ROWS) % 360,
        "coord_dec": rng.uniform(-5, 5, N_ROWS),
        "ebv": rng.uniform(0, 0.1, N_ROWS),
    }
    for band in "ugrizy":
        columns[f"{band}_cModelFlux"] = rng.lognormal(6, 1, N_ROWS)
        columns[f"{band}_cModelFluxErr"] = rng.uniform(5, 20, N_ROWS)
    pq.write_table(pa.table(columns), root / "object.parquet")
    make_skinny(root / "object.parquet", root / "skinny", rows_per_partition=600)
    return root / "skinny"


@pytest.fixture(scope="module")
def pz_pdf(skinny, tmp_path_factory):
    """Packed densities on the partitions of the skinny table."""
    root = tmp_path_factory.mktemp("pdf") / "pz_pdf"
    names = ["objectId", "ra", "dec", "_healpix_29"]
    schema = arrow_schema("pz_pdf", columns=[*names, "pdf_code", "pdf_max"], sizes={"pdf_code": 21})
    grid = {"pz.encoding": "u8sqrt", "pz.z_min": "0.0", "pz.z_max": "2.0", "pz.n_z": "21"}
    records = []
    for partition in open_catalog(skinny).partitions:
        rows = partition.read(names)
        code = np.tile(np.arange(21, dtype=np.uint8), rows.num_rows)
        arrays = {name: rows[name].combine_chunks() for name in names}
        arrays["pdf_code"] = code_column(code.reshape(-1, 21))
        arrays["pdf_max"] = pa.array(np.ones(rows.num_rows, dtype=np.float32))
        table = pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema.with_metadata(grid))
        records.append(write_partition(table, root, data_path(partition.name)))
    finish_dataset(root, records, table="pz_pdf", schema=table.schema)
    return root


@pytest.fixture(autouse=True)
def quiet():
    """Warnings of the stack are about its own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", ["skinny", "pz_pdf"])
def test_valid_by_the_strict_rules(name, request, caplog):
    from hats.io.validation import is_valid_catalog

    with caplog.at_level(logging.WARNING):
        assert is_valid_catalog(request.getfixturevalue(name), strict=True)
    # _metadata is optional in HATS v1.0 and left out on purpose.
    assert [record.getMessage() for record in caplog.records] == ["_metadata file does not exist."]


def test_properties(skinny):
    catalog = hats.read_hats(skinny)
    assert catalog.catalog_info.total_rows == N_ROWS
    assert (catalog.catalog_info.ra_column, catalog.catalog_info.dec_column) == ("ra", "dec")
    ours = {(partition.order, partition.pixel) for partition in open_catalog(skinny).partitions}
    assert {(pixel.order, pixel.pixel) for pixel in catalog.get_healpix_pixels()} == ours


def test_opens_with_all_rows(skinny):
    frame = lsdb.open_catalog(skinny, columns="all").compute()
    table = open_catalog(skinny).read()
    assert len(frame) == N_ROWS
    frame = frame.sort_values("objectId")
    ours = table.sort_by("objectId")
    np.testing.assert_array_equal(frame["objectId"], ours["objectId"].to_numpy())
    np.testing.assert_array_equal(frame["flux_r"].to_numpy(dtype=np.float32), ours["flux_r"].to_numpy())


def test_cone_search(skinny):
    from pzcenter.science.sky import angular_separation

    found = lsdb.open_catalog(skinny).cone_search(ra=0.0, dec=1.0, radius_arcsec=3_600).compute()
    table = open_catalog(skinny).read(["objectId", "ra", "dec"])
    inside = angular_separation(table["ra"].to_numpy(), table["dec"].to_numpy(), 0.0, 1.0) < 1.0
    assert set(found["objectId"]) == set(table["objectId"].to_numpy()[inside])


def test_crossmatch_with_itself(skinny):
    catalog = lsdb.open_catalog(skinny, columns=["objectId", "ra", "dec"])
    matched = catalog.crossmatch(
        catalog, radius_arcsec=0.1, suffixes=("_a", "_b"), suffix_method="all_columns"
    ).compute()
    assert len(matched) == N_ROWS
    assert (matched["objectId_a"] == matched["objectId_b"]).all()


def test_packed_densities_survive(pz_pdf):
    frame = lsdb.open_catalog(pz_pdf, columns=["objectId", "pdf_code", "pdf_max"]).compute()
    assert len(frame) == N_ROWS
    np.testing.assert_array_equal(np.frombuffer(frame["pdf_code"].iloc[0], np.uint8), np.arange(21))


def test_what_lsdb_writes_is_read(skinny, tmp_path):
    lsdb.open_catalog(skinny).write_catalog(tmp_path / "theirs", catalog_name="theirs")
    catalog = open_catalog(tmp_path / "theirs")
    assert (catalog.format, catalog.n_rows) == ("hats", N_ROWS)
    ours, theirs = (c.read(["objectId", "flux_g"]).sort_by("objectId") for c in (open_catalog(skinny), catalog))
    np.testing.assert_array_equal(ours["flux_g"].to_numpy(), theirs["flux_g"].to_numpy())
    assert sum(partition.read(["objectId"]).num_rows for partition in catalog.partitions) == N_ROWS


def test_converted_catalogue_is_valid(skinny, tmp_path):
    from hats.io.validation import is_valid_catalog

    convert(skinny, tmp_path / "flat.parquet")
    convert(tmp_path / "flat.parquet", tmp_path / "again", "hats")
    assert is_valid_catalog(tmp_path / "again", strict=True)


def test_examples_of_the_page(skinny, monkeypatch, capsys):
    page = Path(__file__).parents[2] / "docs" / "how-to" / "open-the-pz-table-in-lsdb.md"
    monkeypatch.chdir(skinny.parent)
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(compile(example, page.name, "exec"), names)
    assert len(names["pairs"]) >= N_ROWS
    assert (skinny.parent / "skinny.parquet").exists()
