"""Products in the first interface: lists, filters, one product from its beginning to its end."""

import json

import pytest
from sqlalchemy import select

from pzcenter.server.rest.v1 import product_list
from pzcenter.server.storage.products import Product, ProductState

PRODUCT_KEYS = [
    "id", "release", "release_name", "product_type", "product_type_name", "product_type_internal_name", "uploaded_by",
    "is_owner", "origin", "process_status", "process_id", "product_status", "can_delete", "can_update",
    "internal_name", "display_name", "official_product", "pz_code", "description", "created_at", "updated_at",
    "status", "release_year",
]  # fmt: skip
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def names(client, words=""):
    answer = client.get(f"/api//products/?{words}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["count"] == len(answer.json()["results"])
    return [each["display_name"] for each in answer.json()["results"]]


def test_the_shape(services, server, principal, made):
    number = made(principal("owner"), description="hello *md*")
    product = server.client("owner").get(f"/api/products/{number}/").json()
    assert list(product) == PRODUCT_KEYS
    assert product | {"created_at": "", "updated_at": ""} == {
        "id": number, "release": None, "release_name": None, "product_type": 1,
        "product_type_name": "Reference Redshift Catalog", "product_type_internal_name": "redshift_catalog",
        "uploaded_by": "owner", "is_owner": True, "origin": "Upload", "process_status": None, "process_id": None,
        "product_status": "Published", "can_delete": True, "can_update": True,
        "internal_name": f"{number}_my_cat_v10_test", "display_name": "My Cat v1.0 (test)", "official_product": False,
        "pz_code": None, "description": "hello *md*", "created_at": "", "updated_at": "", "status": 1,
        "release_year": None,
    }  # fmt: skip
    assert product["created_at"].endswith("Z") and len(product["created_at"]) == 27
    other = server.client("outsider").get(f"/api/products/{number}/").json()
    assert (other["is_owner"], other["can_delete"], other["can_update"]) == (False, False, False)


@pytest.fixture
def several(principal, made):
    owner, admin = principal("owner"), principal("admin")
    made(owner, name="Alpha deep")
    made(owner, "training_set", name="Beta 100% deep", release="dp1")
    made(principal("colleague"), "training_set", name="Gamma_wide")
    made(admin, "photoz_estimates", name="Delta wide", pz_code="BPZ", official=True)
    made(owner, name="Draft", publish=False)


FILTERS = [
    ("", "Delta wide,Gamma_wide,Beta 100% deep,Alpha deep,Draft"),
    ("status=1", "Delta wide,Gamma_wide,Beta 100% deep,Alpha deep"),
    ("status__in=0,9", "Draft"),
    ("status=2", ""),
    ("status=1&product_type_name=redshift", "Alpha deep"),
    ("status=1&product_type_name=training,SET", "Gamma_wide,Beta 100% deep"),
    ("status=1&product_type_name=training,redshift", ""),
    ("status=1&product_type_name__or=training_set,redshift", "Gamma_wide,Beta 100% deep,Alpha deep"),
    ("product_type=4", "Delta wide"),
    ("product_type__in=1,4&status=1", "Delta wide,Alpha deep"),
    ("release=1", "Beta 100% deep"),
    ("release__in=1,2", "Beta 100% deep"),
    ("release__isnull=false", "Beta 100% deep"),
    ("release__isnull=true&status=1", "Delta wide,Gamma_wide,Alpha deep"),
    ("release_name=DP", "Beta 100% deep"),
    ("release_name__or=dp2,dp1", "Beta 100% deep"),
    ("official_product=true", "Delta wide"),
    ("official_product__in=true,false&product_type=4", "Delta wide"),
    ("uploaded_by=COLL", "Gamma_wide"),
    ("uploaded_by__or=coll,admin", "Delta wide,Gamma_wide"),
    ("user=2", "Gamma_wide"),
    ("user__in=2,7", "Delta wide,Gamma_wide"),
    ("product_name=deep", "Beta 100% deep,Alpha deep"),
    ("product_name=deep,beta", "Beta 100% deep"),
    ("product_name__or=gamma,beta", "Gamma_wide,Beta 100% deep"),
    ("product_name=0%25", "Beta 100% deep"),
    ("product_name=a_w", "Delta wide,Gamma_wide"),
    ("internal_name=1_alpha_deep", "Alpha deep"),
    ("internal_name__in=1_alpha_deep,3_gamma_wide", "Gamma_wide,Alpha deep"),
    ("display_name=Delta wide", "Delta wide"),
    ("display_name__in=Delta wide,Draft", "Delta wide,Draft"),
    ("search=deep alpha", "Alpha deep"),
    ("search=colleague", "Gamma_wide"),
    ("search=bpz", "Delta wide"),
    ("release=", "Delta wide,Gamma_wide,Beta 100% deep,Alpha deep,Draft"),
    ("ordering=display_name&status=1", "Alpha deep,Beta 100% deep,Delta wide,Gamma_wide"),
    ("ordering=-id&page_size=99", "Draft,Delta wide,Gamma_wide,Beta 100% deep,Alpha deep"),
]


def test_filters(server, several):
    client = server.client("owner")
    for words, expected in FILTERS:
        found = names(client, words)
        if "ordering" in words:
            assert ",".join(found) == expected, words
        else:
            assert sorted(found) == (sorted(expected.split(",")) if expected else []), words


BAD_FILTERS = ["status=7", "status=x", "release=a", "release=99999999999", "official_product=perhaps", "color=red",
     "release__isnull=2", "product_type__in=1,b", "ordering=size", "ordering=id,status", "status=%D9%A1",
     "release__in=" + ",".join(["1"] * 300), "product_name=" + "x" * 3000]  # fmt: skip


def test_bad_filters_are_named(server, several):
    client = server.client("owner")
    for words in BAD_FILTERS:
        answer = client.get(f"/api/products/?{words}")
        assert answer.status_code == 400, words
        assert list(answer.json()) == [words.partition("=")[0]]


def test_options_name_what_the_client_looks_for(server):
    told = server.client("owner").options("/api/products/").json()
    filters = {each["name"]: each for each in told["filter_classes"]}
    assert {"release_name__or", "product_type_name", "uploaded_by__or", "internal_name", "status"} <= set(filters)
    assert {"value": 9, "display_name": "Failed"} in filters["status"]["choices"]
    assert told["search"]
    assert told["ordering"] == ["id", "display_name", "product_type", "created_at"]


def test_pages(server, several):
    client = server.client("owner")
    first = client.get("/api/products/?page_size=2&ordering=id").json()
    second = client.get("/api/products/?page_size=2&page=2&ordering=id").json()
    assert [first["count"], second["count"]] == [5, 5]
    assert [each["id"] for each in first["results"] + second["results"]] == [1, 2, 3, 4]
    assert client.get("/api/products/?page_size=2&page=9").json()["results"] == []


def test_a_list_of_any_length_is_complete(server, several, monkeypatch):
    client, batch = server.client("owner"), product_list.BATCH
    for order in ("-created_at", "display_name", "id", "-product_type"):
        monkeypatch.setattr(product_list, "BATCH", batch)
        whole = client.get(f"/api/products/?ordering={order}").json()
        monkeypatch.setattr(product_list, "BATCH", 2)
        assert client.get(f"/api/products/?ordering={order}").json() == whole
        assert client.get(f"/api/products/?ordering={order}&page_size=3").json()["results"] == whole["results"][:3]


def test_redshift_catalogues_alone(server, several):
    found = server.client("owner").get("/api/products-specz/").json()
    assert [each["display_name"] for each in found["results"]] == ["Alpha deep"]


def test_from_beginning_to_end(services, server):
    client = server.client("owner")
    body = {"display_name": "Set", "product_type": 2, "release": 1, "official_product": False, "pz_code": None,
            "description": None, "status": 0}  # fmt: skip
    answer = client.post("/api/products/", json=body)
    assert answer.status_code == 201, answer.text
    product = answer.json()
    assert list(product) == PRODUCT_KEYS
    assert (product["status"], product["release_name"], product["description"]) == (0, "DP1", "")
    number = product["id"]
    assert product["internal_name"] == f"{number}_set"
    assert client.get(f"/api/products/{number}/").json() == product
    assert client.get("/api/products/pending_publication/").json()["product"]["id"] == number
    assert server.client("colleague").get("/api/products/pending_publication/").json() == {"product": None}
    assert client.get(f"/api/products/{number}/main_file_info/").json()["main_file"] == {}
    answer = client.patch(f"/api/products/{number}/", data={"description": "New words", "pz_code": ""})
    assert answer.json()["description"] == "New words"
    assert client.delete(f"/api/products/{number}/").status_code == 204
    assert client.get(f"/api/products/{number}/").status_code == 404
    with services.database.reading() as session:
        assert session.get(Product, number).state is ProductState.DELETED


REFUSED = [
    ({}, 400, {"display_name": "This field is required."}),
    ({"display_name": "x"}, 400, {"product_type": "This field is required."}),
    ({"display_name": "x", "product_type": 99}, 400, {"product_type": 'Invalid pk "99" - object does not exist.'}),
    ({"display_name": "x", "product_type": "two"}, 400, {"product_type": ["A valid integer is required."]}),
    ({"display_name": "x", "product_type": [2]}, 400, {"product_type": ["A valid integer is required."]}),
    ({"display_name": "x", "product_type": 1, "release": 1}, 400,
     {"release": ["Release must be null on Reference Redshift Catalogs products."]}),
    ({"display_name": "x", "product_type": 2, "pz_code": "BPZ"}, 400,
     {"pz_code": ["Pz Code must be null on Training Sets products."]}),
    ({"display_name": "x", "product_type": 2, "release": 2}, 400,
     {"release": ['Invalid pk "2" - object does not exist.']}),
    ({"display_name": "x", "product_type": 2, "release": 77}, 400,
     {"release": ['Invalid pk "77" - object does not exist.']}),
    ({"display_name": "x", "product_type": 2, "release": {}}, 400, {"release": ["A valid integer is required."]}),
    ({"display_name": "x", "product_type": 2, "status": 1}, 400, None),
    ({"display_name": "x", "product_type": 2, "color": 1}, 400, None),
    ({"display_name": ["x"], "product_type": 2}, 400, {"display_name": ["Not a valid string."]}),
    ({"display_name": "x\0", "product_type": 2}, 400, None),
    ({"display_name": "\ud800", "product_type": 2}, 400, None),
    ({"display_name": "x" * 300, "product_type": 2}, 400, None),
    ({"display_name": "x", "product_type": 2, "release_year": "soon"}, 400, None),
    ({"display_name": "x", "product_type": 2, "release_year": 12}, 400, None),
    ({"display_name": "x", "product_type": 2, "official_product": "perhaps"}, 400, None),
    ({"display_name": "x", "product_type": 4, "pz_code": "x" * 60}, 400, None),
    ({"display_name": "x", "product_type": 2, "official_product": True}, 403,
     {"error": "official products are made by coordinators"}),
]  # fmt: skip


def test_what_is_refused(server):
    client = server.client("owner")
    for body, status, expected in REFUSED:
        answer = client.post("/api/products/", content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        assert expected is None or answer.json() == expected


BAD_BODIES = [
    (b"{", "application/json", 400),
    (b"[1]", "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b"\xff", "application/json", 400),
    (b"a=%ff", FORM["Content-Type"], 400),
    (b"\xff=1", FORM["Content-Type"], 400),
    (b"&".join([b"a=1"] * 500), FORM["Content-Type"], 400),
    (b"<a/>", "text/xml", 400),
    (b"x" * (2**20 + 1), "application/json", 413),
    (b"x", "multipart/form-data", 400),
    (b"--b\r\n\r\nx", "multipart/form-data; boundary=b", 400),
]


def test_bad_bodies(server):
    client = server.client("owner")
    for content, kind, status in BAD_BODIES:
        answer = client.post("/api/products/", content=content, headers={"Content-Type": kind})
        assert answer.status_code == status, (content[:20], answer.text)


def test_forms_of_both_kinds(server):
    client = server.client("owner")
    words = {"display_name": "Form", "product_type": "2", "release": "", "official_product": "false"}
    assert client.post("/api/products/", data=words).status_code == 201
    parts = {name: (None, value) for name, value in words.items()}
    assert client.post("/api/products/", files=parts).status_code == 201
    assert client.post("/api/products/", files=parts | {"file": ("x", b"1")}).status_code == 400


def test_a_body_is_not_read_from_nobody(server):
    answer = server.client().post("/api/products/", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 401
    answer = server.client("owner", scopes=["read"]).post("/api/products/", json={})
    assert answer.status_code == 403


def test_publish(services, server, principal, made):
    client = server.client("owner")
    number = made(principal("owner"), publish=False)
    with services.database.writing() as session:
        columns = session.get(Product, number).columns
        for column in columns:
            column.alias = None
    answer = client.patch(f"/api/products/{number}/", data={"status": 1, "description": "not kept"})
    assert answer.status_code == 406
    assert answer.json() == "The column(s) was not filled in: Dec,RA,z"
    with services.database.reading() as session:
        assert session.get(Product, number).description == ""
    for column in client.get(f"/api/product-contents/?product={number}").json()["results"]:
        alias = {"ra": "RA", "dec": "Dec", "z": "z"}.get(column["column_name"], "")
        client.patch(f"/api/product-contents/{column['id']}/", data={"alias": alias})
    answer = client.patch(f"/api/products/{number}/", data={"status": 1, "release_year": "2026"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["release_year"]) == (1, 2026)
    assert client.patch(f"/api/products/{number}/", data={"status": 1}).status_code == 200
    assert client.patch(f"/api/products/{number}/", data={"status": 0}).status_code == 400
    assert client.patch(f"/api/products/{number}/", data={"product_type": 2}).status_code == 400
    assert client.patch(f"/api/products/{number}/", data={"product_type": 1, "release": ""}).status_code == 200
    assert client.patch(f"/api/products/{number}/", data={"official_product": "true"}).status_code == 403
    product = client.get(f"/api/products/{number}/").json()
    assert client.put(f"/api/products/{number}/", json=product | {"display_name": "Other"}).status_code == 200
    admin = server.client("admin")
    answer = admin.patch(f"/api/products/{number}/", data={"official_product": "true"})
    assert answer.json()["official_product"] is True


def test_a_product_without_a_main_file_is_not_published(services, server, principal, made):
    number = made(principal("owner"), "other", text=None, publish=False)
    assert server.client("owner").patch(f"/api/products/{number}/", data={"status": 1}).status_code == 409


def test_main_file(services, server, principal, made):
    number = made(principal("owner"))
    client = server.client("owner")
    info = client.get(f"/api/products/{number}/main_file_info/").json()
    assert list(info) == [*PRODUCT_KEYS, "main_file"]
    assert info["main_file"] == {
        "name": "a.csv", "type": "text/csv", "extension": ".csv", "size": 34, "n_rows": 2, "is_directory": False,
        "associated_columns": [
            {"column_name": "ra", "ucd": "pos.eq.ra;meta.main", "alias": "RA"},
            {"column_name": "dec", "ucd": "pos.eq.dec;meta.main", "alias": "Dec"},
            {"column_name": "z", "ucd": "src.redshift", "alias": "z"},
        ],
        "delimiter": ",", "has_header": True, "columns": ["name", "ra", "dec", "z"],
    }  # fmt: skip
    with services.database.writing() as session:
        session.get(Product, number).main_file.csv_dialect = {"delimiter": ";", "has_header": False}
    told = client.get(f"/api/products/{number}/main_file_info/").json()["main_file"]
    assert told["delimiter"] == ";"
    # The client takes them for the names of all columns.
    assert [each["column_name"] for each in told["associated_columns"]] == told["columns"]
    assert client.get(f"/api/products/{number}/process_config/").json() == {}


def test_first_rows(services, server, principal, made):
    number = made(principal("owner"))
    with services.database.writing() as session:
        session.get(Product, number).report = {"preview": {"columns": ["z"], "rows": [{"z": 0.5}, {"z": 0.6}]}}
    client = server.client("owner")
    assert client.get(f"/api/products/{number}/read_data/").json() == {
        "count": 2, "columns": ["z"], "results": [{"z": 0.5}, {"z": 0.6}],
    }  # fmt: skip
    assert client.get(f"/api/products/{number}/read_data/?page=2&page_size=1").json()["results"] == [{"z": 0.6}]


def test_columns(services, server, principal, made):
    number = made(principal("owner"), publish=False)
    client = server.client("owner")
    columns = client.get(f"/api/product-contents/?product={number}&ordering=order").json()["results"]
    assert columns[1] | {"id": 0} == {
        "id": 0, "product": number, "column_name": "ra", "ucd": "pos.eq.ra;meta.main", "order": 1, "alias": "RA",
    }  # fmt: skip
    name, ra = columns[0]["id"], columns[1]["id"]
    assert client.get(f"/api/product-contents/{ra}/").json() == columns[1]
    moved = client.patch(f"/api/product-contents/{name}/", data={"ucd": "pos.eq.ra;meta.main", "alias": "RA"}).json()
    assert (moved["alias"], moved["id"]) == ("RA", name)
    assert client.get(f"/api/product-contents/{ra}/").json()["alias"] is None
    cleared = client.patch(f"/api/product-contents/{name}/", data={"ucd": "", "alias": ""}).json()
    assert (cleared["alias"], cleared["ucd"]) == (None, None)
    assert client.patch(f"/api/product-contents/{name}/", data={"alias": "x" * 300}).status_code == 400
    assert client.patch(f"/api/product-contents/{name}/", json={"alias": [1]}).status_code == 400
    assert client.patch("/api/product-contents/9999/", data={"alias": "z"}).status_code == 404
    assert client.post("/api/product-contents/", json={}).status_code == 405


def test_reading_the_main_file(services, server, principal, made):
    number = made(principal("owner"), publish=False)
    client = server.client("owner")
    read = client.post(f"/api/products/{number}/registry/", headers={"Content-Type": "application/json"})
    assert read.status_code in {200, 501}
    if read.status_code == 501:
        pytest.skip("main files cannot be read yet")
    assert client.get(f"/api/products/{number}/registry/").json()["id"] == number
    with services.database.reading() as session:
        assert session.scalars(select(Product.n_rows).where(Product.id == number)).one() == 2


def test_lists_hold_what_one_may_see(server, principal, made, several):
    private = made(principal("colleague"), name="Hidden", publish=False)
    client = server.client("owner")
    for name in ("product-contents", "product-files"):
        rows = client.get(f"/api/{name}/").json()["results"]
        assert private not in {each["product"] for each in rows}
        assert client.get(f"/api/{name}/?product={private}").json() == {"count": 0, "results": []}
