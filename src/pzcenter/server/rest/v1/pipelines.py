"""What the server can make, in the first interface."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import select

from pzcenter.errors import NotFoundError
from pzcenter.server.http.requests import CurrentServices
from pzcenter.server.rest.v1.asking import Number, Reader, number_of
from pzcenter.server.rest.v1.lists import Listing, envelope, metadata, rows_of
from pzcenter.server.rest.v1.shapes import pipeline_json
from pzcenter.server.services.jobs.requests import SCORING
from pzcenter.server.storage.processes import Pipeline

__all__ = ["router"]

router = APIRouter()

PIPELINES = Listing(
    "Pipeline List",
    {"id": lambda value: Pipeline.id == number_of("id", value), "name": lambda value: Pipeline.name == value},
    (Pipeline.name, Pipeline.display_name),
    {"id": Pipeline.id, "name": Pipeline.name},
)


@router.get("/pipelines/")
def pipelines(request: Request, services: CurrentServices, _principal: Reader) -> Response:
    """All pipelines."""
    with services.database.reading() as session:
        count, rows = rows_of(session, request, services, PIPELINES, select(Pipeline).where(Pipeline.name != SCORING))
        return envelope(count, [pipeline_json(row) for row in rows])


@router.options("/pipelines/")
def pipelines_metadata(_principal: Reader) -> Response:
    """What the list of pipelines can be asked."""
    return metadata(PIPELINES)


@router.get("/pipelines/{number:int}/")
def pipeline(number: Number, services: CurrentServices, _principal: Reader) -> Response:
    """One pipeline."""
    with services.database.reading() as session:
        row = session.get(Pipeline, number)
        if row is None or row.name == SCORING:
            raise NotFoundError(f"no pipeline {number}")
        return JSONResponse(pipeline_json(row))
