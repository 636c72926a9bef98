"""Contents of the store as answers: whole or in part, with what a client needs to check and to go on."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from pzcenter.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from pzcenter.server.storage.store import Store

__all__ = ["attachment", "content_answer", "wanted_range"]

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
ACTIVE_TYPES = re.compile(r"html|xml|svg|javascript|ecmascript", re.IGNORECASE)
"""What a browser might run; it is sent as bytes."""
PLAIN_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
BYTES = "application/octet-stream"


def attachment(name: str) -> str:
    """Value of ``Content-Disposition`` for a file to be saved under a name.

    References
    ----------
    RFC 6266 and, for names beyond ASCII, RFC 8187.
    """
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    more = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{more}'


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Bytes that a request asks for.

    Parameters
    ----------
    header : str or None
        ``Range``; one that is not understood, or names several ranges, is not looked at.
    size : int
        Of the content.

    Returns
    -------
    (int, int) or None
        Start and stop; None: all. A start that is not below the stop cannot be served.
    """
    found = ONE_RANGE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        length = int(last)
        return (max(0, size - length), size) if length else (size, size)
    stop = size if not last else min(size, int(last) + 1)
    if last and int(last) < int(first):
        return None
    return int(first), stop


def content_answer(
    request: Request, store: Store, sha256: str, *, name: str, size: int, media_type: str | None = None
) -> Response:
    """A content of the store, to be saved; the range that is asked for, when it is asked of this very content.

    Parameters
    ----------
    request : Request
        Its ``Range``, ``If-Range`` and ``If-None-Match`` are looked at.
    store : Store
    sha256 : str
        Also the ``ETag``, and told as ``Repr-Digest``.
    name : str
        Of the file.
    size : int
        Bytes.
    media_type : str, optional

    Returns
    -------
    Response
        200, 206, 304 or 416; never compressed, so that lengths are those of the file.

    Raises
    ------
    StorageError
        The store does not have the content, or not all of it.

    References
    ----------
    RFC 9110 section 14 (ranges), RFC 9530 (digests).
    """
    there = store.size(sha256)
    if there != size:
        raise StorageError(f"the content of {name} is damaged here: {there} bytes of {size}; the site has to repair it")
    etag = f'"{sha256}"'
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": attachment(name),
    }
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
    pieces: Iterator[bytes] = iter(()) if request.method == "HEAD" else store.read(sha256, start=start, stop=stop)
    return StreamingResponse(pieces, 200 if part is None else 206, headers, _safe(media_type))


def _safe(media_type: str | None) -> str:
    if media_type is None or not PLAIN_TYPE.fullmatch(media_type) or ACTIVE_TYPES.search(media_type):
        return BYTES
    return media_type
