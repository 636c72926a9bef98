"""The whole service: its interfaces, one beside the other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from pzcenter.server.http.guard import Guard
from pzcenter.server.http.observing import Numbers, Observing
from pzcenter.server.http.operation import operation_app
from pzcenter.server.pages.app import pages_app
from pzcenter.server.rest.v1.app import legacy_app
from pzcenter.server.rest.v2.app import api_app
from pzcenter.server.services.context import open_services
from pzcenter.server.storage.make_tables import make_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pzcenter.server.settings import ServerSettings

__all__ = ["create_app"]


def create_app(settings: ServerSettings) -> FastAPI:
    """The service as an ASGI application.

    Parameters
    ----------
    settings : ServerSettings

    Returns
    -------
    FastAPI
        ``/api/v2`` the interface of programs, ``/api`` the one that the client ``pzserver`` speaks, ``/-`` what
        watches over the service, ``/`` pages.
        Its ``state.services`` are the services.
    """
    services = open_services(settings)
    make_tables(services.database)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = settings.threads
        yield
        services.close()

    app = FastAPI(title=settings.site_name, lifespan=life, openapi_url=None)
    app.state.services = services
    app.mount("/api/v2", api_app(services))
    app.mount("/api", legacy_app(services))
    numbers = Numbers()
    operation = operation_app(services)
    operation.state.numbers = numbers
    app.mount("/-", operation)
    app.mount("/", pages_app(services))
    app.add_exception_handler(404, _nowhere)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.allowed_hosts)
    app.add_middleware(Observing, numbers=numbers)
    app.add_middleware(Guard, secure=settings.secure_cookies)
    return app


def _nowhere(request: Request, _error: Exception) -> JSONResponse:
    """A path that is in none of the interfaces, such as one with a line end in it."""
    body = {
        "type": "/docs/errors#not_found", "title": "NotFoundError", "status": 404, "detail": "Not Found",
        "code": "not_found", "request_id": getattr(request.state, "request_id", None),
    }  # fmt: skip
    return JSONResponse(body, 404, media_type="application/problem+json")
