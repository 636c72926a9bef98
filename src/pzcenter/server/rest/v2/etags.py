"""ETags of products: their revision, so that nobody undoes a change that they have not seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import Header

from pzcenter.errors import PreconditionError, PreconditionMissingError

if TYPE_CHECKING:
    from fastapi import Response

    from pzcenter.server.storage.products import Product

__all__ = ["IfMatch", "IfNoneMatch", "etag_of", "seen_revision", "tell_etag"]

QUOTED = re.compile(r'"r([0-9]{1,9})"', re.ASCII)

IfMatch = Annotated[
    str | None,
    Header(max_length=200, description='ETag of the product as it was read, such as "r3"; * for whatever is there.'),
]
IfNoneMatch = Annotated[str | None, Header(max_length=200, description="ETag that the asker has already.")]


def etag_of(product: Product) -> str:
    """ETag of a product."""
    return f'"r{product.revision}"'


def tell_etag(response: Response, product: Product) -> None:
    """Put the ETag of a product into an answer, which nobody but the asker may keep."""
    response.headers["ETag"] = etag_of(product)
    response.headers["Cache-Control"] = "private, no-cache"


def seen_revision(if_match: str | None, *, needed: bool = False) -> int | None:
    """Revision that the author of a change has seen.

    Parameters
    ----------
    if_match : str or None
        Header of the request.
    needed : bool
        It must be there.

    Returns
    -------
    int or None
        None: the change holds for whatever is there.

    Raises
    ------
    PreconditionMissingError
        It is needed and not there.
    PreconditionError
        It is no ETag of a product.
    """
    if if_match is None and needed:
        raise PreconditionMissingError("send If-Match with the ETag of the product as you read it (or *)")
    if if_match is None or if_match.strip() == "*":
        return None
    found = QUOTED.fullmatch(if_match.strip())
    if found is None:
        raise PreconditionError(f'If-Match {if_match[:40]!r} is no ETag of a product; they look like "r3"')
    return int(found[1])
