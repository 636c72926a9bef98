"""Find products: one query for all interfaces, which selects only what the asker may see."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, case, func, or_, select
from sqlalchemy.orm.attributes import set_committed_value

from pzcenter.errors import UsageError
from pzcenter.server.services.access import visible
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.product_filters import product_filter
from pzcenter.server.services.product_text import text_conditions
from pzcenter.server.storage.base import UtcDateTime
from pzcenter.server.storage.products import Product, ProductTag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from pzcenter.server.services.principal import Principal

__all__ = ["ORDERS", "Found", "ProductQuery", "cursor_of", "find_products"]

ORDERS: dict[str, InstrumentedAttribute[Any]] = {
    "id": Product.id,
    "display_name": Product.display_name,
    "product_type": Product.product_type_id,
    "created_at": Product.created_at,
    "updated_at": Product.updated_at,
    "size": Product.size,
}
"""What products may be ordered by; a ``-`` before the name turns the order round."""
COUNT_SECONDS = 10.0
"""A count of many products may be that old."""
MANY = 1000
"""Fewer are counted anew every time."""
MOST = 2000
"""A search by words counts no further."""
AT_ONCE = 1000
"""Rows that are read by one question."""
MAX_CURSOR = 2000


@dataclass(frozen=True)
class ProductQuery:
    """What somebody looks for.

    Attributes
    ----------
    text : str
        Beginnings of words, each of which is in the name, the owner, the code, a tag or the description.
    filters : mapping
        By the names of :data:`pzcenter.server.services.product_filters.FILTERS`; commas part values.
    tags : tuple of str
        All of them.
    official : bool or None
    latest : bool or None
        Only the newest version of each series, or only older ones.
    order : str
        One of ``ORDERS``.
    cursor : str or None
        Begin behind a product (:func:`cursor_of`); it must come from the same order.
    offset : int
        Or leave out that many.
    limit : int
        Rows of the answer.
    with_tags : bool
        Load tags too.
    counted : bool
        Whether the count is wanted.
    count_all : bool
        Count to the end also where that takes long: otherwise a search by words counts up to ``MOST``.
    """

    text: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    official: bool | None = None
    latest: bool | None = None
    order: str = "-created_at"
    cursor: str | None = None
    offset: int = 0
    limit: int = 25
    with_tags: bool = False
    counted: bool = True
    count_all: bool = False


@dataclass(frozen=True)
class Found:
    """Products of one page.

    Attributes
    ----------
    count : int
        All products that fit, on all pages; when there are more than ``MANY``, it may be a few seconds old.
    at_least : bool
        There are more than the count says.
    rows : sequence of Product
    next_cursor : str or None
        For the page behind this one; None: there is none.
    """

    count: int
    at_least: bool
    rows: Sequence[Product]
    next_cursor: str | None


def find_products(session: Session, principal: Principal, query: ProductQuery) -> Found:
    """Products that fit and that the asker may see.

    Parameters
    ----------
    session : Session
    principal : Principal
    query : ProductQuery

    Returns
    -------
    Found

    Raises
    ------
    AuthenticationError, PermissionDeniedError
        Nobody is signed in, or the token is not for reading.
    UsageError
        A filter, order or cursor that is not known, or whose value is not accepted.
    """
    principal.need(Scope.READ)
    conditions = _conditions(session, principal, query)
    column, falls = _order(query.order)
    # The ids first: an index holds all that is needed to find and order them.
    wanted = select(Product.id).where(*conditions)
    if query.cursor is not None:
        wanted = wanted.where(_behind(query, column, falls=falls))
    by = (column.desc(), Product.id.desc()) if falls else (column.asc(), Product.id.asc())
    most = MOST if query.text.strip() and query.counted and not query.count_all else None
    # What words find is put in order as a whole: then the same question counts too.
    reach = max(query.limit + 1, 0 if most is None else most - query.offset)
    ids = list(session.scalars(wanted.order_by(*by).offset(query.offset).limit(reach)))
    more, rows = len(ids) > query.limit, _rows(session, ids[: query.limit], with_tags=query.with_tags)
    following = cursor_of(rows[-1], query.order) if more and rows else None
    begins = query.cursor is None and (rows or not query.offset)
    if begins and len(ids) < reach:
        return Found(query.offset + len(ids), at_least=False, rows=rows, next_cursor=following)
    if not query.counted:
        return Found(0, at_least=True, rows=rows, next_cursor=following)
    if begins and most is not None and query.offset + len(ids) >= most:
        return Found(most, at_least=True, rows=rows, next_cursor=following)
    # Counts are kept for who asks, with what the rules know of them.
    asked = (
        principal.user_id, principal.role, principal.scopes, principal.group_ids, principal.release_ids, query.text,
        tuple(sorted(query.filters.items())), query.tags, query.official, query.latest, most,
    )  # fmt: skip
    count = _count(session, (id(session.get_bind()), asked), conditions, most)
    return Found(count, at_least=count == most, rows=rows, next_cursor=following)


TAGS = select(ProductTag).where(ProductTag.product_id.in_(bindparam("ids", expanding=True))).order_by(ProductTag.tag)
SOME = select(Product).where(Product.id.in_(bindparam("ids", expanding=True)))


def _rows(session: Session, ids: list[int], *, with_tags: bool) -> list[Product]:
    """Products in the order of their ids; in parts, since databases limit the values of one question."""
    found: dict[int, Product] = {}
    for start in range(0, len(ids), AT_ONCE):
        some = {"ids": ids[start : start + AT_ONCE]}
        found |= {product.id: product for product in session.scalars(SOME, some)}
        if with_tags:
            _load_tags(session, found, some)
    return [found[number] for number in ids if number in found]


def _load_tags(session: Session, products: dict[int, Product], some: dict[str, list[int]]) -> None:
    """As ``selectinload`` does, at a quarter of its time."""
    tags: dict[int, list[ProductTag]] = {number: [] for number in some["ids"]}
    for tag in session.scalars(TAGS, some):
        tags[tag.product_id].append(tag)
    for number, found in tags.items():
        if number in products:
            set_committed_value(products[number], "tags", found)


def cursor_of(product: Product, order: str) -> str:
    """Words that stand for the place of a product in an order.

    Parameters
    ----------
    product : Product
    order : str

    Returns
    -------
    str
        Letters, digits, ``-`` and ``_``.
    """
    value = getattr(product, _order(order)[0].key)
    place = [order, value.isoformat() if isinstance(value, datetime) else value, product.id]
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _order(order: str) -> tuple[InstrumentedAttribute[Any], bool]:
    name = order.removeprefix("-")
    if name not in ORDERS:
        raise UsageError(f"products cannot be ordered by {order!r}; accepted are {', '.join(ORDERS)}, also with '-'")
    return ORDERS[name], order.startswith("-")


def _behind(query: ProductQuery, column: InstrumentedAttribute[Any], *, falls: bool) -> ColumnElement[bool]:
    """Products behind the cursor's; ties are parted by the id."""
    text = query.cursor or ""
    try:
        if len(text) > MAX_CURSOR:
            raise ValueError
        order, value, number = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        kind = datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
        value = datetime.fromisoformat(value) if kind is datetime else value
        if order != query.order or type(number) is not int or type(value) is not kind or abs(number) >= 2**31:
            raise ValueError
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError
        # Half a letter does not encode, and no database takes a NUL.
        if isinstance(value, str) and ("\0" in value or not value.encode()):
            raise ValueError
    except (ValueError, TypeError) as error:
        raise UsageError(f"the cursor does not fit the order {query.order!r}; begin anew without it") from error
    if falls:
        return or_(column < value, and_(column == value, Product.id < number))
    return or_(column > value, and_(column == value, Product.id > number))


def _conditions(session: Session, principal: Principal, query: ProductQuery) -> list[ColumnElement[bool]]:
    # As a value, not as a condition: a planner that takes the rules apart reads all that anybody may see and sorts it,
    # instead of going along the order until the page is full.
    found = [case((visible(principal), 1), else_=0) == 1]
    found += [product_filter(name, value) for name, value in query.filters.items() if value != ""]
    found += text_conditions(session, query.text)
    for tag in query.tags:
        found.append(Product.id.in_(select(ProductTag.product_id).where(ProductTag.tag == tag.strip().lower())))
    if query.official is not None:
        found.append(Product.official.is_(query.official))
    if query.latest is not None:
        found.append(Product.is_latest.is_(query.latest))
    return found


class _Counts:
    """Counts of many products, kept for a moment: people leaf through the same list."""

    def __init__(self) -> None:
        self._kept: dict[object, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def get(self, key: object) -> int | None:
        with self._lock:
            at, number = self._kept.get(key, (-COUNT_SECONDS, 0))
            return number if time.monotonic() - at < COUNT_SECONDS else None

    def keep(self, key: object, number: int) -> None:
        with self._lock:
            if len(self._kept) > 1000:
                self._kept.clear()
            self._kept[key] = (time.monotonic(), number)


COUNTS = _Counts()


def _count(session: Session, asked: object, conditions: list[ColumnElement[bool]], most: int | None) -> int:
    known = COUNTS.get(asked)
    if known is not None:
        return known
    counting = select(func.count()).select_from(Product).where(*conditions)
    if most is not None:
        counting = select(func.count()).select_from(select(Product.id).where(*conditions).limit(most).subquery())
    number = session.scalar(counting) or 0
    if number > MANY:
        COUNTS.keep(asked, number)
    return number
