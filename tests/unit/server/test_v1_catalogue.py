"""Users, releases, types of products, and the way to all of them, as existing clients ask."""

from pathlib import Path

from pzcenter.server.rest.v1 import (
    catalogue,
    contents,
    downloads,
    files,
    pipelines,
    processes,
    product_list,
    products,
)

PARTS = (catalogue, contents, downloads, files, pipelines, processes, product_list, products)
LISTS = ("users", "releases", "product-types", "products", "products-specz", "product-contents", "product-files",
         "pipelines", "processes")  # fmt: skip


def test_the_root_tells_a_good_token_from_a_bad_one(server):
    answer = server.client("owner").get("/api/")
    assert answer.status_code == 200
    assert set(answer.json()) == set(LISTS)
    for headers, detail in (
        ({}, "Authentication credentials were not provided."),
        ({"Authorization": "Token abc"}, "Invalid token."),
    ):
        answer = server.client().get("/api/", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"detail": detail}
        assert answer.headers["www-authenticate"] == "Token"


def test_every_list_needs_a_token_for_reading_and_tells_what_it_can_be_asked(server):
    client, nobody, writer = server.client("owner"), server.client(), server.client("owner", scopes=["write"])
    for name in LISTS:
        assert nobody.get(f"/api/{name}/").status_code == 401
        assert nobody.options(f"/api/{name}/").status_code == 401
        assert writer.get(f"/api/{name}/").status_code == 403
        answer = client.get(f"/api/{name}/", headers={"Content-Type": "application/json"})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert list(answer.json()) == ["count", "results"]
        assert {"filterset", "ordering", "name"} <= set(client.options(f"/api/{name}/").json())
        assert client.get(f"/api/{name}/?page_size=1&page=1").status_code == 200
        for words in ("page=0", "page_size=0", "page=x", "page=99999999999", "ordering=password", "nonsense=1"):
            answer = client.get(f"/api/{name}/?{words}")
            assert answer.status_code == 400, words
            assert len(answer.json()) == 1


def test_product_types(server):
    client = server.client("owner")
    answer = client.get("/api/product-types/?ordering=order").json()
    assert answer["count"] == 7
    assert [each["id"] for each in answer["results"]] == [1, 2, 5, 3, 4, 6, 7]
    assert set(answer["results"][0]) == {"id", "name", "display_name", "order", "description", "created_at"}
    assert client.get("/api/product-types/?name=training_set").json()["results"][0]["id"] == 2
    assert client.get("/api/product-types/?search=photo").json()["count"] == 2
    assert client.get("/api/product-types/2/").json()["display_name"] == "Training Set"
    assert client.get("/api/product-types/?page=2&page_size=3").json()["count"] == 7
    assert len(client.get("/api/product-types/?page=3&page_size=3").json()["results"]) == 1


def test_what_is_not_there_is_404(server):
    client = server.client("owner")
    for name in LISTS:
        for number in ("99", "0", "99999999999999999999999", "x", "-1"):
            answer = client.get(f"/api/{name}/{number}/")
            assert answer.status_code == 404, (name, number)
            assert list(answer.json()) == ["detail"]


def test_users_are_told_without_their_addresses(server):
    client = server.client("owner")
    answer = client.get("/api/users/").json()
    assert answer["count"] == 7
    assert set(answer["results"][0]) == {"username", "first_name", "last_name", "display_name"}
    assert client.get("/api/users/?search=TEAM").json()["count"] == 2
    assert client.get("/api/users/1/").json()["username"] == "owner"


def test_releases_are_told_to_those_with_rights(server):
    names = {
        who: [each["name"] for each in server.client(who).get("/api/releases/").json()["results"]]
        for who in ("owner", "outsider", "coordinator", "admin")
    }
    assert names == {"owner": ["dp1"], "outsider": [], "coordinator": ["dp1", "dp2"], "admin": ["dp1", "dp2"]}
    release = server.client("owner").get("/api/releases/?name=dp1").json()["results"][0]
    assert set(release) == {
        "id", "name", "display_name", "description", "created_at", "indexing_column", "has_mag_hats",
        "has_flux_hats", "dereddening", "fluxes", "access_groups", "is_public",
    }  # fmt: skip
    assert server.client("owner").get(f"/api/releases/{release['id']}/").json() == release
    assert server.client("outsider").get(f"/api/releases/{release['id']}/").status_code == 404


def test_slashes(server):
    client = server.client("owner")
    assert client.get("/api//product-types//2/").status_code == 200
    assert client.get("/api/product-types", follow_redirects=False).status_code in {307, 404}


def test_null_characters_are_refused(server):
    client = server.client("owner")
    for words in ("name=%00", "search=a%00", "ordering=%00"):
        assert client.get(f"/api/product-types/?{words}").status_code == 400
    assert client.get("/api/products/?search=%ff%00").status_code == 400


def test_every_address_is_documented(services):
    page = (Path(__file__).parents[3] / "docs" / "reference" / "rest-v1.md").read_text()
    paths = {route.path for module in PARTS for route in module.router.routes}
    assert len(paths) > 30
    for path in paths:
        for part in path.split("/"):
            assert part.startswith("{") or part in page, path
