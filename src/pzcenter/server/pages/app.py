"""The pages as an application."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fastapi.responses import HTMLResponse

from pzcenter.server.http.application import new_application
from pzcenter.server.http.body_limit import BodyLimit
from pzcenter.server.pages.joining import router as joining
from pzcenter.server.pages.provider_sign_in import router as provider_sign_in
from pzcenter.server.pages.sign_in import router as sign_in

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services

__all__ = ["pages_app"]


def pages_app(services: Services) -> FastAPI:
    """The pages, to be mounted at ``/``.

    Parameters
    ----------
    services : Services

    Returns
    -------
    FastAPI
    """
    app = new_application(services, _tell, title=services.settings.site_name, openapi_url=None)
    app.add_middleware(BodyLimit, refuse=_too_large, streams=())
    app.include_router(sign_in)
    app.include_router(provider_sign_in)
    app.include_router(joining)
    return app


def _too_large(words: str, _request_id: str | None) -> HTMLResponse:
    return HTMLResponse(f"<h1>413</h1><p>{escape(words)}</p>", 413)


def _tell(_request: Request, error: PZCenterError, status: int) -> HTMLResponse:
    return HTMLResponse(f"<h1>{status}</h1><p>{escape(str(error))}</p>", status)
