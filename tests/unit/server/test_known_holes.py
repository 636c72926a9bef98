"""Holes that were found in an earlier server of this kind; each stays closed here.

The names say what was possible there.
"""

import pytest
from sqlalchemy import select

from pzcenter.server.services.tokens import open_session
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.products import Product

CHANGES = (
    {"official_product": "true"}, {"display_name": "mine now"}, {"description": "x"}, {"status": "1"}, {"pz_code": ""},
)  # fmt: skip


@pytest.fixture
def public(principal, made):
    """Everybody with an account sees it."""
    return made(principal("owner"))


@pytest.fixture
def restricted(principal, made):
    """Those with rights to the release see it."""
    return made(principal("owner"), "training_set", release="dp1")


@pytest.fixture
def draft(principal, made):
    return made(principal("owner"), publish=False)


def test_1_anybody_changed_any_product_that_he_saw(services, server, public, draft):
    for who in ("colleague", "outsider", "coordinator"):
        client = server.client(who)
        for words in CHANGES:
            if who == "coordinator" and "official_product" in words:
                continue
            assert client.patch(f"/api/products/{public}/", data=words).status_code == 403, (who, words)
            assert client.put(f"/api/products/{public}/", json=words).status_code == 403
            assert client.patch(f"/api/products/{draft}/", data=words).status_code == 404
        assert client.delete(f"/api/products/{public}/").status_code == 403
        assert client.get(f"/api/products/{public}/").json()["can_update"] is False
    with services.database.reading() as session:
        assert session.get(Product, public).revision == session.get(Product, draft).revision + 1


def test_1_owners_called_their_products_official(server, public):
    client = server.client("owner")
    assert client.patch(f"/api/products/{public}/", data={"official_product": "true"}).status_code == 403
    body = {"display_name": "x", "product_type": 7, "official_product": True}
    assert client.post("/api/products/", json=body).status_code == 403


def test_2_anybody_changed_the_meaning_of_columns(server, public, draft):
    owner = server.client("owner")
    for product, status in ((public, 403), (draft, 404)):
        column = owner.get(f"/api/product-contents/?product={product}").json()["results"][0]
        client = server.client("colleague")
        address = f"/api/product-contents/{column['id']}/"
        assert client.patch(address, data={"ucd": "", "alias": "z"}).status_code == status
        assert client.put(address, json={"alias": "z"}).status_code == status
        assert client.delete(address).status_code == 405
        assert owner.get(address).json() == column
    # What is published never changes, for nobody.
    column = owner.get(f"/api/product-contents/?product={public}").json()["results"][0]
    for who in ("owner", "admin"):
        answer = server.client(who).patch(f"/api/product-contents/{column['id']}/", data={"alias": "ID"})
        assert answer.status_code == 403


def test_3_files_of_restricted_releases_were_listed(server, restricted):
    file = server.client("owner").get(f"/api/product-files/?product_id={restricted}").json()["results"][0]
    client = server.client("outsider")
    assert client.get(f"/api/products/{restricted}/").status_code == 404
    for words in (f"product_id={restricted}", f"product={restricted}", f"id={file['id']}", ""):
        assert client.get(f"/api/product-files/?{words}").json() == {"count": 0, "results": []}
        column_words = words.replace("product_id", "product")
        assert client.get(f"/api/product-contents/?{column_words}").json() == {"count": 0, "results": []}
    for address in (f"product-files/{file['id']}", f"product-files/{file['id']}/download",
                    f"products/{restricted}/main_file_info", f"products/{restricted}/read_data",
                    f"products/{restricted}/process_config", f"products/{restricted}/download/status",
                    f"products/{restricted}/download", f"products/{restricted}/download/main-file/status"):  # fmt: skip
        assert client.get(f"/api/{address}/").status_code == 404, address
    for kind in ("download", "download/main-file"):
        assert client.post(f"/api/products/{restricted}/{kind}/prepare/").status_code == 404


def test_4_files_were_open_to_whoever_guessed_their_addresses(services, server, public):
    file = server.client("owner").get(f"/api/product-files/?product_id={public}").json()["results"][0]
    path = file["file"].removeprefix("http://testserver")
    nobody = server.client()
    assert nobody.get(path).status_code == 401
    with services.database.reading() as session:
        product = session.get(Product, public)
        kept, name = product.main_file.sha256, product.internal_name
    guesses = (
        f"/archive/data/redshift_catalog/{name}/a.csv", f"/api/archive/data/redshift_catalog/{name}/a.csv",
        f"/store/{kept[:2]}/{kept[2:4]}/{kept}", f"/api/../store/{kept[:2]}/{kept[2:4]}/{kept}", "/server.sqlite3",
        "/signing.key", "/static/../server.sqlite3", "/static/..%2f..%2fserver.sqlite3",
    )  # fmt: skip
    for client in (nobody, server.client("owner")):
        for guess in guesses:
            answer = client.get(guess)
            assert answer.status_code in {401, 404}, guess
            assert b"name,ra,dec,z" not in answer.content


def test_5_products_were_made_in_releases_without_rights(server, restricted):
    client = server.client("outsider")
    body = {"display_name": "x", "product_type": 2, "release": 1}
    assert client.post("/api/products/", json=body).status_code == 400
    mine = client.post("/api/products/", json=body | {"release": None}).json()["id"]
    for release in (1, 2):
        assert client.patch(f"/api/products/{mine}/", data={"release": release}).status_code == 400
    assert client.get(f"/api/products/{mine}/").json()["release"] is None


def test_5_processes_read_what_their_owners_could_not(server, principal, made, restricted):
    client = server.client("outsider")
    pipelines = {each["name"]: each["id"] for each in client.get("/api/pipelines/").json()["results"]}
    visible = made(principal("owner"))
    for pipeline, inputs, release in (
        ("combine_redshift_dedup", [restricted], None), ("combine_redshift_dedup", [visible, restricted], None),
        ("training_set_maker", [visible], 1), ("training_set_maker", [visible], 2),
    ):  # fmt: skip
        body = {"display_name": "x", "pipeline": pipelines[pipeline], "inputs": inputs, "release": release}
        assert client.post("/api/processes/", json=body).status_code == 400, (pipeline, inputs, release)
    assert client.get("/api/processes/").json()["count"] == 0
    assert client.get("/api/products/?user=4").json()["count"] == 0


def test_6_and_7_settings_of_processes_named_machines_paths_and_code(server, public):
    client = server.client("owner")
    pipeline = client.get("/api/pipelines/?name=combine_redshift_dedup").json()["results"][0]["id"]
    body = {"display_name": "x", "pipeline": pipeline, "inputs": [public]}
    for config in (
        {"executor": {"name": "slurm", "args": {"instance": {"job_extra_directives": ["--uid=0"]}}}},
        {"output_root_dir": "/"}, {"output_dir": "../.."}, {"inputs": {"specz": [{"path": "/etc/passwd"}]}},
        {"param": {"flags_translation_file": "/etc/passwd"}}, {"param": {"executor": "slurm"}},
    ):  # fmt: skip
        answer = client.post("/api/processes/", json=body | {"used_config": config})
        assert answer.status_code == 400, config
        assert "used_config" in answer.json()
    rules = b'translation_rules: {X: {z_flag_translation: {conditions: [{expr: "pd.io.common.os", value: 1}]}}}'
    fields = {"display_name": "x", "pipeline": pipeline, "inputs": [public], "used_config": "{}"}
    answer = client.post("/api/processes/", data=fields, files={"flags_translation_file": rules})
    assert answer.status_code == 400
    assert client.get("/api/processes/").json()["count"] == 0


def test_9_main_files_of_others_were_read_anew(services, server, public, draft):
    for method in ("get", "post"):
        ask = getattr(server.client("colleague"), method)
        assert ask(f"/api/products/{draft}/registry/").status_code == 404
        assert ask(f"/api/products/{public}/registry/").status_code == 403
        assert getattr(server.client("owner"), method)(f"/api/products/{public}/registry/").status_code == 403
        reader = server.client("owner", scopes=["read"])
        assert getattr(reader, method)(f"/api/products/{draft}/registry/").status_code == 403
    with services.database.reading() as session:
        actions = set(session.scalars(select(AuditEvent.action).where(AuditEvent.subject_id == str(draft))))
    assert actions.isdisjoint({"product.register", "product.registry", "columns.edit", "product.edit"})


def test_9_a_link_on_another_site_changed_things(services, server, draft):
    """The client asks for some changes with GET; a browser's cookie alone is no proof that its user asked."""
    with services.database.writing() as session:
        user = session.scalars(select(User).where(User.username == "owner")).one()
        row, secret = open_session(session, user, hours=1)
        csrf = row.csrf
    browser = server.client(cookies={"pz_session": secret})
    assert browser.get(f"/api/products/{draft}/").status_code == 200
    for address in (f"/api/products/{draft}/registry/", "/api/processes/1/stop/"):
        answer = browser.get(address)
        assert answer.status_code == 403
        assert "send a token" in answer.json()["detail"]
        assert browser.post(address).status_code == 403
        assert browser.get(address, headers={"X-CSRF-Token": "x"}).status_code == 403
    proven = browser.get(f"/api/products/{draft}/registry/", headers={"X-CSRF-Token": csrf})
    assert proven.status_code in {200, 501}
    assert browser.patch(f"/api/products/{draft}/", data={"description": "x"}).status_code == 403
