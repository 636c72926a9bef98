"""Products that refer to data elsewhere: only where the admin allows, never to private machines, with fixity."""

import http.client
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.errors import (
    ChecksumError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    SourceUnavailableError,
    UsageError,
)
from pzcenter.server.services import addresses
from pzcenter.server.services.addresses import address_of
from pzcenter.server.services.preview import table_page
from pzcenter.server.services.product_files import remove_file
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.services.references import add_reference, check_reference
from pzcenter.server.services.tables import sources
from pzcenter.server.services.upload_finish import register_new_main_file
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.products import FileRole, Product, ProductFile

TABLE = pa.table({"ra": [10.5, 11.5], "dec": [1.0, 2.0], "z": [0.5, 0.7]})


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    pq.write_table(TABLE, folder / "z.parquet")
    return folder


@pytest.fixture
def settings(tmp_path, root):
    return ServerSettings(
        data_dir=tmp_path / "server", base_url="http://testserver", allowed_hosts=["testserver"],
        reference_roots=[str(root), "s3://shared/open"],
        reference_hosts=["data.example.org", "localhost", "169.254.169.254", "private.example.org"],
    )  # fmt: skip


@pytest.fixture
def product(services, principal):
    def made(kind="redshift_catalog"):
        with services.database.writing() as session:
            return create_product(services, session, principal("owner"), NewProduct("A table", kind)).id

    return made


def hats(folder):
    place = folder / "dataset/Norder=0/Dir=0"
    place.mkdir(parents=True)
    pq.write_table(TABLE, place / "Npix=1.parquet")
    (folder / "hats.properties").write_text("hats_nrows=2\n")
    (folder / "partition_info.csv").write_text("Norder,Npix\n0,1\n")
    return folder


def test_file_of_this_machine(services, principal, product, root):
    number = product()
    file_id = add_reference(services, principal("owner"), number, f"file://{root}/z.parquet")
    register_new_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        made = session.get_one(Product, number)
        file = made.main_file
        assert (file.name, file.reference, file.sha256) == ("z.parquet", str(root / "z.parquet"), None)
        assert (file.size, made.size, made.n_rows) == ((root / "z.parquet").stat().st_size, 0, 2)
        assert {column.name: column.alias for column in made.columns} == {"ra": "RA", "dec": "Dec", "z": "z"}
        assert len(file.fixity["sha256"]) == 64
    assert table_page(services, principal("owner"), number).rows[1] == [11.5, 2.0, 0.7]
    with services.database.writing() as session:
        remove_file(session, principal("owner"), file_id)
        assert session.get_one(Product, number).size == 0


def test_hats_catalogue(services, principal, product, root):
    number = product()
    hats(root / "cat")
    file_id = add_reference(services, principal("owner"), number, str(root / "cat"))
    register_new_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        file = session.get_one(ProductFile, file_id)
        assert (file.is_directory, file.n_rows, file.fixity["n_files"]) == (True, 2, 3)
    (root / "cat/extra").write_text("x")
    assert "n_files was 3 and is 4" in check_reference(services, principal("owner"), file_id).changes


def test_changes_are_named(services, principal, product, root):
    path = root / "notes.txt"
    path.write_text("first")
    file_id = add_reference(services, principal("owner"), product("other"), str(path))
    assert check_reference(services, principal("owner"), file_id).same
    os.utime(path, (1, 1))
    touched = check_reference(services, principal("owner"), file_id)
    assert (touched.same, [change.split()[0] for change in touched.changes]) == (True, ["mtime"])
    path.write_text("other")
    changed = check_reference(services, principal("owner"), file_id)
    assert not changed.same
    assert any(change.startswith("sha256 was ") for change in changed.changes)
    path.unlink()
    with pytest.raises(NotFoundError):
        check_reference(services, principal("owner"), file_id)


def test_checksum_that_was_told(services, principal, product, root):
    with pytest.raises(ChecksumError):
        add_reference(services, principal("owner"), product(), str(root / "z.parquet"), sha256="0" * 64)


REFUSED = {
    "elsewhere": ("/etc/passwd", PermissionDeniedError),
    "beside": ("{root}2/z.parquet", PermissionDeniedError),
    "up": ("{root}/../secret", PermissionDeniedError),
    "link": ("{root}/link", PermissionDeniedError),
    "directory of links": ("{root}/folder", PermissionDeniedError),
    "absent": ("{root}/nothing", NotFoundError),
    "the server itself": ("{root}/../server/server.sqlite3", PermissionDeniedError),
    "http": ("http://data.example.org/z", UsageError),
    "ftp": ("ftp://data.example.org/z", UsageError),
    "relative": ("z.parquet", UsageError),
    "file of a host": ("file://data.example.org/z", UsageError),
    "empty": ("", UsageError),
    "control letters": ("/a\nb", UsageError),
    "long": ("/" + "a" * 3000, UsageError),
    "password": ("https://user:secret@data.example.org/z", UsageError),
    "odd port": ("https://data.example.org:99999/z", UsageError),
    "another host": ("https://example.com/z", PermissionDeniedError),
    "host that ends alike": ("https://evil-data.example.org/z", PermissionDeniedError),
    "no host": ("https:///z", PermissionDeniedError),
    "this machine": ("https://localhost/z", PermissionDeniedError),
    "cloud metadata": ("https://169.254.169.254/latest", PermissionDeniedError),
    "another bucket": ("s3://other/open/z", PermissionDeniedError),
    "another prefix": ("s3://shared/opened/z", PermissionDeniedError),
    "the bucket": ("s3://shared/open/", PermissionDeniedError),
}


def test_what_is_refused(services, principal, product, root):
    (root / "link").symlink_to("/etc/passwd")
    (root / "folder").mkdir()
    (root / "folder/inside").symlink_to("/etc/passwd")
    (root.parent / "archive2").mkdir()
    number = product("other")
    for name, (text, kind) in REFUSED.items():
        try:
            add_reference(services, principal("owner"), number, text.format(root=root))
        except kind:
            continue
        pytest.fail(f"{name} was accepted")


def test_names_that_stand_for_private_machines(services, principal, product, monkeypatch):
    answers = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.5", 443))]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: answers)
    monkeypatch.setattr(addresses.socket, "create_connection", lambda *_, **__: pytest.fail("it was asked"))
    with pytest.raises(PermissionDeniedError, match="private address"):
        add_reference(services, principal("owner"), product("other"), "https://private.example.org/z")


def test_nothing_is_allowed_by_default(tmp_path, root):
    bare = ServerSettings(data_dir=tmp_path)
    for text in (str(root / "z.parquet"), "https://data.example.org/z", "s3://shared/open/z"):
        with pytest.raises(PermissionDeniedError):
            address_of(bare, text)


class Pages(BaseHTTPRequestHandler):
    """A host with one file."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        told = self.server.told
        self.send_response(told.status)
        if told.status == 302:
            self.send_header("Location", "https://169.254.169.254/")
        self.send_header("ETag", told.etag)
        self.send_header("Content-Length", str(len(told.content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(told.content)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def host(monkeypatch, root):
    """A host that stands for data.example.org."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.told = SimpleNamespace(status=200, etag='"1"', content=(root / "z.parquet").read_bytes())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()

    def opened(name, port):
        assert (name, port) == ("data.example.org", 443)
        return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)

    monkeypatch.setattr(addresses, "open_https", opened)
    yield server.told
    server.shutdown()
    thread.join()
    server.server_close()


def test_https(services, principal, product, host):
    number = product()
    file_id = add_reference(services, principal("owner"), number, "https://Data.Example.org/a/z.parquet?v=1")
    register_new_main_file(services, principal("owner"), number)
    with services.database.reading() as session:
        made = session.get_one(Product, number)
        assert (made.main_file.reference, made.n_rows) == ("https://data.example.org/a/z.parquet?v=1", 2)
        assert (made.main_file.fixity["etag"], made.main_file.name) == ('"1"', "z.parquet")
    host.content = b"changed"
    host.etag = '"2"'
    changed = check_reference(services, principal("owner"), file_id)
    assert [change.split()[0] for change in changed.changes] == ["size", "etag", "sha256"]


@pytest.mark.parametrize(
    "case", [(404, NotFoundError), (503, SourceUnavailableError), (302, UsageError), (403, UsageError)]
)
def test_hosts_that_do_not_give_it(services, principal, product, host, case):
    host.status, kind = case
    with pytest.raises(kind):
        add_reference(services, principal("owner"), product("other"), "https://data.example.org/z")


def test_large_data_elsewhere_are_not_read(services, principal, product, host, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FETCHED", 10)
    number = product()
    add_reference(services, principal("owner"), number, "https://data.example.org/z.parquet")
    with pytest.raises(ConflictError, match="too many for a look"):
        register_new_main_file(services, principal("owner"), number)


def test_who_may(services, principal, product, root):
    number = product("other")
    with pytest.raises(NotFoundError):
        add_reference(services, principal("colleague"), number, str(root / "z.parquet"))
    file_id = add_reference(services, principal("owner"), number, str(root / "z.parquet"))
    with pytest.raises(NotFoundError):
        check_reference(services, principal("colleague"), file_id)
    with pytest.raises(ConflictError, match="main file already"):
        add_reference(services, principal("owner"), number, str(root / "z.parquet"))
    content = services.store.put([b"x"])
    with services.database.writing() as session:
        from pzcenter.server.services.product_files import add_file

        kept = add_file(services, session, principal("owner"), number, content, name="kept").id
    with pytest.raises(ConflictError, match="kept here"):
        check_reference(services, principal("owner"), kept)


def test_over_the_interface(server, product, root):
    number, client = product(), server.client("owner")
    url = f"/api/v2/products/{number}/references"
    assert client.post(url, json={"address": "/etc/passwd"}).status_code == 403
    assert client.post(url, json={"address": str(root / "z.parquet"), "role": "chief"}).status_code == 400
    made = client.post(url, json={"address": str(root / "z.parquet")})
    assert (made.status_code, made.json()["n_rows"], made.json()["role"]) == (201, 2, "main")
    told = client.post(f"/api/v2/files/{made.json()['id']}/check").json()
    assert (told["same"], told["changes"]) == (True, [])
    notes = {"address": str(root / "z.parquet"), "role": "auxiliary", "name": "copy"}
    assert client.post(url, json=notes).json()["name"] == "copy"
    assert server.client("colleague").post(url, json=notes).status_code == 404
    assert FileRole.MAIN == 0


def test_bucket(services, principal, product, monkeypatch, root):
    """The object store is the one of the server."""
    content = (root / "z.parquet").read_bytes()

    class Client:
        def head_object(self, Bucket, Key):
            from datetime import UTC, datetime

            assert (Bucket, Key) == ("shared", "open/z.parquet")
            return {"ContentLength": len(content), "LastModified": datetime.now(UTC), "ETag": '"abc"'}

        def get_object(self, Bucket, Key):
            import io

            assert (Bucket, Key) == ("shared", "open/z.parquet")
            return {"Body": io.BytesIO(content)}

    monkeypatch.setattr("pzcenter.server.storage.s3_store.make_client", lambda _: Client())
    file_id = add_reference(services, principal("owner"), product(), "s3://shared/open/z.parquet")
    with services.database.reading() as session:
        file = session.get_one(ProductFile, file_id)
        assert (file.fixity["etag"], file.reference) == ("abc", "s3://shared/open/z.parquet")
