"""Signed lists of files of many products: they give no rights, and nobody else writes them."""

import pytest

from pzcenter.server.services import manifests, signing
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.products import Product, ProductFile

WHERE = "/api/v2/manifests"


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"manifest_bytes": 100})


def test_files_and_their_checksums_are_listed(server, made, made_directory, principal):
    owner = server.client("owner")
    table, many = made(principal("owner")), made_directory(principal("owner"), {"a/1.txt": b"1", "a/2.txt": b"22"})
    with server.services.database.writing() as session:
        product = session.get_one(Product, table)
        uid = product.uid
        product.files.append(
            ProductFile(name="a.csv", role=2, sha256=product.main_file.sha256, size=product.main_file.size)
        )
        product.files.append(ProductFile(name="far", role=2, reference="s3://far/away", size=5))
    answer = owner.post(WHERE, json={"products": [uid, many, table]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["n_bytes"] == sum(each["size"] for each in told["files"])
    names = [each["path"].partition("/")[2] for each in told["files"]]
    assert names[0] == "a.csv" and names[1].endswith("-a.csv"), "names that do not collide"
    assert names[2:] == ["hats/a/1.txt", "hats/a/2.txt"]
    assert [each["reference"] for each in told["elsewhere"]] == ["s3://far/away"]
    for each in told["files"]:
        got = owner.get(f"/api/v2/{each['content_url']}")
        assert len(got.content) == each["size"]
        assert got.headers["etag"].strip('"') == each["sha256"]
    with server.services.database.reading() as session:
        event = session.query(AuditEvent).filter_by(action="manifest.make").one()
        assert event.detail["n_products"] == 2


def test_only_this_server_signs(server, made, principal, monkeypatch):
    owner = server.client("owner")
    told = owner.post(WHERE, json={"products": [made(principal("owner"))]}).json()
    assert owner.post(f"{WHERE}/check", json=told).json() == {"good": True}
    for change in ({"n_bytes": 1}, {"files": []}, {"made_at": "today"}, {"signature": "1.x"}, {"signature": ""}):
        assert owner.post(f"{WHERE}/check", json=told | change).status_code == 403, change
    assert owner.post(f"{WHERE}/check", json=told | {"more": 1}).status_code == 422
    late = signing.time.time() + manifests.GOOD_SECONDS + 1
    monkeypatch.setattr(signing.time, "time", lambda: late)
    assert owner.post(f"{WHERE}/check", json=told).status_code == 403, "its time is over"


def test_rights_and_limits(server, made, principal, monkeypatch):
    number = made(principal("owner"), "other", release="dp1")
    body = {"products": [number]}
    assert server.client().post(WHERE, json=body).status_code == 401
    assert server.client("outsider").post(WHERE, json=body).status_code == 404
    assert server.client("owner", scopes=["read"]).post(WHERE, json=body).status_code == 200
    for bad in ([], [0], ["../x"], [2**40], ["x" * 12] * 1001, "17", None):
        assert server.client("owner").post(WHERE, json={"products": bad}).status_code == 422, bad
    monkeypatch.setattr(manifests, "MAX_FILES", 0)
    assert server.client("owner").post(WHERE, json=body).status_code == 400


def test_a_user_lists_so_much_at_once_and_coordinators_more(server, made, principal):
    numbers = [made(principal("owner"), "other", release="dp1", name=name) for name in ("One", "Two", "Three")]
    owner, curator = server.client("owner"), server.client("coordinator")
    assert owner.post(WHERE, json={"products": numbers[:1]}).status_code == 200
    refused = owner.post(WHERE, json={"products": numbers})
    assert (refused.status_code, refused.json()["code"]) == (413, "quota")
    assert curator.post(WHERE, json={"products": numbers}).status_code == 200
