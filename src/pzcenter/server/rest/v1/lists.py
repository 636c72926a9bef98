"""Lists of the first interface: pages, order, and what OPTIONS says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi.responses import JSONResponse
from sqlalchemy import func, or_, select

from pzcenter.server.rest.v1.asking import number_of, query_words
from pzcenter.server.rest.v1.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import Request
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from pzcenter.server.services.context import Services

T = TypeVar("T")

__all__ = ["PASSED_OVER", "Listing", "Page", "envelope", "metadata", "page_of", "rows_of"]

PASSED_OVER = {"format"}
"""Words of an address that say nothing of what is wanted."""
PAGING = {"page", "page_size", "ordering", "search"}


@dataclass(frozen=True)
class Page:
    """A part of a list.

    Attributes
    ----------
    number : int
        From 1.
    size : int
    """

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Rows before it."""
        return (self.number - 1) * self.size


@dataclass(frozen=True)
class Listing:
    """What a list can be asked.

    Attributes
    ----------
    name, description : str
    filters : mapping of str to callable
        Each makes a condition of a value.
    search : tuple of columns
    ordering : mapping of str to column
    default : str
        Order when none is asked for.
    """

    name: str
    filters: Mapping[str, Callable[[str], ColumnElement[bool]]] = field(default_factory=dict)
    search: tuple[InstrumentedAttribute[Any], ...] = ()
    ordering: Mapping[str, InstrumentedAttribute[Any]] = field(default_factory=dict)
    default: str = "id"
    description: str = ""


def page_of(request: Request, services: Services) -> Page:
    """Page that is asked for; without a word all rows, because clients in use read one page only.

    Raises
    ------
    FieldError
        No such number.
    """
    words = query_words(request)
    most = services.settings.legacy_page_size
    size = min(number_of("page_size", words.get("page_size") or most), most)
    number = number_of("page", words.get("page") or 1)
    if size < 1 or number < 1 or number * size >= 2**53:
        raise FieldError("detail", "Invalid page.", bare=True)
    return Page(number, size)


def envelope(count: int, rows: Sequence[Any]) -> JSONResponse:
    """A list as clients expect it."""
    return JSONResponse({"count": count, "results": list(rows)})


def rows_of(
    session: Session, request: Request, services: Services, listing: Listing, wanted: Select[tuple[T]]
) -> tuple[int, Sequence[T]]:
    """Rows that a request asks for.

    Parameters
    ----------
    session : Session
    request : Request
    services : Services
    listing : Listing
    wanted : Select
        Rows that the asker may see.

    Returns
    -------
    count : int
    rows : sequence

    Raises
    ------
    FieldError
        A filter or an order that there is not.
    """
    words = query_words(request)
    for name, value in words.items():
        if name in listing.filters:
            wanted = wanted.where(listing.filters[name](value)) if value else wanted
        elif name not in PAGING | PASSED_OVER:
            raise FieldError(name, f"no filter {name!r}; there are {', '.join([*listing.filters, *sorted(PAGING)])}")
    for word in words.get("search", "").split():
        wanted = wanted.where(or_(*(column.icontains(word, autoescape=True) for column in listing.search)))
    for name in (words.get("ordering") or listing.default).split(","):
        column = listing.ordering.get(name.strip().removeprefix("-"))
        if column is None:
            raise FieldError("ordering", f"no order {name!r}; there are {', '.join(listing.ordering)}")
        wanted = wanted.order_by(column.desc() if name.strip().startswith("-") else column.asc())
    page = page_of(request, services)
    rows = session.scalars(wanted.offset(page.offset).limit(page.size)).all()
    if page.number == 1 and len(rows) < page.size:
        return len(rows), rows
    return session.scalar(select(func.count()).select_from(wanted.order_by(None).subquery())) or 0, rows


def metadata(listing: Listing, **more: Any) -> JSONResponse:
    """Answer to OPTIONS: what a list can be asked.

    Parameters
    ----------
    listing : Listing
    **more
        ``filter_classes`` of lists that have them.

    Returns
    -------
    JSONResponse
    """
    told = {
        "name": listing.name, "description": listing.description,
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        "filterset": list(listing.filters), "search": [column.key for column in listing.search],
        "ordering": list(listing.ordering),
    }  # fmt: skip
    if not listing.search:
        del told["search"]
    return JSONResponse(told | more)
