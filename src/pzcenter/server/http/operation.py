"""For machines that watch over the service: is it alive, is it ready, its numbers."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pzcenter.errors import PZCenterError
from pzcenter.server.http.application import new_application
from pzcenter.server.http.requests import CurrentServices, SignedIn, SomebodyOrNobody
from pzcenter.server.services.context import Services
from pzcenter.server.services.operation import health_of

__all__ = ["operation_app"]

router = APIRouter()


def operation_app(services: Services) -> FastAPI:
    """The three addresses as an application, to be mounted at ``/-``.

    Parameters
    ----------
    services : Services

    Returns
    -------
    FastAPI
        Its ``state.numbers`` are set by the one who mounts it.
    """
    app = new_application(services, _tell, title="PZ Server, operation", openapi_url=None)
    app.include_router(router)
    return app


@router.get("/health")
def health() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("alive\n")


@router.get("/ready")
def ready(services: CurrentServices, somebody: SomebodyOrNobody) -> JSONResponse:
    """The service can do its work; admins are told what is wrong."""
    found = health_of(services)
    body: dict[str, object] = {"ready": found.ready}
    if somebody.administers:
        body["findings"] = found.findings
    return JSONResponse(body, 200 if found.ready else 503)


@router.get("/metrics")
def metrics(request: Request, services: CurrentServices, somebody: SignedIn) -> Response:
    """Numbers for Prometheus, which shows an admin's token."""
    somebody.need_admin()
    return Response(request.app.state.numbers.text(services), media_type=CONTENT_TYPE_LATEST)


def _tell(_request: Request, error: PZCenterError, status: int) -> JSONResponse:
    return JSONResponse({"detail": str(error), "code": error.code}, status)
