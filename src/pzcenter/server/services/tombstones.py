"""What stays of a deleted product for those who had the right to see it: that it was there, whose, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from pzcenter.server.services.access import saw, visible
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.products import Product

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["Tombstone", "tombstone_of"]

MAX_VERSIONS = 20


@dataclass(frozen=True)
class Tombstone:
    """A deleted product, without its data and descriptions.

    Attributes
    ----------
    display_name, uid : str
    version : int
    product_type, owner : str
        As people read them.
    published_at, deleted_at : datetime or None
    versions : sequence of Product
        Others of its series that the asker may see, the newest first.
    """

    display_name: str
    uid: str
    version: int
    product_type: str
    owner: str
    published_at: datetime | None
    deleted_at: datetime | None
    versions: Sequence[Product] = ()


def tombstone_of(session: Session, principal: Principal, uid: str) -> Tombstone | None:
    """What may be told of a deleted product; None for all that is no such product to the asker.

    Parameters
    ----------
    session : Session
    principal : Principal
    uid : str
        Public name, as citations have it.

    Returns
    -------
    Tombstone or None

    Raises
    ------
    AuthenticationError
        Nobody is signed in.
    """
    principal.need(Scope.READ)
    product = session.scalar(select(Product).where(Product.uid == uid))
    if product is None or not saw(principal, product):
        return None
    others = select(Product).where(Product.series == product.series, visible(principal))
    return Tombstone(
        product.display_name, product.uid, product.version, product.product_type.display_name, product.owner.name,
        product.published_at, product.deleted_at,
        session.scalars(others.order_by(Product.version.desc()).limit(MAX_VERSIONS)).all(),
    )  # fmt: skip
