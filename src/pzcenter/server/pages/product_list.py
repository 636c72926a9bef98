"""The list of products: search, filters, order; all of it stands in the address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.pages.render import page
from pzcenter.server.services.product_names import named_filters
from pzcenter.server.services.product_search import ProductQuery, find_products
from pzcenter.server.services.releases import list_releases
from pzcenter.server.storage.products import ProductState, ProductType

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["ORDERS", "Wish", "router"]

router = APIRouter(include_in_schema=False)
PAGE_SIZE = 25
LAST_PAGE = 400
"""Behind that, people narrow the search: the database would have to count through everything before it."""
ORDERS = (
    ("-created_at", "newest first"), ("created_at", "oldest first"), ("-updated_at", "last changed"),
    ("display_name", "name, A to Z"), ("-display_name", "name, Z to A"), ("-size", "largest"), ("size", "smallest"),
    ("product_type", "type"),
)  # fmt: skip
STATES = (("", "any"), ("published", "published"), ("registering", "drafts"), ("processing", "being made"),
          ("failed", "failed"))  # fmt: skip
Word = Annotated[str, Field(max_length=300)]
Sign = Annotated[str, Field(max_length=3)]


class Wish(BaseModel):
    """What somebody looks for, as it stands in the address.

    Attributes
    ----------
    q, type, release, owner, tag, state, versions : str
        Empty: not asked for. ``versions`` is ``all`` where old versions are wanted too.
    official, mine : str
        ``1`` or empty.
    order : str
    page : int
    """

    model_config = ConfigDict(frozen=True)

    q: Word = ""
    type: Word = ""
    release: Word = ""
    owner: Word = ""
    tag: Word = ""
    state: Word = ""
    official: Sign = ""
    mine: Sign = ""
    versions: Sign = ""
    order: Word = "-created_at"
    page: Annotated[int, Field(ge=1, le=LAST_PAGE)] = 1

    def address(self, **changes: str | int) -> str:
        """Address of this list, with changes; what is as usual is left out."""
        said = self.model_copy(update=changes).model_dump(exclude_defaults=True)
        return "/products" + (f"?{urlencode(said)}" if said else "")

    def query(self, session: Session, principal: Principal) -> ProductQuery:
        """For :func:`find_products`."""
        filters = named_filters(
            session, principal,
            product_types=_one(self.type), releases=[] if self.release == "-" else _one(self.release),
            owners=_one(principal.username if self.mine else self.owner),
            states=[each for each in ProductState if each == self.state and each is not ProductState.DELETED],
        )  # fmt: skip
        if self.release == "-":
            filters["release__isnull"] = "true"
        orders = {name for name, _ in ORDERS}
        return ProductQuery(
            text=self.q.replace("\0", ""), filters=filters, tags=_one(self.tag.strip()),
            official=True if self.official else None, latest=None if self.versions == "all" or self.mine else True,
            order=self.order if self.order in orders else "-created_at", offset=(self.page - 1) * PAGE_SIZE,
            limit=PAGE_SIZE,
        )  # fmt: skip


def _one(word: str) -> tuple[str, ...]:
    return (word,) if word and "\0" not in word else ()


@router.get("/products")
def products(
    request: Request, services: CurrentServices, principal: SignedIn, wish: Annotated[Wish, Query()]
) -> Response:
    """Products that the asker may see."""
    with services.database.reading() as session:
        found = find_products(session, principal, wish.query(session, principal))
        kinds = session.scalars(select(ProductType).order_by(ProductType.order)).all()
        first = (wish.page - 1) * PAGE_SIZE
        return page(
            request, "products.html", wish=wish, products=found.rows, count=found.count, at_least=found.at_least,
            first=first + 1, last=first + len(found.rows), more=found.next_cursor is not None and wish.page < LAST_PAGE,
            types=[("", "any"), *((kind.name, kind.display_name) for kind in kinds)],
            releases=[("", "any"), ("-", "none")]
            + [(each.name, each.display_name or each.name) for each in list_releases(session, principal)],
            orders=ORDERS, states=STATES,
        )  # fmt: skip
