"""Addresses, transport and downloads: what is refused, what is resumed, what is limited."""

from __future__ import annotations

import hashlib
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import ChecksumError, ConfigError, NotFoundError, TransientError, UsageError
from pzcenter.training.sources import Limits, SourceRequest, fetch
from pzcenter.training.sources.addresses import check_url, is_public
from pzcenter.training.sources.download import file_name_of
from pzcenter.training.sources.transport import Transport


class Site:
    """A small site on this machine whose behaviour a test can change."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.status: dict[str, int] = {}
        self.cut_after: int | None = None
        self.etag = '"v1"'
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.replies: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
        handler = partial(_Handler, self)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, site, *arguments):
        self.site = site
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def _answer(self, method):
        site = self.site
        site.asked.append((method, self.path, dict(self.headers)))
        if replies := site.replies.get((method, self.path)):
            status, body = replies.pop(0) if len(replies) > 1 else replies[0]
            return self._send(status, body)
        if self.path in site.status:
            return self._send(site.status[self.path], b"")
        if self.path in site.redirects:
            return self._send(302, b"", Location=site.redirects[self.path])
        if self.path not in site.files:
            return self._send(404, b"")
        if self.headers.get("If-None-Match") == site.etag:
            return self._send(304, b"")
        return self._file(site.files[self.path])

    def _file(self, body):
        begin, status, more = 0, 200, {}
        if (wanted := self.headers.get("Range")) and self.headers.get("If-Range") == self.site.etag:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            status, more = 206, {"Content-Range": f"bytes {begin}-{len(body) - 1}/{len(body)}"}
        rest = body[begin:]
        self.send_response(status)
        for name, value in {"ETag": self.site.etag, "Content-Length": str(len(rest)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        cut, self.site.cut_after = self.site.cut_after, None
        self.wfile.write(rest if cut is None else rest[:cut])
        self.close_connection = True

    def _send(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Site()
    yield made
    made.close()


@pytest.fixture
def catalogue(tmp_path):
    path = tmp_path / "made.parquet"
    pq.write_table(pa.table({"ra": [1.0, 2.0], "dec": [0.0, 1.0], "z": [0.1, 0.2]}), path)
    return path.read_bytes()


def get(site, path, cache, **options):
    keep = {name: options.pop(name) for name in ("refresh", "offline", "limits", "token") if name in options}
    request = {"connector": "url", "url": site.url + path, **options}
    return fetch(request, cache, allow_private=True, **keep)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a",
        "data:text/plain,hello",
        "http:///nohost",
        "//example.org/a",
        "http://user:word@example.org/a",
        "http://localhost/a",
        "http://127.0.0.1/a",
        "http://[::1]/a",
        "http://10.1.2.3/a",
        "http://192.168.0.1/a",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/a",
        "http://0x7f000001/a",
        "http://[::ffff:127.0.0.1]/a",
        "http://example.org/a b",
        "http://example.org:port/a",
    ],
)
def test_these_addresses_are_refused(url):
    with pytest.raises(ConfigError):
        check_url(url)


def test_public_addresses_are_taken():
    assert check_url("https://data.example.org/a.fits") == "https://data.example.org/a.fits"
    assert is_public("8.8.8.8") and not is_public("100.64.0.1") and not is_public("fe80::1%eth0")


def test_a_name_of_a_private_machine_is_refused_at_the_connection(monkeypatch):
    import socket

    def everything_is_here(host, port, *rest, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", everything_is_here)
    made = Site()
    try:
        port = made.server.server_address[1]
        with pytest.raises(ConfigError, match=r"127\.0\.0\.1"), Transport().open(f"http://data.example.org:{port}/a"):
            pass
        assert made.asked == []
        with pytest.raises(ConfigError, match=r"127\.0\.0\.1"):
            check_url("http://data.example.org/a", resolve=True)
    finally:
        made.close()


def test_without_leave_this_machine_is_not_asked(site, tmp_path):
    site.files["/a.parquet"] = b"x"
    with pytest.raises(ConfigError, match="private"):
        fetch({"connector": "url", "url": f"{site.url}/a.parquet"}, tmp_path)
    assert site.asked == []


def test_a_file_is_fetched_once(site, catalogue, tmp_path):
    site.files["/a.parquet"] = catalogue
    first = get(site, "/a.parquet", tmp_path / "cache")
    again = get(site, "/a.parquet", tmp_path / "cache")
    assert (first.from_cache, again.from_cache, len(site.asked)) == (False, True, 1)
    assert first.sha256 == hashlib.sha256(catalogue).hexdigest() == again.sha256
    assert first.path == tmp_path / "cache" / first.sha256[:2] / first.sha256 / "a.parquet"
    assert again.n_rows == 2 and again.table().column("z").to_pylist() == [0.1, 0.2]
    assert again.version.retrieved.endswith("+00:00")
    assert not list((tmp_path / "cache" / "unfinished").glob("*/*"))


def test_an_unchanged_file_is_not_sent_again(site, catalogue, tmp_path):
    site.files["/a.parquet"] = catalogue
    get(site, "/a.parquet", tmp_path)
    again = get(site, "/a.parquet", tmp_path, refresh=True)
    assert not again.changed and not again.from_cache
    assert site.asked[-1][2]["If-None-Match"] == '"v1"'


def test_a_changed_file_is_kept_beside_the_old_one(site, catalogue, tmp_path):
    from pzcenter.training.sources import SourceCache

    site.files["/a.csv"] = b"ra,dec,z\n1,2,0.5\n"
    old = get(site, "/a.csv", tmp_path)
    site.files["/a.csv"], site.etag = b"ra,dec,z\n1,2,0.5\n3,4,0.6\n", '"v2"'
    new = get(site, "/a.csv", tmp_path, refresh=True)
    assert new.changed and old.path.exists() and new.path != old.path
    assert "changed since" in new.notes[-1]
    kept = SourceCache(tmp_path).versions(new.request)
    assert [version.sha256 for version in kept] == [old.sha256, new.sha256]
    assert get(site, "/a.csv", tmp_path, offline=True).sha256 == new.sha256


def test_a_broken_download_is_resumed(site, tmp_path):
    body = bytes(range(256)) * 8000
    site.files["/a.bin"], site.cut_after = body, 1_500_000
    found = get(site, "/a.bin", tmp_path)
    assert found.path.read_bytes() == body
    assert site.asked[1][2]["Range"] == "bytes=1500000-" and site.asked[1][2]["If-Range"] == '"v1"'


def test_a_file_that_changed_meanwhile_is_not_joined(site, tmp_path):
    from pzcenter.training.sources.download import download

    directory = tmp_path / "work"
    directory.mkdir()
    site.files["/a.bin"] = b"new content, all of it"
    (directory / "a.bin.part").write_bytes(b"old con")
    (directory / "a.bin.part.json").write_text(json.dumps({"url": f"{site.url}/a.bin", "version": '"v0"'}))
    found = download(Transport(allow_private=True), f"{site.url}/a.bin", directory)
    assert found.path.read_bytes() == b"new content, all of it"


def test_the_size_is_limited(site, tmp_path):
    site.files["/a.bin"] = b"x" * 5000
    with pytest.raises(UsageError, match="5000 bytes or more, the limit is 100"):
        get(site, "/a.bin", tmp_path, limits=Limits(max_bytes=100))


def test_limits_must_be_positive():
    with pytest.raises(ConfigError, match="max_bytes"):
        Limits(max_bytes=0)


def test_the_checksum_of_the_source_is_compared(site, catalogue, tmp_path):
    site.files["/a.parquet"] = catalogue
    with pytest.raises(ChecksumError, match="the source says 00"):
        get(site, "/a.parquet", tmp_path, sha256="00")


def test_redirects_are_followed_and_judged(site, catalogue, tmp_path):
    site.files["/b.parquet"], site.redirects["/a.parquet"] = catalogue, "/b.parquet"
    assert get(site, "/a.parquet", tmp_path).version.url == f"{site.url}/b.parquet"
    site.redirects["/c"] = "file:///etc/passwd"
    with pytest.raises((ConfigError, UsageError), match="refuse"):
        get(site, "/c", tmp_path)
    site.redirects["/loop"] = "/loop"
    with pytest.raises(UsageError):
        get(site, "/loop", tmp_path)


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFoundError), (403, UsageError), (503, TransientError), (429, TransientError)]
)
def test_what_a_status_means(site, tmp_path, status, error):
    site.status["/a"] = status
    with pytest.raises(error, match=r"127\.0\.0\.1"):
        get(site, "/a", tmp_path)


def test_an_unreachable_host_says_what_to_do(tmp_path):
    with pytest.raises(TransientError, match=r"127\.0\.0\.1 could not be reached.*connector: file"):
        fetch({"connector": "url", "url": "http://127.0.0.1:9/a.csv"}, tmp_path, allow_private=True)


def test_offline_never_goes_out(site, tmp_path):
    site.files["/a"] = b"x"
    with pytest.raises(NotFoundError, match="offline"):
        get(site, "/a", tmp_path, offline=True)
    assert site.asked == []


def test_a_damaged_file_of_the_cache_is_told_and_mended(site, catalogue, tmp_path):
    site.files["/a.parquet"] = catalogue
    found = get(site, "/a.parquet", tmp_path)
    found.path.write_bytes(b"damaged")
    with pytest.raises(ChecksumError, match="refresh=True"):
        get(site, "/a.parquet", tmp_path)
    mended = get(site, "/a.parquet", tmp_path, refresh=True)
    assert not mended.changed and get(site, "/a.parquet", tmp_path).table().num_rows == 2


def test_two_processes_do_not_fetch_the_same(site, tmp_path):
    from pzcenter.training.sources import SourceCache

    request = SourceRequest("url", {"url": f"{site.url}/a"})
    with (
        SourceCache(tmp_path).working_directory(request),
        pytest.raises(TransientError, match="another process"),
    ):
        get(site, "/a", tmp_path)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b.fits?x=1", "b.fits"),
        ("http://h/", "file"),
        ("http://h/%2e%2e%2fetc", "etc"),
        ("http://h/a b;c", "a_b_c"),
    ],
)
def test_file_names_are_plain(url, name):
    assert file_name_of(url) == name


def test_a_product_of_a_pz_server(site, catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr("pzcenter.training.sources.pzserver.POLL_S", 0.01)
    base = "/api/products/12/"
    told = Path(__file__).parent / "data" / "pzserver_product.json"
    ready = {
        "status": "ready",
        "filename": "cat.parquet",
        "checksum": hashlib.sha256(catalogue).hexdigest(),
        "download_url": f"{site.url}{base}file",
    }
    site.replies["GET", base] = [(200, told.read_bytes())]
    site.replies["POST", f"{base}download/main-file/prepare/"] = [(202, b'{"status": "running"}')]
    site.replies["GET", f"{base}download/main-file/status/"] = [
        (200, b'{"status": "running"}'),
        (200, json.dumps(ready).encode()),
    ]
    site.files[f"{base}file"] = catalogue
    request = {"connector": "pzserver", "host": site.url, "product": 12}
    monkeypatch.delenv("PZ_SERVER_TOKEN", raising=False)
    with pytest.raises(UsageError, match="needs a token"):
        fetch(request, tmp_path / "cache", allow_private=True)
    found = fetch(request, tmp_path / "cache", allow_private=True, token="abc")
    assert found.n_rows == 2 and found.notes == ("product 12: My catalogue",)
    assert {headers.get("Authorization") for *_, headers in site.asked} == {"Token abc"}
    assert "abc" not in "".join(path.read_text() for path in (tmp_path / "cache" / "index").iterdir())


def test_a_pz_server_does_not_send_the_token_elsewhere(site, tmp_path):
    base = "/api/products/3/"
    site.replies["GET", base] = [(200, b"{}")]
    site.replies["POST", f"{base}download/main-file/prepare/"] = [
        (200, b'{"status": "ready", "filename": "a", "download_url": "http://example.org/a"}')
    ]
    with pytest.raises(UsageError, match=r"the token goes to 127\.0\.0\.1 alone"):
        fetch({"connector": "pzserver", "host": site.url, "product": 3}, tmp_path, allow_private=True, token="abc")


def test_desi_is_read_as_a_stream(site, tmp_path):
    import io

    import numpy as np
    from astropy.io import fits

    n = 1000
    ids = np.arange(n, dtype=np.int64) - 100
    rows = fits.BinTableHDU.from_columns(
        [
            fits.Column("TARGETID", "K", array=ids),
            fits.Column("SURVEY", "7A", array=np.array(["main"] * n)),
            fits.Column("COEFF", "10D", array=np.zeros((n, 10))),
            fits.Column("Z", "D", array=np.linspace(0, 2, n)),
            fits.Column("ZCAT_PRIMARY", "L", array=ids % 2 == 0),
        ],
        name="ZCATALOG",
    )
    body = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), rows]).writeto(body)
    site.files["/zall.fits"] = body.getvalue()
    request = {
        "connector": "desi",
        "url": f"{site.url}/zall.fits",
        "columns": ["TARGETID", "SURVEY", "Z", "ZCAT_PRIMARY"],
    }
    found = fetch(request, tmp_path, allow_private=True)
    table = found.table()
    assert table.column_names == ["TARGETID", "DESI_SURVEY", "Z", "ZCAT_PRIMARY"]
    assert table.num_rows == 900 and table.column("ZCAT_PRIMARY").to_pylist()[:2] == [True, False]
    assert table.column("DESI_SURVEY")[0].as_py() == "main"
    assert found.notes == ("left out 100 of 1000 rows with TARGETID < 0 (sky)",)
    site.cut_after = 9000
    with pytest.raises(TransientError):
        fetch(request, tmp_path, allow_private=True, refresh=True)
    with pytest.raises(UsageError, match="max_stream_bytes"):
        fetch({**request, "release": "x"}, tmp_path, allow_private=True, limits=Limits(max_stream_bytes=10))
    with pytest.raises(NotFoundError, match="dr1"):
        fetch({"connector": "desi", "release": "dr9"}, tmp_path)
