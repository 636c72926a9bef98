"""Every delivered row counts."""

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.ingest_qa import ingest_qa
from pzcenter.errors import ColumnError, DuplicateIdError, EmptyTableError, SchemaError
from pzcenter.science.sky import healpix29, healpix_at_order

N_OBJ = 300
BANDS = "ugrizy"


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    columns = {
        "objectId": rng.permutation(N_OBJ) + 5000,
        "coord_ra": rng.uniform(10, 12, N_OBJ),
        "coord_dec": rng.uniform(-2, 0, N_OBJ),
        "detect_isPrimary": rng.random(N_OBJ) < 0.5,
    }
    for band in BANDS:
        columns[f"{band}_gaap1p0Flux"] = rng.lognormal(6, 1, N_OBJ)
        columns[f"{band}_gaap1p0FluxErr"] = np.full(N_OBJ, 20.0)
    columns["u_gaap1p0Flux"][:90] = np.nan
    columns["ebv"] = np.full(N_OBJ, 1.0)
    return pa.table(columns)


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_one_row_for_each_band(table):
    bands = {row["band"]: row for row in ingest_qa(table).bands.to_pylist()}
    assert "".join(bands) == BANDS
    assert bands["u"]["n_measured"] == N_OBJ - 90
    assert bands["u"]["share_missing"] == pytest.approx(0.3)
    for row in bands.values():
        assert row["n_obj"] == N_OBJ
        assert row["id_column"] == "objectId"
        assert (row["id_min"], row["id_max"]) == (5000, 5000 + N_OBJ - 1)
        assert (row["ra_min"], row["ra_max"]) == pytest.approx((10, 12), abs=0.1)
        assert (row["n_no_position"], row["n_repeated"]) == (0, 0)


def test_nothing_is_cut_or_dereddened(table):
    row = next(row for row in ingest_qa(table).bands.to_pylist() if row["band"] == "r")
    # Half of the rows would not pass the mapping's cut; E(B-V) = 1 would change r by more than 2 mag.
    assert row["n_measured"] == N_OBJ
    assert row["depth"] == pytest.approx(31.4 - 2.5 * np.log10(100))


def test_counts_on_the_sky_add_up(table):
    found = ingest_qa(table, order=6)
    pixel = healpix_at_order(healpix29(table["coord_ra"].to_numpy(), table["coord_dec"].to_numpy()), 6)
    cells, n_obj = np.unique(pixel, return_counts=True)
    assert found.sky["pixel"].to_pylist() == cells.tolist()
    assert found.sky["n_obj"].to_pylist() == n_obj.tolist()
    assert sum(found.sky["n_u"].to_pylist()) == N_OBJ - 90
    assert sum(found.sky["err_g"].to_pylist()) == pytest.approx(20 * N_OBJ)


def test_repeated_ids_are_counted_and_refused_on_request(table):
    ids = table["objectId"].to_numpy().copy()
    ids[:3] = ids[3]
    found = ingest_qa(with_column(table, "objectId", ids))
    assert found.repeated.tolist() == [ids[3]]
    assert set(found.bands["n_repeated"].to_pylist()) == {1}
    with pytest.raises(DuplicateIdError, match=f"tract 4: 1 object ids .* {ids[3]}"):
        found.require_usable("tract 4")


def test_rows_without_a_position_are_counted(table):
    ra = table["coord_ra"].to_numpy().copy()
    ra[:7] = np.nan
    row = ingest_qa(with_column(table, "coord_ra", ra)).bands.to_pylist()[0]
    assert (row["n_obj"], row["n_no_position"]) == (N_OBJ, 7)
    # The ids are those of all rows.
    assert row["id_min"] == 5000


def test_no_positions_at_all(table):
    found = ingest_qa(table.drop_columns(["coord_ra", "coord_dec"]))
    assert found.sky.num_rows == 0
    assert found.sky.column_names[:4] == ["pixel", "n_obj", "n_u", "err_u"]
    assert found.bands["ra_min"].to_pylist() == [None] * 6


def test_a_band_without_columns_is_noted(table):
    found = ingest_qa(table.drop_columns(["y_gaap1p0Flux", "y_gaap1p0FluxErr"]))
    assert found.bands["band"].to_pylist() == list("ugriz")
    assert any("bands y" in note for note in found.notes)


def test_bad_tables_are_refused(table):
    with pytest.raises(EmptyTableError, match="tract 2 has no rows"):
        ingest_qa(table.slice(0, 0), where="tract 2")
    with pytest.raises(ColumnError):
        ingest_qa(table.drop_columns(["objectId"]), "rubin_gaap")
    with pytest.raises(SchemaError, match="objectId"):
        ingest_qa(with_column(table, "objectId", [None, *range(N_OBJ - 1)]))
