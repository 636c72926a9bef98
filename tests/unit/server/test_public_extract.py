"""What everybody may know: nothing by default, and never anything of a single object or a private product."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from pzcenter.server import create_app
from pzcenter.server.services import public_extract
from pzcenter.server.services.access import today
from pzcenter.server.services.housekeeping import keep_house
from pzcenter.server.services.public_extract import MIN_OBJECTS, make_extracts, safe_counts
from pzcenter.server.storage.products import Product

WHERE = "/api/v2/public/extract"
SECRETS = ("Secret", "secret_column", "owner", "7.77", "0.123456", "a.csv")


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"public_extract": True})


@pytest.fixture
def catalog(made, principal, services):
    """Make a product of dp1 with these redshifts; its number."""

    def make(z, *, name="Secret name", official=True, kind="training_set", **words):
        rows = "".join(f"secret_{n},{n % 360},{-n % 90},{value}\n" for n, value in enumerate(z))
        text = f"name,ra,dec,z\n{rows}".encode()
        number = made(principal("owner"), kind, name=name, text=text, release="dp1")
        with services.database.writing() as session:
            product = session.get_one(Product, number)
            product.official = official
            for word, value in words.items():
                setattr(product, word, value)
        return number

    return make


def switch_on(server, **words):
    answer = server.client("admin").patch("/api/v2/releases/dp1", json={"public_extract": True} | words)
    assert answer.status_code == 200, answer.text


def told(server):
    answer = server.client().get(WHERE)
    assert answer.status_code == 200, answer.text
    return answer


SPREAD = np.repeat([0.31, 0.55, 0.71], [57, 20, 19])
"""Two cells that may be told, one with an object too few."""


def test_both_switches_are_needed(server, catalog, tmp_path, settings):
    catalog(SPREAD)
    assert told(server).json() == [], "no release by default"
    assert "No release is shown" in server.client().get("/extract").text
    assert server.client("coordinator").patch("/api/v2/releases/dp1", json={"public_extract": True}).status_code == 403
    switch_on(server)
    assert [each["release"] for each in told(server).json()] == ["dp1"], "and not dp2"
    server.client("admin").patch("/api/v2/releases/dp1", json={"state": "draft"})
    assert told(server).json() == []
    off = settings.model_copy(update={"public_extract": False})
    app = create_app(off)
    with TestClient(app) as client:
        assert client.get(WHERE).status_code == 404
        assert client.get("/extract", headers={"Accept": "text/html"}).status_code == 404
        assert "/extract" not in client.get("/").text
        assert make_extracts(app.state.services) == 0
    assert type(settings)(data_dir=tmp_path).public_extract is False


def test_only_aggregates_leave(server, catalog):
    catalog([*SPREAD, 7.77, 0.123456, float("nan"), -3])
    switch_on(server)
    first = told(server).json()[0]
    assert (first["histograms"], first["made_at"]) == ([], None), "nothing is read because somebody asks"
    assert keep_house(server.services)["n_extracts"] == 1
    answer = told(server)
    (release,) = answer.json()
    assert release["products"] == [{"product_type": "training_set", "n_products": 1, "n_official": 1}]
    (histogram,) = release["histograms"]
    cells = {
        round(edge, 1): n
        for edge, n in zip(histogram["z_edges"], histogram["n_objects"], strict=False)
        if n is not None
    }
    # 57 objects, told as 50; 20 as 20; 19 are too few, and so is what lies alone, inside or outside.
    assert cells == {0.2: 50, 0.4: 20}
    shown = server.client().get("/extract").text
    assert "<td" in shown and "0.2 to 0.4" in shown
    for secret in SECRETS:
        assert secret not in answer.text
        assert secret not in shown
    assert make_extracts(server.services) == 0, "once"


@pytest.mark.parametrize(
    ("words", "counted"),
    [
        ({"visibility": "PRIVATE"}, 0),
        ({"visibility": "SHARED"}, 0),
        ({"embargo_until": today().replace(year=today().year + 1)}, 0),
        ({"state": "DELETED"}, 0),
        ({"state": "REGISTERING"}, 0),
        ({"state": "FAILED"}, 0),
        ({"is_latest": False}, 0),
        ({"official": False}, 1),
        ({"release_id": None}, 0),
        ({"release_id": 2}, 0),
    ],
)
def test_nothing_of_other_products(server, catalog, words, counted):
    from pzcenter.server.storage.products import ProductState, Visibility

    kinds = {"visibility": Visibility, "state": ProductState}
    words = {name: kinds[name][value] if name in kinds else value for name, value in words.items()}
    catalog(SPREAD, **words)
    switch_on(server)
    make_extracts(server.services)
    (release,) = told(server).json()
    assert sum(each["n_products"] for each in release["products"]) == counted
    assert sum(each["n_official"] for each in release["products"]) == 0
    assert release["histograms"] == []
    assert "Secret" not in told(server).text


def test_what_is_no_longer_shown_leaves_at_once(server, catalog):
    number = catalog(SPREAD)
    switch_on(server)
    make_extracts(server.services)
    assert told(server).json()[0]["histograms"]
    curator = server.client("coordinator")
    assert curator.put(f"/api/v2/products/{number}/official", json={"official": False}).status_code == 200
    assert told(server).json()[0]["histograms"] == [], "before anybody keeps house"
    assert make_extracts(server.services) == 1
    assert told(server).json()[0]["histograms"] == []


def test_damaged_files_and_slow_ones_are_left_out(server, catalog, monkeypatch, caplog):
    catalog(SPREAD)
    bad = catalog(["x"] * 40)
    switch_on(server)
    assert make_extracts(server.services) == 1
    assert [each["n_products"] for each in told(server).json()[0]["histograms"]] == [1]
    assert "left out of the public extract" in caplog.text
    assert bad
    monkeypatch.setattr(public_extract, "SECONDS", -1.0)
    catalog(SPREAD)
    assert make_extracts(server.services) == 1
    assert told(server).json()[0]["histograms"] == []


def test_an_admin_switches_it_on_a_page(server, browser, catalog, harmless):
    admin = browser("admin")
    page = admin.get("/admin/releases/dp1").text
    harmless(page)
    assert 'name="public_extract"' in page
    form = {"display_name": "DP1", "state": "open", "public_extract": "1", "csrf": admin.csrf}
    assert admin.post("/admin/releases/dp1", data=form).status_code == 303
    assert [each["title"] for each in told(server).json()] == ["DP1"]
    harmless(server.client().get("/extract").text)
    del form["public_extract"]
    admin.post("/admin/releases/dp1", data=form)
    assert told(server).json() == []


def test_safe_counts():
    counts = safe_counts(np.arange(60))
    assert set(counts[:MIN_OBJECTS]) == {None}
    assert counts[20] == counts[29] == 20
    assert counts[59] == 50
