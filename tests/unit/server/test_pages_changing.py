"""Forms that change products: words, sharing, versions, deletion; and what products hold."""

import pytest

from pzcenter.server.services.product_files import add_file
from pzcenter.server.storage.products import FileRole, Product, ProductState

EVIL = b"<html><script>fetch('/account')</script><img src=http://elsewhere.org/x.png></html>"


def send(client, address, **fields):
    return client.post(address, data={"csrf": client.csrf, **fields})


def test_words_are_edited(browser, made, principal, uid, harmless):
    address = f"/products/{uid(made(principal('owner')))}"
    client = browser("owner")
    text = client.get(f"{address}/edit").text
    harmless(text)
    fields = {
        "display_name": "Better name",
        "description": "New *words*",
        "tags": "deep, wide\ndeep",
        "release_year": "2026",
    }
    assert send(client, f"{address}/edit", **fields).status_code == 303
    text = client.get(address).text
    for words in ("Better name", "<em>words</em>", ">deep<", ">wide<"):
        assert words in text
    for bad in ({"display_name": ""}, {"display_name": "a", "release_year": "soon"}, {"display_name": "a" * 256},
                {"display_name": "a", "licence": "b" * 256}, {"display_name": "a", "revision": "1"}):  # fmt: skip
        answer = send(client, f"{address}/edit", **bad)
        assert answer.status_code in {400, 412}, bad
        assert 'role="alert"' in answer.text
    assert "Better name" in client.get(address).text


@pytest.mark.parametrize("form", ["edit", "share", "new-version", "delete"])
def test_only_those_who_may_get_the_forms(browser, made, principal, uid, form):
    address = f"/products/{uid(made(principal('owner')))}/{form}"
    assert browser("owner").get(address).status_code == 200
    assert browser("admin").get(address).status_code == 200
    assert browser("colleague").get(address).status_code == 403
    assert browser("coordinator").get(address).status_code == 403
    for client in (browser("colleague"), browser("coordinator")):
        assert send(client, address, display_name="Mine now", visibility="private", name="x").status_code == 403
    owner = browser("owner")
    assert owner.post(address, data={"display_name": "a"}).status_code == 403


def test_sharing(browser, made, principal, uid, harmless):
    address = f"/products/{uid(made(principal('owner'), 'photoz_estimates', release='dp1'))}"
    client, colleague, teammate = browser("owner"), browser("colleague"), browser("teammate")
    assert colleague.get(address).status_code == 200
    harmless(client.get(f"{address}/share").text)
    assert send(client, f"{address}/share", visibility="shared", groups="team").status_code == 303
    assert colleague.get(address).status_code == 404
    assert teammate.get(address).status_code == 200
    assert send(client, f"{address}/share", visibility="release", embargo_until="2999-01-01").status_code == 303
    assert colleague.get(address).status_code == 404
    assert "Embargo until 2999-01-01" in client.get(address).text
    for bad in ({"visibility": "all"}, {"visibility": "shared", "groups": "none-such"},
                {"visibility": "release", "embargo_until": "tomorrow"}):  # fmt: skip
        assert send(client, f"{address}/share", **bad).status_code in {400, 404}
    assert send(client, f"{address}/share", visibility="release").status_code == 303
    assert colleague.get(address).status_code == 200


def test_new_version(browser, made, principal, uid):
    address = f"/products/{uid(made(principal('owner')))}"
    client = browser("owner")
    answer = send(client, f"{address}/new-version")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/upload/")
    assert "under way already" in client.get(f"{address}/new-version").text
    assert send(client, f"{address}/new-version").status_code == 409


def test_deletion_asks_for_the_name(browser, made, principal, uid, services):
    number = made(principal("owner"))
    address = f"/products/{uid(number)}"
    client = browser("owner")
    assert send(client, f"{address}/delete", name="my cat").status_code == 400
    assert client.get(address).status_code == 200
    assert send(client, f"{address}/delete", name="My Cat v1.0 (test)").status_code == 303
    assert client.get(address).status_code == 410
    with services.database.reading() as session:
        assert session.get(Product, number).state is ProductState.DELETED


def test_files_are_saved_not_shown(browser, made, principal, uid, services):
    number = made(principal("owner"), text=EVIL)
    with services.database.reading() as session:
        file = session.get(Product, number).files[0].id
    client = browser("colleague")
    answer = client.get(f"/products/{uid(number)}/files/{file}")
    assert answer.content == EVIL
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "html" not in answer.headers["content-type"]
    assert client.get(f"/products/{uid(number)}/files/{file}/view").status_code == 409
    assert client.get(f"/products/{uid(number)}/files/{file + 99}").status_code == 404
    other = made(principal("owner"), name="Other")
    assert client.get(f"/products/{uid(other)}/files/{file}").status_code == 404
    archive = client.get(f"/products/{uid(number)}/download")
    assert archive.content[:2] == b"PK"
    assert browser("outsider").get(f"/products/{uid(number)}/download").status_code == 200


DESCRIPTIONS = {
    "a.html": "text/html", "a.md": "text/html", "a.txt": "text/plain", "a.svg": "application/octet-stream",
    "a.pdf": "application/pdf",
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_are_shut_in(browser, made, principal, services, name):
    number = made(principal("owner"))
    content = services.store.put([EVIL])
    with services.database.writing() as session:
        file = add_file(services, session, principal("owner"), number, content, name=name, role=FileRole.DESCRIPTION).id
        address = f"/products/{session.get(Product, number).uid}/files/{file}/view"
    answer = browser("owner").get(address)
    assert answer.headers["content-type"].startswith(DESCRIPTIONS[name])
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "allow-" not in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    if name == "a.md":
        assert "<script>" not in answer.text
    if name in {"a.svg", "a.pdf"}:
        assert answer.headers["content-disposition"].startswith("attachment")


def test_table_is_leafed_through(browser, made, principal, uid, harmless):
    text = ("name,ra,dec,z\n" + "".join(f"<b>n{i}</b>,{i},{-i},0.{i:02d}\n" for i in range(60))).encode()
    address = f"/products/{uid(made(principal('owner'), text=text))}/table"
    client = browser("colleague")
    first = client.get(address).text
    harmless(first)
    assert "&lt;b&gt;n0&lt;/b&gt;" in first
    assert "<b>n0" not in first
    assert "offset=25" in first
    assert "n59" in client.get(f"{address}?offset=50").text
    falling = client.get(f"{address}?sort=-z").text
    assert 'aria-sort="descending"' in falling
    assert "n59" in falling
    for odd in ("sort=nothing", "sort=%00", "sort=-"):
        answer = client.get(f"{address}?{odd}")
        assert answer.status_code in {200, 422}
        harmless(answer.text)
    assert client.get(f"{address}?offset=-1").status_code == 422
    assert client.get(f"{address}?offset=100000").status_code in {200, 422}


def test_table_of_what_is_none(browser, made, principal, uid, harmless):
    address = f"/products/{uid(made(principal('owner'), 'other', text=b'no table' + bytes(9)))}/table"
    answer = browser("colleague").get(address)
    harmless(answer.text)
    assert answer.status_code in {200, 422}
