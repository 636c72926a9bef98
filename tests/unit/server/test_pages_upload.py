"""The way of a new product through the pages: words, files, columns, publication."""

import re

import pytest

from pzcenter.server.storage.products import Product, ProductState

EVIL = '"><script>alert(1)</script>'
CSV = b"objid,ra_deg,dec_deg,zspec\n" + b"".join(b"%d,%d.5,-%d.5,0.%02d\n" % (i, i, i, i) for i in range(40))


def send(client, address, **fields):
    return client.post(address, data={"csrf": client.csrf, **fields})


def send_file(client, address, content, *, name="a.csv", role="main", csrf=None):
    fields = {"csrf": client.csrf if csrf is None else csrf, "role": role}
    return client.post(f"{address}/files", data=fields, files={"file": (name, content)})


@pytest.fixture
def begun(browser):
    """A product whose words are said: its owner's browser and its address."""
    client = browser("owner")
    answer = send(client, "/upload", display_name=f"New {EVIL}", product_type="redshift_catalog", tags="a, b")
    assert answer.status_code == 303
    return client, answer.headers["location"].removesuffix("/files")


def test_whole_way(begun, harmless, browser):
    client, address = begun
    assert send_file(client, address, CSV).headers["location"] == f"{address}/columns"
    text = client.get(f"{address}/columns").text
    harmless(text)
    assert "40 rows, 4 columns" in text
    names = re.findall(r'name="column" value="([^"]+)"', text)
    assert names == ["objid", "ra_deg", "dec_deg", "zspec"]
    harmless(client.get(f"{address}/publish").text)
    said = {"column": names, "alias": ["ID", "RA", "Dec", "z"], "unit": ["", "deg", "deg", ""]}
    assert send(client, f"{address}/columns", **said).headers["location"] == f"{address}/publish"
    harmless(client.get(f"{address}/publish").text)
    page = send(client, f"{address}/publish").headers["location"]
    text = client.get(page).text
    harmless(text)
    assert "Not validated" in text
    assert "deg" in text
    assert browser("colleague").get(page).status_code == 200
    assert browser("colleague").get(f"{address}/files").status_code == 403


def test_columns_that_are_wanted(begun):
    client, address = begun
    assert send(client, f"{address}/publish").status_code == 409
    send_file(client, address, CSV)
    refused = send(client, f"{address}/publish")
    assert (refused.status_code, "cannot be published yet" in refused.text) in {(409, True), (303, False)}


@pytest.mark.parametrize(
    "said",
    [{"column": ["objid"], "alias": [], "unit": []}, {"column": ["none"], "alias": ["z"], "unit": [""]},
     {"column": ["ra_deg", "zspec"], "alias": ["z", "z"], "unit": ["", ""]},
     {"column": ["objid"], "alias": ["a" * 300], "unit": [""]}],
)  # fmt: skip
def test_columns_that_are_refused(begun, said, harmless):
    client, address = begun
    send_file(client, address, CSV)
    answer = send(client, f"{address}/columns", **said)
    assert answer.status_code in {400, 422}
    harmless(answer.text)


@pytest.mark.parametrize(
    "fields",
    [{}, {"display_name": "a"}, {"display_name": "a", "product_type": "poem"}, {"product_type": "other"},
     {"display_name": "a", "product_type": "redshift_catalog", "release": "dp1"},
     {"display_name": "a", "product_type": "other", "release": "dp2"},
     {"display_name": "a", "product_type": "other", "visibility": "all"},
     {"display_name": "a", "product_type": "other", "licence": "b" * 300},
     {"display_name": "a" * 256, "product_type": "other"}],
)  # fmt: skip
def test_words_that_are_not_accepted(browser, fields, harmless):
    answer = send(browser("owner"), "/upload", **fields)
    assert answer.status_code in {400, 404}
    assert 'role="alert"' in answer.text
    harmless(answer.text)


def test_file_needs_the_secret(begun, server, services):
    client, address = begun
    assert send_file(client, address, CSV, csrf="wrong").status_code == 403
    bare = client.post(f"{address}/files", files={"file": ("a.csv", CSV)})
    assert bare.status_code == 403
    assert server.client().post(f"{address}/files", files={"file": ("a.csv", CSV)}).status_code == 401
    assert client.post(f"{address}/files", data={"csrf": client.csrf}).status_code == 400
    assert not list((services.settings.data_dir / "incoming").glob("*"))


def test_file_for_somebody_elses_product(begun, browser):
    _, address = begun
    for name in ("colleague", "coordinator"):
        assert send_file(browser(name), address, CSV).status_code == 404


def test_second_main_file_is_refused(begun):
    client, address = begun
    assert send_file(client, address, CSV).status_code == 303
    assert send_file(client, address, CSV).status_code == 409
    assert send_file(client, address, b"words", name="d.md", role="description").status_code == 303
    assert send_file(client, address, b"words", name="d.md", role="king").status_code == 400
    text = client.get(f"{address}/files").text
    number = re.search(rf"{address}/files/(\d+)/remove", text)[1]
    assert client.post(f"{address}/files/{number}/remove").status_code == 403
    assert send(client, f"{address}/files/{number}/remove").status_code == 303
    assert send_file(client, address, CSV).status_code == 303


def test_file_that_is_no_table(begun, services, harmless):
    client, address = begun
    answer = send_file(client, address, b"\x00\x01 no table", name=f"{EVIL}.fits")
    assert answer.headers["location"] == f"{address}/files"
    text = client.get(f"{address}/files").text
    harmless(text)
    assert "was not accepted" in text
    assert "Remove it and give another one" in text
    assert client.get(f"{address}/columns").headers["location"] == f"{address}/files"
    with services.database.reading() as session:
        assert session.query(Product).one().state is ProductState.FAILED
    again = client.get(f"/upload?from={address.rpartition('/')[2]}").text
    harmless(again)
    assert "New &#34;" in again
    number = re.search(rf"{address}/files/(\d+)/remove", text)[1]
    assert send(client, f"{address}/files/{number}/remove").status_code == 303
    assert "was not accepted" not in client.get(f"{address}/files").text
    assert send_file(client, address, CSV).headers["location"] == f"{address}/columns"
    with services.database.reading() as session:
        assert session.query(Product).one().state is ProductState.REGISTERING


def test_large_forms_are_not_read(browser):
    client = browser("owner")
    assert client.post("/upload", data={"csrf": client.csrf, "description": "a" * 5_000_000}).status_code == 413
    files = {"file": ("a", b"a" * 5_000_000)}
    assert client.post("/upload", data={"csrf": client.csrf}, files=files).status_code == 413
