"""Rows of the main file of a product."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pzcenter.errors import UsageError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import ProductKey, ShortText

if TYPE_CHECKING:
    from pzcenter.schema import Condition

__all__ = ["router"]

router = APIRouter(tags=["columns"])
CONDITION = re.compile(r"([^<>=!]{1,255}?)\s*(<=|>=|==|!=|<|>)\s*([^<>=!\x00]{1,255})")

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
        where=[_condition(text) for text in where],
    )  # fmt: skip
    columns = [TableColumn.model_validate(each) for each in page.columns]
    return TableAnswer(
        columns=columns, rows=page.rows, offset=page.offset, n_rows=page.n_rows, n_columns=page.n_columns
    )


def _condition(text: str) -> Condition:
    """A column, a sign and a value; a number where it is one."""
    from pzcenter.schema import Condition

    found = CONDITION.fullmatch(text.strip())
    if found is None or not found[3].strip():
        raise UsageError(f"where {text[:60]!r}: expected COLUMN<VALUE, with one of < <= > >= == !=")
    value: float | str = found[3].strip()
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    told = number if math.isfinite(number) else value
    return Condition(column=found[1].strip(), op=found[2], value=told, optional=False)  # type: ignore[arg-type]
