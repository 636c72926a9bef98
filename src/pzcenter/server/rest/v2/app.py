"""The second interface as an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

import pzcenter
from pzcenter.server.http.application import new_application

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services

__all__ = ["api_app"]


def api_app(services: Services) -> FastAPI:
    """The second interface, to be mounted at ``/api/v2``.

    Parameters
    ----------
    services : Services

    Returns
    -------
    FastAPI
    """
    return new_application(services, _tell, title="PZ Server", version=pzcenter.__version__)


def _tell(request: Request, error: PZCenterError, status: int) -> JSONResponse:
    """Problem details (RFC 9457)."""
    body = {
        "type": f"/docs/errors#{error.code}", "title": type(error).__name__, "status": status, "detail": str(error),
        "code": error.code, "request_id": getattr(request.state, "request_id", None),
    }  # fmt: skip
    return JSONResponse(body, status, media_type="application/problem+json")
