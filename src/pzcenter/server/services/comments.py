"""Comments: what people say of a product that they see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Comment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["MAX_COMMENT", "add_comment", "comments_of", "delete_comment"]

MAX_COMMENT = 10_000
"""Letters."""
MAX_COMMENTS = 1000
"""Of one person about one product."""


def comments_of(
    session: Session, principal: Principal, product_id: int | str, *, after: int = 0, limit: int = 100
) -> Sequence[Comment]:
    """Comments about a product, the oldest first.

    Parameters
    ----------
    session : Session
    principal : Principal
    product_id : int or str
    after : int
        Number of the last comment that is known already.
    limit : int

    Returns
    -------
    sequence of Comment

    Raises
    ------
    AuthenticationError, NotFoundError
    """
    product = product_for(session, principal, product_id)
    wanted = select(Comment).where(Comment.product_id == product.id, Comment.deleted_at.is_(None), Comment.id > after)
    return session.scalars(wanted.order_by(Comment.id).limit(limit)).all()


def add_comment(session: Session, principal: Principal, product_id: int | str, text: str) -> Comment:
    """Say something of a product.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    text : str
        Markdown.

    Returns
    -------
    Comment

    Raises
    ------
    UsageError
        Nothing is said, or too much.
    QuotaError
        The asker has said enough of this product.
    """
    product = product_for(session, principal, product_id, Action.COMMENT)
    words = text.strip()
    if not words or len(words) > MAX_COMMENT:
        raise UsageError(f"a comment has 1 to {MAX_COMMENT:,} letters; this one has {len(words):,}")
    mine = select(func.count()).where(Comment.product_id == product.id, Comment.user_id == principal.user_id)
    if (session.scalar(mine) or 0) >= MAX_COMMENTS:
        raise QuotaError(f"you have written {MAX_COMMENTS:,} comments about product {product.id} already")
    assert principal.user_id is not None
    comment = Comment(product_id=product.id, user_id=principal.user_id, text=words)
    session.add(comment)
    session.flush()
    session.refresh(comment)
    record(session, principal, "comment.add", ("product", product.id), comment=comment.id)
    return comment


def delete_comment(session: Session, principal: Principal, product_id: int | str, comment_id: int) -> None:
    """Take a comment back: its author may, and coordinators.

    Raises
    ------
    NotFoundError
        No such comment about this product.
    PermissionDeniedError
        It is somebody else's.
    """
    product = product_for(session, principal, product_id, Action.COMMENT)
    comment = session.get(Comment, comment_id)
    if comment is None or comment.product_id != product.id or comment.deleted_at is not None:
        raise NotFoundError(f"no comment {comment_id} about product {product.id}")
    if comment.user_id != principal.user_id and not principal.curates:
        raise PermissionDeniedError("this comment is somebody else's")
    comment.deleted_at = now()
    record(session, principal, "comment.delete", ("product", product.id), comment=comment.id, author=comment.user_id)
