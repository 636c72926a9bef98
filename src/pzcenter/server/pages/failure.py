"""Errors as pages: what was wrong, what to do, and the id under which the log tells more."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi.responses import HTMLResponse, RedirectResponse

from pzcenter.server.pages.render import page

if TYPE_CHECKING:
    from fastapi import Request, Response

    from pzcenter.errors import PZCenterError

__all__ = ["tell", "too_large"]

TITLES = {
    400: "This was not understood", 401: "Please sign in", 403: "This is not allowed", 404: "Not found",
    405: "Not here", 409: "This does not fit", 412: "Somebody was quicker", 413: "Too much", 422: "Not accepted",
    429: "Too many requests", 500: "Something went wrong here", 503: "Not now", 507: "No room",
}  # fmt: skip


def tell(request: Request, error: PZCenterError, status: int) -> Response:
    """The page of an error; somebody who has to sign in first is led there and back."""
    wants_page = request.method in {"GET", "HEAD"} and "authorization" not in request.headers
    if status == 401 and wants_page:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = f"/sign-in?next={quote(here, safe='/')}"
        if request.headers.get("hx-request") == "true":
            return HTMLResponse("", 204, headers={"HX-Redirect": target})
        return RedirectResponse(target, 303, headers={"Cache-Control": "no-store"})
    request_id = getattr(request.state, "request_id", None)
    return page(
        request, "failure.html", status=status, status_number=status, heading=TITLES.get(status, "An error"),
        message=str(error), request_id=request_id,
    )  # fmt: skip


def too_large(words: str, request_id: str | None) -> HTMLResponse:
    """The answer to a body that is not read."""
    return HTMLResponse(f"<h1>Too much</h1><p>{escape(words)}</p><p>Request {escape(request_id or '-')}</p>", 413)
