"""The first interface as an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

from pzcenter.server.http.application import new_application

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services

__all__ = ["legacy_app"]


def legacy_app(services: Services) -> FastAPI:
    """The first interface, to be mounted at ``/api``.

    Parameters
    ----------
    services : Services

    Returns
    -------
    FastAPI
    """
    return new_application(services, _tell, title="PZ Server, first interface", openapi_url=None)


def _tell(_request: Request, error: PZCenterError, status: int) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status)
