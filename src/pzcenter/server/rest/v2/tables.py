"""Rows of the main file of a product."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import ProductKey, ShortText
from pzcenter.server.services.tables.conditions import read_condition

__all__ = ["router"]

router = APIRouter(tags=["columns"])

ConditionText = Annotated[
    str, StringConstraints(max_length=520, pattern=r"^[^<>=!\x00]{1,255}(<=|>=|==|!=|<|>)[^<>=!\x00]{1,255}$")
]


class TableColumn(BaseModel):
    """A column of these rows."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    datatype: str
    unit: str | None
    alias: str | None
    description: str | None


class TableAnswer(BaseModel):
    """Some rows of a table."""

    columns: list[TableColumn]
    rows: list[list[Any]] = Field(description="Values in the order of the columns; null where there is none.")
    offset: int
    n_rows: int | None = Field(description="Of the table, or those that fulfil the conditions; null if not counted.")
    n_columns: int = Field(description="Of the table; without a choice the first 200 are shown.")


@router.get("/products/{product_id}/table", operation_id="get_table")
def read(
    services: CurrentServices,
    principal: SignedIn,
    *,
    product_id: ProductKey,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    sort: Annotated[ShortText | None, Query(min_length=1, description="Name of a column; a '-' turns round.")] = None,
    column: Annotated[list[ShortText], Query(max_length=200, description="These columns only.")] = [],  # noqa: B006
    where: Annotated[
        list[ConditionText], Query(max_length=10, description="Rows that fulfil all of these.", examples=[["z<0.5"]])
    ] = [],  # noqa: B006
) -> TableAnswer:
    """Rows of the main file: any page, sorted, picked."""
    # Reading tables is heavy to import, and not every process is asked for it.
    from pzcenter.server.services.preview import table_page

    page = table_page(
        services, principal, product_id, offset=offset, limit=limit, sort=sort, columns=column or None,
        where=[read_condition(text) for text in where],
    )  # fmt: skip
    columns = [TableColumn.model_validate(each) for each in page.columns]
    return TableAnswer(
        columns=columns, rows=page.rows, offset=page.offset, n_rows=page.n_rows, n_columns=page.n_columns
    )
