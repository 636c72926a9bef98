"""Columns of products in the first interface."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select

from pzcenter.errors import NotFoundError
from pzcenter.server.http.requests import CurrentServices
from pzcenter.server.rest.v1.asking import Number, Reader, Words, Writer, number_of
from pzcenter.server.rest.v1.errors import FieldError
from pzcenter.server.rest.v1.lists import Listing, envelope, metadata, rows_of
from pzcenter.server.rest.v1.shapes import column_json
from pzcenter.server.services.access import Action, need, visible
from pzcenter.server.services.columns import ColumnChange, edit_columns
from pzcenter.server.storage.products import Product, ProductColumn

__all__ = ["router"]

router = APIRouter()

LONGEST = {"ucd": 128, "alias": 255}
CONTENTS = Listing(
    "Product Content List",
    {
        "id": lambda value: ProductColumn.id == number_of("id", value),
        "product": lambda value: ProductColumn.product_id == number_of("product", value),
    },
    ordering={"id": ProductColumn.id, "order": ProductColumn.order}, default="order,id",
)  # fmt: skip


@router.get("/product-contents/")
def contents(request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Columns of the products that the asker may see."""
    wanted = select(ProductColumn).join(Product, Product.id == ProductColumn.product_id).where(visible(principal))
    with services.database.reading() as session:
        count, rows = rows_of(session, request, services, CONTENTS, wanted)
        return envelope(count, [column_json(row) for row in rows])


@router.options("/product-contents/")
def contents_metadata(_principal: Reader) -> Response:
    """What the list of columns can be asked."""
    return metadata(CONTENTS)


@router.get("/product-contents/{number:int}/")
def content(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """One column."""
    with services.database.reading() as session:
        column = session.get(ProductColumn, number)
        if column is None:
            raise NotFoundError(f"no column {number}")
        need(principal, Action.SEE, column.product)
        return JSONResponse(column_json(column))


@router.patch("/product-contents/{number:int}/")
@router.put("/product-contents/{number:int}/")
def change(number: Number, services: CurrentServices, principal: Writer, words: Words) -> Response:
    """Say what a column means; a name that another column of the product had moves to this one."""
    said = {name: _word(name, words[name]) for name in LONGEST if name in words}
    with services.database.writing() as session:
        column = session.get(ProductColumn, number)
        if column is None:
            raise NotFoundError(f"no column {number}")
        product = column.product
        need(principal, Action.FILL, product)
        alias = said.get("alias")
        others = [each.name for each in product.columns if alias and each.alias == alias and each.id != number]
        changes = [ColumnChange(name, alias="", ucd="") for name in others]
        edit_columns(session, principal, product.id, [*changes, ColumnChange(column.name, **said)])
        return JSONResponse(column_json(column))


def _word(name: str, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise FieldError(name, "Not a valid string.")
    if value is not None and len(value) > LONGEST[name]:
        raise FieldError(name, f"Ensure this field has no more than {LONGEST[name]} characters.")
    return value or ""
