"""Answers that send a download: a file of the store, or an archive that is put together meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from pzcenter.server.http.contents import attachment, content_answer, wanted_range
from pzcenter.server.services.archives import SingleContent

if TYPE_CHECKING:
    from fastapi import Request

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.downloads import Download

__all__ = ["stream_answer"]


def stream_answer(request: Request, services: Services, download: Download) -> Response:
    """Answer with the bytes of a download, all of them or the range that was asked for.

    Parameters
    ----------
    request : Request
    services : Services
    download : Download

    Returns
    -------
    Response
        200, 206, 304 or 416 with the exact length; never compressed, and of no type that something on the way might
        compress, because clients compare the length with what they wrote.

    Raises
    ------
    StorageError
        The store does not have what is to be sent.
    """
    content, size = download.content, download.size
    if isinstance(content, SingleContent):
        return content_answer(request, services.store, content.sha256, name=download.filename, size=size)
    content.check(services.store)
    etag = f'"{download.signature}"'
    headers = {
        "ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache, no-transform",
        "Content-Disposition": attachment(download.filename),
    }  # fmt: skip
    if request.headers.get("if-none-match") == etag:
        return Response(None, 304, headers)
    asked = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    part = wanted_range(asked, size)
    if part is not None and part[0] >= part[1]:
        return Response(None, 416, headers | {"Content-Range": f"bytes */{size}"})
    start, stop = (0, size) if part is None else part
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    pieces = iter(()) if request.method == "HEAD" else content.read(services.store, start, stop)
    return StreamingResponse(pieces, 200 if part is None else 206, headers, content.media_type)
