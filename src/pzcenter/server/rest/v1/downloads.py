"""Downloads in the first interface: prepared, asked after, sent. Nothing needs to be prepared, so all is ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from pzcenter.errors import ConflictError
from pzcenter.server.http.requests import CurrentServices
from pzcenter.server.http.streams import stream_answer
from pzcenter.server.rest.v1.asking import Number, Reader
from pzcenter.server.rest.v1.shapes import time_text
from pzcenter.server.services.access import product_for
from pzcenter.server.services.downloads import Download, main_file_download, product_download
from pzcenter.server.services.signing import check_signature, sign

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

    Find = Callable[..., Download]

__all__ = ["router"]

router = APIRouter()

LINK_SECONDS = 900.0
WHOLE, MAIN_FILE = "download", "download/main-file"


def _told(services: Services, principal: Principal, number: int, kind: str) -> JSONResponse:
    """An archive that is ready, with the address of its bytes, which is good for this asker and these bytes."""
    find: Find = product_download if kind == WHOLE else main_file_download
    with services.database.reading() as session:
        product = product_for(session, principal, number)
        times = {"created_at": time_text(product.created_at), "updated_at": time_text(product.updated_at)}
        told: dict[str, Any] = {"id": number, "task_id": None}
        try:
            found = find(session, principal, number)
        except ConflictError as error:
            failed = {"status": "failed", "filename": "", "size": None, "checksum": None, "source_signature": ""}
            return JSONResponse(told | failed | times | {"error_message": str(error)})
    token, until = sign(services, _words(principal, number, kind, found), seconds=LINK_SECONDS)
    told |= {
        "status": "ready", "filename": found.filename, "size": found.size, "checksum": found.sha256,
        "source_signature": found.signature,
    }  # fmt: skip
    # A path, so that it is good by whatever name the asker reaches this server.
    address = f"/api/products/{number}/{kind}/file/?token={token}"
    return JSONResponse(told | times | {"download_url": address, "expired_time": time_text(until)})


def _sent(services: Services, principal: Principal, request: Request, number: int, kind: str) -> Response:
    """The bytes, for whom the link was made, while it is good and the asker may still see the product."""
    find: Find = product_download if kind == WHOLE else main_file_download
    with services.database.reading() as session:
        found = find(session, principal, number)
    words = _words(principal, number, kind, found)
    check_signature(services, request.query_params.get("token", ""), words)
    return stream_answer(request, services, found)


def _words(principal: Principal, number: int, kind: str, found: Download) -> tuple[object, ...]:
    # The signature of the bytes: a download that goes on after a change would mix two archives.
    return kind, number, principal.user_id, found.signature


@router.get("/products/{number:int}/download/prepare/")
@router.post("/products/{number:int}/download/prepare/")
@router.get("/products/{number:int}/download/status/")
def prepare(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """All files of a product."""
    return _told(services, principal, number, WHOLE)


@router.get("/products/{number:int}/download/main-file/prepare/")
@router.post("/products/{number:int}/download/main-file/prepare/")
@router.get("/products/{number:int}/download/main-file/status/")
def prepare_main_file(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """The main file of a product."""
    return _told(services, principal, number, MAIN_FILE)


@router.get("/products/{number:int}/download/file/")
@router.head("/products/{number:int}/download/file/")
def send(number: Number, request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Bytes of all files."""
    return _sent(services, principal, request, number, WHOLE)


@router.get("/products/{number:int}/download/main-file/file/")
@router.head("/products/{number:int}/download/main-file/file/")
def send_main_file(number: Number, request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Bytes of the main file."""
    return _sent(services, principal, request, number, MAIN_FILE)


@router.get("/products/{number:int}/download/")
@router.get("/products/{number:int}/download_main_file/")
def send_at_once(number: Number, request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Bytes without a link, as older clients ask for them."""
    find: Find = product_download if request.url.path.endswith("/download/") else main_file_download
    with services.database.reading() as session:
        found = find(session, principal, number)
    answer = stream_answer(request, services, found)
    answer.headers["Deprecation"] = "true"
    return answer
