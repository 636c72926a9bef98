"""What everybody may know, without an account."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pzcenter.server.http.requests import CurrentServices, SomebodyOrNobody
from pzcenter.server.services.public_extract import CELL, MIN_OBJECTS, ROUNDED_TO, Z_MAX, public_extracts

__all__ = ["router"]

router = APIRouter(tags=["public"])


class ProductCount(BaseModel):
    """Products of one type."""

    product_type: str
    n_products: int = Field(description="That everybody with rights to the release sees.")
    n_official: int


class Histogram(BaseModel):
    """Redshifts of official products of one type."""

    product_type: str
    n_products: int
    z_edges: list[float] = Field(description=f"Cells of {CELL:g} up to {Z_MAX:g}; what lies beyond is not told.")
    n_objects: list[int | None] = Field(
        description=f"In each cell, rounded down to {ROUNDED_TO}; null: fewer than {MIN_OBJECTS}."
    )


class ExtractAnswer(BaseModel):
    """What is told of a release."""

    release: str
    title: str
    products: list[ProductCount]
    histograms: list[Histogram]
    made_at: datetime | None = Field(description="Of the histograms; null while they are not made.")


@router.get("/public/extract", operation_id="get_public_extract")
def read(services: CurrentServices, _somebody: SomebodyOrNobody) -> list[ExtractAnswer]:
    """Counts of products, and coarse histograms of official ones, of the releases that an admin chose."""
    with services.database.reading() as session:
        return [ExtractAnswer(**asdict(each)) for each in public_extracts(services, session)]
