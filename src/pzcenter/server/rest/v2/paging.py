"""Lists in pages: where the next one begins."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query, Request
from fastapi.routing import APIRoute

from pzcenter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import Response
    from fastapi.dependencies.models import Dependant

    from pzcenter.server.services.context import Services

__all__ = ["Cursor", "Limit", "cursor_of", "key_of", "no_unknown_words", "number_of", "tell_next", "wanted_rows"]

PER_PAGE = 100
LARGEST = 2**62

Cursor = Annotated[str | None, Query(max_length=2000, pattern=r"^[\w-]*$", description="As the page before told.")]
Limit = Annotated[int, Query(ge=1, le=100_000, description="At most; the server has a limit of its own.")]


def no_unknown_words(request: Request) -> None:
    """Refuse words in the address that its question does not have: a filter with a wrong name would filter nothing.

    Raises
    ------
    UsageError
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.query_params:
        return
    known = set(_query_names(route.dependant))
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        accepted = f"there are {', '.join(sorted(known))}" if known else "it takes none"
        raise UsageError(f"no parameter {', '.join(each[:40] for each in unknown)[:200]!r} of this address; {accepted}")


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Names of all that a question takes, of what it depends on too."""
    yield from (each.alias for each in dependant.query_params)
    for each in dependant.dependencies:
        yield from _query_names(each)


def wanted_rows(services: Services, limit: int) -> int:
    """Rows of one answer."""
    return min(limit, services.settings.max_page_size)


def cursor_of(key: object) -> str:
    """Cursor that stands behind a row."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> str:
    """Key of the last row seen; nothing for the first page.

    Raises
    ------
    UsageError
        No cursor of ours.
    """
    if not cursor:
        return ""
    try:
        key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{cursor[:40]!r} is no cursor that this server gave") from error
    if "\0" in key:
        raise UsageError(f"{cursor[:40]!r} is no cursor that this server gave")
    return key


def number_of(cursor: str | None) -> int:
    """Number of the last row seen, in a list that goes down; a number above all for the first page.

    Raises
    ------
    UsageError
        No cursor of ours.
    """
    key = key_of(cursor)
    if not key:
        return LARGEST
    if not (key.isascii() and key.isdigit() and int(key) <= LARGEST):
        raise UsageError(f"{str(cursor)[:40]!r} is no cursor that this server gave")
    return int(key)


def tell_next(request: Request, response: Response, rows: Sequence[Any], rows_wanted: int, name: str) -> str | None:
    """Cursor of the next page, also told by a ``Link`` header.

    Parameters
    ----------
    request : Request
    response : Response
    rows : sequence
        Of this page.
    rows_wanted : int
        A page with fewer is the last one.
    name : str
        Attribute of a row that the list is ordered by.

    Returns
    -------
    str or None
        None at the end.
    """
    if len(rows) < rows_wanted:
        return None
    cursor = cursor_of(getattr(rows[-1], name))
    following = request.url.include_query_params(cursor=cursor)
    response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return cursor
