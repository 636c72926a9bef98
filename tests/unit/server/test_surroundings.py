"""Where a server cannot be made, or cannot run: told in a line, before anything begins."""

import logging
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing, contextmanager

import pytest
from typer.testing import CliRunner

from pzcenter.cli.app import app
from pzcenter.errors import ConfigError
from pzcenter.server import serving, surroundings
from pzcenter.server.listening import bind
from pzcenter.server.services.operation.logs import log_to
from pzcenter.server.settings import ServerSettings

TOKEN_LENGTH = 40


def pz(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def refused(result, code, *words):
    assert f"error[{code}]" in result.stderr, result.output
    for word in words:
        assert str(word) in result.stderr
    assert "fault of PZ Center" not in result.stderr


def test_places_where_no_server_can_be_made(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        refused(pz("serve", "--init", place), "config", place, "is a file")
    full = tmp_path / "full"
    full.mkdir()
    (full / "data.parquet").write_text("mine")
    refused(pz("serve", "--init", full), "output_exists", "is not empty (data.parquet)")
    assert [path.name for path in full.iterdir()] == ["data.parquet"]
    assert pz("serve", "--init", "").exit_code == 2
    assert pz("serve", "--init", " ").exit_code == 2


def test_a_disk_of_its_own_is_empty(tmp_path):
    (tmp_path / "lost+found").mkdir()
    assert pz("serve", "--init", tmp_path).exit_code == 0


def test_a_place_that_cannot_be_written_to(tmp_path, monkeypatch):
    place = tmp_path / "here"
    assert pz("serve", "--init", place).exit_code == 0

    def refuse(**_words):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(surroundings.tempfile, "TemporaryFile", refuse)
    refused(pz("serve", "--init", tmp_path / "new"), "config", "cannot be written to (Read-only file system)")
    for words in (("serve", place), ("server", "sweep", place), ("server", "work", place)):
        refused(pz(*words), "config", place, "the user who runs the server must own it")


def test_a_server_that_cannot_write_does_not_start(tmp_path, monkeypatch):
    place = tmp_path / "here"
    assert pz("serve", "--init", place).exit_code == 0
    (place / "server.sqlite3-wal").touch()
    with monkeypatch.context() as patch:
        patch.setattr(surroundings.os, "access", lambda name, _mode: not name.endswith("-wal"))
        refused(pz("serve", place), "config", "server.sqlite3-wal cannot be written to")


def test_nothing_is_left_of_a_server_that_could_not_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PZ_SERVER_DATABASE_URL", f"sqlite:///{tmp_path}/nowhere/db.sqlite3")
    place = tmp_path / "here"
    refused(pz("serve", "--init", place), "registry", "unable to open database file")
    assert list(place.iterdir()) == []
    monkeypatch.delenv("PZ_SERVER_DATABASE_URL")
    assert len(pz("serve", "--init", place).stdout.strip()) == TOKEN_LENGTH


def test_what_was_there_before_stays(tmp_path, monkeypatch):
    kept = tmp_path / "disk" / "lost+found" / "piece"
    kept.parent.mkdir(parents=True)
    kept.write_text("found")

    def fail(_settings):
        (tmp_path / "disk" / "half").write_text("x")
        raise RuntimeError("no")

    monkeypatch.setattr("pzcenter.server.serving._first_token", fail)
    with pytest.raises(RuntimeError):
        serving.make_server(tmp_path / "disk")
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["lost+found"]
    assert kept.read_text() == "found"


def test_http_addresses_are_warned_of(tmp_path):
    said = pz("serve", "--init", tmp_path / "a", "--base-url", "http://pz.example.org").stderr
    assert "http://pz.example.org is no https" in said
    for name, url in (("b", "https://pz.example.org"), ("c", "http://localhost:9000")):
        assert "no https" not in pz("serve", "--init", tmp_path / name, "--base-url", url).stderr


def test_catalogues_that_are_not_there_are_told(tmp_path, caplog):
    settings = ServerSettings(data_dir=tmp_path, object_catalogs={"dp1": "/nowhere", "dp2": tmp_path})
    with caplog.at_level(logging.WARNING):
        surroundings.warn_of_missing_catalogs(settings)
    assert "/nowhere is not there; training sets of release dp1" in caplog.text
    assert "dp2" not in caplog.text


def test_an_address_in_use(tmp_path):
    place = tmp_path / "here"
    assert pz("serve", "--init", place).exit_code == 0
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        result = pz("serve", place, "--port", port)
        refused(result, "config", f"port {port} of 127.0.0.1 is in use")
        assert "PZ Server at" not in result.output and "Errno" not in result.output
        assert result.exit_code == 2
    refused(pz("serve", place, "--host", "192.0.2.1", "--insecure"), "config", "cannot listen at 192.0.2.1")
    with pytest.raises(ConfigError, match="is no address"):
        bind("no such host", 0)


def test_libraries_are_quiet_on_a_terminal():
    class Terminal:
        def isatty(self):
            return True

    names = ("alembic", "uvicorn.error")
    before = {name: logging.getLogger(name).level for name in names}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_to("info", Terminal())
        assert all(logging.getLogger(name).level == logging.WARNING for name in names)
        log_to("debug", Terminal())
        assert all(logging.getLogger(name).level == logging.NOTSET for name in names)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name in names:
            logging.getLogger(name).setLevel(before[name])


MAIN = "from pzcenter.cli.app import main; main()"


@contextmanager
def served(place, *words):
    """A server in a process of its own; what is yielded is the address that it tells."""
    command = [sys.executable, "-c", MAIN, "serve", str(place), "--port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield next(line for line in process.stderr if line.startswith("PZ Server at")).split()[3].rstrip(";")
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


def is_well(url):
    with closing(urllib.request.urlopen(f"{url}/-/health", timeout=20)) as answer:
        return answer.status == 200


def test_it_says_where_it_listens_when_it_does(tmp_path, monkeypatch):
    monkeypatch.setenv("PZ_SERVER_JOB_WORKERS", "0")
    place = tmp_path / "here"
    assert pz("serve", "--init", place).exit_code == 0
    with served(place, "-j", "2") as first, served(place) as second:
        # Several of one directory are as the processes of one: they share its database and its locks.
        assert first != second
        assert is_well(first)
        assert is_well(second)
