"""What a server makes is closed to other users, whatever the umask."""

import logging
import os

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.server import asgi
from pzcenter.server.privacy import close_to_others, exposure, warn_of_exposure
from pzcenter.server.services.context import open_services
from pzcenter.server.settings import read_settings


@pytest.fixture(autouse=True)
def open_umask(monkeypatch):
    """As on most machines; what the code sets is taken back."""
    monkeypatch.setattr("pzcenter.server.services.operation.logs.log_to", lambda *_: None)
    monkeypatch.setattr(asgi, "log_to", lambda *_: None)
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(root):
    return [str(path) for path in (root, *root.rglob("*")) if path.stat().st_mode & 0o077]


def pz(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result


def test_a_server_its_backup_and_its_restoration_are_closed(tmp_path):
    here, copy, there = tmp_path / "here", tmp_path / "copy", tmp_path / "there"
    for made_before in (here, copy, there):
        made_before.mkdir()
        assert open_to_others(made_before)
    pz("serve", "--init", here)
    assert (here / "server.sqlite3").exists()
    assert open_to_others(here) == []
    # What an earlier version left open is closed in the copies.
    (here / "views").mkdir(mode=0o755)
    (here / "views" / "a.parquet").write_bytes(b"")
    services = open_services(read_settings(here))
    services.store.put([b"content"])
    services.close()
    pz("server", "backup", here, copy)
    pz("server", "verify", here)
    pz("server", "sweep", here)
    pz("server", "restore", copy, there)
    assert open_to_others(copy) == []
    assert open_to_others(there) == []


def test_a_worker_process_makes_closed_files(tmp_path, monkeypatch, caplog):
    pz("serve", "--init", tmp_path / "here")
    monkeypatch.setenv("PZ_SERVER_DATA_DIR", str(tmp_path / "here"))
    asgi.app_here().state.services.close()
    (tmp_path / "here" / "new").touch()
    assert open_to_others(tmp_path / "here") == []
    assert "is open to all users" not in caplog.text


def test_a_directory_that_is_open_is_told(tmp_path, caplog):
    place = tmp_path / "here"
    place.mkdir(mode=0o755)
    (place / "file").touch()
    (place / "link").symlink_to(tmp_path)
    with caplog.at_level(logging.WARNING):
        warn_of_exposure(place)
    assert f"chmod -R go-rwx {place}" in caplog.text
    assert "0755" in exposure(place)
    place.chmod(0o750)
    assert exposure(place) is None, "a group is wanted"
    outside = tmp_path.stat().st_mode
    close_to_others(place)
    assert open_to_others(place / "file") == []
    assert tmp_path.stat().st_mode == outside, "links are not followed"
