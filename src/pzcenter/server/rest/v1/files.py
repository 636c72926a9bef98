"""Files of products in the first interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import contains_eager
from starlette.concurrency import run_in_threadpool

from pzcenter.server.http.multipart import ReceivedForm, receive_form
from pzcenter.server.http.requests import CurrentServices
from pzcenter.server.http.streams import stream_answer
from pzcenter.server.rest.v1.asking import Number, Reader, Writer, checked_text, number_of
from pzcenter.server.rest.v1.errors import FieldError
from pzcenter.server.rest.v1.lists import Listing, envelope, metadata, rows_of
from pzcenter.server.rest.v1.shapes import file_json
from pzcenter.server.services.access import Action, product_for, visible
from pzcenter.server.services.downloads import file_download
from pzcenter.server.services.product_files import add_file, check_quota, file_for, remove_file
from pzcenter.server.storage.products import FileRole, Product, ProductFile

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["router"]

router = APIRouter()

FILES = Listing(
    "Product File List",
    {
        "id": lambda value: ProductFile.id == number_of("id", value),
        "product_id": lambda value: ProductFile.product_id == number_of("product_id", value),
        "product": lambda value: ProductFile.product_id == number_of("product", value),
    },
    ordering={"id": ProductFile.id, "role": ProductFile.role},
)


@router.get("/product-files/")
def files(request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Files of the products that the asker may see."""
    wanted = select(ProductFile).join(ProductFile.product).where(visible(principal))
    wanted = wanted.options(contains_eager(ProductFile.product))
    with services.database.reading() as session:
        count, rows = rows_of(session, request, services, FILES, wanted)
        return envelope(count, [file_json(services, principal, row) for row in rows])


@router.options("/product-files/")
def files_metadata(_principal: Reader) -> Response:
    """What the list of files can be asked."""
    return metadata(FILES)


@router.post("/product-files/")
async def upload(request: Request, services: CurrentServices, principal: Writer) -> Response:
    """Take a file in, and give it to a product.

    The bytes go to disk as they come; who may give the product a file, and how much more the owner may keep, is asked
    as soon as the file begins.
    """
    length = request.headers.get("content-length", "")

    def look(form: ReceivedForm) -> None:
        if "product" in form.fields:
            _check(services, principal, form, int(length) if length.isdigit() else 0)

    folder = services.settings.data_dir / "incoming"
    form = await receive_form(request, folder, max_bytes=services.settings.max_upload_bytes, look=look)
    try:
        return await run_in_threadpool(_keep, services, principal, form)
    finally:
        form.discard()


@router.get("/product-files/{number:int}/")
def read(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """What is known of a file."""
    with services.database.reading() as session:
        return JSONResponse(file_json(services, principal, file_for(session, principal, number)))


@router.get("/product-files/{number:int}/download/")
@router.head("/product-files/{number:int}/download/")
def download(number: Number, request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Bytes of a file."""
    with services.database.reading() as session:
        found = file_download(session, principal, number)
    return stream_answer(request, services, found)


@router.delete("/product-files/{number:int}/")
def delete(number: Number, services: CurrentServices, principal: Writer) -> Response:
    """Take a file off its product."""
    with services.database.writing() as session:
        remove_file(session, principal, number)
    return Response(status_code=204)


def _field(form: ReceivedForm, name: str) -> str:
    values = form.fields.get(name)
    if not values or not values[-1]:
        raise FieldError(name, "This field is required.")
    return checked_text(name, values[-1])


def _role(form: ReceivedForm) -> FileRole:
    number = number_of("role", _field(form, "role"))
    if number not in {*FileRole}:
        raise FieldError("role", f'"{number}" is not a valid choice.')
    return FileRole(number)


def _check(services: Services, principal: Principal, form: ReceivedForm, size: int) -> Product:
    """The product that is to get a file of about this size, if that may be."""
    number = number_of("product", _field(form, "product"))
    filling = "role" not in form.fields or _role(form) == FileRole.MAIN
    with services.database.reading() as session:
        product = product_for(session, principal, number, Action.FILL if filling else Action.EDIT)
        check_quota(services, session, product.owner_id, size)
        return product


def _keep(services: Services, principal: Principal, form: ReceivedForm) -> Response:
    role = _role(form)
    if not form.files or form.files[0].name != "file":
        raise FieldError("file", "No file was submitted.")
    file = form.files[0]
    if file.size == 0:
        raise FieldError("file", "The submitted file is empty.")
    product = _check(services, principal, form, file.size)
    media_type = checked_text("type", form.fields.get("type", [""])[-1])[:128] or None
    content = services.store.put_file(file.path)
    with services.database.writing() as session:
        kept = add_file(
            services, session, principal, product.id, content, name=checked_text("file", file.filename), role=role,
            media_type=media_type,
        )  # fmt: skip
        session.flush()
        return JSONResponse(file_json(services, principal, kept), 201)
