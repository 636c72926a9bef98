"""The second interface as an application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

import pzcenter
from pzcenter.errors import PZCenterError, QuotaError
from pzcenter.server.http.application import new_application
from pzcenter.server.http.body_limit import BodyLimit
from pzcenter.server.rest.v2.archives import router as archives
from pzcenter.server.rest.v2.audit import router as audit
from pzcenter.server.rest.v2.challenges import router as challenges
from pzcenter.server.rest.v2.columns import router as columns
from pzcenter.server.rest.v2.comments import router as comments
from pzcenter.server.rest.v2.files import router as files
from pzcenter.server.rest.v2.groups import router as groups
from pzcenter.server.rest.v2.invitations import router as invitations
from pzcenter.server.rest.v2.jobs import router as jobs
from pzcenter.server.rest.v2.lineage import router as lineage
from pzcenter.server.rest.v2.manifests import router as manifests
from pzcenter.server.rest.v2.me import router as me
from pzcenter.server.rest.v2.openapi import complete
from pzcenter.server.rest.v2.paging import no_unknown_words
from pzcenter.server.rest.v2.product_list import router as product_list
from pzcenter.server.rest.v2.product_types import router as product_types
from pzcenter.server.rest.v2.products import router as products
from pzcenter.server.rest.v2.public import router as public
from pzcenter.server.rest.v2.references import router as references
from pzcenter.server.rest.v2.releases import router as releases
from pzcenter.server.rest.v2.reports import router as reports
from pzcenter.server.rest.v2.sharing import router as sharing
from pzcenter.server.rest.v2.status import router as status
from pzcenter.server.rest.v2.tables import router as tables
from pzcenter.server.rest.v2.tickets import router as tickets
from pzcenter.server.rest.v2.tokens import router as tokens
from pzcenter.server.rest.v2.uploads import router as uploads
from pzcenter.server.rest.v2.users import router as users

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["api_app"]

PROBLEM = "application/problem+json"


def api_app(services: Services) -> FastAPI:
    """The second interface, to be mounted at ``/api/v2``.

    Parameters
    ----------
    services : Services

    Returns
    -------
    FastAPI
    """
    app = new_application(
        services, _tell, title="PZ Server", version=pzcenter.__version__, openapi_url=None,
        dependencies=[Depends(no_unknown_words)],
    )  # fmt: skip
    app.add_middleware(BodyLimit, refuse=_too_large, stream_paths=r"/uploads(/|$)")
    # Routers in the order of the description.
    app.include_router(product_list)
    app.include_router(products)
    app.include_router(product_types)
    app.include_router(files)
    app.include_router(archives)
    app.include_router(manifests)
    app.include_router(uploads)
    app.include_router(references)
    app.include_router(columns)
    app.include_router(tables)
    app.include_router(reports)
    app.include_router(sharing)
    app.include_router(comments)
    app.include_router(lineage)
    app.include_router(jobs)
    app.include_router(challenges)
    app.include_router(tickets)
    app.include_router(status)
    app.include_router(public)
    app.include_router(me)
    app.include_router(tokens)
    app.include_router(users)
    app.include_router(groups)
    app.include_router(releases)
    app.include_router(invitations)
    app.include_router(audit)
    app.add_api_route("/openapi.json", _describe, include_in_schema=False)
    return app


def _describe(request: Request) -> JSONResponse:
    """The description of this interface; made at the first time that it is asked for."""
    state = request.app.state
    if getattr(state, "described", None) is None:
        state.described = complete(request.app)
    return JSONResponse(state.described)


def _too_large(words: str, request_id: str | None) -> JSONResponse:
    return JSONResponse(_problem(QuotaError(words), 413, request_id), 413, media_type=PROBLEM)


def _tell(request: Request, error: PZCenterError, status: int) -> JSONResponse:
    body = _problem(error, status, getattr(request.state, "request_id", None))
    return JSONResponse(body, status, media_type=PROBLEM)


def _problem(error: PZCenterError, status: int, request_id: str | None) -> dict[str, Any]:
    """Problem details (RFC 9457)."""
    return {
        "type": f"/docs/errors#{error.code}", "title": type(error).__name__, "status": status, "detail": str(error),
        "code": error.code, "request_id": request_id,
    }  # fmt: skip
