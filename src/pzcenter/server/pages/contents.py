"""What is in a product: its files to save, its description file to look at."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.responses import HTMLResponse

from pzcenter.errors import ConflictError, NotFoundError, QuotaError
from pzcenter.server.http.contents import attachment
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.streams import stream_answer
from pzcenter.server.pages.fields import Number, Uid
from pzcenter.server.pages.prose import prose
from pzcenter.server.services.downloads import file_download, product_download
from pzcenter.server.services.product_files import file_for
from pzcenter.server.storage.products import FileRole

__all__ = ["SANDBOX", "router"]

router = APIRouter(include_in_schema=False)
MAX_VIEW = 10 * 2**20
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
"""Of pages that users wrote: they run nothing, ask for nothing, and are strangers to this server."""


@router.get("/products/{uid}/download")
@router.head("/products/{uid}/download")
def download(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """All files in one archive."""
    with services.database.reading() as session:
        found = product_download(session, principal, uid)
    return stream_answer(request, services, found)


@router.get("/products/{uid}/files/{number}")
@router.head("/products/{uid}/files/{number}")
def download_file(
    request: Request, services: CurrentServices, principal: SignedIn, uid: Uid, number: Number
) -> Response:
    """One file, to be saved: a browser never shows it as a page of this server."""
    with services.database.reading() as session:
        file = file_for(session, principal, number)
        if file.product.uid != uid:
            raise NotFoundError(f"no file {number} of product {uid}")
        found = file_download(session, principal, number)
    return stream_answer(request, services, found)


@router.get("/products/{uid}/files/{number}/view")
def view(services: CurrentServices, principal: SignedIn, uid: Uid, number: Number) -> Response:
    """A description file, shut in: no scripts, nothing from elsewhere, no part of this server."""
    with services.database.reading() as session:
        file = file_for(session, principal, number)
        if file.product.uid != uid:
            raise NotFoundError(f"no file {number} of product {uid}")
        if file.role != FileRole.DESCRIPTION or file.sha256 is None:
            raise ConflictError("only description files can be looked at; download this one")
        if file.size > MAX_VIEW:
            raise QuotaError(f"{file.size:,} bytes are too many to look at; download the file")
        sha256, kind, name = file.sha256, file.extension, file.name
    text = b"".join(services.store.read(sha256))
    headers = {
        "Content-Security-Policy": SANDBOX, "Cache-Control": "no-store", "X-Robots-Tag": "noindex",
        "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
    }  # fmt: skip
    if kind in {".html", ".htm"}:
        return Response(text, 200, headers, "text/html")
    if kind in {".md", ".markdown"}:
        return HTMLResponse(f"<!doctype html>{prose(text.decode('utf-8', 'replace'))}", 200, headers)
    if kind in {".txt", ".rst", ".log", ".yaml", ".yml", ".json", ""}:
        return Response(text, 200, headers, "text/plain; charset=utf-8")
    if kind == ".pdf":
        return Response(text, 200, headers | {"Content-Disposition": attachment(name)}, "application/pdf")
    return Response(text, 200, headers | {"Content-Disposition": attachment(name)}, "application/octet-stream")
