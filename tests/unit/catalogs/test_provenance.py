"""The record says what went in, and nothing about who or where."""

import hashlib
import json
import platform
from datetime import UTC, datetime

import pytest

from pzcenter.catalogs import provenance_record, read_provenance, write_provenance
from pzcenter.catalogs.manifest import FileRecord, Manifest
from pzcenter.catalogs.provenance import describe_file, provenance_table
from pzcenter.errors import FileFormatError, NotFoundError
from pzcenter.schema import check_table

STARTED = datetime(2026, 1, 2, tzinfo=UTC)


class TestDescription:
    def test_file(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        described = describe_file(tmp_path / "a")
        assert (described["n_bytes"], described["sha256"]) == (3, hashlib.sha256(b"abc").hexdigest())
        assert describe_file(tmp_path / "a", checksum=False)["sha256"] is None

    def test_directory_changes_with_any_file(self, tmp_path):
        (tmp_path / "d" / "e").mkdir(parents=True)
        (tmp_path / "d" / "e" / "a").write_bytes(b"abc")
        before = describe_file(tmp_path / "d")
        assert before["n_bytes"] == 3
        (tmp_path / "d" / "e" / "a").rename(tmp_path / "d" / "e" / "b")
        assert describe_file(tmp_path / "d")["sha256"] != before["sha256"]

    def test_data_set_by_its_manifest(self, tmp_path):
        Manifest("pz", (FileRecord("a", "0" * 64, 10, 5),)).write(tmp_path)
        described = describe_file(tmp_path)
        assert (described["n_rows"], described["n_bytes"], described["sha256_of"]) == (5, 10, "manifest.json")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(NotFoundError):
            describe_file(tmp_path / "absent")


class TestRecord:
    def record(self, tmp_path, **more):
        (tmp_path / "in").write_bytes(b"abc")
        return provenance_record("estimate", started=STARTED, inputs=[tmp_path / "in"], **more)

    def test_no_host_and_no_user(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", "/data/people/galileo")
        command = ["pz", "estimate", "/home/kepler/x", "--out=/Users/tycho/y", "/data/people/galileo/z", "/root/w"]
        record = self.record(tmp_path, command=command)
        assert record["command"] == ["pz", "estimate", "~/x", "--out=~/y", "~/z", "~/w"]
        text = json.dumps(record)
        assert platform.node() not in text or len(platform.node()) < 4
        assert "galileo" not in text

    def test_comes_back(self, tmp_path):
        record = self.record(tmp_path, model=tmp_path / "in", configuration={"n_z": 301}, counts={"n_in": 5})
        write_provenance(tmp_path, record)
        assert read_provenance(tmp_path) == record
        assert list(record) == list(read_provenance(tmp_path))
        assert record["started"] == "2026-01-02T00:00:00+00:00"
        assert {"numpy", "pyarrow"} <= set(record["packages"])

    def test_as_table(self, tmp_path):
        table = provenance_table(self.record(tmp_path, configuration={"n_z": 301}), "run-1")
        check_table(table, "pz_provenance")
        assert table["item"].to_pylist() == list(range(table.num_rows))
        roles = table["role"].to_pylist()
        assert roles[:3] == ["command", "input", "config"]
        assert "package" in roles
        assert "host" not in roles

    def test_damaged(self, tmp_path):
        with pytest.raises(NotFoundError):
            read_provenance(tmp_path)
        (tmp_path / "provenance.json").write_text("{")
        with pytest.raises(FileFormatError, match="damaged"):
            read_provenance(tmp_path)
        (tmp_path / "provenance.json").write_text('{"format": "other"}')
        with pytest.raises(FileFormatError, match="not of format"):
            read_provenance(tmp_path)
