"""What a server was asked for, where no other test shows it in one place."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from pzcenter.server import create_app
from pzcenter.server.services.context import open_services
from pzcenter.server.services.first_admin import first_admin
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.products import Product, ProductLink


def test_a_page_says_where_a_product_comes_from(browser, made, principal):
    owner = principal("owner")
    parent, number, child = (
        made(owner, "other", name=name, release="dp1", command=f"pz make {name}") for name in ("Before", "It", "After")
    )
    client = browser("colleague")
    with client.services.database.writing() as session:
        session.add_all(
            ProductLink(product_id=made_of, input_id=source) for made_of, source in ((number, parent), (child, number))
        )
        product = session.get_one(Product, number)
        uid, digest = product.uid, product.main_file.sha256
    shown = client.get(f"/products/{uid}").text
    for words in ("owner", "DP1", digest, "Before", "After", "pz make It", uid, "Not validated"):
        assert words in shown, words


def test_everybody_with_rights_sees_an_upload_by_default(server, made, principal):
    number = made(principal("owner"), "other", release="dp1")
    seen = {
        name: server.client(name).get(f"/api/v2/products/{number}").status_code
        for name in ("owner", "colleague", "teammate", "coordinator", "admin", "outsider", "outside_teammate")
    }
    assert {name for name, status in seen.items() if status == 404} == {"outsider", "outside_teammate"}
    assert set(seen.values()) == {200, 404}
    assert server.client().get(f"/api/v2/products/{number}").status_code == 401


def test_official_products_are_frozen_and_the_change_is_noted(server, made, principal):
    number = made(principal("owner"), "other")
    where = f"/api/v2/products/{number}"
    owner, curator = server.client("owner"), server.client("coordinator")
    assert owner.put(f"{where}/official", json={"official": True}).status_code == 403
    assert curator.put(f"{where}/official", json={"official": True}).json()["official"]
    with server.services.database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action.like("product.official%"))).one()
        assert (event.user.username, event.subject_id) == ("coordinator", str(number))
    file = owner.get(where).json()["files"][0]["id"]
    any_state = {"If-Match": "*"}
    for who in (owner, curator, server.client("admin")):
        refused = who.delete(f"/api/v2/files/{file}", headers=any_state)
        assert refused.status_code == 403, "its data stay"
    assert owner.patch(where, json={"description": "x"}, headers=any_state).status_code == 403
    assert owner.delete(where, headers=any_state).status_code == 403
    assert owner.put(f"{where}/tags", json={"tags": ["mine"]}, headers=any_state).status_code == 403


@pytest.fixture
def two(tmp_path):
    """Two servers from the same code, under names of their own; for each its settings, client and first token."""
    made = []
    for name in ("data.example.org", "mirror.example.net"):
        settings = ServerSettings(data_dir=tmp_path / name, base_url=f"https://{name}", allowed_hosts=[name])
        services = open_services(settings)
        make_tables(services.database)
        token = first_admin(services)
        services.close()
        app = create_app(settings)
        made.append((name, TestClient(app, base_url=f"https://{name}"), {"Authorization": f"Token {token}"}))
    yield made
    for _, client, _ in made:
        client.app.state.services.close()


def test_a_second_server_beside_the_first(two):
    (name, first, token), (other, second, others) = two
    assert first.get("/api/v2/me", headers=token).status_code == 200
    assert second.get("/api/v2/me", headers=others).status_code == 200
    assert second.get("/api/v2/me", headers=token).status_code == 401, "what one gave the other does not know"
    for host, client, headers in two:
        told = client.post("/api/v2/invitations", json={}, headers=headers).json()["address"]
        assert told.startswith(f"https://{host}/")
    assert first.get("/", headers={"Host": other}).status_code == 400
    assert name != other
