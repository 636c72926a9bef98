"""Comments about products."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import CommentAnswer, Page
from pzcenter.server.rest.v2.bodies import CommentBody
from pzcenter.server.rest.v2.fields import MAX_ID, Identifier, ProductKey
from pzcenter.server.services.comments import add_comment, comments_of, delete_comment

__all__ = ["router"]

router = APIRouter(tags=["comments"])


@router.get("/products/{product_id}/comments", operation_id="list_comments")
def read(
    services: CurrentServices,
    principal: SignedIn,
    product_id: ProductKey,
    cursor: Annotated[int, Query(ge=0, le=MAX_ID, description="As the page before told.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[CommentAnswer]:
    """What people said of a product, the oldest first."""
    limit = min(limit, services.settings.max_page_size)
    with services.database.reading() as session:
        found = comments_of(session, principal, product_id, after=cursor, limit=limit + 1)
        items = [CommentAnswer.of(each) for each in found[:limit]]
    more = len(found) > limit
    return Page[CommentAnswer](items=items, next_cursor=str(items[-1].id) if more else None)


@router.post("/products/{product_id}/comments", status_code=status.HTTP_201_CREATED, operation_id="add_comment")
def add(services: CurrentServices, principal: SignedIn, product_id: ProductKey, body: CommentBody) -> CommentAnswer:
    """Say something of a product that you see."""
    with services.database.writing() as session:
        return CommentAnswer.of(add_comment(session, principal, product_id, body.text))


@router.delete(
    "/products/{product_id}/comments/{comment_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    operation_id="delete_comment",
)
def delete(services: CurrentServices, principal: SignedIn, product_id: ProductKey, comment_id: Identifier) -> None:
    """Take back a comment of yours."""
    with services.database.writing() as session:
        delete_comment(session, principal, product_id, comment_id)
