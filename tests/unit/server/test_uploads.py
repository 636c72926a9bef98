"""Uploads by the tus protocol: begun, written, checked, given up, expired, and made files of products."""

import base64
import hashlib
from datetime import timedelta
from types import SimpleNamespace

import pytest

from pzcenter.errors import StorageError
from pzcenter.server.services import uploads as services_of_uploads
from pzcenter.server.services.products import NewProduct, create_product
from pzcenter.server.services.upload_writing import UploadWriter
from pzcenter.server.services.uploads import expire_uploads, locked, part_path
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Product, ProductState
from pzcenter.server.storage.uploads import Upload, UploadState

VERSION = {"Tus-Resumable": "1.0.0"}
TABLE = b"ra,dec,z\n10.5,-1.0,0.5\n11.5,2.0,0.7\n"


def encoded(**words):
    return ",".join(f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in words.items())


class Tus:
    """A client that speaks tus."""

    def __init__(self, client):
        self.http = client

    def create(self, length, content=None, headers=None, **words):
        told = VERSION | {"Upload-Length": str(length), "Upload-Metadata": encoded(**words)}
        if content is not None:
            told["Content-Type"] = "application/offset+octet-stream"
        return self.http.post("/api/v2/uploads", headers=told | (headers or {}), content=content)

    def patch(self, url, offset, content, **headers):
        told = VERSION | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return self.http.patch(url, headers=told | headers, content=content)

    def head(self, url):
        return self.http.head(url, headers=VERSION)

    def delete(self, url):
        return self.http.delete(url, headers=VERSION)

    def begun(self, length, **words):
        answer = self.create(length, **words)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]


@pytest.fixture
def tus(server):
    return Tus(server.client("owner"))


@pytest.fixture
def product(services, principal):
    """Number of a new product of the owner."""

    def made(kind="redshift_catalog"):
        with services.database.writing() as session:
            return create_product(services, session, principal("owner"), NewProduct("A table", kind)).id

    return made


@pytest.fixture
def row(services):
    """The one upload there is."""

    def read():
        with services.database.reading() as session:
            return session.query(Upload).one()

    return read


def test_capabilities(server):
    answer = server.client().options("/api/v2/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert int(answer.headers["tus-max-size"]) > 0
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation", "creation-with-upload", "creation-defer-length", "checksum", "expiration", "termination"
    }  # fmt: skip
    assert {"sha1", "md5", "sha256"} == set(answer.headers["tus-checksum-algorithm"].split(","))


def test_in_pieces_to_a_product(tus, product, services):
    number = product()
    url = tus.begun(len(TABLE), filename="z.csv", product=number, role="main", sha256=hashlib.sha256(TABLE).hexdigest())
    assert tus.patch(url, 0, TABLE[:10]).headers["upload-offset"] == "10"
    told = tus.head(url)
    assert (told.status_code, told.headers["upload-offset"], told.headers["upload-length"]) == (200, "10", "36")
    assert told.headers["cache-control"] == "no-store"
    assert "upload-expires" in told.headers
    assert base64.b64encode(b"z.csv").decode() in told.headers["upload-metadata"]
    assert tus.patch(url, 10, TABLE[10:]).status_code == 204
    with services.database.reading() as session:
        made = session.get_one(Product, number)
        assert (made.main_file.name, made.n_rows, len(made.columns)) == ("z.csv", 2, 3)
        assert b"".join(services.store.read(made.main_file.sha256)) == TABLE
    assert tus.head(url).headers["upload-offset"] == "36"
    assert not list((services.settings.data_dir / "uploads").iterdir())


def test_with_the_first_request(tus, row):
    answer = tus.create(len(TABLE), TABLE[:20], filename="z.csv")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "20")
    assert tus.patch(answer.headers["location"], 20, TABLE[20:]).status_code == 204
    assert (row().state, row().sha256) == (UploadState.RECEIVED, hashlib.sha256(TABLE).hexdigest())


def test_length_told_later(tus, row):
    url = tus.http.post("/api/v2/uploads", headers=VERSION | {"Upload-Defer-Length": "1"}).headers["location"]
    assert tus.patch(url, 0, TABLE[:20]).status_code == 204
    assert tus.head(url).headers["upload-defer-length"] == "1"
    assert tus.patch(url, 20, b"", **{"Upload-Length": "10"}).status_code == 400
    assert tus.patch(url, 20, TABLE[20:], **{"Upload-Length": str(len(TABLE))}).status_code == 204
    assert row().state is UploadState.RECEIVED
    assert tus.patch(url, len(TABLE), b"", **{"Upload-Length": "99"}).status_code == 409


def test_empty_file(tus, row):
    tus.begun(0, filename="nothing")
    assert row().state is UploadState.RECEIVED


@pytest.mark.parametrize("algorithm", ["sha1", "md5", "sha256"])
def test_checksum_of_a_part(tus, algorithm):
    url = tus.begun(len(TABLE))
    digest = base64.b64encode(hashlib.new(algorithm, TABLE[:10]).digest()).decode()
    assert tus.patch(url, 0, TABLE[1:11], **{"Upload-Checksum": f"{algorithm} {digest}"}).status_code == 460
    assert tus.head(url).headers["upload-offset"] == "0"
    assert tus.patch(url, 0, TABLE[:10], **{"Upload-Checksum": f"{algorithm} {digest}"}).status_code == 204
    assert tus.head(url).headers["upload-offset"] == "10"


def test_checksum_of_the_whole(tus, services, row):
    url = tus.begun(len(TABLE), sha256="0" * 64)
    assert tus.patch(url, 0, TABLE).status_code == 460
    assert row().state is UploadState.REFUSED
    assert tus.head(url).status_code == 410
    assert not list((services.settings.data_dir / "uploads").iterdir())
    assert tus.patch(url, len(TABLE), b"").status_code == 409


def test_given_to_a_product_later(tus, product, services):
    number = product("other")
    url = tus.begun(5, filename="a.txt")
    assert tus.http.post(f"{url}/finish", json={"product_id": number, "role": "auxiliary"}).status_code == 409
    tus.patch(url, 0, b"hello")
    listed = tus.http.get("/api/v2/uploads").json()
    assert [(each["filename"], each["state"]) for each in listed] == [("a.txt", "received")]
    assert tus.http.post(f"{url}/finish", json={}).status_code == 400
    assert tus.http.post(f"{url}/finish", json={"product_id": number, "role": "wrong"}).status_code == 400
    first = tus.http.post(f"{url}/finish", json={"product_id": number, "role": "auxiliary", "name": "b.txt"})
    assert first.status_code == 200
    again = tus.http.post(f"{url}/finish", json={"product_id": number, "role": "auxiliary"})
    assert again.json() == first.json()
    assert tus.http.post(f"{url}/finish", json={"product_id": product("other")}).status_code == 409
    with services.database.reading() as session:
        assert [file.name for file in session.get_one(Product, number).files] == ["b.txt"]
    assert tus.http.get("/api/v2/uploads").json() == []


def test_two_main_files(tus, product):
    number = product("other")
    urls = [tus.begun(5, filename=name, product=number, role="main") for name in ("a", "b")]
    assert tus.patch(urls[0], 0, b"first").status_code == 204
    assert tus.patch(urls[1], 0, b"other").status_code == 409
    assert tus.create(5, filename="c", product=number, role="main").status_code == 409
    other = product("other")
    assert tus.http.post(f"{urls[1]}/finish", json={"product_id": other}).status_code == 200


def test_main_file_that_is_no_table(tus, product, services):
    number = product()
    url = tus.begun(5, filename="z.parquet", product=number, role="main")
    assert tus.patch(url, 0, b"PAR1x").status_code == 204
    with services.database.reading() as session:
        made = session.get_one(Product, number)
        assert (made.state, "Parquet" in made.failure) == (ProductState.FAILED, True)


def test_given_up(tus, services):
    url = tus.begun(len(TABLE))
    tus.patch(url, 0, TABLE[:10])
    assert tus.delete(url).status_code == 204
    assert tus.head(url).status_code == 404
    assert tus.delete(url).status_code == 404
    assert not list((services.settings.data_dir / "uploads").iterdir())


def test_expired(tus, services):
    url = tus.begun(len(TABLE))
    with services.database.writing() as session:
        session.query(Upload).one().expires_at = now() - timedelta(seconds=1)
    assert tus.head(url).status_code == 404
    assert expire_uploads(services) == 1
    assert expire_uploads(services) == 0
    assert not list((services.settings.data_dir / "uploads").iterdir())


def test_one_writer_at_a_time(tus, services):
    url = tus.begun(len(TABLE))
    with locked(services, url.rpartition("/")[2]):
        assert tus.patch(url, 0, TABLE).status_code == 423
        assert tus.head(url).status_code == 200
        assert tus.delete(url).status_code == 423
    assert tus.patch(url, 0, TABLE).status_code == 204


def test_other_methods(tus):
    url = tus.begun(len(TABLE))
    headers = VERSION | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    told = tus.http.post(url, headers=headers | {"X-HTTP-Method-Override": "PATCH"}, content=TABLE[:4])
    assert (told.status_code, told.headers["upload-offset"]) == (204, "4")
    assert tus.http.post(url, headers=VERSION | {"X-HTTP-Method-Override": "GET"}).status_code == 405
    assert tus.http.post(url, headers=VERSION | {"X-HTTP-Method-Override": "DELETE"}).status_code == 204


CREATION = {
    "no version": ({}, {"Tus-Resumable": ""}, 412),
    "another version": ({}, {"Tus-Resumable": "0.2.2"}, 412),
    "no length": ({}, {"Upload-Length": ""}, 400),
    "negative length": ({}, {"Upload-Length": "-1"}, 400),
    "huge length": ({}, {"Upload-Length": str(10**17)}, 413),
    "endless length": ({}, {"Upload-Length": "9" * 30}, 400),
    "both lengths": ({}, {"Upload-Defer-Length": "1"}, 400),
    "odd metadata": ({}, {"Upload-Metadata": "filename !!!"}, 400),
    "same key twice": ({}, {"Upload-Metadata": "a YQ==,a YQ=="}, 400),
    "no text": ({}, {"Upload-Metadata": "filename /w=="}, 400),
    "too much metadata": ({}, {"Upload-Metadata": "filename " + "A" * 9000}, 400),
    "nul": ({"filename": "a\0b"}, {}, 400),
    "no name": ({"filename": "../.."}, {}, 400),
    "no product": ({"product": "999"}, {}, 404),
    "odd product": ({"product": "-1"}, {}, 404),
    "odd role": ({"role": "chief"}, {}, 400),
    "odd checksum": ({"sha256": "abc"}, {}, 400),
}  # fmt: skip


def test_bad_beginnings(tus):
    for name, (words, headers, status) in CREATION.items():
        answer = tus.create(5, headers=headers, **words)
        assert answer.status_code == status, (name, answer.text)


PARTS = {
    "no type": (b"abc", {"Content-Type": "text/plain"}, 415),
    "no offset": (b"abc", {"Upload-Offset": ""}, 400),
    "odd offset": (b"abc", {"Upload-Offset": "zero"}, 400),
    "other offset": (b"abc", {"Upload-Offset": "1"}, 409),
    "too much": (b"abcdefghijk", {}, 413),
    "odd algorithm": (b"abc", {"Upload-Checksum": "crc32 AAAA"}, 400),
    "odd digest": (b"abc", {"Upload-Checksum": "sha256 AAAA"}, 400),
    "no version": (b"abc", {"Tus-Resumable": "2"}, 412),
    "another length": (b"abc", {"Upload-Length": "11"}, 409),
}


def test_bad_parts(tus):
    url = tus.begun(10)
    for name, (content, headers, status) in PARTS.items():
        answer = tus.patch(url, 0, content, **headers)
        assert answer.status_code == status, (name, answer.text)
        assert tus.head(url).headers["upload-offset"] == "0", name


def test_more_than_promised_without_a_length(tus):
    url = tus.begun(10)
    assert tus.patch(url, 0, iter([b"abcdef", b"ghijkl"])).status_code == 413
    assert int(tus.head(url).headers["upload-offset"]) <= 10


def test_quota(tus, services):
    with services.database.writing() as session:
        session.query(User).filter_by(username="owner").one().quota_bytes = 100
    assert tus.create(101).status_code == 413
    assert tus.create(60).status_code == 201
    assert tus.create(60).status_code == 413


def test_number_of_uploads(tus, monkeypatch):
    monkeypatch.setattr(services_of_uploads, "MAX_UPLOADS", 2)
    assert [tus.create(1).status_code for _ in range(3)] == [201, 201, 413]


def test_full_disk(tus, monkeypatch):
    monkeypatch.setattr(services_of_uploads.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    assert tus.create(5).status_code == 507


def test_disk_that_fills_up(tus, services, principal, monkeypatch):
    url = tus.begun(10)
    writer = UploadWriter(services, principal("owner"), url.rpartition("/")[2], offset=0)
    writer.begin()
    writer.write(b"abc")
    held = writer._file

    class Full:
        def write(self, piece):
            held.write(piece[:1])
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(held, name)

    writer._file = Full()
    with pytest.raises(StorageError, match="No space"):
        writer.write(b"defg")
    writer._file = held
    writer.close()
    assert 3 <= int(tus.head(url).headers["upload-offset"]) <= 4
    assert part_path(services, url.rpartition("/")[2]).read_bytes() in {b"abc", b"abcd"}


def test_unchecked_part_is_cut_off_after_a_crash(tus, services):
    url = tus.begun(10)
    tus.patch(url, 0, b"abc")
    uid = url.rpartition("/")[2]
    with services.database.writing() as session:
        upload = session.query(Upload).one()
        upload.hashing = upload.hashing | {"unverified_from": 3}
    with part_path(services, uid).open("ab") as file:
        file.write(b"??")
    assert tus.head(url).headers["upload-offset"] == "3"
    assert part_path(services, uid).read_bytes() == b"abc"


def test_length_of_the_file_decides_after_a_crash(tus, services):
    url = tus.begun(10)
    with part_path(services, url.rpartition("/")[2]).open("ab") as file:
        file.write(b"abcd")
    assert tus.head(url).headers["upload-offset"] == "4"
    assert tus.patch(url, 4, b"efghij").status_code == 204


def test_server_that_went_after_the_last_byte(tus, services, product, row):
    number = product("other")
    url = tus.begun(3, filename="a", product=number, role="main")
    with part_path(services, url.rpartition("/")[2]).open("ab") as file:
        file.write(b"abc")
    assert tus.head(url).headers["upload-offset"] == "3"
    assert row().state is UploadState.USED
    with services.database.reading() as session:
        assert session.get_one(Product, number).main_file.size == 3


def test_strangers(server, tus):
    url = tus.begun(10)
    for other in (Tus(server.client("colleague")), Tus(server.client("admin"))):
        assert other.head(url).status_code == 404
        assert other.patch(url, 0, b"abc").status_code == 404
        assert other.delete(url).status_code == 404
        assert other.http.get(url).status_code == 404
        assert other.http.get("/api/v2/uploads").json() == []
    nobody = Tus(server.client())
    assert [nobody.create(1).status_code, nobody.head(url).status_code] == [401, 401]
    reader = Tus(server.client("owner", scopes=["read"]))
    assert reader.create(1).status_code == 403


def test_product_of_somebody_else(server, product):
    number = product()
    assert Tus(server.client("colleague")).create(5, product=number, role="main").status_code == 404
