"""The first interface as an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pzcenter.server.http.application import new_application
from pzcenter.server.rest.v1 import (
    catalogue,
    contents,
    downloads,
    files,
    pipelines,
    processes,
    product_list,
    products,
)
from pzcenter.server.rest.v1.errors import tell

if TYPE_CHECKING:
    from fastapi import FastAPI

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
        Speaks as the client ``pzserver`` expects; it has no description in OpenAPI, new programs use the second one.
    """
    app = new_application(services, tell, title="PZ Server, first interface", openapi_url=None)
    for part in (catalogue, product_list, products, contents, files, downloads, pipelines, processes):
        app.include_router(part.router)
    return app
