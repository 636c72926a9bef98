"""The way of a new product: words, files, columns, publication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.changing import VISIBILITIES
from pzcenter.server.pages.fields import LongText, Number, ShortText, Uid, words_of
from pzcenter.server.pages.figures import figures_of
from pzcenter.server.pages.findings import guesses_of, warnings_of
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.access import Action, may, product_for
from pzcenter.server.services.columns import STANDARD_UCDS, ColumnChange, edit_columns
from pzcenter.server.services.limits import usage_of
from pzcenter.server.services.product_files import file_for, remove_file
from pzcenter.server.services.products import (
    REQUIRED_COLUMNS,
    NewProduct,
    create_product,
    missing_columns,
    publish_product,
)
from pzcenter.server.services.releases import list_releases
from pzcenter.server.storage.products import Product, ProductState, ProductType, Visibility
from pzcenter.server.storage.releases import ReleaseState

if TYPE_CHECKING:
    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["MOST_COLUMNS", "router"]

router = APIRouter(include_in_schema=False)
MOST_COLUMNS = 300
"""Of one form; programs may tell the meaning of more."""
FOR_PEOPLE = (UsageError, ConflictError, NotFoundError, QuotaError)
Texts = Annotated[list[str] | None, Form(max_length=MOST_COLUMNS)]


@router.get("/upload")
def begin(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    like: Annotated[str, Query(alias="from", pattern=r"^[0-9a-z]{0,12}$")] = "",
) -> Response:
    """Ask for the words of a new product; those of another one may be taken over."""
    said = {"display_name": "", "product_type": "", "release": "", "description": "", "tags": "", "pz_code": "",
            "visibility": "release", "licence": "", "citation": ""}  # fmt: skip
    if like:
        with services.database.reading() as session:
            said |= _words_of(product_for(session, principal, like))
    return _words_page(request, services, principal, said)


@router.post("/upload")
def make(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    *,
    display_name: ShortText = "",
    product_type: ShortText = "",
    release: ShortText = "",
    description: LongText = "",
    tags: ShortText = "",
    pz_code: ShortText = "",
    visibility: ShortText = "release",
    licence: ShortText = "",
    citation: LongText = "",
) -> Response:
    """Begin a product."""
    said = {"display_name": display_name, "product_type": product_type, "release": release,
            "description": description, "tags": tags, "pz_code": pz_code, "visibility": visibility,
            "licence": licence, "citation": citation}  # fmt: skip
    said = {name: text.replace("\0", "").replace("\r\n", "\n").strip() for name, text in said.items()}
    try:
        target = _create(services, principal, said)
    except FOR_PEOPLE as error:
        return _words_page(request, services, principal, said, error)
    return go_on(f"/upload/{target}/files")


@router.get("/upload/{uid}/files")
def files(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """Files that are there, and a form for the next one."""
    with services.database.reading() as session:
        product = product_for(session, principal, uid, Action.EDIT)
        usage = usage_of(services, session, principal)
        return page(
            request, "upload_files.html", product=product, fill=may(principal, Action.FILL, product),
            left=max(0, usage.bytes_limit - usage.bytes_used), largest=services.settings.max_upload_bytes,
            read=bool(product.columns) or product.report is not None,
        )  # fmt: skip


@router.post("/upload/{uid}/files/{number}/remove")
def remove(services: CurrentServices, principal: FormSender, uid: Uid, number: Number) -> Response:
    """Take a file off."""
    with services.database.writing() as session:
        if file_for(session, principal, number, Action.EDIT).product.uid != uid:
            raise NotFoundError(f"no file {number} of product {uid}")
        remove_file(session, principal, number)
    return go_on(f"/upload/{uid}/files")


@router.get("/upload/{uid}/columns")
def columns(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """What was found in the main file, and what its columns are taken to mean."""
    with services.database.reading() as session:
        refused = product_for(session, principal, uid, Action.EDIT).state is ProductState.FAILED
    if refused:
        return go_on(f"/upload/{uid}/files")
    return _columns_page(request, services, principal, uid)


@router.post("/upload/{uid}/columns")
def accept(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    uid: Uid,
    *,
    column: Texts = None,
    alias: Texts = None,
    unit: Texts = None,
) -> Response:
    """Say what the columns mean."""
    names, aliases, units = column or [], alias or [], unit or []
    try:
        if not len(names) == len(aliases) == len(units):
            raise UsageError(f"{len(names)} columns, {len(aliases)} meanings and {len(units)} units do not fit")
        changes = [
            ColumnChange(name, alias=meaning.replace("\0", "").strip(), unit=measure.replace("\0", "").strip())
            for name, meaning, measure in zip(names, aliases, units, strict=True)
        ]
        with services.database.writing() as session:
            edit_columns(session, principal, uid, changes)
    except PermissionDeniedError:
        raise
    except FOR_PEOPLE as error:
        chosen = dict(zip(names, zip(aliases, units, strict=False), strict=False))
        return _columns_page(request, services, principal, uid, chosen=chosen, error=error)
    return go_on(f"/upload/{uid}/publish")


@router.get("/upload/{uid}/publish")
def look(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """All of it once more, before it is published."""
    return _publish_page(request, services, principal, uid)


@router.post("/upload/{uid}/publish")
def publish(request: Request, services: CurrentServices, principal: FormSender, uid: Uid) -> Response:
    """Publish the product."""
    try:
        with services.database.writing() as session:
            publish_product(session, principal, uid)
    except ConflictError as error:
        return _publish_page(request, services, principal, uid, error)
    return go_on(f"/products/{uid}")


def _words_of(product: Product) -> dict[str, str]:
    return {
        "display_name": product.display_name, "product_type": product.product_type.name,
        "release": "" if product.release is None else product.release.name, "description": product.description,
        "tags": ", ".join(each.tag for each in product.tags), "pz_code": product.pz_code or "",
        "visibility": str(product.visibility), "licence": product.licence or "", "citation": product.citation or "",
    }  # fmt: skip


def _create(services: Services, principal: Principal, said: dict[str, str]) -> str:
    if said["visibility"] not in {*Visibility}:
        raise UsageError(f"visibility {said['visibility']!r}; accepted are {', '.join(Visibility)}")
    for name in ("pz_code", "licence"):
        if len(said[name]) > 255:
            raise UsageError(f"{name.replace('_', ' ')} has {len(said[name])} letters; 255 are accepted")
    new = NewProduct(
        said["display_name"], said["product_type"], release=said["release"] or None, description=said["description"],
        pz_code=said["pz_code"] or None, visibility=Visibility(said["visibility"]), licence=said["licence"] or None,
        citation=said["citation"] or None, tags=words_of(said["tags"]),
    )  # fmt: skip
    with services.database.writing() as session:
        return create_product(services, session, principal, new).uid


def _words_page(
    request: Request,
    services: Services,
    principal: Principal,
    said: dict[str, str],
    error: PZCenterError | None = None,
) -> Response:
    with services.database.reading() as session:
        kinds = session.scalars(select(ProductType).order_by(ProductType.order)).all()
        releases = [each for each in list_releases(session, principal) if each.state is not ReleaseState.RETIRED]
        return page(
            request, "upload.html", status=200 if error is None else status_of(error), said=said, kinds=kinds,
            releases=[("", "none"), *((each.name, each.display_name or each.name) for each in releases)],
            visibilities=VISIBILITIES, error=_told(error),
        )  # fmt: skip


def _columns_page(
    request: Request,
    services: Services,
    principal: Principal,
    uid: str,
    *,
    chosen: dict[str, tuple[str, str]] | None = None,
    error: PZCenterError | None = None,
) -> Response:
    with services.database.reading() as session:
        product = product_for(session, principal, uid, Action.EDIT)
        guesses = guesses_of(product)
        shown = product.columns[:MOST_COLUMNS]
        said = {
            each.name: (each.alias or (guesses[each.name].alias if each.name in guesses else ""), each.unit or "")
            for each in shown
        }
        return page(
            request, "upload_columns.html", status=200 if error is None else status_of(error), product=product,
            columns=shown, said=said | (chosen or {}), guesses=guesses, warnings=warnings_of(product),
            figures=figures_of(product), meanings=[*STANDARD_UCDS], wanted=_wanted(product),
            fill=may(principal, Action.FILL, product), error=_told(error),
        )  # fmt: skip


def _publish_page(
    request: Request, services: Services, principal: Principal, uid: str, error: PZCenterError | None = None
) -> Response:
    with services.database.reading() as session:
        product = product_for(session, principal, uid, Action.EDIT)
        return page(
            request, "upload_publish.html", status=200 if error is None else status_of(error), product=product,
            missing=missing_columns(product), warnings=warnings_of(product),
            fill=may(principal, Action.FILL, product), error=_told(error),
        )  # fmt: skip


def _wanted(product: Product) -> tuple[str, ...]:
    return REQUIRED_COLUMNS.get(product.product_type.name, ())


def _told(error: PZCenterError | None) -> str | None:
    return None if error is None else str(error)
