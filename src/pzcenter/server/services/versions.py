"""Versions of a product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from pzcenter.server.services.access import product_for, visible
from pzcenter.server.storage.products import Product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["versions_of"]

MAX_VERSIONS = 1000


def versions_of(session: Session, principal: Principal, product_id: int | str) -> Sequence[Product]:
    """All versions of a product that the asker may see, the newest first.

    Parameters
    ----------
    session : Session
    principal : Principal
    product_id : int or str
        Any of its versions.

    Returns
    -------
    sequence of Product

    Raises
    ------
    AuthenticationError, NotFoundError
    """
    product = product_for(session, principal, product_id)
    wanted = select(Product).where(Product.series == product.series, visible(principal))
    wanted = wanted.options(selectinload(Product.tags)).order_by(Product.version.desc()).limit(MAX_VERSIONS)
    return session.scalars(wanted).all()
