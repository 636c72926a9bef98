import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pzcenter.errors import BandError, ColumnError, ConfigError, EmptyTableError, SchemaError, UsageError
from pzcenter.training.galaxy_groups import galaxy_groups
from pzcenter.training.row_hash import mix, uniforms
from pzcenter.training.split import split


def training(n=1000, seed=0, n_object=None, linked=0.0):
    rng = np.random.default_rng(seed)
    object_id = rng.permutation(10 * n)[:n] if n_object is None else rng.integers(0, n_object, n)
    return pa.table(
        {
            "objectId": object_id,
            "measurement_id": [f"a:{i}" for i in range(n)],
            "ra": rng.uniform(0, 20, n) % 360,
            "dec": rng.uniform(-10, 10, n),
            "z_spec": rng.gamma(2, 0.4, n),
            "flux_i": rng.normal(300, 400, n),
            "group_id": np.where(rng.random(n) < linked, rng.integers(0, max(1, n // 5), n), -1),
        }
    )


def members(table):
    return {
        name: set(table.filter(pc.equal(table["split"], name))["measurement_id"].to_pylist())
        for name in ("train", "validation", "test")
    }


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_sizes_are_exact(method):
    _, report = split(training(), seed=1, method=method)
    assert report.n_rows == {"train": 700, "validation": 100, "test": 200}


def test_same_seed_same_ids_and_another_seed_others():
    first, again, other = (members(split(training(), seed=seed)[0]) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@settings(deadline=None)
@given(
    n=st.integers(30, 300),
    seed=st.integers(-5, 2**70),
    shuffle=st.integers(0, 99),
    linked=st.floats(0, 0.5),
    method=st.sampled_from(["random", "stratified", "blocks"]),
)
def test_split_is_of_the_rows_not_of_their_order(n, seed, shuffle, linked, method):
    table = training(n, n_object=30 * n, linked=linked)
    order = np.random.default_rng(shuffle).permutation(n)
    how = {"seed": seed, "method": method, "fractions": {"train": 0.5, "validation": 0.2, "test": 0.3}}
    one, report = split(table, **how, block_order=7)
    two, _ = split(table.take(order), **how, block_order=7)
    assert members(one) == members(two)
    assert one["measurement_id"].to_pylist() == table["measurement_id"].to_pylist()
    for column in ("objectId", "group_id"):
        pairs = {(i, s) for i, s in zip(one[column].to_pylist(), one["split"].to_pylist(), strict=True) if i != -1}
        assert len(pairs) == len({i for i, _ in pairs})
    at, off = 0.0, []
    for name, share in how["fractions"].items():
        at += share
        off.append(abs(sum(list(report.n_rows.values())[: len(off) + 1]) - at * n))
        assert name in report.n_rows
    if method != "stratified":
        assert max(off) <= report.largest_unit / 2 + 1e-6
    assert max(off) <= 2 * report.largest_unit


def test_added_rows_move_few():
    many = training(2000)
    before = members(split(many.slice(0, 1900), seed=3)[0])
    after = members(split(many, seed=3)[0])
    kept = sum(len(before[name] & after[name]) for name in before)
    assert kept > 0.97 * 1900


def test_groups_are_linked_through_both_columns():
    table = pa.table({"objectId": [7, 8, 8, 9, 5], "group_id": [1, 1, -1, -1, -1], "measurement_id": list("abcde")})
    galaxies = galaxy_groups(table)
    assert galaxies.label[0] == galaxies.label[1] == galaxies.label[2]
    assert len(set(galaxies.label)) == 3
    assert sorted(galaxies.key) == [5, 7, 9]
    assert len(galaxy_groups(table, "objectId").key) == 4
    assert len(galaxy_groups(table, "group_id").key) == 4


def test_strata_keep_their_proportions():
    table = training(5000)
    done, report = split(table, {"train": 0.5, "test": 0.5}, seed=0, method="stratified", strata={"z_spec": 0.1})
    z, sample = table["z_spec"].to_numpy(), np.array(done["split"].to_pylist())
    for low in np.arange(0, 2, 0.1):
        inside = (z >= low) & (z < low + 0.1)
        assert abs(np.count_nonzero(inside & (sample == "train")) - inside.sum() / 2) <= 1.0
    assert report.n_strata > 20
    assert report.n_rows == {"train": 2500, "test": 2500}


def test_blocks_stay_whole():
    from pzcenter.science.sky import healpix29, healpix_at_order

    table = training(3000)
    done, report = split(table, seed=5, method="blocks", block_order=5, group="objectId")
    pixel = healpix_at_order(healpix29(table["ra"].to_numpy(), table["dec"].to_numpy()), 5)
    assert len(set(zip(pixel, done["split"].to_pylist(), strict=True))) == len(set(pixel)) == report.n_units
    assert "blocks" in report.sentences[0]


def test_large_groups_are_drawn_like_small_ones():
    table = pa.table({"objectId": np.concatenate([np.arange(2000), np.repeat(np.arange(5000, 5400), 5)])})
    done, _ = split(table, {"train": 0.5, "test": 0.5}, seed=0)
    train = np.array(done["split"].to_pylist()) == "train"
    assert abs(train[:2000].mean() - 0.5) < 0.06


@pytest.mark.parametrize(
    ("error", "change", "settings"),
    [
        (ConfigError, {}, {"fractions": {"train": 0.5, "test": 0.6}}),
        (ConfigError, {}, {"fractions": {"train": 1.5, "test": -0.5}}),
        (ConfigError, {}, {"fractions": {}}),
        (ConfigError, {}, {"method": "sorted"}),
        (ConfigError, {}, {"method": "stratified", "strata": {"z_spec": 0}}),
        (BandError, {}, {"method": "stratified", "strata": {"mag_K": 1}}),
        (ColumnError, {}, {"group": "tile"}),
        (ColumnError, {"drop": ["ra"]}, {"method": "blocks"}),
        (EmptyTableError, {"rows": 0}, {}),
        (UsageError, {"rows": 2}, {}),
        (UsageError, {}, {"method": "blocks", "block_order": 0}),
        (SchemaError, {"nulls": True}, {}),
    ],
)
def test_refusals(error, change, settings):
    table = training(50).slice(0, change.get("rows", 50)).drop_columns(change.get("drop", []))
    if "nulls" in change:
        table = table.set_column(0, "objectId", pa.array([None, *range(49)]))
    with pytest.raises(error):
        split(table, **({"seed": 0} | settings))


def test_split_twice_replaces_the_column():
    once, _ = split(training(), seed=0)
    twice, _ = split(once, seed=1)
    assert twice.column_names == once.column_names


def test_hash_is_uniform_and_pinned():
    number = uniforms(np.arange(100_000, dtype=np.uint64), 7)
    assert abs(number.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(number, uniforms(np.arange(100_000, dtype=np.uint64), 7, stream=1))[0, 1]) < 0.02
    # Splits of past releases must not change.
    assert mix(np.array([1], dtype=np.uint64), 42)[0] == 13151335708014940318
