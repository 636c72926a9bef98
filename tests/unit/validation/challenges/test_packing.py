"""What participants get tells nothing; whatever would tell is found before it leaves."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import FileRecord, Manifest, verify_manifest
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError, ConfigError, EmbargoError, NotFoundError, OutputExistsError
from pzcenter.validation.challenges import check_tree, pack
from pzcenter.validation.challenges.leaks import forbidden_columns


def rewrite(challenge, table, name="wide/test.parquet"):
    """Put a table in place of a file, as somebody would who means well, manifest and all."""
    path = challenge.public / name
    pq.write_table(table, path)
    manifest = Manifest.read(challenge.public)
    files = [
        FileRecord(name, file_sha256(path), path.stat().st_size, table.num_rows) if record.path == name else record
        for record in manifest.files
    ]
    Manifest(manifest.table, tuple(files)).write(challenge.public)


def test_tree_has_what_participants_need_and_no_more(challenge, tmp_path):
    report = pack(challenge, tmp_path / "tree")
    files = {
        path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*") if path.is_file()
    }
    assert files == {
        "README.md", "challenge.yaml", "manifest.json",
        "wide/training.parquet", "wide/test.parquet", "deep/training.parquet", "deep/test.parquet",
    }  # fmt: skip
    assert report.n_files == 7
    verify_manifest(tmp_path / "tree")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_archive_has_the_same_bytes_each_time(challenge, tmp_path, name):
    first, second = pack(challenge, tmp_path / name), pack(challenge, tmp_path / f"again_{name}")
    assert first.sha256 == second.sha256
    with tarfile.open(tmp_path / name) as archive:
        members = archive.getmembers()
    assert {member.name for member in members} >= {"first_light-1/README.md", "first_light-1/wide/test.parquet"}
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}


def test_neither_rows_nor_ids_go_with_redshift_or_source(challenge):
    """The sources are sorted by redshift, with ids in the same order."""
    for scenario in ("wide", "deep"):
        truth = challenge.vault.table(scenario)
        test = pq.read_table(challenge.test_path(scenario))
        rows = np.arange(test.num_rows)
        for order in (rows, np.asarray(test["objectId"])):
            for secret in ("z_spec", "source_id", "source_row"):
                assert abs(np.corrcoef(order, np.asarray(truth[secret]))[0, 1]) < 0.25
        assert not set(np.asarray(truth["source_id"]).tolist()) & set(np.asarray(test["objectId"]).tolist())
    assert check_tree(challenge) == []


def leak(name, make):
    return pytest.param(name, make, id=name)


@pytest.mark.parametrize(
    ("words", "make"),
    [
        leak("'z_spec' has a name", lambda t, s: t.append_column("z_spec", s["z_spec"])),
        leak("'redshift' has a name", lambda t, s: t.append_column("redshift", pa.array(np.zeros(300)))),
        leak("'ra' has a name", lambda t, s: t.append_column("ra", pa.array(np.zeros(300)))),
        leak("'colour' has the z_spec", lambda t, s: t.append_column("colour", s["z_spec"].cast(pa.float32()))),
        leak("'size' is in the order of z_spec", lambda t, s: t.append_column("size", pa.array(-np.exp(s["z_spec"])))),
        leak("'number' has the source_id", lambda t, s: t.append_column("number", s["source_id"])),
        leak(
            "'number' goes with source_id",
            lambda t, s: t.append_column(
                "number", pa.array(np.asarray(s["source_id"]) + 300 * np.random.default_rng(1).standard_normal(300))
            ),
        ),
        leak("'note' is of type string", lambda t, s: t.append_column("note", pa.array(["x"] * 300))),
        leak(
            "its ids are not those of the truth table",
            lambda t, s: t.set_column(0, "objectId", s["source_id"]),
        ),
        leak("the order of the rows goes with z_spec", lambda t, s: t.take(pa.array(np.argsort(s["z_spec"])))),
        leak("the file has texts under", lambda t, s: t.replace_schema_metadata({"source": "where it came from"})),
        leak("there is no column objectId", lambda t, s: t.drop_columns(["objectId"])),
    ],
)
def test_leak_is_found_and_nothing_leaves(challenge, tmp_path, words, make):
    truth = challenge.vault.table("wide")
    rewrite(challenge, make(pq.read_table(challenge.test_path("wide")), truth))
    with pytest.raises(EmbargoError, match=words):
        pack(challenge, tmp_path / "out.tar")
    assert not (tmp_path / "out.tar").exists()


def test_ids_in_the_order_of_redshift_are_found(challenge):
    """The truth table has them too: the ids agree, and tell."""
    path = challenge.vault.tables / "wide.parquet"
    truth = pq.read_table(path)
    by_z = np.argsort(np.argsort(truth["z_spec"])) + 1
    told = pa.array(by_z)
    rewrite(challenge, pq.read_table(challenge.test_path("wide")).set_column(0, "objectId", told))
    pq.write_table(truth.set_column(0, "object_id", told), path)
    manifest = Manifest.read(challenge.vault.tables)
    files = [
        FileRecord("wide.parquet", file_sha256(path), path.stat().st_size, 300) if each.path == "wide.parquet" else each
        for each in manifest.files
    ]
    Manifest(manifest.table, tuple(files)).write(challenge.vault.tables)
    assert any("the id goes with z_spec" in words for words in check_tree(challenge))


def test_object_of_the_test_set_among_the_training_set_is_found(challenge):
    test = pq.read_table(challenge.test_path("wide"))
    training = pq.read_table(challenge.training_path("deep"))
    known = test.slice(0, 5).append_column("z_spec", pa.array(np.ones(5)))
    rewrite(challenge, pa.concat_tables([training, known.cast(training.schema)]), "deep/training.parquet")
    assert any("5 objects of deep/training.parquet have the same photometry" in each for each in check_tree(challenge))


def test_file_that_nobody_asked_for_is_found(challenge, tmp_path):
    (challenge.public / "wide" / "notes.txt").write_text("z_spec")
    (challenge.public / "link").symlink_to(challenge.vault.directory)
    with pytest.raises(EmbargoError, match=r"link is a file .*wide/notes\.txt is a file"):
        pack(challenge, tmp_path / "out")


def test_file_of_the_manifest_that_is_none_of_a_challenge(challenge):
    path = challenge.public / "extra.json"
    path.write_text("{}")
    manifest = Manifest.read(challenge.public)
    record = FileRecord("extra.json", file_sha256(path), 2)
    Manifest(manifest.table, (*manifest.files, record)).write(challenge.public)
    assert check_tree(challenge) == ["extra.json is not among the files for participants"]


def test_key_in_a_text_is_found(challenge):
    path = challenge.public / "README.md"
    path.write_text(challenge.vault.key.hex())
    manifest = Manifest.read(challenge.public)
    files = [
        FileRecord("README.md", file_sha256(path), path.stat().st_size) if each.path == "README.md" else each
        for each in manifest.files
    ]
    Manifest(manifest.table, tuple(files)).write(challenge.public)
    assert check_tree(challenge) == ["README.md names the key"]


def test_changed_file_is_found(challenge, tmp_path):
    with (challenge.public / "README.md").open("a") as file:
        file.write("changed")
    with pytest.raises(ChecksumError, match="README"):
        pack(challenge, tmp_path / "out")


def test_truth_that_others_can_read_is_refused(challenge):
    challenge.vault.directory.chmod(0o755)
    with pytest.raises(ConfigError, match="mode 755"):
        check_tree(challenge)


def test_without_the_truth_nothing_is_packed(challenge, tmp_path):
    challenge.vault.directory.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFoundError, match="only the organiser"):
        pack(challenge, tmp_path / "out")


def test_pack_replaces_nothing(challenge, tmp_path):
    pack(challenge, tmp_path / "out")
    with pytest.raises(OutputExistsError):
        pack(challenge, tmp_path / "out")


def test_names_that_are_forbidden():
    told = [
        "z",
        "Z_SPEC",
        "true_z",
        "redshift_err",
        "photoz",
        "specz",
        "source_id",
        "ra",
        "survey",
        "z_flag",
        "group_id",
    ]
    assert forbidden_columns(told) == told
    assert forbidden_columns(["flux_z", "flux_err_z", "mag_z", "flags", "ebv", "objectId", "size"]) == []


def test_settings_for_participants_name_no_file(challenge):
    text = (challenge.public / "challenge.yaml").read_text()
    assert "parquet" not in text
    assert json.loads((challenge.public / "manifest.json").read_text())["table"] == "challenge"
