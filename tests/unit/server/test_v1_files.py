"""Files in the first interface: taken in, listed, sent, taken off."""

import asyncio

import pytest
from sqlalchemy import select, update
from starlette.requests import ClientDisconnect, Request

from pzcenter.errors import QuotaError
from pzcenter.server.http import multipart
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product, ProductFile

FILE_KEYS = [
    "id", "product", "file", "can_delete", "role_name", "role", "name", "type", "n_rows", "size", "extension",
    "is_directory", "created", "updated",
]  # fmt: skip


def incoming(services):
    folder = services.settings.data_dir / "incoming"
    return list(folder.iterdir()) if folder.exists() else []


def send(client, product, *, role=0, name="a.csv", text=b"z\n0.5\n", **more):
    fields = {"product": product, "role": role} | more
    return client.post("/api/product-files/", data=fields, files={"file": (name, text)})


@pytest.fixture
def draft(principal, made):
    return made(principal("owner"), "training_set", text=None, publish=False)


def test_from_beginning_to_end(services, server, draft):
    client = server.client("owner")
    answer = send(client, draft, type="text/csv")
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert list(file) == FILE_KEYS
    assert file | {"created": "", "updated": "", "id": 1} == {
        "id": 1, "product": draft, "file": f"http://testserver/api/product-files/{file['id']}/download/",
        "can_delete": True, "role_name": "Main", "role": 0, "name": "a.csv", "type": "text/csv", "n_rows": None,
        "size": 6, "extension": ".csv", "is_directory": False, "created": "", "updated": "",
    }  # fmt: skip
    for role, role_name in ((1, "Description"), (2, "Auxiliary")):
        more = send(client, draft, role=role, name="note.parquet").json()
        assert (more["role_name"], more["type"], more["extension"]) == (role_name, None, ".parquet")
    listed = client.get(f"/api/product-files/?product_id={draft}&ordering=-role").json()
    assert [each["role"] for each in listed["results"]] == [2, 1, 0]
    assert client.get(f"/api/product-files/{file['id']}/").json() == file
    sent = client.get(f"/api/product-files/{file['id']}/download/")
    assert sent.content == b"z\n0.5\n"
    assert sent.headers["content-disposition"] == 'attachment; filename="a.csv"'
    assert client.delete(f"/api/product-files/{file['id']}/").status_code == 204
    assert client.get(f"/api/product-files/{file['id']}/").status_code == 404
    assert incoming(services) == []


def test_large_files_come_in_pieces(services, server, draft, monkeypatch):
    monkeypatch.setattr(multipart, "GATHERED", 1000)
    text = bytes(range(256)) * 5000
    file = send(server.client("owner"), draft, text=text, name="Ü ñ.bin").json()
    assert (file["size"], file["name"]) == (len(text), "Ü ñ.bin")
    with services.database.reading() as session:
        sha256 = session.scalar(select(ProductFile.sha256))
    assert b"".join(services.store.read(sha256)) == text


def test_who_may_not_is_told_before_the_file_is_kept(services, server, draft, made, principal):
    published = made(principal("owner"))
    for who, product, role, status in (
        (None, draft, 0, 401), ("colleague", draft, 0, 404), ("colleague", published, 2, 403),
        ("coordinator", published, 2, 403), ("owner", published, 0, 403), ("owner", 999, 0, 404),
        ("owner", 10**30, 0, 400), ("owner", "x", 0, 400), ("owner", draft, 7, 400), ("owner", draft, "", 400),
    ):  # fmt: skip
        assert send(server.client(who), product, role=role).status_code == status, (who, product, role)
    assert send(server.client("owner", scopes=["read"]), draft).status_code == 403
    assert send(server.client("owner"), draft).status_code == 201
    assert send(server.client("owner"), draft).status_code == 409
    assert incoming(services) == []
    assert len(list(services.store.names())) == 2


def test_bad_forms(services, server, draft):
    client = server.client("owner")
    post = lambda **more: client.post("/api/product-files/", **more).status_code  # noqa: E731
    assert post(json={}) == 400
    assert post(data={"product": draft, "role": 0}) == 400
    assert post(data={"product": draft}, files={"file": ("a", b"1")}) == 400
    assert post(data={"role": 0}, files={"file": ("a", b"1")}) == 400
    assert post(data={"product": draft, "role": 0}, files={"other": ("a", b"1")}) == 400
    assert post(data={"product": draft, "role": 0}, files={"file": ("a", b"")}) == 400
    assert post(data={"product": draft, "role": 0}, files={"file": ("...", b"1")}) == 400
    assert post(data={"product": draft, "role": 0}, files=[("file", ("a", b"1")), ("file", ("b", b"1"))]) == 400
    assert post(data={"product": draft, "role": 0, "type": "a\0"}, files={"file": ("a", b"1")}) == 400
    assert post(data={f"f{n}": "1" for n in range(200)}, files={"file": ("a", b"1")}) == 400
    assert post(data={"product": draft, "x": "1" * 2_000_000}, files={"file": ("a", b"1")}) == 413
    head = b'--b\r\nContent-Disposition: form-data; name="product"\r\n\r\n1\r\n'
    for body in (
        b"", b"nonsense", head, head + b"--b\r\n\r\nx\r\n--b--", b"--b\r\n" + b"a" * 20_000,
                 b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xff"\r\n\r\n1\r\n--b--',
                 head + b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nbroken off',
    ):  # fmt: skip
        assert post(content=body, headers={"Content-Type": "multipart/form-data; boundary=b"}) == 400, body[:60]
    assert post(content=b"x", headers={"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}) == 400
    assert incoming(services) == []


def test_the_quota(services, server, draft):
    with services.database.writing() as session:
        session.execute(update(User).where(User.username == "owner").values(quota_bytes=1000))
    client = server.client("owner")
    assert send(client, draft, text=b"x" * 1001).status_code == 413
    assert send(client, draft, text=b"x" * 100).status_code == 201
    with services.database.reading() as session:
        assert session.get(Product, draft).size == 100
    assert incoming(services) == []


def test_the_largest_file(tmp_path):
    boundary = b"b"
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 2000 + b"\r\n--b--\r\n"
    scope = {"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=" + boundary)]}

    def request(chunks):
        pieces = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        pieces.append({"type": "http.request", "body": b"", "more_body": False})

        async def receive():
            return pieces.pop(0)

        return Request(scope, receive)

    ones = [body[i : i + 1] for i in range(len(body))]
    form = asyncio.run(multipart.receive_form(request(ones), tmp_path / "in", max_bytes=2000))
    assert form.files[0].path.read_bytes() == b"x" * 2000
    form.discard()
    with pytest.raises(QuotaError, match="more than 1,999 bytes"):
        asyncio.run(multipart.receive_form(request(ones), tmp_path / "in", max_bytes=1999))
    assert list((tmp_path / "in").iterdir()) == []


def test_a_sender_who_goes_away_leaves_nothing(tmp_path):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    messages = [
        {"type": "http.request", "body": head + b"x" * 2**21, "more_body": True}, {"type": "http.disconnect"},
    ]  # fmt: skip

    async def receive():
        return messages.pop(0)

    scope = {"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]}
    with pytest.raises(ClientDisconnect):
        asyncio.run(multipart.receive_form(Request(scope, receive), tmp_path / "in", max_bytes=2**30))
    assert list((tmp_path / "in").iterdir()) == []
