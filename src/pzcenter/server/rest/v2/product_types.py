"""Kinds of products."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import ProductTypeAnswer
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.products import ProductType

__all__ = ["router"]

router = APIRouter(tags=["products"])


@router.get("/product-types", operation_id="list_product_types")
def read(services: CurrentServices, principal: SignedIn) -> list[ProductTypeAnswer]:
    """Kinds of products, in the order in which they are shown."""
    principal.need(Scope.READ)
    with services.database.reading() as session:
        return [ProductTypeAnswer.of(kind) for kind in session.scalars(select(ProductType).order_by(ProductType.order))]
