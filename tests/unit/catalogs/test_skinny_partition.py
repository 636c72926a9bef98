"""The skinny table of one partition: the rows of make_skinny, none lost."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import make_skinny, open_catalog
from pzcenter.catalogs.photometry import DEREDDENED_KEY
from pzcenter.catalogs.skinny_partition import columns_needed, skinny_partition
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import ColumnError, ConfigError, DuplicateIdError, EmptyTableError, SchemaError, UnitError
from pzcenter.schema import PZFlag, check_table

N_OBJ = 500
BANDS = "ugrizy"


def object_table(n_obj=N_OBJ, seed=1):
    rng = np.random.default_rng(seed)
    columns = {
        "objectId": rng.permutation(n_obj) + 100,
        "coord_ra": rng.uniform(359, 361, n_obj) % 360,
        "coord_dec": rng.uniform(-2, 0, n_obj),
        "tract": np.full(n_obj, 42),
        "ebv": rng.uniform(0, 0.1, n_obj),
        "refExtendedness": (rng.random(n_obj) < 0.9).astype(float),
        "detect_isPrimary": rng.random(n_obj) < 0.8,
    }
    for band in BANDS:
        columns[f"{band}_gaap1p0Flux"] = rng.lognormal(6, 1, n_obj) + rng.normal(0, 20, n_obj)
        columns[f"{band}_gaap1p0FluxErr"] = np.full(n_obj, 20.0)
    columns["g_gaap1p0FluxErr"][:5] = -1.0
    return pa.table({**columns, "a_column_of_a_thousand": np.zeros(n_obj)})


@pytest.fixture
def table():
    return object_table()


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def parquet_bytes(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **parquet_options(table.schema))
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("deredden", [True, False])
@pytest.mark.parametrize("cuts", [(), ("refExtendedness > 0.5",)], ids=["all rows", "a cut"])
def test_same_bytes_as_make_skinny(table, tmp_path, cuts, deredden):
    pq.write_table(table, tmp_path / "object.parquet")
    report = make_skinny(tmp_path / "object.parquet", tmp_path / "skinny", cuts=cuts, deredden=deredden)
    (partition,) = open_catalog(tmp_path / "skinny").partitions
    found = skinny_partition(table, cuts=cuts, deredden=deredden)
    assert parquet_bytes(found.table) == parquet_bytes(partition.read())
    assert (found.n_in, found.n_out, found.n_flagged) == (report.n_in, report.n_out, report.n_flagged)
    assert found.n_cut == {name: n for name, n in report.n_cut.items() if name != "no_position"}


def test_the_order_of_the_input_does_not_matter(table):
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(N_OBJ)))
    assert parquet_bytes(skinny_partition(table).table) == parquet_bytes(skinny_partition(shuffled).table)


def test_many_batches_are_one(table, monkeypatch):
    monkeypatch.setattr("pzcenter.catalogs.skinny_partition.BATCH_SIZE", 64)
    small = skinny_partition(table)
    monkeypatch.undo()
    assert parquet_bytes(small.table) == parquet_bytes(skinny_partition(table).table)


def test_every_object_has_a_row(table):
    found = skinny_partition(table)
    check_table(found.table, "skinny")
    assert (found.n_in, found.n_out, found.n_cut) == (N_OBJ, N_OBJ, {})
    assert sorted(found.table["objectId"].to_pylist()) == sorted(table["objectId"].to_pylist())
    assert np.all(np.diff(found.table["_healpix_29"].to_numpy()) >= 0)
    assert found.n_flagged["bad_error"] == 5
    assert found.report()["bands"] == list(BANDS)


def test_rows_of_a_cut_are_counted(table):
    found = skinny_partition(table, cuts=("detect_isPrimary == true",))
    n_primary = sum(table["detect_isPrimary"].to_pylist())
    assert (found.n_out, found.n_cut) == (n_primary, {"detect_isPrimary == true": N_OBJ - n_primary})


def test_only_the_needed_columns_are_asked_for(table):
    needed = columns_needed(table.column_names)
    assert "a_column_of_a_thousand" not in needed
    made = skinny_partition(table.select(list(needed)))
    assert parquet_bytes(made.table) == parquet_bytes(skinny_partition(table).table)
    # A cut needs its column; without cuts those of the mapping's own cuts are not read.
    assert "detect_isPrimary" not in needed
    assert "detect_isPrimary" in columns_needed(table.column_names, cuts=("detect_isPrimary == true",))


def test_tract_is_added_where_it_is_missing(table):
    found = skinny_partition(table.drop_columns(["tract"]), tract=7)
    assert set(found.table["tract"].to_pylist()) == {7}
    assert set(skinny_partition(table, tract=7).table["tract"].to_pylist()) == {42}


def test_a_band_that_was_not_observed_is_nan(table):
    for name in ("y_gaap1p0Flux", "y_gaap1p0FluxErr"):
        table = with_column(table, name, np.full(N_OBJ, np.nan))
    found = skinny_partition(table)
    assert np.isnan(found.table["flux_y"].to_numpy()).all()
    assert "y" in found.bands


def test_a_band_without_columns_has_none(table):
    found = skinny_partition(table.drop_columns(["y_gaap1p0Flux", "y_gaap1p0FluxErr"]))
    assert "flux_y" not in found.table.column_names
    assert found.bands == tuple("ugriz")
    assert any("bands y" in note for note in found.notes)


def test_metadata_say_whether_extinction_is_out(table):
    for deredden in (True, False):
        found = skinny_partition(table, deredden=deredden).table
        assert found.schema.metadata[DEREDDENED_KEY.encode()] == str(deredden).lower().encode()
        assert found.schema.metadata[b"pz.mapping"] == b"rubin_gaap"
    flags = found["flags"].to_numpy()
    assert np.all(flags & int(PZFlag.not_dereddened))


def test_bad_rows_are_named_errors(table):
    ids = table["objectId"].to_numpy().copy()
    ids[1] = ids[0]
    with pytest.raises(DuplicateIdError, match=f"tract 3: 1 object ids appear more than once, such as {ids[0]};"):
        skinny_partition(with_column(table, "objectId", ids), where="tract 3")
    dec = table["coord_dec"].to_numpy().copy()
    dec[:2] = np.nan
    with pytest.raises(SchemaError, match="tract 3: 2 rows have no position"):
        skinny_partition(with_column(table, "coord_dec", dec), where="tract 3")
    with pytest.raises(EmptyTableError, match="tract 3 has no rows"):
        skinny_partition(table.slice(0, 0), where="tract 3")
    with pytest.raises(EmptyTableError, match=f"tract 3: none of {N_OBJ} rows"):
        skinny_partition(table, cuts=("ebv > 5",), where="tract 3")


def test_bad_columns_are_named_errors(table):
    with pytest.raises(ColumnError, match="objectId"):
        columns_needed([name for name in table.column_names if name != "objectId"], "rubin_gaap", where="tract 3")
    with pytest.raises(ColumnError, match="i_magic"):
        columns_needed(table.column_names, cuts=("i_magic > 1",), where="tract 3")
    with pytest.raises(ConfigError, match="must be a column"):
        skinny_partition(table, cuts=("bright",))
    magnitudes = table
    rng = np.random.default_rng(0)
    for band in BANDS:
        magnitudes = with_column(magnitudes, f"{band}_gaap1p0Flux", rng.uniform(20, 26, N_OBJ))
        magnitudes = with_column(magnitudes, f"{band}_gaap1p0FluxErr", rng.uniform(0.01, 0.2, N_OBJ))
    with pytest.raises(UnitError, match="hold magnitudes"):
        skinny_partition(magnitudes)
