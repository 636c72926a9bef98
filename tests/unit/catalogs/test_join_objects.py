from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pzcenter.catalogs.join_objects import join_objects, object_positions
from pzcenter.errors import ColumnError, DuplicateIdError, SchemaError
from pzcenter.schema import PZFlag, arrow_schema, check_table, load_table
from pzcenter.schema.mapping import load_mapping
from pzcenter.science.sky import healpix29

N = 500


def filled(schema, n):
    """Plausible values for every column."""
    columns = {}
    for field in schema:
        value = 0.5 if pa.types.is_floating(field.type) else 0
        columns[field.name] = pa.array(np.full(n, value), type=field.type)
    return columns


def same_bytes(first, second):
    """Whether two tables are the same where NaN is the same as NaN."""
    return first.schema.equals(second.schema) and all(
        np.array_equal(
            first[name].to_numpy(), second[name].to_numpy(), equal_nan=pa.types.is_floating(first[name].type)
        )
        for name in first.column_names
    )


@pytest.fixture(scope="module")
def objects():
    rng = np.random.default_rng(3)
    return pa.table(
        {
            "objectId": rng.permutation(10 * N)[:N].astype(np.int64),
            "ra": rng.uniform(359.5, 360.5, N) % 360,
            "dec": rng.uniform(-1, 1, N),
            "tract": np.full(N, 77, dtype=np.int32),
        }
    )


@pytest.fixture(scope="module")
def pz(objects):
    """Core table of all objects, in order along the sky."""
    schema = arrow_schema("pz")
    columns = filled(schema, N)
    for name in ("objectId", "ra", "dec", "tract"):
        columns[name] = objects.column(name)
    columns["_healpix_29"] = pa.array(healpix29(objects["ra"].to_numpy(), objects["dec"].to_numpy()))
    columns["z_best"] = pa.array(np.linspace(0.1, 2, N, dtype=np.float32))
    return pa.table(columns, schema=schema).sort_by("_healpix_29")


def test_every_object_has_its_own_estimate(objects, pz):
    joined, counts = join_objects(objects, pz, model_id=3)
    assert counts.as_dict() == {"n_object": N, "n_joined": N, "n_added": 0, "n_estimate": N}
    assert joined.drop_columns(["model_id"]).equals(pz.drop_columns(["model_id"]))
    assert set(joined["model_id"].to_pylist()) == {3}


def test_the_order_of_both_tables_does_not_matter(objects, pz):
    straight, _ = join_objects(objects, pz)
    rng = np.random.default_rng(5)
    for part in (pz, pz.slice(0, 300)):
        once, counts = join_objects(objects, part)
        again, counts_again = join_objects(objects.take(rng.permutation(N)), part.take(rng.permutation(part.num_rows)))
        assert same_bytes(again, once)
        assert counts == counts_again
        assert once["objectId"].equals(straight["objectId"])


def test_objects_without_estimate_are_added_and_flagged(objects, pz):
    kept = pz.take(np.arange(0, N, 2))
    joined, counts = join_objects(objects, kept)
    assert (counts.n_object, counts.n_joined, counts.n_added, counts.n_estimate) == (N, N // 2, N // 2, N // 2)
    assert sorted(joined["objectId"].to_pylist()) == sorted(objects["objectId"].to_pylist())
    assert np.all(np.diff(joined["_healpix_29"].to_numpy()) >= 0)
    check_table(joined, "pz")
    missing = ~np.isin(joined["objectId"].to_numpy(), kept["objectId"].to_numpy())
    added = joined.filter(pa.array(missing))
    assert set(added["flags"].to_pylist()) == {int(PZFlag.no_estimate)}
    assert set(added["template_id"].to_pylist()) == {-1}
    assert set(added["n_bands"].to_pylist()) == {0}
    floats = [c.name for c in load_table("pz").columns if c.storage == "float32"]
    assert all(np.isnan(added[name].to_numpy()).all() for name in floats)
    assert np.array_equal(added["_healpix_29"].to_numpy(), healpix29(added["ra"].to_numpy(), added["dec"].to_numpy()))
    present = joined.filter(pa.array(~missing))
    assert present.drop_columns(["model_id"]).equals(kept.drop_columns(["model_id"]))


def test_flags_of_the_estimate_are_kept(objects, pz):
    flags = np.where(np.arange(N) < 20, int(PZFlag.no_estimate | PZFlag.few_bands), int(PZFlag.fallback_model))
    flagged = pz.set_column(
        pz.schema.get_field_index("flags"), pz.schema.field("flags"), pa.array(flags, type=pa.uint32())
    )
    joined, counts = join_objects(objects, flagged)
    assert joined["flags"].to_pylist() == flags.tolist()
    assert counts.n_estimate == N - 20


def test_the_schema_is_the_definition_whatever_came_in(objects, pz):
    noisy = pz.replace_schema_metadata({"lsst::arrow::rowcount": "500"})
    joined, _ = join_objects(objects, noisy)
    assert joined.schema.equals(arrow_schema("pz"), check_metadata=True)
    partial, _ = join_objects(objects, noisy.slice(3))
    assert partial.schema.equals(arrow_schema("pz"), check_metadata=True)


def test_positions_come_from_the_objects_where_the_estimates_have_none(objects, pz):
    joined, _ = join_objects(objects, pz.drop_columns(["ra", "dec", "_healpix_29", "tract"]))
    assert joined.drop_columns(["model_id"]).equals(pz.drop_columns(["model_id"]))


def test_tract_is_left_out_where_nobody_knows_it(objects, pz):
    joined, _ = join_objects(objects.drop_columns(["tract"]), pz.drop_columns(["tract"]).slice(2))
    assert "tract" not in joined.column_names


def test_estimates_of_foreign_objects_are_refused(objects, pz):
    with pytest.raises(SchemaError, match=r"2 estimates are of objects that the object table lacks.*another release"):
        join_objects(objects.filter(~np.isin(objects["objectId"].to_numpy(), pz["objectId"].to_numpy()[:2])), pz)


def test_duplicates_are_refused(objects, pz):
    first = objects["objectId"][0].as_py()
    with pytest.raises(DuplicateIdError, match=f"object table: {first}"):
        join_objects(pa.concat_tables([objects, objects.slice(0, 1)]), pz)
    with pytest.raises(DuplicateIdError, match="2 object ids are more than once in the estimates"):
        join_objects(objects, pa.concat_tables([pz, pz.slice(0, 2)]))


def test_other_positions_are_refused(objects, pz):
    moved = objects.set_column(1, "ra", pa.array((objects["ra"].to_numpy() + 1e-3) % 360))
    with pytest.raises(SchemaError, match=r"500 objects have another ra.*another release"):
        join_objects(moved, pz)
    nearly = objects.set_column(1, "ra", pa.array((objects["ra"].to_numpy() + 1e-8) % 360))
    assert join_objects(nearly, pz)[0].num_rows == N


def test_objects_without_position_are_refused(objects, pz):
    dec = objects["dec"].to_numpy().copy()
    dec[7] = np.nan
    with pytest.raises(SchemaError, match="1 objects have no position"):
        join_objects(objects.set_column(2, "dec", pa.array(dec)), pz)


def test_nothing_to_join():
    empty = pa.table(
        {"objectId": pa.array([], pa.int64()), "ra": pa.array([], pa.float64()), "dec": pa.array([], pa.float64())}
    )
    joined, counts = join_objects(empty, arrow_schema("pz").empty_table())
    assert joined.num_rows == counts.n_object == 0


def test_all_objects_without_estimate(objects):
    joined, counts = join_objects(objects, arrow_schema("pz").empty_table())
    assert joined.num_rows == counts.n_added == N
    assert joined["tract"].to_pylist() == [77] * N


def test_positions_of_a_survey_table():
    table = pa.table(
        {"objectId": [5, 6], "coord_ra": [-1.0, 2.0], "coord_dec": [0.0, 1.0], "i_gaap1p0Flux": [1.0, 2.0]}
    )
    mapping = load_mapping("rubin_gaap").model_copy(update={"tract": None})
    found = object_positions(table, mapping, tract=9)
    assert found.to_pydict() == {"objectId": [5, 6], "ra": [359.0, 2.0], "dec": [0.0, 1.0], "tract": [9, 9]}
    assert "tract" not in object_positions(table, mapping).column_names
    with pytest.raises(ColumnError, match="no position"):
        object_positions(table, mapping.model_copy(update={"ra": None, "dec": None}))
    with pytest.raises(ColumnError, match="coord_dec"):
        object_positions(table.drop_columns(["coord_dec"]), mapping)
