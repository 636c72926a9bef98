"""Who sees a product is said before it is published; without a release everybody with an account does."""

import pytest
from sqlalchemy import select

from pzcenter.server.storage.products import Product


@pytest.fixture
def pages(browser, made, principal, uid):
    """Last step of an upload, and the page of the product."""

    def read(kind, **words):
        name = uid(made(principal("owner"), kind, publish=False, **words))
        return [browser("owner").get(address).text for address in (f"/upload/{name}/publish", f"/products/{name}")]

    return read


@pytest.mark.parametrize(("release", "words"), [(None, "everybody with an account"), ("dp1", "everybody with rights")])
def test_the_last_step_of_an_upload_says_who_will_see_it(pages, release, words):
    last, product = pages("training_set", release=release)
    assert words in last
    assert words in product
    assert ("It belongs to no release" in last) is (release is None)


def test_a_catalogue_that_is_shared(pages):
    last, _ = pages("redshift_catalog", visibility="shared")
    assert "groups and people" in last
    assert "everybody with an account" not in last


def test_why_a_redshift_catalogue_takes_no_release(server, services):
    client = server.client("owner")
    body = {"display_name": "x", "product_type": "redshift_catalog", "release": "dp1"}
    detail = client.post("/api/v2/products", json=body).json()["detail"]
    assert "Release must be null" in detail
    assert "belong to no data release: leave it out" in detail
    assert "everybody with an account" in detail
    told = client.post("/api/products/", json={"display_name": "x", "product_type": 1, "release": 1}).json()
    assert told == {"release": ["Release must be null on Reference Redshift Catalogs products."]}
    with services.database.reading() as session:
        assert session.scalars(select(Product)).all() == []
