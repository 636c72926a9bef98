"""Products as archives."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.streams import stream_answer
from pzcenter.server.rest.v2.answers import BYTES
from pzcenter.server.rest.v2.fields import Identifier, ProductKey
from pzcenter.server.services.downloads import file_download, main_file_download, product_download

__all__ = ["router"]

router = APIRouter(tags=["files"])


@router.head("/products/{product_id}/archive", include_in_schema=False)
@router.get("/products/{product_id}/archive", operation_id="download_product", response_class=Response, responses=BYTES)
def product(services: CurrentServices, principal: SignedIn, product_id: ProductKey, request: Request) -> Response:
    """All files of a product and what is said of it, as one ZIP archive; ``Range`` is served."""
    with services.database.reading() as session:
        download = product_download(session, principal, product_id)
    return stream_answer(request, services, download)


@router.head("/products/{product_id}/main-file", include_in_schema=False)
@router.get(
    "/products/{product_id}/main-file", operation_id="download_main_file", response_class=Response, responses=BYTES
)
def main_file(services: CurrentServices, principal: SignedIn, product_id: ProductKey, request: Request) -> Response:
    """The main file of a product as it is; a directory as a ZIP archive."""
    with services.database.reading() as session:
        download = main_file_download(session, principal, product_id)
    return stream_answer(request, services, download)


@router.head("/files/{file_id}/archive", include_in_schema=False)
@router.get("/files/{file_id}/archive", operation_id="download_directory", response_class=Response, responses=BYTES)
def directory(services: CurrentServices, principal: SignedIn, file_id: Identifier, request: Request) -> Response:
    """A directory as a ZIP archive; another file as it is."""
    with services.database.reading() as session:
        download = file_download(session, principal, file_id)
    return stream_answer(request, services, download)
