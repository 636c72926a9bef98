"""Uploads that survive (tus 1.0): whatever breaks off goes on where it was, and no acknowledged byte is lost."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pzcenter.errors import ChecksumError, UsageError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import Body, ShortText, Word, product_key
from pzcenter.server.rest.v2.tus import (
    EXTENSIONS,
    OFFSET_TYPE,
    VERSION,
    checksum_of,
    metadata_of,
    need_version,
    number_of,
    status_headers,
)
from pzcenter.server.services.upload_finish import finish_upload, give_to_product, received
from pzcenter.server.services.upload_writing import CHECKSUMS, UploadWriter, settled
from pzcenter.server.services.uploads import (
    NewUpload,
    UploadBusyError,
    UploadStatus,
    create_upload,
    list_uploads,
    remove_upload,
)
from pzcenter.server.storage.products import FileRole
from pzcenter.server.storage.uploads import UploadState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["IDLE_SECONDS", "router"]

router = APIRouter(tags=["uploads"])
IDLE_SECONDS = 60.0
"""A client that sends nothing for so long has gone; its upload is free for its next request."""
GATHERED = 1 << 20
"""Bytes that are written at once."""
ROLES = {role.name.lower(): role for role in FileRole}
SHA256 = re.compile(r"[0-9a-f]{64}")
BINARY: dict[str, Any] = {
    "requestBody": {"content": {OFFSET_TYPE: {"schema": {"type": "string", "format": "binary"}}}, "required": False}
}

UploadKey = Annotated[str, Path(pattern=r"^[2-9a-z]{12}$", examples=["k3m9x2v7qa4t"])]


class UploadAnswer(BaseModel):
    """How far an upload is."""

    id: str
    filename: str
    offset: int = Field(description="Bytes that are safe here.")
    length: int | None
    state: str = Field(description="receiving, received, used or refused.")
    refusal: str | None
    sha256: str | None
    product_id: int | None
    expires_at: datetime

    @classmethod
    def of(cls, status: UploadStatus) -> UploadAnswer:
        """Of a status."""
        return cls(
            id=status.uid, filename=status.filename, offset=status.offset, length=status.length,
            state=str(status.state), refusal=status.refusal, sha256=status.sha256, product_id=status.product_id,
            expires_at=status.expires_at,
        )  # fmt: skip


class FinishBody(Body):
    """Where a received upload goes."""

    product_id: Annotated[str | int | None, Field(description="Number or public name; the one named at first.")] = None
    role: Word | None = Field(default=None, description="main, description or auxiliary.")
    name: ShortText | None = Field(default=None, min_length=1, description="In place of the name of the file.")


class GivenFile(BaseModel):
    """The file that an upload became."""

    file_id: int


@router.options("/uploads", include_in_schema=False)
@router.options("/uploads/{uid}", include_in_schema=False)
def capabilities(services: CurrentServices) -> Response:
    """What is spoken here."""
    headers = {
        "Tus-Resumable": VERSION, "Tus-Version": VERSION, "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(services.settings.max_upload_bytes), "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }  # fmt: skip
    return Response(None, 204, headers)


@router.get("/uploads", operation_id="list_uploads")
def unfinished(services: CurrentServices, principal: SignedIn) -> list[UploadAnswer]:
    """Your uploads that are in no product yet."""
    with services.database.reading() as session:
        return [UploadAnswer.of(each) for each in list_uploads(session, principal)]


@router.post("/uploads", status_code=201, operation_id="create_upload", response_class=Response, openapi_extra=BINARY)
async def create(request: Request, services: CurrentServices, principal: SignedIn) -> Response:
    """Begin an upload: ``Upload-Length`` (or ``Upload-Defer-Length: 1``) and ``Upload-Metadata`` with ``filename``.

    With ``product`` and ``role`` in the metadata the file is given to that product as soon as it is here, with
    ``sha256`` its bytes are checked. The first bytes may come with this request.
    """
    with _protocol():
        need_version(request)
        new = _new_upload(request)
        status = await run_in_threadpool(create_upload, services, principal, new)
        if _has_bytes(request) or new.length == 0:
            status = await _take(request, services, principal, status.uid, offset=0)
    headers = status_headers(status) | {"Location": f"/api/v2/uploads/{status.uid}"}
    return Response(None, 201, headers)


@router.head("/uploads/{uid}", operation_id="check_upload", response_class=Response)
def head(request: Request, services: CurrentServices, principal: SignedIn, uid: UploadKey) -> Response:
    """How many bytes are safe here: where to go on."""
    with _protocol():
        need_version(request)
        status = settled(services, principal, uid)
        # The server may have gone between the last byte and what was to be done then.
        with suppress(UploadBusyError):
            status = finish_upload(services, principal, status)
    if status.state is UploadState.REFUSED:
        raise HTTPException(410, f"the upload was refused: {status.refusal}")
    return Response(None, 200, status_headers(status))


@router.get("/uploads/{uid}", operation_id="get_upload")
def read(services: CurrentServices, principal: SignedIn, uid: UploadKey) -> UploadAnswer:
    """How far an upload is, and what became of it."""
    return UploadAnswer.of(settled(services, principal, uid))


@router.patch(
    "/uploads/{uid}", status_code=204, operation_id="write_upload", response_class=Response, openapi_extra=BINARY
)
async def write(request: Request, services: CurrentServices, principal: SignedIn, uid: UploadKey) -> Response:
    """Send bytes from ``Upload-Offset`` on; the answer's ``Upload-Offset`` says how many are safe."""
    with _protocol():
        need_version(request)
        if not _has_type(request):
            raise HTTPException(415, f"Content-Type: {OFFSET_TYPE} is expected")
        offset = number_of(request, "upload-offset")
        if offset is None:
            raise UsageError("Upload-Offset is missing: it says where the bytes belong")
        status = await _take(request, services, principal, uid, offset=offset)
    return Response(None, 204, status_headers(status))


@router.delete("/uploads/{uid}", status_code=204, operation_id="remove_upload", response_class=Response)
def remove(request: Request, services: CurrentServices, principal: SignedIn, uid: UploadKey) -> Response:
    """Give an upload up; its bytes are gone."""
    with _protocol():
        need_version(request)
        remove_upload(services, principal, uid)
    return Response(None, 204, {"Tus-Resumable": VERSION})


@router.post("/uploads/{uid}", include_in_schema=False)
async def overridden(request: Request, services: CurrentServices, principal: SignedIn, uid: UploadKey) -> Response:
    """For clients that cannot send PATCH or DELETE."""
    method = request.headers.get("x-http-method-override", "").upper()
    if method == "PATCH":
        return await write(request, services, principal, uid)
    if method == "DELETE":
        return await run_in_threadpool(remove, request, services, principal, uid)
    raise HTTPException(405, "Method Not Allowed", {"Allow": "HEAD, GET, PATCH, DELETE"})


@router.post("/uploads/{uid}/finish", operation_id="finish_upload")
def finish(services: CurrentServices, principal: SignedIn, uid: UploadKey, body: FinishBody) -> GivenFile:
    """Make a complete upload a file of a product; a main file is read at once, and its report made."""
    with _protocol():
        role = None if body.role is None else _role(body.role)
        product_id = None if body.product_id is None else product_key(str(body.product_id))
        if settled(services, principal, uid).state is UploadState.RECEIVING:
            received(services, principal, uid)
        return GivenFile(
            file_id=give_to_product(services, principal, uid, product_id=product_id, role=role, name=body.name)
        )


@contextmanager
def _protocol() -> Iterator[None]:
    """Statuses that the protocol has for some errors."""
    try:
        yield
    except UploadBusyError as error:
        raise HTTPException(423, str(error)) from error
    except ChecksumError as error:
        raise HTTPException(460, str(error)) from error


def _new_upload(request: Request) -> NewUpload:
    length, deferred = number_of(request, "upload-length"), request.headers.get("upload-defer-length")
    if (length is None) == (deferred is None) or deferred not in {None, "1"}:
        raise UsageError("expected either Upload-Length, or Upload-Defer-Length: 1")
    words = metadata_of(request)
    sha256 = words.get("sha256", "").lower() or None
    if sha256 is not None and not SHA256.fullmatch(sha256):
        raise UsageError(f"Upload-Metadata: sha256 {sha256[:80]!r} is no SHA-256 in hexadecimal digits")
    product = words.get("product")
    return NewUpload(
        filename=words.get("filename") or words.get("name") or "upload",
        length=length,
        media_type=(words.get("filetype") or words.get("type") or "")[:128] or None,
        sha256=sha256,
        product_id=None if product is None else product_key(product),
        role=_role(words.get("role", "main" if product is not None else "auxiliary")),
        metadata=request.headers.get("upload-metadata", ""),
    )


def _role(word: str) -> FileRole:
    if word not in ROLES:
        raise UsageError(f"role {word[:40]!r}; accepted are {', '.join(ROLES)}")
    return ROLES[word]


def _has_type(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == OFFSET_TYPE


def _has_bytes(request: Request) -> bool:
    return _has_type(request) and request.headers.get("content-length") != "0"


async def _take(request: Request, services: Services, principal: Principal, uid: str, *, offset: int) -> UploadStatus:
    """Bring the body of a request to disk as it comes; then do what is to be done when it was the last one."""
    writer = UploadWriter(
        services, principal, uid, offset=offset, length=number_of(request, "upload-length"),
        announced=number_of(request, "content-length") if _has_type(request) else 0, checksum=checksum_of(request),
    )  # fmt: skip
    await run_in_threadpool(writer.begin)
    try:
        async for piece in _pieces(request):
            await run_in_threadpool(writer.write, piece)
        status = await run_in_threadpool(writer.end)
    except asyncio.CancelledError:
        # The server stops: there is no more waiting for threads.
        writer.close()
        raise
    except BaseException as error:
        await run_in_threadpool(writer.close)
        if isinstance(error, ClientDisconnect):
            raise HTTPException(400, "the connection broke off; what came is kept") from error
        raise
    return await run_in_threadpool(finish_upload, services, principal, status)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces of about 1 MB.

    Raises
    ------
    HTTPException
        Status 408: nothing came for a while.
    """
    gathered: list[bytes] = []
    n_bytes = 0
    stream = request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), IDLE_SECONDS)
        except StopAsyncIteration:
            break
        except TimeoutError as error:
            if gathered:
                yield b"".join(gathered)
            raise HTTPException(408, f"no bytes for {IDLE_SECONDS:g} s; what came is kept") from error
        except ClientDisconnect:
            if gathered:
                yield b"".join(gathered)
            raise
        gathered.append(chunk)
        n_bytes += len(chunk)
        if n_bytes >= GATHERED:
            yield b"".join(gathered)
            gathered, n_bytes = [], 0
    if gathered:
        yield b"".join(gathered)
