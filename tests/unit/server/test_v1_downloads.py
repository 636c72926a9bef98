"""Downloads in the first interface: ready at once, in ranges, by links that are good for one asker for a while."""

import io
import zipfile
from datetime import timedelta

import pytest
import yaml

from pzcenter.server.services import signing
from pzcenter.server.services.access import today
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import edit_product, share_product
from pzcenter.server.storage.products import Product, ProductFile, Visibility

ARCHIVE_KEYS = [
    "id", "task_id", "status", "filename", "size", "checksum", "source_signature", "created_at", "updated_at",
    "download_url", "expired_time",
]  # fmt: skip


@pytest.fixture
def product(services, principal, made):
    owner = principal("owner")
    number = made(owner, "training_set", release="dp1", tags=("deep",), description="*Words* with é")
    with services.database.writing() as session:
        for name, text in (("notes.md", b"# notes"), ("A.csv", b"another"), ("product_metadata.yaml", b"mine")):
            add_file(services, session, owner, number, services.store.put([text]), name=name)
    return number


def prepared(client, product, kind="download"):
    answer = client.post(f"/api/products/{product}/{kind}/prepare/", headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert answer.json() | {"expired_time": 0, "download_url": 0} == client.get(
        f"/api/products/{product}/{kind}/status/"
    ).json() | {"expired_time": 0, "download_url": 0}
    return answer.json()


def test_the_main_file(server, product):
    client = server.client("colleague")
    archive = prepared(client, product, "download/main-file")
    assert list(archive) == ARCHIVE_KEYS
    assert (archive["status"], archive["filename"], archive["size"]) == ("ready", "a.csv", 34)
    assert archive["checksum"] == archive["source_signature"]
    sent = client.get(archive["download_url"])
    assert sent.content.startswith(b"name,ra,dec,z\n")
    assert sent.headers["content-length"] == "34"
    assert sent.headers["content-disposition"] == 'attachment; filename="a.csv"'
    assert sent.headers["content-type"] == "application/octet-stream"
    assert "content-encoding" not in sent.headers
    part = client.get(archive["download_url"], headers={"Range": "bytes=30-"})
    assert (part.status_code, part.content) == (206, sent.content[30:])
    assert part.headers["content-range"] == "bytes 30-33/34"


def test_all_files(server, product):
    client = server.client("owner")
    archive = prepared(client, product)
    sent = client.get(archive["download_url"])
    assert len(sent.content) == archive["size"] == int(sent.headers["content-length"])
    assert sent.headers["content-disposition"] == f'attachment; filename="{product}_my_cat_v10_test.zip"'
    with zipfile.ZipFile(io.BytesIO(sent.content)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [
            "a.csv", "notes.md", "A_2.csv", "product_metadata_2.yaml", "product_metadata.yaml",
        ]  # fmt: skip
        told = yaml.safe_load(opened.read("product_metadata.yaml"))
        assert opened.read("A_2.csv") == b"another"
    assert (told["release"], told["tags"], told["description"]) == ("dp1", ["deep"], "*Words* with é")
    assert [file["name"] for file in told["files"]] == ["a.csv", "notes.md", "A_2.csv", "product_metadata_2.yaml"]
    assert all(len(file["sha256"]) == 64 for file in told["files"])
    assert told["columns"][3] == {"name": "z", "datatype": None, "unit": None, "ucd": "src.redshift", "alias": "z"}
    for wanted, first, last in (("bytes=0-9", 0, 9), ("bytes=100-", 100, None), ("bytes=-50", -50, None)):
        part = client.get(archive["download_url"], headers={"Range": wanted})
        assert part.status_code == 206
        assert part.content == sent.content[first:][: None if last is None else last - first + 1]
    assert client.get(archive["download_url"], headers={"Range": f"bytes={archive['size']}-"}).status_code == 416
    for nonsense in ("bytes=5-2", "bytes=-", "bytes=0-1,3-4", "pages=1-2", "bytes=a-b"):
        assert client.get(archive["download_url"], headers={"Range": nonsense}).content == sent.content
    tag = sent.headers["etag"]
    assert client.get(archive["download_url"], headers={"If-None-Match": tag}).status_code == 304
    old = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert client.get(archive["download_url"], headers=old).status_code == 200
    head = client.head(archive["download_url"])
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(archive["size"]), b"")


def test_a_directory_comes_as_an_archive(server, principal, made_directory):
    parts = {"hats.properties": b"x=1", "dataset/Norder=0/Dir=0/Npix=1.parquet": b"PAR1" * 10}
    number = made_directory(principal("owner"), parts)
    client = server.client("owner")
    info = client.get(f"/api/products/{number}/main_file_info/").json()["main_file"]
    assert (info["is_directory"], info["name"]) == (True, "hats")
    archive = prepared(client, number, "download/main-file")
    assert archive["filename"] == "hats.zip"
    with zipfile.ZipFile(io.BytesIO(client.get(archive["download_url"]).content)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            f"hats/{path}": text for path, text in parts.items()
        }
    whole = prepared(client, number)
    with zipfile.ZipFile(io.BytesIO(client.get(whole["download_url"]).content)) as opened:
        assert set(opened.namelist()) == {*(f"hats/{path}" for path in parts), "product_metadata.yaml"}


def test_a_link_is_for_one_asker(server, product):
    url = prepared(server.client("owner"), product)["download_url"]
    assert server.client().get(url).status_code == 401
    assert server.client("colleague").get(url).status_code == 403
    assert server.client("outsider").get(url).status_code == 404
    assert server.client("owner", scopes=["write"]).get(url).status_code == 403
    assert server.client("owner").get(url).status_code == 200


def test_a_link_is_for_one_thing(server, product, principal, made):
    client = server.client("owner")
    url = prepared(client, product)["download_url"]
    token = url.partition("token=")[2]
    other = made(principal("owner"))
    for address in (
        f"products/{other}/download/file/?token={token}", f"products/{product}/download/main-file/file/?token={token}",
        f"products/{product}/download/file/", f"products/{product}/download/file/?token=x",
        f"products/{product}/download/file/?token={token[:-1]}",
    ):  # fmt: skip
        assert client.get(f"/api/{address}").status_code == 403


def test_a_link_is_good_for_a_while(server, product, monkeypatch):
    client = server.client("owner")
    archive = prepared(client, product)
    later = signing.time.time() + 901
    monkeypatch.setattr(signing.time, "time", lambda: later)
    answer = client.get(archive["download_url"])
    assert answer.status_code == 403
    assert "no longer good" in answer.json()["detail"]


def test_a_link_ends_with_the_access(services, server, product, principal):
    client, owner = server.client("colleague"), principal("owner")
    url = prepared(client, product)["download_url"]
    assert client.get(url).status_code == 200
    with services.database.writing() as session:
        share_product(session, owner, product, embargo_until=today() + timedelta(days=1))
    assert client.get(url).status_code == 404
    with services.database.writing() as session:
        share_product(session, owner, product, visibility=Visibility.PRIVATE, lift_embargo=True)
    assert client.get(url).status_code == 404


def test_a_link_ends_with_a_change(services, server, product, principal):
    """Otherwise a download that goes on would mix two archives."""
    client = server.client("owner")
    url = prepared(client, product)["download_url"]
    with services.database.writing() as session:
        edit_product(session, principal("owner"), product, {"description": "other"})
    assert client.get(url, headers={"Range": "bytes=10-"}).status_code == 403


def test_what_cannot_be_sent_is_told(services, server, product, principal, made):
    client = server.client("owner")
    empty = made(principal("owner"), text=None, publish=False)
    assert client.post(f"/api/products/{empty}/download/main-file/prepare/").status_code == 404
    assert client.post("/api/products/999/download/prepare/").status_code == 404
    whole, main = prepared(client, product), prepared(client, product, "download/main-file")
    with services.database.writing() as session:
        file = session.get(Product, product).main_file
        services.store.remove(file.sha256)
    assert client.get(whole["download_url"]).status_code == 507
    assert client.get(main["download_url"]).status_code == 507
    with services.database.writing() as session:
        file = session.get(ProductFile, file.id)
        file.blob, file.reference = None, "s3://elsewhere/data"
    answer = client.post(f"/api/products/{product}/download/main-file/prepare/").json()
    assert answer["status"] == "failed"
    assert "s3://elsewhere/data" in answer["error_message"]
    assert client.get(f"/api/product-files/{file.id}/download/").status_code == 409
    with zipfile.ZipFile(io.BytesIO(client.get(prepared(client, product)["download_url"]).content)) as opened:
        assert "a.csv" not in opened.namelist()
        told = yaml.safe_load(opened.read("product_metadata.yaml"))
    assert told["files"][0]["reference"] == "s3://elsewhere/data"


def test_older_addresses(server, product):
    client = server.client("owner")
    for address, name in (("download", ".zip"), ("download_main_file", "a.csv")):
        sent = client.get(f"/api/products/{product}/{address}/")
        assert sent.status_code == 200
        assert sent.headers["deprecation"] == "true"
        assert name in sent.headers["content-disposition"]
        assert server.client("outsider").get(f"/api/products/{product}/{address}/").status_code == 404
