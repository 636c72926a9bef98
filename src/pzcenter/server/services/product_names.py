"""Filters of products by exact names, as the second interface and our client use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from pzcenter.errors import UsageError
from pzcenter.server.services.product_filters import STATUS
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import ProductType
from pzcenter.server.storage.releases import Release

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import ProductState

__all__ = ["named_filters"]

NONE_OF_THEM = "0"
"""No row has this number."""


def named_filters(
    session: Session,
    principal: Principal,
    *,
    product_types: Iterable[str] = (),
    releases: Iterable[str] = (),
    owners: Iterable[str] = (),
    states: Iterable[ProductState] = (),
) -> dict[str, str]:
    """Filters for :class:`pzcenter.server.services.product_search.ProductQuery`.

    Parameters
    ----------
    session : Session
    principal : Principal
        Releases that the asker has no rights to are as if they were not there.
    product_types, releases, owners : iterable of str
        Any of them; owners by their user names.
    states : iterable of ProductState

    Returns
    -------
    dict of str to str

    Raises
    ------
    UsageError
        A type of product that does not exist.
    """
    found: dict[str, str] = {}
    kinds, wanted_releases, wanted_owners, wanted_states = set(product_types), set(releases), set(owners), set(states)
    if kinds:
        numbers = dict(session.execute(select(ProductType.name, ProductType.id)).tuples().all())
        if unknown := sorted(kinds - set(numbers)):
            raise UsageError(f"no product type {', '.join(unknown)}; there are {', '.join(numbers)}")
        found["product_type__in"] = _joined(numbers[name] for name in kinds)
    if wanted_releases:
        rows = session.scalars(select(Release).where(Release.name.in_(wanted_releases)))
        found["release__in"] = _joined(
            row.id for row in rows if row.id in principal.release_ids or principal.curates or principal.administers
        )
    if wanted_owners:
        found["user__in"] = _joined(session.scalars(select(User.id).where(User.username.in_(wanted_owners))))
    if wanted_states:
        found["status__in"] = _joined(STATUS[state] for state in wanted_states)
    return found


def _joined(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers))) or NONE_OF_THEM
