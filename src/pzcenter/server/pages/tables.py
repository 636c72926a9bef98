"""The table of a product: rows in pages, picked by conditions, drawn, taken home."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.responses import StreamingResponse

from pzcenter.errors import ColumnError, FileFormatError, NotFoundError, QuotaError, UsageError
from pzcenter.server.http.contents import attachment
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.pages.fields import Uid
from pzcenter.server.pages.figures import draw_cells, draw_histogram
from pzcenter.server.pages.render import page
from pzcenter.server.services.access import product_for
from pzcenter.server.services.preview import table_page
from pzcenter.server.services.table_plots import TablePlot, table_plot
from pzcenter.server.services.table_rows import selected_rows
from pzcenter.server.services.tables.conditions import read_conditions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from pzcenter.server.storage.products import Product

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
ROWS = 25
PIECE = 2**16
FOR_PEOPLE = (ColumnError, FileFormatError, NotFoundError, UsageError, QuotaError)
NUMBERS = ("int", "uint", "float", "double", "half", "bool")
"""How the types of columns begin that can be drawn."""

Where = Annotated[str, Query(max_length=3000)]
ColumnName = Annotated[str, Query(max_length=300)]


@router.get("/products/{uid}/table")
def table(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    uid: Uid,
    *,
    offset: Annotated[int, Query(ge=0, lt=2**60)] = 0,
    sort: ColumnName = "",
    where: Where = "",
) -> Response:
    """Rows of the main file."""
    with services.database.reading() as session:
        product = product_for(session, principal, uid)
        title, number = product.display_name, product.id
    rows, error = None, None
    try:
        rows = table_page(
            services, principal, number, offset=offset, limit=ROWS, sort=sort or None, where=read_conditions(where)
        )
    except FOR_PEOPLE as refusal:
        error = str(refusal)
    return page(
        request, "table.html", status=200 if error is None else 422, uid=uid, title=title, rows=rows, sort=sort,
        offset=offset, step=ROWS, error=error, where=where,
    )  # fmt: skip


@router.get("/products/{uid}/plot")
def plot(
    request: Request,
    services: CurrentServices,
    principal: SignedIn,
    uid: Uid,
    *,
    x: ColumnName = "",
    y: ColumnName = "",
    where: Where = "",
) -> Response:
    """One or two columns of the main file as a plot."""
    with services.database.reading() as session:
        product = product_for(session, principal, uid)
        title, number, columns = product.display_name, product.id, _columns(product)
        units = {column.name: column.unit for column in product.columns}
    svg, words, error = None, "", None
    if x:
        try:
            made = table_plot(services, principal, number, x, y, where=read_conditions(where))
            svg, words = _drawn(made, units), _words(made)
        except FOR_PEOPLE as refusal:
            error = str(refusal)
    return page(
        request, "plot.html", status=200 if error is None else 422, uid=uid, title=title, columns=columns, x=x, y=y,
        where=where, svg=svg, words=words, error=error,
    )  # fmt: skip


@router.get("/products/{uid}/rows.csv")
def rows(services: CurrentServices, principal: SignedIn, uid: Uid, *, where: Where = "") -> Response:
    """Rows that fulfil conditions, to be saved."""
    name, file = selected_rows(services, principal, uid, where=read_conditions(where))
    headers = {
        "Content-Disposition": attachment(name), "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Cache-Control": "private, no-store, no-transform",
    }  # fmt: skip
    return StreamingResponse(_pieces(file), 200, headers, "text/csv")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _columns(product: Product) -> list[tuple[str, str]]:
    """Columns of numbers, for a choice."""
    found = [each for each in product.columns if (each.datatype or "").startswith(NUMBERS)]
    return [(each.name, f"{each.name} ({each.alias})" if each.alias else each.name) for each in found]


def _drawn(made: TablePlot, units: dict[str, str | None]) -> Markup:
    def label(name: str) -> str:
        return f"{name} ({units[name]})" if units.get(name) else name

    if not made.y:
        return draw_histogram(made.x_edges.tolist(), made.counts.tolist(), label=label(made.x))
    return draw_cells(made.x_edges, made.y_edges, made.counts, x_label=label(made.x), y_label=label(made.y))


def _words(made: TablePlot) -> str:
    said = f"{made.n_rows - made.n_missing - made.n_outside:,} of {made.n_rows:,} rows"
    if made.n_missing:
        said += f"; {made.n_missing:,} have no value"
    return said + (f"; {made.n_outside:,} lie beyond the axes" if made.n_outside else "")
