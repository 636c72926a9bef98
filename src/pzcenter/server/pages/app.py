"""The pages as an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends
from fastapi.responses import HTMLResponse

from pzcenter.server.http.application import new_application
from pzcenter.server.pages.account import router as account
from pzcenter.server.pages.admin import router as admin
from pzcenter.server.pages.admin_people import router as admin_people
from pzcenter.server.pages.assets import Assets
from pzcenter.server.pages.changing import router as changing
from pzcenter.server.pages.contents import router as contents
from pzcenter.server.pages.cooperative import router as cooperative
from pzcenter.server.pages.extract import router as extract
from pzcenter.server.pages.failure import tell
from pzcenter.server.pages.front import router as front
from pzcenter.server.pages.groups import router as groups
from pzcenter.server.pages.help_desk import router as help_desk
from pzcenter.server.pages.jobs import router as jobs
from pzcenter.server.pages.joining import router as joining
from pzcenter.server.pages.making import router as making
from pzcenter.server.pages.product_list import router as product_list
from pzcenter.server.pages.product_page import router as product_page
from pzcenter.server.pages.provider_sign_in import router as provider_sign_in
from pzcenter.server.pages.receiving import router as receiving
from pzcenter.server.pages.render import STATIC
from pzcenter.server.pages.sign_in import router as sign_in
from pzcenter.server.pages.sizes import FormLimit
from pzcenter.server.pages.tables import router as tables
from pzcenter.server.pages.upload import router as upload
from pzcenter.server.pages.visitor import note_visitor

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pzcenter.server.services.context import Services

__all__ = ["pages_app"]

ROUTERS = (
    front,
    sign_in,
    provider_sign_in,
    joining,
    product_list,
    product_page,
    contents,
    tables,
    changing,
    upload,
    receiving,
    account,
    jobs,
    making,
    admin,
    admin_people,
    groups,
    cooperative,
    help_desk,
    extract,
)


def pages_app(services: Services) -> FastAPI:
    """The pages, to be mounted at ``/``.

    Parameters
    ----------
    services : Services

    Returns
    -------
    FastAPI
    """
    app = new_application(
        services, tell, title=services.settings.site_name, openapi_url=None, dependencies=[Depends(note_visitor)],
        default_response_class=HTMLResponse,
    )  # fmt: skip
    app.add_middleware(FormLimit)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", Assets(directory=STATIC), name="static")
    return app
