"""The first page, help, and the choice between light and dark."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select

from pzcenter.server.http.forms import local_path
from pzcenter.server.http.requests import CurrentServices, SomebodyOrNobody
from pzcenter.server.pages.render import THEME_COOKIE, THEMES, page
from pzcenter.server.services.access import visible
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.product_search import ProductQuery, find_products
from pzcenter.server.services.releases import list_releases
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import Product, ProductState, ProductType

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
LATEST, DRAFTS = 8, 10
YEAR_SECONDS = 365 * 86_400


@router.get("/")
def front(request: Request, services: CurrentServices, principal: SomebodyOrNobody) -> Response:
    """Say what this is; to those who are signed in, what is new and what they have under way."""
    if not principal.signed_in or Scope.READ not in principal.scopes:
        settings = services.settings
        return page(request, "welcome.html", registration=settings.registration, shows_numbers=settings.public_extract)
    with services.database.reading() as session:
        seen = select(Product.product_type_id, func.count()).where(
            visible(principal), Product.state == ProductState.PUBLISHED
        )
        numbers = dict(session.execute(seen.group_by(Product.product_type_id)).tuples().all())
        kinds = session.scalars(select(ProductType).order_by(ProductType.order)).all()
        latest = find_products(
            session, principal,
            ProductQuery(filters={"status": "1"}, order="-created_at", limit=LATEST, counted=False, latest=True),
        ).rows  # fmt: skip
        mine = select(Product).where(
            Product.owner_id == principal.user_id,
            Product.state.in_([ProductState.REGISTERING, ProductState.PROCESSING, ProductState.FAILED]),
        )
        drafts = session.scalars(mine.order_by(Product.id.desc()).limit(DRAFTS)).all()
        running = select(func.count()).where(Process.owner_id == principal.user_id, Process.ended_at.is_(None))
        return page(
            request, "front.html", kinds=[(kind, numbers.get(kind.id, 0)) for kind in kinds], latest=latest,
            drafts=drafts, n_running=session.scalar(running) or 0, total=sum(numbers.values()),
            releases=list_releases(session, principal),
        )  # fmt: skip


@router.get("/help")
def help_page(request: Request, services: CurrentServices, _principal: SomebodyOrNobody) -> Response:
    """How to use the server, whom to ask, and whether it is well."""
    return page(request, "help.html", base_url=services.settings.base_url, asked_at=now())


@router.post("/theme")
def choose_theme(
    request: Request,
    services: CurrentServices,
    _principal: SomebodyOrNobody,
    *,
    theme: Annotated[str, Form(max_length=10)] = "auto",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - of the form
) -> Response:
    """Keep the choice between light and dark in a cookie; nothing else is changed, so the form needs no secret."""
    answer = RedirectResponse(local_path(next), 303, headers={"Cache-Control": "no-store"})
    chosen = theme if theme in THEMES else "auto"
    answer.set_cookie(
        THEME_COOKIE, chosen, max_age=YEAR_SECONDS, httponly=True, samesite="lax", path="/",
        secure=services.settings.secure_cookies and request.url.scheme == "https",
    )  # fmt: skip
    return answer
