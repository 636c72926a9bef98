"""The pages as an application."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fastapi.responses import HTMLResponse

from pzcenter.server.http.application import new_application

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
    return new_application(services, _tell, title=services.settings.site_name, openapi_url=None)


def _tell(_request: Request, error: PZCenterError, status: int) -> HTMLResponse:
    return HTMLResponse(f"<h1>{status}</h1><p>{escape(str(error))}</p>", status)
