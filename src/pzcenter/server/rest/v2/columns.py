"""Columns of a product: what each means."""

from __future__ import annotations

from fastapi import APIRouter

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import ColumnAnswer
from pzcenter.server.rest.v2.bodies import ColumnsBody
from pzcenter.server.rest.v2.etags import IfMatch, seen_revision
from pzcenter.server.rest.v2.fields import ProductKey
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.columns import ColumnChange, columns_of, edit_columns
from pzcenter.server.services.revisions import need_revision

__all__ = ["router"]

router = APIRouter(tags=["columns"])


@router.get("/products/{product_id}/columns", operation_id="list_columns")
def read(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> list[ColumnAnswer]:
    """Columns of the main file, in its order."""
    with services.database.reading() as session:
        return [ColumnAnswer.of(column) for column in columns_of(session, principal, product_id)]


@router.patch("/products/{product_id}/columns", operation_id="edit_columns")
def edit(
    services: CurrentServices, principal: SignedIn, product_id: ProductKey, body: ColumnsBody, if_match: IfMatch = None
) -> list[ColumnAnswer]:
    """Say what columns mean; only before the product is published."""
    revision = seen_revision(if_match)
    changes = [ColumnChange(**each.model_dump()) for each in body.columns]
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, Action.FILL)
        need_revision(session, product, revision)
        columns = edit_columns(session, principal, product.id, changes)
        session.flush()
        return [ColumnAnswer.of(column) for column in columns]
