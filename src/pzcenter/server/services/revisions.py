"""Changes that must not undo somebody else's: what was read is compared with what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from pzcenter.errors import PreconditionError
from pzcenter.server.storage.products import Product

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["need_revision"]


def need_revision(session: Session, product: Product, revision: int | None) -> None:
    """Let a change pass only if its author has seen the product as it is now.

    Parameters
    ----------
    session : Session
        One that writes; nobody else changes the product until it ends.
    product : Product
    revision : int or None
        What was seen; None: whatever is there.

    Raises
    ------
    PreconditionError
        Somebody has changed the product meanwhile.
    """
    locked = select(Product.revision).where(Product.id == product.id).with_for_update()
    there = session.scalar(locked)
    if revision is not None and there != revision:
        raise PreconditionError(
            f"product {product.id} has been changed meanwhile: you saw revision {revision}, it is now at {there}; "
            "read it again"
        )
