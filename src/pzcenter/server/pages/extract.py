"""A page for everybody: counts of products, and coarse histograms of redshift."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from pzcenter.server.http.requests import CurrentServices, SomebodyOrNobody
from pzcenter.server.pages.render import page
from pzcenter.server.services.public_extract import CELL, MIN_OBJECTS, ROUNDED_TO, public_extracts

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/extract")
def extract(request: Request, services: CurrentServices, _somebody: SomebodyOrNobody) -> Response:
    """What everybody may know of the releases that an admin chose."""
    with services.database.reading() as session:
        found = public_extracts(services, session)
    return page(request, "extract.html", extracts=found, fewest=MIN_OBJECTS, cell=CELL, rounded=ROUNDED_TO)
