"""Lists of products: search, filters, order, cursors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import Page, ProductSummary
from pzcenter.server.rest.v2.fields import Name, ShortText, Tag, Word
from pzcenter.server.services.product_names import named_filters
from pzcenter.server.services.product_search import ORDERS, ProductQuery, find_products
from pzcenter.server.storage.products import ProductState

__all__ = ["router"]

router = APIRouter(tags=["products"])
PER_PAGE = 50

Order = StrEnum("Order", {f"{sign}{name}": f"{sign}{name}" for name in ORDERS for sign in ("", "-")})  # type: ignore[misc]


@router.get("/products", operation_id="list_products")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    request: Request,
    response: Response,
    q: Annotated[
        ShortText, Query(description="Words, each of which is in the name, owner, code, tags or description.")
    ] = "",
    product_type: Annotated[
        list[Word], Query(max_length=20, description="Any of these.", examples=[["training_set"]])
    ] = [],  # noqa: B006
    release: Annotated[list[Word], Query(max_length=20, description="Any of these.")] = [],  # noqa: B006
    owner: Annotated[list[Name], Query(max_length=20, description="Any of these user names.")] = [],  # noqa: B006
    state: Annotated[list[ProductState], Query(max_length=5, description="Any of these.")] = [],  # noqa: B006
    tag: Annotated[list[Tag], Query(max_length=20, description="All of these.")] = [],  # noqa: B006
    official: Annotated[bool | None, Query(description="Official products only, or the others only.")] = None,
    latest: Annotated[bool | None, Query(description="The newest versions only, or older ones only.")] = None,
    sort: Annotated[Order, Query(description="A '-' turns the order round.")] = Order("-created_at"),  # noqa: B008
    cursor: Annotated[
        str | None, Query(max_length=2000, pattern=r"^[\w-]*$", description="As the page before told.")
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=100_000, description="At most; the server has a limit of its own.")
    ] = PER_PAGE,
    with_total: Annotated[bool, Query(description="Count all that fit.")] = False,
) -> Page[ProductSummary]:
    """Products that you may see, page by page."""
    with services.database.reading() as session:
        query = ProductQuery(
            text=q, tags=tuple(tag), official=official, latest=latest, order=sort.value, cursor=cursor or None,
            limit=min(limit, services.settings.max_page_size), with_tags=True, counted=with_total,
            filters=named_filters(
                session, principal, product_types=product_type, releases=release, owners=owner, states=state
            ),
        )  # fmt: skip
        found = find_products(session, principal, query)
        items = [ProductSummary.of(product) for product in found.rows]
    if found.next_cursor is not None:
        following = request.url.include_query_params(cursor=found.next_cursor)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return Page[ProductSummary](items=items, next_cursor=found.next_cursor, total=found.count if with_total else None)
