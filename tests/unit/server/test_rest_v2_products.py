"""The second interface: products from their beginning to their end."""

import hashlib

import pytest

from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.products import NewProduct, create_product, publish_product
from pzcenter.server.storage.products import FileRole, ProductColumn, ProductLink

API = "/api/v2"
CONTENT = b"ra,dec,z\n1,2,0.5\n3,4,0.6\n"


@pytest.fixture
def make(services, principal):
    """A product with its main file in the store."""

    def made(name="Redshifts", *, owner="owner", publish=True, inputs=(), kind="redshift_catalog", **words):
        who = principal(owner)
        content = services.store.put([CONTENT])
        with services.database.writing() as session:
            product = create_product(services, session, who, NewProduct(name, kind, **words))
            add_file(services, session, who, product.id, content, name="z.csv", role=FileRole.MAIN)
            product.columns = [
                ProductColumn(name=column, order=order, alias=alias)
                for order, (column, alias) in enumerate((("ra", "RA"), ("dec", "Dec"), ("z", "z")))
            ]
            session.add_all(ProductLink(product_id=product.id, input_id=each) for each in inputs)
            session.flush()
            if publish:
                publish_product(session, who, product.id)
            return product.id

    return made


def code(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code and body["request_id"] and body["detail"]
    return answer.status_code, body["code"]


def test_a_product_is_made_read_and_edited_only_by_who_has_seen_it(server):
    owner = server.client("owner")
    made = owner.post(f"{API}/products", json={"display_name": "Mine", "product_type": "other", "tags": ["B", "a"]})
    assert made.status_code == 201 and made.json()["tags"] == ["a", "b"]
    address = f"{API}/products/{made.json()['id']}"
    assert made.headers["location"] == address
    read = owner.get(address)
    assert read.json()["state"] == "registering" and "publish" not in read.json()["may"]
    assert read.json() == owner.get(f"{API}/products/{made.json()['uid']}").json()
    etag = read.headers["etag"]
    assert owner.get(address, headers={"If-None-Match": etag}).status_code == 304
    assert code(owner.patch(address, json={"description": "x"})) == (428, "precondition_required")
    edited = owner.patch(address, json={"description": "x", "tags": ["c"]}, headers={"If-Match": etag})
    assert edited.status_code == 200 and edited.json()["description"] == "x" and edited.json()["tags"] == ["c"]
    assert code(owner.patch(address, json={"doi": "10.1000/x"}, headers={"If-Match": etag})) == (412, "precondition")
    assert code(owner.patch(address, json={"doi": "1"}, headers={"If-Match": "old"})) == (412, "precondition")
    assert owner.patch(address, json={"doi": "10.1000/x"}, headers={"If-Match": "*"}).json()["doi"] == "10.1000/x"
    assert owner.patch(address, json={"doi": None}, headers={"If-Match": "*"}).json()["doi"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (422, "usage")),
        ({"display_name": "", "product_type": "other"}, (422, "usage")),
        ({"display_name": " ", "product_type": "other"}, (422, "usage")),
        ({"display_name": "a\0b", "product_type": "other"}, (422, "usage")),
        ({"display_name": "a" * 256, "product_type": "other"}, (422, "usage")),
        ({"display_name": "a", "product_type": "galaxies"}, (404, "not_found")),
        ({"display_name": "a", "product_type": "other", "owner_id": 1}, (422, "usage")),
        ({"display_name": "a", "product_type": "other", "release": "dp2"}, (404, "not_found")),
        ({"display_name": "a", "product_type": "redshift_catalog", "release": "dp1"}, (400, "usage")),
        ({"display_name": "a", "product_type": "other", "official": True}, (403, "permission")),
        ({"display_name": "a", "product_type": "other", "tags": ["x"] * 51}, (422, "usage")),
        ({"display_name": "a", "product_type": "other", "release_year": 10**30}, (422, "usage")),
    ],
)
def test_a_body_that_is_not_accepted_is_refused(server, body, expected):
    assert code(server.client("owner").post(f"{API}/products", json=body)) == expected


@pytest.mark.parametrize("path", ["99999999999999999999", "nosuchproduct", "2147483648", "0", "UPPER", "a.b", "%00"])
def test_an_address_of_no_product_is_refused(server, path):
    answer = server.client("owner").get(f"{API}/products/{path}")
    assert answer.status_code in {404, 422}
    code(answer)


def test_nobody_sees_nothing(server, make):
    number = make()
    for path in ("products", f"products/{number}", f"products/{number}/files", "product-types", "files/1/content"):
        assert code(server.client().get(f"{API}/{path}")) == (401, "authentication")


def test_a_body_that_is_too_large_is_not_read(server):
    answer = server.client("owner").post(f"{API}/products", content=b" " * (5 * 2**20))
    assert code(answer) == (413, "quota")
    pieces = (b" " * 2**20 for _ in range(6))
    assert server.client("owner").post(f"{API}/products", content=pieces).status_code == 413  # of no told length


def test_publishing_versions_and_deleting(server, make):
    number, owner = make(publish=False), server.client("owner")
    colleague = server.client("colleague")
    assert code(colleague.get(f"{API}/products/{number}")) == (404, "not_found")
    assert owner.post(f"{API}/products/{number}/publish").json()["state"] == "published"
    assert colleague.get(f"{API}/products/{number}").json()["may"] == ["see", "comment"]
    assert code(owner.post(f"{API}/products/{number}/publish"))[0] == 403
    second = owner.post(f"{API}/products/{number}/versions")
    assert second.status_code == 201 and second.json()["version"] == 2 and not second.json()["is_latest"]
    assert code(owner.post(f"{API}/products/{number}/versions")) == (409, "conflict")
    assert [each["version"] for each in owner.get(f"{API}/products/{number}/versions").json()] == [2, 1]
    assert [each["version"] for each in colleague.get(f"{API}/products/{number}/versions").json()] == [1]
    assert code(colleague.delete(f"{API}/products/{number}")) == (403, "permission")
    assert code(owner.delete(f"{API}/products/{number}", headers={"If-Match": '"r999"'})) == (412, "precondition")
    assert owner.delete(f"{API}/products/{number}").status_code == 204
    assert code(owner.get(f"{API}/products/{number}")) == (404, "not_found")


def test_official_is_for_coordinators(server, make):
    number = make()
    body = {"official": True}
    assert code(server.client("owner").put(f"{API}/products/{number}/official", json=body)) == (403, "permission")
    told = server.client("coordinator").put(f"{API}/products/{number}/official", json=body)
    assert told.json()["official"] is True
    assert "edit" not in server.client("owner").get(f"{API}/products/{number}").json()["may"]


def test_lists_are_told_in_pages(server, make):
    numbers = [make(f"Redshifts {n}", tags=("even",) if n % 2 == 0 else ()) for n in range(7)]
    owner, seen, address = server.client("owner"), [], f"{API}/products?limit=3&sort=display_name&with_total=true"
    while address:
        answer = owner.get(address)
        assert answer.status_code == 200, answer.text
        seen += [each["id"] for each in answer.json()["items"]]
        assert answer.json()["total"] == 7
        address = answer.links["next"]["url"] if "next" in answer.links else None
        assert (address is None) == (answer.json()["next_cursor"] is None)
    assert seen == numbers

    def found(**words):
        return [each["id"] for each in owner.get(f"{API}/products", params=words).json()["items"]]

    assert found(sort="-id") == numbers[::-1]
    assert found(tag="even", sort="id") == numbers[::2]
    assert found(q="redshifts 3") == [numbers[3]]
    assert found(product_type="other") == found(release="dp1") == found(owner="nobody") == found(official=True) == []
    assert len(found(product_type=["redshift_catalog", "other"], owner="owner", state="published", latest=True)) == 7
    assert server.client("outsider").get(f"{API}/products").json()["items"] != []
    wrong = {"sort": "secret", "limit": 0, "cursor": "AAAA", "state": "lost", "product_type": "galaxies", "q": "\0"}
    for name, value in wrong.items():
        assert code(owner.get(f"{API}/products", params={name: value}))[0] in {400, 422}


def test_files_are_downloaded_whole_in_part_and_not_twice(server, make):
    number, colleague = make(), server.client("colleague")
    (file,) = colleague.get(f"{API}/products/{number}/files").json()
    assert file["role"] == "main" and file["size"] == len(CONTENT)
    assert file == colleague.get(f"{API}/files/{file['id']}").json()
    address = f"{API}/{file['content_url']}"
    whole = colleague.get(address)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert whole.content == CONTENT and whole.headers["etag"] == f'"{digest}"' and digest == file["sha256"]
    assert whole.headers["content-disposition"] == 'attachment; filename="z.csv"'
    assert colleague.head(address).headers["content-length"] == str(len(CONTENT))
    for wanted, (start, stop) in {"bytes=5-": (5, None), "bytes=0-3": (0, 4), "bytes=-4": (-4, None)}.items():
        part = colleague.get(address, headers={"Range": wanted})
        assert part.status_code == 206 and part.content == CONTENT[start:stop]
    other = colleague.get(address, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert other.status_code == 200 and other.content == CONTENT
    assert colleague.get(address, headers={"Range": "bytes=999-"}).status_code == 416
    assert colleague.get(address, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert code(colleague.delete(f"{API}/files/{file['id']}")) == (403, "permission")
    assert code(server.client("owner").delete(f"{API}/files/{file['id']}")) == (403, "permission")
    assert code(colleague.get(f"{API}/files/{file['id']}/parts/1/content")) == (404, "not_found")
    assert colleague.get(f"{API}/files/{file['id']}/parts").json() == []
    archive = colleague.get(f"{API}/products/{number}/archive")
    assert archive.content[:2] == b"PK" and archive.headers["content-type"] == "application/zip"
    assert colleague.get(f"{API}/products/{number}/main-file").content == CONTENT


def test_columns_are_named_before_publication(server, make):
    number, owner = make(publish=False), server.client("owner")
    address = f"{API}/products/{number}/columns"
    told = owner.patch(address, json={"columns": [{"name": "ra", "unit": "deg"}, {"name": "z", "alias": ""}]})
    assert [each["unit"] for each in told.json()] == ["deg", None, None]
    assert owner.get(f"{API}/products/{number}").json()["missing_columns"] == ["z"]
    assert code(owner.post(f"{API}/products/{number}/publish")) == (409, "conflict")
    assert code(owner.patch(address, json={"columns": [{"name": "zz", "alias": "z"}]})) == (422, "column")
    assert code(owner.patch(address, json={"columns": [{"name": "z", "alias": "RA"}]})) == (422, "column")
    assert code(owner.patch(address, json={"columns": [{"name": "z"}, {"name": "z"}]})) == (422, "column")
    assert code(owner.patch(address, json={"columns": []})) == (422, "usage")
    (column,) = (
        each
        for each in owner.patch(address, json={"columns": [{"name": "z", "alias": "z"}]}).json()
        if each["alias"] == "z"
    )
    assert column["ucd"] == "src.redshift"
    assert owner.post(f"{API}/products/{number}/publish").status_code == 200
    assert code(owner.patch(address, json={"columns": [{"name": "z", "alias": "z"}]})) == (403, "permission")


def test_sharing_tags_and_embargo(server, make):
    number, owner, teammate = make(), server.client("owner"), server.client("teammate")
    address = f"{API}/products/{number}/sharing"
    told = owner.patch(address, json={"visibility": "shared", "groups": ["team"], "embargo_until": "2999-01-01"})
    assert told.json() | {"revision": 0} == {
        "visibility": "shared", "groups": ["team"], "users": [], "embargo_until": "2999-01-01", "revision": 0,
    }  # fmt: skip
    assert teammate.get(f"{API}/products/{number}").status_code == 200
    assert code(server.client("colleague").get(f"{API}/products/{number}")) == (404, "not_found")
    assert code(teammate.get(address)) == (403, "permission")
    assert owner.patch(address, json={"users": ["colleague"], "embargo_until": None}).json()["embargo_until"] is None
    assert server.client("colleague").get(f"{API}/products/{number}").status_code == 200
    assert code(owner.patch(address, json={"groups": ["nobody"]})) == (404, "not_found")
    assert code(owner.patch(address, json={})) == (400, "usage")
    assert owner.put(f"{API}/products/{number}/tags", json={"tags": ["Deep", "deep "]}).json() == ["deep"]
    assert teammate.get(f"{API}/products/{number}/tags").json() == ["deep"]
    assert code(teammate.put(f"{API}/products/{number}/tags", json={"tags": []})) == (403, "permission")


def test_comments_are_said_and_taken_back(server, make):
    number, colleague = make(), server.client("colleague")
    address = f"{API}/products/{number}/comments"
    said = [colleague.post(address, json={"text": f"word {n}"}).json()["id"] for n in range(3)]
    page = server.client("owner").get(address, params={"limit": 2}).json()
    assert [each["id"] for each in page["items"]] == said[:2]
    rest = server.client("owner").get(address, params={"cursor": page["next_cursor"]}).json()
    assert [each["author"]["username"] for each in rest["items"]] == ["colleague"] and rest["next_cursor"] is None
    assert code(server.client("owner").delete(f"{address}/{said[0]}")) == (403, "permission")
    assert server.client("coordinator").delete(f"{address}/{said[0]}").status_code == 204
    assert colleague.delete(f"{address}/{said[1]}").status_code == 204
    assert code(colleague.delete(f"{address}/{said[1]}")) == (404, "not_found")
    assert code(colleague.post(address, json={"text": "  "})) == (400, "usage")
    assert code(server.client("colleague", scopes=["read"]).post(address, json={"text": "a"})) == (403, "permission")
    assert len(colleague.get(address).json()["items"]) == 1


def test_provenance_says_of_others_products_only_that_they_are_there(server, make, services):
    secret = make("Secret", owner="colleague", visibility="private")
    open_one = make("Open")
    made = make("Made", kind="other", inputs=[secret, open_one], citation="See & cite_it", command="pz x")
    owner = server.client("owner")
    graph = owner.get(f"{API}/products/{made}/provenance").json()
    labels = {each["label"]: each for each in graph["nodes"]}
    assert set(labels) == {"Made", "Open", "not visible"}
    assert labels["not visible"]["id"] is None and labels["not visible"]["distance"] == -1
    assert len(graph["edges"]) == 2
    assert "Secret" not in str(graph)
    down = owner.get(f"{API}/products/{open_one}/provenance").json()
    assert {each["label"]: each["distance"] for each in down["nodes"]} == {"Open": 0, "Made": 1}
    prov = owner.get(f"{API}/products/{made}/provenance/prov").json()
    assert len(prov["wasDerivedFrom"]) == 2 and len(prov["entity"]) == 3
    text = owner.get(f"{API}/products/{made}/citation").text
    assert text.startswith("@misc{pzserver:") and r"note = {See \& cite\_it}" in text
    assert code(owner.get(f"{API}/products/{secret}/citation")) == (404, "not_found")


def test_types_are_the_seven(server):
    kinds = server.client("outsider").get(f"{API}/product-types").json()
    assert [each["name"] for each in kinds][:2] == ["redshift_catalog", "training_set"] and len(kinds) == 7


def test_the_description_has_errors_and_the_way_to_sign_in_everywhere(server):
    described = server.client().get(f"{API}/openapi.json").json()
    assert described["security"] == [{"token": []}]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["404"]["content"], (method, path)
            assert "HTTPValidationError" not in str(operation)
    assert server.client().get(f"{API}/docs").status_code == 404


def test_rows_of_a_table_are_told(server, make):
    address = f"{API}/products/{make()}/table"
    colleague = server.client("colleague")
    told = colleague.get(address, params={"sort": "-z", "column": ["z", "ra"]}).json()
    assert [each["name"] for each in told["columns"]] == ["z", "ra"] and told["rows"] == [[0.6, 3], [0.5, 1]]
    assert colleague.get(address, params={"where": ["z > 0.55", "dec==4"]}).json()["n_rows"] == 1
    assert colleague.get(address, params={"offset": 1, "limit": 1}).json()["rows"] == [[3, 4, 0.6]]
    wrong = {"sort": "nosuch", "column": "nosuch", "where": "z", "limit": 5000, "offset": -1}
    for name, value in wrong.items():
        assert code(colleague.get(address, params={name: value}))[0] in {400, 422}
    for condition in ("z<", "<3", "z=<3", "nosuch<3", "z<text", "{band}<3"):
        assert code(colleague.get(address, params={"where": condition}))[0] in {400, 422}, condition
    assert code(server.client().get(address)) == (401, "authentication")


def test_a_body_does_not_get_in_as_a_stream(server):
    for kind in ("application/offset+octet-stream", "multipart/form-data; boundary=x"):
        answer = server.client().post(f"{API}/products", content=b" " * (5 * 2**20), headers={"Content-Type": kind})
        assert answer.status_code == 413


def test_unknown_parameters_are_refused(server):
    client = server.client("owner")
    answer = client.get("/api/v2/products?q=deep&text=hush&nosuch=1")
    assert answer.status_code == 400
    assert "no parameter 'nosuch, text' of this address; there are cursor" in answer.json()["detail"]
    assert "it takes none" in client.get("/api/v2/me?x=1").json()["detail"]
    assert client.get("/api/v2/products?q=deep&sort=id&limit=5").status_code == 200
