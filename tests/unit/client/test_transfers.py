"""Uploads and downloads on a bad line, and what is tried again."""

import hashlib
import json

import pytest

from pzcenter.client import BrokenExchangeError, Retries
from pzcenter.client.downloads import safe_name
from pzcenter.client.exchange import Answer
from pzcenter.client.refusals import error_of
from pzcenter.client.servers import KnownServer, KnownServers
from pzcenter.client.tables import read_table
from pzcenter.errors import (
    AuthenticationError,
    ChecksumError,
    ConfigError,
    ConflictError,
    FileFormatError,
    InternalError,
    NotFoundError,
    RateLimitError,
    SourceUnavailableError,
)

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def ada(mock, tmp_path):
    with mock.client("ada", state_directory=tmp_path / "state", chunk=10_000) as client:
        yield client


@pytest.fixture
def product(ada, file):
    made = ada.create_product("Data", "other")
    return ada.upload_file(made, file)


def methods(mock):
    return [method for method, _ in mock.requests]


def test_what_may_be_tried_again_is_tried_again(mock, ada):
    for status in (503, 502, None):
        mock.fail(3, status=status)
        assert ada.whoami().username == "ada"
    mock.fail(9)
    with pytest.raises(SourceUnavailableError, match="503"):
        ada.whoami()
    mock._failures.clear()
    mock.fail(9, status=None)
    with pytest.raises(BrokenExchangeError):
        ada.whoami()


def test_what_may_have_happened_is_not_done_twice(mock, ada):
    mock.fail(1, status=None, method="POST")
    with pytest.raises(BrokenExchangeError):
        ada.create_product("x", "other")
    mock.fail(1, status=502, method="POST")
    with pytest.raises(SourceUnavailableError):
        ada.create_product("x", "other")
    mock.fail(1, status=503, method="POST")
    assert ada.create_product("x", "other").id
    assert len(list(ada.products(owner="ada"))) == 1


def test_pauses_grow_and_heed_the_server():
    retries = Retries(first_s=1.0, most_s=8.0)
    assert 0.5 <= retries.pause(0) <= 1.0 and 4.0 <= retries.pause(9) <= 8.0
    assert retries.pause(0, "20") == 20.0 and retries.pause(0, "999999") == 600.0 and retries.pause(0, "soon") <= 1.0


@pytest.mark.parametrize("everything", [False, True])
def test_a_download_goes_on_where_it_broke_off(mock, ada, product, tmp_path, everything):
    mock.requests.clear()
    mock.fail(1, after_bytes=2)  # of what is said of the product, which is read again
    mock.fail(2, after_bytes=30_000, path="content$|archive$")
    seen = []
    path = ada.download(product, tmp_path / "out", everything=everything, progress=lambda done, size: seen.append(done))
    assert everything or path.read_bytes() == CONTENT
    assert seen == sorted(seen) and len(seen) == 3
    assert list(path.parent.iterdir()) == [path]


def test_a_download_goes_on_in_another_program(mock, ada, product, tmp_path):
    with mock.client("ada", retries=Retries(attempts=1)) as hasty:
        file = hasty.files(product)[0]
        mock.fail(1, after_bytes=30_000)
        mock.fail(1, status=None)
        with pytest.raises(BrokenExchangeError):
            hasty.download_file(file, tmp_path / "out")
    part = tmp_path / "out" / "data.bin.part"
    assert part.read_bytes() == CONTENT[:30_000]
    seen = []
    assert ada.download_file(file, part.parent, progress=lambda done, _: seen.append(done)).read_bytes() == CONTENT
    assert seen == [len(CONTENT)]


def test_a_download_that_is_complete_gets_its_name(ada, product, tmp_path):
    file = ada.files(product)[0]
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    (tmp_path / "data.bin").unlink()
    note = tmp_path / "data.bin.part.json"
    note.write_text(json.dumps({"etag": f'"{file.sha256}"', "sha256": file.sha256}))
    assert ada.download_file(file, tmp_path).read_bytes() == CONTENT and not note.exists()


def test_bytes_of_another_content_are_not_mixed(mock, ada, product, tmp_path):
    file = ada.files(product)[0]
    out = tmp_path / "out"
    out.mkdir()
    (out / "data.bin.part").write_bytes(b"old" * 100)
    (out / "data.bin.part.json").write_text(json.dumps({"etag": '"another"', "sha256": None}))
    assert ada.download_file(file, out).read_bytes() == CONTENT
    for damaged in ("", "{}", "[1]", '{"etag": 1}'):
        (out / "data.bin.part").write_bytes(b"old")
        (out / "data.bin.part.json").write_text(damaged)
        assert ada.download_file(file, out, overwrite=True).read_bytes() == CONTENT


def test_a_download_with_a_wrong_checksum_is_thrown_away(mock, ada, product, tmp_path):
    file = ada.files(product)[0]
    mock.state.products[product.id].files[0].content = CONTENT[:-1] + b"x"
    with pytest.raises(ChecksumError, match="thrown away"):
        ada.download_file(file, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("status", [503, None, 500])
def test_an_upload_goes_on_where_it_broke_off(mock, ada, file, status):
    made = ada.create_product("Data", "other")
    mock.requests.clear()
    mock.fail(2, status=status, method="PATCH")
    seen = []
    told = ada.upload_file(made, file, progress=lambda done, _: seen.append(done))
    assert told.main_file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert methods(mock).count("PATCH") == 2 + -(-len(CONTENT) // 10_000) and methods(mock).count("HEAD") == 2
    assert seen == sorted(seen) and seen[-1] == len(CONTENT)


def test_an_upload_goes_on_in_another_program(mock, ada, file, tmp_path):
    made = ada.create_product("Data", "other")

    def stop(done, _size):
        if done >= 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ada.upload_file(made, file, progress=stop)
    (noted,) = (tmp_path / "state" / "uploads").iterdir()
    assert noted.stat().st_mode & 0o777 == 0o600
    mock.requests.clear()
    ada.upload_file(made, file)
    assert methods(mock).count("POST") == 0
    assert methods(mock).count("PATCH") == -(-(len(CONTENT) - 50_000) // 10_000)
    assert not list((tmp_path / "state" / "uploads").iterdir())


def test_an_upload_that_the_server_has_dropped_begins_anew(mock, ada, file):
    made = ada.create_product("Data", "other")

    def stop(done, _size):
        if done >= 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ada.upload_file(made, file, progress=stop)
    mock.state.uploads.clear()
    assert ada.upload_file(made, file).main_file.size == len(CONTENT)


def test_an_upload_that_is_refused_says_why(mock, ada, file):
    made = ada.create_product("Data", "other")
    other = file.with_name("other.bin")
    other.write_bytes(b"first")

    def fill(done, size):
        if done == 0:
            with mock.client("ada") as second:
                second.upload_file(made, other)

    with pytest.raises(ConflictError, match="main file already"):
        ada.upload_file(made, file, progress=fill)


def test_an_upload_with_a_wrong_checksum_says_so(mock, ada, file, monkeypatch):
    made = ada.create_product("Data", "other")
    monkeypatch.setattr("pzcenter.client.uploads.sha256_of", lambda path: "0" * 64)
    with pytest.raises(ChecksumError):
        ada.upload_file(made, file)


def test_an_empty_file_is_a_file(ada, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.touch()
    made = ada.create_product("Data", "other")
    assert ada.upload_file(made, empty).main_file.size == 0
    assert ada.download(made, tmp_path / "out").read_bytes() == b""


def test_a_refusal_becomes_the_error_that_it_was():
    def told(status, body, content_type="application/problem+json", **headers):
        return error_of(Answer(status, {"content-type": content_type} | headers, body))

    error = told(404, b'{"code": "not_found", "detail": "no product 7", "request_id": "abc"}')
    assert type(error) is NotFoundError and str(error) == "no product 7" and error.__notes__ == ["request abc"]
    limited = told(429, b'{"code": "rate_limit"}', **{"retry-after": "7"})
    assert type(limited) is RateLimitError and limited.retry_after_s == 7
    assert type(told(404, b"<html>", "text/html")) is NotFoundError
    assert type(told(500, b"[1]")) is InternalError
    assert type(told(500, b"\xff{")) is InternalError
    assert type(told(401, b'{"code": "nobody knows"}')) is AuthenticationError


@pytest.mark.parametrize(
    ("given", "safe"),
    [("a.csv", "a.csv"), ("../../a", "a"), ("..", "download"), ("", "download"), ("c:\\x\\y.fits", "y.fits")],
)
def test_a_name_leads_nowhere_else(given, safe):
    assert safe_name(given) == safe


def test_known_servers_are_kept_for_their_user_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("PZ_SERVER_TOKEN", raising=False)
    monkeypatch.delenv("PZ_SERVER_URL", raising=False)
    known = KnownServers(tmp_path / "config" / "servers.json")
    with pytest.raises(AuthenticationError, match="pz server login"):
        known.get()
    known.keep("here", KnownServer("http://localhost:8000", "secret"))
    assert known.path.stat().st_mode & 0o777 == 0o600
    assert known.get() == known.get("here") and "secret" not in repr(known.get())
    known.keep("there", KnownServer("https://pz.example.org", "other"))
    with pytest.raises(AuthenticationError, match="here, there"):
        known.get()
    known.keep("default", KnownServer("https://pz.example.org", "third"))
    assert known.get().token == "third"
    with pytest.raises(NotFoundError):
        known.get("nowhere")
    known.forget("here")
    assert sorted(known.all()) == ["default", "there"]
    monkeypatch.setenv("PZ_SERVER_URL", "http://localhost:1")
    monkeypatch.setenv("PZ_SERVER_TOKEN", "fourth")
    assert known.get().token == "fourth" and known.get("there").token == "other"
    known.path.write_text("[]")
    with pytest.raises(ConfigError):
        known.all()


@pytest.mark.parametrize("ending", [".fits", ".hdf5", ".parquet", ".csv", ".ecsv"])
def test_tables_are_opened_by_their_endings(tmp_path, ending):
    from astropy.table import Table

    table = Table({"id": [1, 2, 3], "z": [0.1, 0.2, 0.3]})
    path = tmp_path / f"table{ending}"
    form = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".parquet": "parquet"}.get(ending)
    table.write(path, **({"path": "data"} if ending == ".hdf5" else {}), **({"format": form} if form else {}))
    read = read_table(path)
    assert read.colnames == ["id", "z"] and list(read["z"]) == [0.1, 0.2, 0.3]
    path.write_bytes(b"a,b\n1,2,3" if ending == ".csv" else b"\x00nothing")
    with pytest.raises(FileFormatError):
        read_table(path)
    with pytest.raises(FileFormatError, match="accepted"):
        read_table(tmp_path / "model.pkl")


def test_hdf5_files_whose_datasets_are_columns_are_tables(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        group = file.create_group("photometry")
        group["id"], group["z"] = [1, 2], [0.1, 0.2]
    assert len(read_table(tmp_path / "a.hdf5")) == 2
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        file["a"], file["b"] = [1, 2], [1]
    with pytest.raises(FileFormatError, match="rows"):
        read_table(tmp_path / "b.hdf5")


def test_parquet_keeps_whole_numbers_and_missing_values(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    big = 2**60 + 1
    columns = {
        "id": pa.array([big, None], pa.int64()), "z": pa.array([0.5, None]), "name": pa.array(["a", None]),
        "good": pa.array([True, None]), "when": pa.array([0, None], pa.timestamp("us")),
        "pz": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)), "few": pa.array([[1], None]),
        "raw": pa.array([b"x", b"yy"]), "whole": pa.array([1, 2], pa.int32()),
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table["id"][0] == big and list(table["id"].mask) == [False, True]
    assert table["z"][0] == 0.5 and table["z"][1] != table["z"][1]
    assert list(table["name"].mask) == list(table["good"].mask) == list(table["when"].mask) == [False, True]
    assert table["pz"].shape == (2, 2) and table["few"][1] is None and table["raw"][1] == b"yy"
    assert table["whole"].dtype == "int32"
