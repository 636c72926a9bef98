"""Bodies of requests have a limit; only the form that sends a file has its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pzcenter.server.http.body_limit import BodyLimit
from pzcenter.server.pages.failure import too_large

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["FormLimit"]

TAKES_FILES = re.compile(r"/upload/[0-9a-z]{12}/files")


class FormLimit:
    """Refuse forms that are too large before they are in memory.

    Parameters
    ----------
    app : ASGIApp
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.limited = BodyLimit(app, refuse=too_large, streams=())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it."""
        free = scope["type"] == "http" and TAKES_FILES.fullmatch(scope["path"]) is not None
        await (self.app if free else self.limited)(scope, receive, send)
