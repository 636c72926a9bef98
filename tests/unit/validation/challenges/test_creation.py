"""A challenge is made: ids say nothing, the truth lies apart, and bad settings are refused by name."""

from __future__ import annotations

import stat

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from pzcenter.catalogs import Manifest, verify_manifest
from pzcenter.errors import (
    ColumnError,
    ConfigError,
    DuplicateIdError,
    EmptyTableError,
    FileFormatError,
    NotFoundError,
    OutputExistsError,
)
from pzcenter.validation.challenges import create_challenge, open_challenge, read_settings
from pzcenter.validation.challenges.blinding import keyed_order


def edited(sources, change):
    path = sources / "challenge.yaml"
    settings = yaml.safe_load(path.read_text())
    change(settings)
    path.write_text(yaml.safe_dump(settings))
    return path


def test_test_set_has_photometry_and_new_ids_only(challenge):
    test = pq.read_table(challenge.test_path("wide"))
    assert test.column_names == [
        "objectId", "flux_g", "flux_err_g", "flux_r", "flux_err_r", "flux_i", "flux_err_i", "flags",
    ]  # fmt: skip
    assert pq.read_table(challenge.training_path("wide")).column_names == [*test.column_names, "z_spec"]


def test_ids_are_whole_numbers_that_follow_each_other_through_the_challenge(challenge):
    found = [
        np.asarray(pq.read_table(challenge.public / name / f"{role}.parquet")["objectId"])
        for name in ("wide", "deep")
        for role in ("test", "training")
    ]
    assert np.array_equal(np.concatenate(found), np.arange(1, 1401))


def test_truth_belongs_to_the_objects(challenge, made_challenge):
    truth = challenge.vault.table("deep")
    source = pq.read_table(made_challenge / "deep_test.parquet")
    test = pq.read_table(challenge.test_path("deep"))
    rows = np.asarray(truth["source_row"])
    assert np.array_equal(truth["object_id"], test["objectId"])
    assert np.array_equal(truth["source_id"], np.asarray(source["objectId"])[rows])
    assert np.array_equal(truth["z_spec"], np.asarray(source["z_spec"])[rows])
    assert np.array_equal(test["flux_r"], np.asarray(source["flux_r"])[rows])
    assert {"mag", "colour_gr", "colour_ri", "n_bands", "ebv"} <= set(truth.column_names)


def test_truth_is_for_its_owner_alone_and_outside(challenge, tmp_path):
    assert challenge.vault.directory == tmp_path / "challenge.truth"
    assert stat.S_IMODE(challenge.vault.directory.stat().st_mode) == 0o700
    verify_manifest(challenge.vault.tables)
    assert not list(challenge.directory.rglob("*truth*"))


def test_nothing_of_the_truth_is_said_to_participants(challenge, made_challenge):
    said = "".join((challenge.public / name).read_text() for name in ("README.md", "challenge.yaml", "manifest.json"))
    for secret in ("truth", str(made_challenge), "_test.parquet", challenge.vault.key.hex()):
        assert secret not in said
    verify_manifest(challenge.public)


def test_same_key_and_objects_give_the_same_files(sources, tmp_path, key):
    first = create_challenge(sources / "challenge.yaml", tmp_path / "a", key=key)
    for name in ("wide_test", "deep_train"):
        table = pq.read_table(sources / f"{name}.parquet")
        shuffled = table.take(np.random.default_rng(5).permutation(table.num_rows))
        pq.write_table(shuffled, sources / f"{name}.parquet")
    second = create_challenge(sources / "challenge.yaml", tmp_path / "b", key=key)
    assert Manifest.read(first.public) == Manifest.read(second.public)
    third = create_challenge(sources / "challenge.yaml", tmp_path / "c")
    assert Manifest.read(first.public) != Manifest.read(third.public)


def test_order_of_a_key_is_a_permutation_that_another_label_changes(key):
    ids = np.arange(1000) * 7
    order = keyed_order(ids, key, "a")
    assert np.array_equal(np.sort(order), np.arange(1000))
    assert not np.array_equal(order, keyed_order(ids, key, "b"))
    back = np.random.default_rng(1).permutation(1000)
    assert np.array_equal(ids[order], ids[back][keyed_order(ids[back], key, "a")])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.update(colour="red"), "colour"),
        (lambda s: s.update(name="a b"), "no name"),
        (lambda s: s.update(name="../up"), "no name"),
        (lambda s: s["scenarios"].append(s["scenarios"][0]), "a name of its own"),
        (lambda s: s["scenarios"][0].pop("test"), "needs 'training' and 'test'"),
        (lambda s: s["scenarios"][0].update(name="overall"), "overall"),
        (lambda s: s["scoring"].update(metrics=["beauty"]), "beauty"),
        (lambda s: s["scoring"].update(bands=[{"metric": "beauty", "limits": [1]}]), "beauty"),
        (lambda s: s["scoring"].update(bands=[{"metric": "crps", "limits": [2, 1]}]), "increase"),
        (lambda s: s.update(rules={"opens": "2026-05-01", "closes": "2026-04-01"}), "not before"),
        (lambda s: s["scenarios"][0].update(test_columns=["ra"]), "may not see ra"),
        (lambda s: s["scenarios"][0].update(test_columns=["z_spec"]), "may not see z_spec"),
    ],
)
def test_settings_that_are_refused_are_named(sources, tmp_path, change, words):
    with pytest.raises(ConfigError, match=words):
        create_challenge(edited(sources, change), tmp_path / "x")
    assert not list(tmp_path.glob("x*"))


def test_dates_without_a_zone_are_utc(sources):
    settings = read_settings(edited(sources, lambda s: s.update(rules={"opens": "2026-04-13T12:00:00"})))
    assert settings.rules.opens.isoformat() == "2026-04-13T12:00:00+00:00"


def test_file_that_is_no_yaml(tmp_path):
    (tmp_path / "c.yaml").write_text("a: [")
    with pytest.raises(FileFormatError, match=r"c\.yaml"):
        read_settings(tmp_path / "c.yaml")
    with pytest.raises(NotFoundError, match=r"d\.yaml"):
        read_settings(tmp_path / "d.yaml")


def test_sources_that_do_not_serve(sources, tmp_path, objects):
    test = pq.read_table(sources / "wide_test.parquet")
    train = pq.read_table(sources / "wide_train.parquet")
    cases = [
        (test.drop_columns(["z_spec"]), ColumnError, "z_spec"),
        (test.slice(0, 0), EmptyTableError, "no rows"),
        (test.take([0, 1, 1]), DuplicateIdError, "200010"),
        (train.slice(7, 3), ConfigError, "3 objects of the test set are in the training set, such as 100070"),
        (pq.read_table(sources / "deep_train.parquet").slice(0, 4), ConfigError, "4 objects .* 'wide' .* 'deep'"),
    ]
    for table, error, words in cases:
        pq.write_table(table, sources / "wide_test.parquet")
        with pytest.raises(error, match=words):
            create_challenge(sources / "challenge.yaml", tmp_path / "x")
    assert not list(tmp_path.glob("*x*"))


def test_truth_may_not_lie_where_participants_look(sources, tmp_path):
    for truth in (tmp_path / "x", tmp_path / "x" / "truth", tmp_path):
        with pytest.raises(ConfigError, match="outside"):
            create_challenge(sources / "challenge.yaml", tmp_path / "x", truth=truth)


def test_challenge_is_never_overwritten(sources, tmp_path):
    create_challenge(sources / "challenge.yaml", tmp_path / "x")
    with pytest.raises(OutputExistsError):
        create_challenge(sources / "challenge.yaml", tmp_path / "x", truth=tmp_path / "other")
    with pytest.raises(OutputExistsError, match=r"x\.truth"):
        create_challenge(sources / "challenge.yaml", tmp_path / "y", truth=tmp_path / "x.truth")


def test_directory_that_is_no_challenge(tmp_path):
    with pytest.raises(NotFoundError, match="no challenge"):
        open_challenge(tmp_path)


def test_training_set_that_is_split_is_a_source(sources, tmp_path, objects):
    import pyarrow as pa

    table = objects(300, 5, seed=3)
    split = np.array(["train", "test", "validation"], dtype=object)[np.arange(300) % 3]
    (sources / "product").mkdir()
    pq.write_table(
        table.append_column("split", pa.array(split, pa.string())), sources / "product" / "training_set.parquet"
    )
    path = edited(sources, lambda s: s.update(scenarios=[{"name": "one", "set": "product"}]))
    made = create_challenge(path, tmp_path / "x")
    rows = {file.stem: pq.read_metadata(file).num_rows for file in (made.public / "one").glob("*.parquet")}
    assert rows == {"training": 100, "validation": 100, "test": 100}
