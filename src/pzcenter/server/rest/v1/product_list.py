"""Lists of products in the first interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from pzcenter.errors import UsageError
from pzcenter.server.http.requests import CurrentServices
from pzcenter.server.rest.v1.asking import Reader, query_words
from pzcenter.server.rest.v1.errors import FieldError
from pzcenter.server.rest.v1.lists import PASSED_OVER, Listing, Page, envelope, metadata, page_of
from pzcenter.server.rest.v1.shapes import STATUS_NAMES, products_json
from pzcenter.server.services.context import Services
from pzcenter.server.services.principal import Principal
from pzcenter.server.services.product_filters import FILTERS, STATUS, product_filter
from pzcenter.server.services.product_search import ORDERS, Found, ProductQuery, find_products
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product

__all__ = ["router"]

router = APIRouter()

BATCH = 500
"""Products that are read, and held, at once; a client that wants all of them gets them batch after batch."""
REDSHIFT_CATALOG, PUBLISHED = "1", "1"
ORDERING = {name: ORDERS[name] for name in ("id", "display_name", "product_type", "created_at")}
PRODUCTS = Listing(
    "Product List", search=(Product.display_name, User.username, User.first_name, User.last_name), ordering=ORDERING
)
CHOICES = {"status": [{"value": STATUS[state], "display_name": STATUS_NAMES[state]} for state in STATUS]}
KINDS = {"status": "ChoiceFilter", "official_product": "BooleanFilter", "release__isnull": "BooleanFilter"}


def product_query(request: Request, page: Page, **fixed: str) -> ProductQuery:
    """What an address asks for.

    Raises
    ------
    FieldError
        A filter or an order that there is not, or a value that is not accepted.
    """
    words = query_words(request)
    order = words.get("ordering") or "-created_at"
    if order.removeprefix("-") not in ORDERING:
        raise FieldError("ordering", f"no order {order!r}; there are {', '.join(ORDERING)}, also with '-'")
    known = {"search", "ordering", "page", "page_size"} | PASSED_OVER
    filters = {name: value for name, value in words.items() if name not in known} | fixed
    for name, value in filters.items():
        try:
            if value:
                product_filter(name, value)
        except UsageError as error:
            raise FieldError(name, str(error)) from error
    return ProductQuery(
        text=words.get("search", ""),
        filters=filters,
        order=order,
        offset=page.offset,
        limit=min(page.size, BATCH),
        count_all=True,
    )


@router.get("/products/")
def products(request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Products that the asker may see."""
    page = page_of(request, services)
    return _answer(services, principal, product_query(request, page), page)


@router.get("/products-specz/")
def redshift_catalogs(request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Published catalogues of redshifts."""
    page = page_of(request, services)
    query = product_query(request, page, product_type=REDSHIFT_CATALOG, status=PUBLISHED)
    return _answer(services, principal, query, page)


@router.options("/products/")
@router.options("/products-specz/")
def products_metadata(_principal: Reader) -> Response:
    """What the list can be asked."""
    classes = [
        {"name": name, "type": KINDS.get(name, "CharFilter")} | ({"choices": CHOICES[name]} if name in CHOICES else {})
        for name in FILTERS
    ]
    return metadata(PRODUCTS, filter_classes=classes)


def _answer(services: Services, principal: Principal, query: ProductQuery, page: Page) -> Response:
    with services.database.reading() as session:
        found = find_products(session, principal, query)
        rows = products_json(session, principal, found.rows)
    if found.next_cursor is None or page.size <= BATCH:
        return envelope(found.count, rows)
    body = _batches(services, principal, query, found, first=json.dumps(rows)[1:-1], left=page.size - len(rows))
    return StreamingResponse(body, media_type="application/json")


def _batches(
    services: Services, principal: Principal, query: ProductQuery, found: Found, *, first: str, left: int
) -> Iterator[str]:
    """One list in pieces; each has its own session, so that a slow reader keeps none open."""
    yield f'{{"count": {found.count}, "results": [{first}'
    cursor = found.next_cursor
    while cursor is not None and left > 0:
        following = replace(query, cursor=cursor, offset=0, limit=min(left, BATCH), counted=False)
        with services.database.reading() as session:
            found = find_products(session, principal, following)
            text = json.dumps(products_json(session, principal, found.rows))[1:-1]
        if text:
            yield f", {text}"
        cursor, left = found.next_cursor, left - len(found.rows)
    yield "]}"
