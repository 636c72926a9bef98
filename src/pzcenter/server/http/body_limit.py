"""Bodies that are read as a whole have a limit; streams, such as uploads, have their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_BODY", "BodyLimit"]

MAX_BODY = 4 * 2**20
"""Bytes of a body of JSON, or of one that does not say what it is."""
STREAMS = ("application/offset+octet-stream", "multipart/form-data")


class BodyLimit:
    """Refuse bodies that are too large before they are in memory.

    Parameters
    ----------
    app : ASGIApp
    refuse : callable
        Makes the answer of a refusal from the words and the id of the request.
    limit : int
        Bytes.
    streams : tuple of str
        Types of bodies that have limits of their own.
    stream_paths : str
        Pattern of the addresses that take them; a type alone would let anybody send anything anywhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        refuse: Callable[[str, str | None], Response],
        limit: int = MAX_BODY,
        streams: tuple[str, ...] = STREAMS,
        stream_paths: str = "",
    ) -> None:
        self.app, self.refuse, self.limit, self.streams = app, refuse, limit, streams
        self.stream_paths = re.compile(stream_paths)

    def _is_stream(self, scope: Scope, content_type: str) -> bool:
        return content_type.startswith(self.streams) and self.stream_paths.search(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", ())}
        if scope["type"] != "http" or self._is_stream(scope, headers.get(b"content-type", "")):
            await self.app(scope, receive, send)
            return
        words = f"the body is too large; {self.limit:,} bytes are accepted"
        told = headers.get(b"content-length", "0")
        if told.isdecimal() and int(told) > self.limit:
            await self.refuse(words, scope.get("state", {}).get("request_id"))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise HTTPException(413, words)
            return message

        await self.app(scope, counted, send)
