"""Names, DOIs and citations of products: what breaks lists, links or BibTeX is taken out or refused."""

import pytest

from pzcenter.errors import ConflictError, UsageError
from pzcenter.server.services.citations import bibtex
from pzcenter.server.services.product_files import plain_name
from pzcenter.server.services.product_words import checked_doi, plain_line
from pzcenter.server.services.products import NewProduct, create_product, edit_product, publish_product
from pzcenter.server.storage.products import Product

API = "/api/v2"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("10.5281/zenodo.7654321", "10.5281/zenodo.7654321"), ("10.1000.12/a(b);c", "10.1000.12/a(b);c"),
        ("https://doi.org/10.5281/zenodo.1", "10.5281/zenodo.1"), ("doi: 10.5281/x", "10.5281/x"),
        ("HTTP://dx.doi.org/10.5281/x", "10.5281/x"), ("  ", None), (None, None),
    ],
)  # fmt: skip
def test_dois(given, kept):
    assert checked_doi(given) == kept


@pytest.mark.parametrize(
    "text",
    ["nonsense", "javascript:alert(1)", "10.1/x", "10.5281/", "10.5281/a b", "10.5281/a}", "https://evil.example/10.5281/x",
     "10.5281/x\\", "10.5281/\u202ex", "10.5281/" + 300 * "x"],
)  # fmt: skip
def test_what_is_no_doi(services, principal, made, text):
    owner, number = principal("owner"), made(principal("owner"))
    with pytest.raises(UsageError, match="is no DOI"), services.database.writing() as session:
        edit_product(session, owner, number, {"doi": text})
    with pytest.raises(UsageError, match="is no DOI"), services.database.writing() as session:
        create_product(services, session, owner, NewProduct("x", "other", doi=text))


def test_dois_by_interface(server, made, principal):
    number, client = made(principal("owner")), server.client("owner")
    any_revision = {"If-Match": "*"}
    answer = client.patch(f"{API}/products/{number}", json={"doi": "javascript:alert(1)"}, headers=any_revision)
    assert answer.status_code == 400 and "no DOI" in answer.json()["detail"]
    answer = client.patch(f"{API}/products/{number}", json={"doi": "doi:10.5281/x"}, headers=any_revision)
    assert answer.json()["doi"] == "10.5281/x"


def test_lines():
    assert plain_line("  VVDS\r\n deep\tfield\u202egnp.exe\x00\x1b[1m \u2066") == "VVDS deep fieldgnp.exe[1m"
    assert plain_line("Étoiles à z>1, 中文 名") == "Étoiles à z>1, 中文 名"
    assert plain_line("a\u200db") == "a\u200db" and plain_line("\u200d \u202e\n") == ""


def test_names_are_one_line(services, principal):
    owner = principal("owner")
    with services.database.writing() as session:
        new = NewProduct("z\n of\u202e VVDS", "other", licence="CC\nBY", tags=("de\nep", "\u202e"))
        product = create_product(services, session, owner, new)
        assert (product.display_name, product.licence) == ("z of VVDS", "CC BY")
        assert [each.tag for each in product.tags] == ["de ep"]
        assert edit_product(session, owner, product.id, {"display_name": "a\r\nb"}).display_name == "a b"
        for name in ("\u202e\n", " "):
            with pytest.raises(UsageError, match="needs a name"):
                create_product(services, session, owner, NewProduct(name, "other"))


@pytest.mark.parametrize(
    "said", ["a } b", "back\\slash {", "@misc{a, title={x}", "@misc{a}}{", "@nothing", "C:\\new\\}"]
)  # fmt: skip
def test_citations_are_balanced(services, principal, made, said):
    number = made(principal("owner"), name="Brace } name \\")
    with services.database.writing() as session:
        product = session.get(Product, number)
        product.citation = said
        text = bibtex(services, product)
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0 and text.count("\n@") == 0 and "note = {" in text


def test_a_good_entry_follows_as_it_is(services, principal, made):
    number = made(principal("owner"))
    with services.database.writing() as session:
        product = session.get(Product, number)
        product.citation = "@article{a, title={{x} y}}"
        assert bibtex(services, product).endswith("\n\n@article{a, title={{x} y}}\n")


def test_messages_in_words(services, server, principal, made):
    number = made(principal("owner"), text=b"x\n", publish=False)
    with services.database.writing() as session:
        session.get(Product, number).columns = []
    with pytest.raises(ConflictError, match="no column is Dec, RA, z"), services.database.writing() as session:
        publish_product(session, principal("owner"), number)
    admin = server.client("admin")
    told = admin.post(f"{API}/groups", json={"name": "my team"}).json()["detail"]
    assert told == "name: 'my team'; accepted are letters without accents, digits, and . _ -"
    told = admin.patch(f"{API}/me", json={"email": "nonsense"}).json()["detail"]
    assert "email: 'nonsense'; accepted is one e-mail address, such as ada@example.org" in told


def test_names_of_files_are_one_line():
    assert plain_name("../a\nb\u202efdp.csv\x00\u2066") == "abfdp.csv"
    with pytest.raises(UsageError, match="no name of a file"):
        plain_name("\u202e\n")
