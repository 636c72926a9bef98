"""One product in the first interface: made, read, changed, published, deleted."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select

from pzcenter.errors import ConflictError, MissingDependencyError, NotFoundError, PermissionDeniedError, UsageError
from pzcenter.server.http.requests import CurrentServices
from pzcenter.server.rest.v1.asking import Number, Reader, Words, Writer, empty, number_of
from pzcenter.server.rest.v1.errors import FieldError, broken_rule
from pzcenter.server.rest.v1.lists import page_of
from pzcenter.server.rest.v1.shapes import main_file_json, product_json
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.product_filters import STATUS
from pzcenter.server.services.products import (
    NewProduct,
    create_product,
    delete_product,
    edit_product,
    missing_columns,
    publish_product,
    set_official,
)
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import Product, ProductState, ProductType
from pzcenter.server.storage.releases import Release

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


__all__ = ["router"]

router = APIRouter()

WORDS = ("display_name", "description", "pz_code", "release_year")
FIXED = {"release": "release_id", "product_type": "product_type_id"}
"""Said when the product is made, and not changed after."""
READ_ONLY = {
    "id", "release_name", "product_type_name", "product_type_internal_name", "uploaded_by", "is_owner", "origin",
    "process_status", "process_id", "product_status", "can_delete", "can_update", "internal_name", "created_at",
    "updated_at", "user", "main_file",
}  # fmt: skip
"""Told by the server; passed over when a client sends back what it got."""
PUBLISHED = STATUS[ProductState.PUBLISHED]


@router.post("/products/")
def create(services: CurrentServices, principal: Writer, words: Words) -> Response:
    """Begin a product."""
    for name in ("display_name", "product_type"):
        if empty(words.get(name)):
            raise FieldError(name, "This field is required.", bare=True)
    if str(words.get("status") or 0) != "0":
        raise FieldError("status", "A product begins with status 0 (Registering).")
    said = _said(words)
    with services.database.writing() as session:
        release = _release_name(session, words.get("release"))
        new = NewProduct(
            display_name=said["display_name"], product_type=_type_name(session, words["product_type"]),
            release=release, description=said.get("description") or "", pz_code=said.get("pz_code"),
            official=_truth(words), release_year=said.get("release_year"),
        )  # fmt: skip
        try:
            product = create_product(services, session, principal, new)
        except PermissionDeniedError as error:
            return JSONResponse({"error": str(error)}, 403)
        except NotFoundError as error:
            raise _no_release(words.get("release")) from error
        except ConflictError as error:
            raise FieldError("release", str(error)) from error
        except UsageError as error:
            raise broken_rule(error) from None
        session.flush()
        return JSONResponse(product_json(session, principal, product), 201)


@router.get("/products/pending_publication/")
def pending_publication(services: CurrentServices, principal: Reader) -> Response:
    """The asker's first product that is not finished."""
    drafts = select(Product).where(
        Product.owner_id == principal.user_id, Product.state == ProductState.REGISTERING
    )  # fmt: skip
    with services.database.reading() as session:
        product = session.scalar(drafts.order_by(Product.id).limit(1))
        return JSONResponse({"product": None if product is None else product_json(session, principal, product)})


@router.get("/products/{number:int}/")
def read(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """One product."""
    with services.database.reading() as session:
        return JSONResponse(product_json(session, principal, product_for(session, principal, number)))


@router.patch("/products/{number:int}/")
@router.put("/products/{number:int}/")
def change(number: Number, services: CurrentServices, principal: Writer, words: Words) -> Response:
    """Change what is said of a product; ``status=1`` publishes it."""
    said = _said(words)
    with services.database.writing() as session:
        product = product_for(session, principal, number, Action.EDIT)
        _check_fixed(product, words)
        if said:
            edit_product(session, principal, number, said)
        if "official_product" in words and _truth(words) != product.official:
            set_official(session, principal, number, official=_truth(words))
        status = number_of("status", words["status"]) if not empty(words.get("status")) else None
        if status == PUBLISHED and product.state is not ProductState.PUBLISHED:
            product = product_for(session, principal, number, Action.FILL)
            missing = missing_columns(product)
            if missing:
                session.rollback()
                return JSONResponse(f"The column(s) was not filled in: {','.join(missing)}", 406)
            publish_product(session, principal, number)
        elif status not in {None, STATUS[product.state]}:
            raise FieldError("status", f"{status} is not accepted; {PUBLISHED} publishes the product.")
        return JSONResponse(product_json(session, principal, product))


@router.delete("/products/{number:int}/")
def delete(number: Number, services: CurrentServices, principal: Writer) -> Response:
    """Delete a product."""
    with services.database.writing() as session:
        delete_product(session, principal, number)
    return Response(status_code=204)


@router.get("/products/{number:int}/registry/")
@router.post("/products/{number:int}/registry/")
def registry(number: Number, services: CurrentServices, principal: Writer) -> Response:
    """Read the main file: its columns, its rows, its first lines."""
    with services.database.reading() as session:
        product_for(session, principal, number, Action.FILL)
    try:
        register = importlib.import_module("pzcenter.server.services.registry").register_main_file
    except ImportError as error:
        raise MissingDependencyError("this server cannot read main files yet") from error
    register(services, principal, number)
    with services.database.reading() as session:
        return JSONResponse(product_json(session, principal, product_for(session, principal, number)))


@router.get("/products/{number:int}/main_file_info/")
def main_file_info(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """A product with its main file and the columns that have a meaning."""
    with services.database.reading() as session:
        product = product_for(session, principal, number)
        return JSONResponse(product_json(session, principal, product) | {"main_file": main_file_json(product)})


@router.get("/products/{number:int}/read_data/")
def read_data(number: Number, request: Request, services: CurrentServices, principal: Reader) -> Response:
    """First rows of the main file, as they were read at registration."""
    page = page_of(request, services)
    with services.database.reading() as session:
        product = product_for(session, principal, number)
        preview: dict[str, Any] = (product.report or {}).get("preview") or {}
        rows = list(preview.get("rows") or [])
        columns = preview.get("columns") or [column.name for column in product.columns]
    wanted = rows[page.offset : page.offset + page.size]
    return JSONResponse({"count": len(rows), "columns": columns, "results": wanted})


@router.get("/products/{number:int}/process_config/")
def process_config(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """Configuration of the process that made a product."""
    with services.database.reading() as session:
        product = product_for(session, principal, number)
        process = session.scalar(select(Process).where(Process.output_id == product.id).limit(1))
        return JSONResponse({} if process is None else {"config": process.used_config})


def _said(words: dict[str, Any]) -> dict[str, Any]:
    """Words of a product that a request holds, in their types."""
    unknown = sorted(set(words) - set(WORDS) - set(FIXED) - READ_ONLY - {"official_product", "status"})
    if unknown:
        raise FieldError(unknown[0], f"no such field; there are {', '.join(WORDS)}, official_product, status")
    said: dict[str, Any] = {}
    for name in WORDS:
        if name not in words:
            continue
        value = words[name]
        if name == "release_year":
            said[name] = None if empty(value) else _year(value)
        elif value is not None and not isinstance(value, str):
            raise FieldError(name, "Not a valid string.")
        elif name == "pz_code":
            said[name] = value or None
            if value and len(value) > 55:
                raise FieldError(name, "Ensure this field has no more than 55 characters.")
        else:
            said[name] = value or ""
    return said


def _year(value: Any) -> int:
    year = number_of("release_year", value)
    if not 1900 <= year <= 2200:
        raise FieldError("release_year", f"{year} is no year between 1900 and 2200.")
    return year


def _truth(words: dict[str, Any]) -> bool:
    value = words.get("official_product")
    known = {"": False, "none": False, "false": False, "0": False, "true": True, "1": True, "on": True}
    if str(value).lower() not in known:
        raise FieldError("official_product", "Must be a valid boolean.")
    return known[str(value).lower()]


def _check_fixed(product: Product, words: dict[str, Any]) -> None:
    for name, column in FIXED.items():
        there = getattr(product, column)
        if name in words and (None if empty(words[name]) else number_of(name, words[name])) != there:
            raise FieldError(name, f"This cannot be changed; it is {there}. Make a new product instead.")


def _type_name(session: Session, value: Any) -> str:
    kind = session.get(ProductType, number_of("product_type", value))
    if kind is None:
        raise FieldError("product_type", f'Invalid pk "{value}" - object does not exist.', bare=True)
    return kind.name


def _release_name(session: Session, value: Any) -> str | None:
    if empty(value):
        return None
    release = session.get(Release, number_of("release", value))
    if release is None:
        raise _no_release(value)
    return release.name


def _no_release(value: Any) -> FieldError:
    """The same words whether a release is not there or the asker has no rights to it."""
    return FieldError("release", f'Invalid pk "{value}" - object does not exist.')
