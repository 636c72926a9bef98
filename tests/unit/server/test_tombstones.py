"""Deleted products: who had the right to see one is told that it was there; to all others it was never there."""

import pytest

from pzcenter.server.services.access import saw
from pzcenter.server.services.principal import NOBODY
from pzcenter.server.services.products import NewProduct, create_product, delete_product, new_version
from pzcenter.server.services.provenance_graph import provenance_graph
from pzcenter.server.storage.products import Product, ProductLink, Visibility

EVIL = "<script>alert(1)</script> cat"


@pytest.fixture
def gone(services, principal, made):
    """Make a published product, and delete it; its number."""

    def make(**more):
        number = made(principal("owner"), "training_set", name=EVIL, release="dp1", description="Secrets.", **more)
        with services.database.writing() as session:
            delete_product(session, principal("owner"), number)
        return number

    return make


def test_a_page_stays_for_those_who_saw_it(browser, gone, uid, harmless):
    address = f"/products/{uid(gone())}"
    for name in ("owner", "colleague", "coordinator", "admin"):
        answer = browser(name).get(address)
        assert answer.status_code == 410
        harmless(answer.text)
        assert "This product was deleted" in answer.text and "alert(1)&lt;/script&gt; cat" in answer.text
        assert "Secrets." not in answer.text and "a.csv" not in answer.text
    assert browser("outsider").get(address).status_code == 404
    assert browser("owner").get("/products/zzzzzzzzzzzz").status_code == 404


def test_other_interfaces_have_nothing_of_it(server, gone, uid):
    number = gone()
    for key in (number, uid(number)):
        assert server.client("owner").get(f"/api/v2/products/{key}").status_code == 404


def test_private_products_are_told_to_nobody_else(browser, gone, uid):
    address = f"/products/{uid(gone(visibility=Visibility.PRIVATE))}"
    assert browser("owner").get(address).status_code == 410
    assert browser("colleague").get(address).status_code == browser("coordinator").get(address).status_code == 404


def test_drafts_leave_nothing(browser, services, principal, uid):
    with services.database.writing() as session:
        number = create_product(services, session, principal("owner"), NewProduct("Draft", "other")).id
        assert not saw(principal("owner"), session.get(Product, number))
        delete_product(session, principal("owner"), number)
        assert not saw(principal("owner"), session.get(Product, number))
    assert browser("owner").get(f"/products/{uid(number)}").status_code == 404


def test_tokens_that_may_not_read_are_told_nothing(services, principal, gone):
    number = gone()
    with services.database.reading() as session:
        product = session.get(Product, number)
        assert saw(principal("owner"), product)
        assert not saw(principal("owner", ()), product) and not saw(NOBODY, product)


def test_provenance_says_deleted_to_those_who_saw_it(services, principal, made):
    first = made(principal("owner"), name="First", release=None)
    hidden = made(principal("owner"), name="Hidden", visibility=Visibility.PRIVATE)
    last = made(principal("colleague"), name="Last")
    with services.database.writing() as session:
        session.add_all(ProductLink(product_id=last, input_id=each, role="input") for each in (first, hidden))
        for each in (first, hidden):
            delete_product(session, principal("owner"), each)
    for name, labels in (("colleague", ["Last", "deleted", "not visible"]), ("admin", ["Last", "deleted", "deleted"])):
        with services.database.reading() as session:
            graph = provenance_graph(session, principal(name), last)
            assert sorted(node.label for node in graph.nodes) == labels
            assert all(node.key.startswith("hidden-") for node in graph.nodes if node.product is None)


def test_other_versions_are_told(browser, services, principal, made, uid):
    number = made(principal("owner"), name="First")
    with services.database.writing() as session:
        second = new_version(services, session, principal("owner"), number).id
        delete_product(session, principal("owner"), number)
    assert f"/products/{uid(second)}" in browser("owner").get(f"/products/{uid(number)}").text
    assert uid(second) not in browser("colleague").get(f"/products/{uid(number)}").text
