"""Which pickles this user opens."""

from __future__ import annotations

import json
import stat

import pytest

from pzcenter.errors import ModelError, StorageError
from pzcenter.estimators.rail.trust import is_trusted, require_trust, trust, trust_directory, withdraw_trust

SHA256 = "ab" * 32
OTHER = "cd" * 32


def record_of(sha256):
    return trust_directory() / "trusted" / f"{sha256}.json"


def test_only_what_was_recorded_is_trusted():
    assert not is_trusted(SHA256, "rail:Counts")
    trust(SHA256, "rail:Counts", why="trained")
    assert is_trusted(SHA256, "rail:Counts")
    assert not is_trusted(SHA256, "rail:Other")
    assert not is_trusted(OTHER, "rail:Counts")
    assert withdraw_trust(SHA256)
    assert not withdraw_trust(SHA256)
    assert not is_trusted(SHA256, "rail:Counts")


def test_key_and_records_are_private():
    trust(SHA256, "rail:Counts", why="trained")
    for path in (trust_directory() / "key", record_of(SHA256)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_record_that_was_copied_or_changed_says_nothing():
    trust(SHA256, "rail:Counts", why="trained")
    content = record_of(SHA256).read_text()
    record_of(OTHER).write_text(content)
    assert not is_trusted(OTHER, "rail:Counts")
    record_of(OTHER).write_text(content.replace(SHA256, OTHER))
    assert not is_trusted(OTHER, "rail:Counts")
    record_of(SHA256).write_text(content.replace("trained", "trusted"))
    assert not is_trusted(SHA256, "rail:Counts")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"code": 3}', "\x00"])
def test_a_damaged_record_says_nothing(content):
    trust(SHA256, "rail:Counts", why="trained")
    record_of(SHA256).write_text(content)
    assert not is_trusted(SHA256, "rail:Counts")


def test_a_record_under_another_key_says_nothing():
    trust(SHA256, "rail:Counts", why="trained")
    (trust_directory() / "key").write_bytes(b"x" * 32)
    assert not is_trusted(SHA256, "rail:Counts")


def test_a_key_that_others_can_read_is_refused():
    trust(SHA256, "rail:Counts", why="trained")
    (trust_directory() / "key").chmod(0o644)
    with pytest.raises(ModelError, match="readable by you alone"):
        is_trusted(SHA256, "rail:Counts")


def test_a_key_behind_a_link_is_not_followed(tmp_path):
    trust(SHA256, "rail:Counts", why="trained")
    key = trust_directory() / "key"
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    assert not is_trusted(SHA256, "rail:Counts")


def test_a_site_can_name_checksums(monkeypatch):
    monkeypatch.setenv("PZCENTER_RAIL_TRUSTED", f"{OTHER}, {SHA256}")
    assert is_trusted(SHA256, "rail:Counts")
    assert not is_trusted("ef" * 32, "rail:Counts")


def test_a_refusal_says_what_to_do():
    with pytest.raises(ModelError, match="pz model trust some/model") as told:
        require_trust(SHA256, "rail:Counts", where="some/model")
    assert f"PZCENTER_RAIL_TRUSTED={SHA256}" in str(told.value)


def test_a_place_that_cannot_be_written_to_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PZCENTER_RAIL_TRUST_DIRECTORY", str(tmp_path / "file" / "below"))
    with pytest.raises(StorageError, match="PZCENTER_RAIL_TRUST_DIRECTORY"):
        trust(SHA256, "rail:Counts", why="trained")


def test_what_is_no_checksum_is_no_file_name():
    with pytest.raises(ModelError, match="not a SHA-256"):
        trust("../../key", "rail:Counts", why="trained")


def test_records_are_in_the_data_directory_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("PZCENTER_RAIL_TRUST_DIRECTORY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = trust(SHA256, "rail:Counts", why="trusted")
    assert path == tmp_path / "data" / "pzcenter" / "rail" / "trusted" / f"{SHA256}.json"
    assert json.loads(path.read_text())["why"] == "trusted"
