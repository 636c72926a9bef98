"""Reports on main files: what columns seem to mean, ranges, sky, duplicates, and what looks wrong."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import ColumnAnswer
from pzcenter.server.rest.v2.etags import IfMatch, seen_revision
from pzcenter.server.rest.v2.fields import Body, ProductKey, ShortText
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.revisions import need_revision

__all__ = ["router"]

router = APIRouter(tags=["columns"])


class ReportAnswer(BaseModel):
    """What was found in a main file, in one pass."""

    model_config = ConfigDict(extra="allow")

    version: int
    format: str
    n_rows: int | None
    rows_read: int
    complete: bool = Field(description="All rows were read; otherwise `sampled` says which.")
    sampled: str | None
    columns: list[dict[str, Any]] = Field(description="Ranges, missing values, histograms, guesses.")
    histograms: list[dict[str, Any]]
    guesses: list[dict[str, Any]] = Field(description="Meanings of columns, with confidence and reason.")
    sky: dict[str, Any] | None = Field(description="Counts in HEALPix pixels (nested).")
    duplicates: dict[str, Any]
    warnings: list[dict[str, Any]]


class AcceptBody(Body):
    """Guesses to accept."""

    columns: Annotated[list[ShortText] | None, Field(max_length=2000, description="Those of these columns.")] = None
    confidence: Annotated[float, Field(ge=0, le=1, description="Without columns: all guesses from here on.")] = 0.9


@router.get("/products/{product_id}/report", operation_id="get_report")
def read(
    services: CurrentServices,
    principal: SignedIn,
    product_id: ProductKey,
    fresh: Annotated[bool, Query(description="Make one now, also of a file that needs not be a table.")] = False,
) -> ReportAnswer:
    """What the main file seems to hold; made when it was read."""
    from pzcenter.server.services.upload_report import fresh_report, report_of

    if fresh:
        return ReportAnswer.model_validate(fresh_report(services, principal, product_id))
    with services.database.reading() as session:
        return ReportAnswer.model_validate(report_of(session, principal, product_id))


@router.post("/products/{product_id}/report", operation_id="accept_guesses")
def accept(
    services: CurrentServices, principal: SignedIn, product_id: ProductKey, body: AcceptBody, if_match: IfMatch = None
) -> list[ColumnAnswer]:
    """Have guesses of the report say what columns mean; only before the product is published."""
    from pzcenter.server.services.upload_report import accept_guesses

    revision = seen_revision(if_match)
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, Action.FILL)
        need_revision(session, product, revision)
        columns = accept_guesses(session, principal, product.id, columns=body.columns, sure=body.confidence)
        session.flush()
        return [ColumnAnswer.of(column) for column in columns]
