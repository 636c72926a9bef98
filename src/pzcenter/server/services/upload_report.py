"""The report of a product: kept with it, told, and its guesses made the meaning of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.errors import ColumnError, NotFoundError, UsageError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.columns import STANDARD_UCDS, ColumnChange, edit_columns
from pzcenter.server.services.report.making import make_report
from pzcenter.server.services.tables.opening import naming, open_file, source_of
from pzcenter.server.services.tables.sources import local_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import ProductColumn

__all__ = ["SURE", "accept_guesses", "fresh_report", "report_of"]

SURE = 0.9
"""Confidence from which a guess is good without a look."""


def report_of(session: Session, principal: Principal, product_id: int | str) -> dict[str, Any]:
    """The report that was made at registration.

    Parameters
    ----------
    session : Session
        One that reads.
    principal : Principal
    product_id : int or str

    Returns
    -------
    dict

    Raises
    ------
    NotFoundError
        No such product for the asker, or no report.
    """
    product = product_for(session, principal, product_id)
    if product.failure:
        raise NotFoundError(f"product {product.id} has no report; its main file was refused: {product.failure}")
    if not product.report or "columns" not in product.report:
        raise NotFoundError(f"product {product.id} has no report; its main file was not read as a table")
    return product.report


def fresh_report(services: Services, principal: Principal, product_id: int | str) -> dict[str, Any]:
    """A report that is made now and not kept, also for products whose type asks for no table.

    Parameters
    ----------
    services : Services
        No session is open while the file is read.
    principal : Principal
    product_id : int or str

    Returns
    -------
    dict

    Raises
    ------
    NotFoundError, FileFormatError
        No such product or main file for the asker; no table.
    """
    with services.database.reading() as session:
        source = source_of(product_for(session, principal, product_id))
    catalog = open_file(services, source)
    with naming(local_view(services, source), source.name):
        return make_report(catalog)


def accept_guesses(
    session: Session,
    principal: Principal,
    product_id: int | str,
    *,
    columns: Iterable[str] | None = None,
    sure: float = SURE,
) -> Sequence[ProductColumn]:
    """Make guesses of the report what columns mean, as standard names and UCDs; what was said before stays.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    columns : iterable of str, optional
        Those whose guesses are accepted, however sure; otherwise all guesses from ``sure`` on.
    sure : float
        Confidence.

    Returns
    -------
    list of ProductColumn
        All columns.

    Raises
    ------
    NotFoundError
        No such product, or no report.
    ColumnError
        No guess about one of the columns.
    PermissionDeniedError
        Not the asker's product, or it is published.
    """
    if not 0 <= sure <= 1:
        raise UsageError(f"confidence {sure}; accepted are numbers from 0 to 1")
    guesses = {each["column"]: each for each in report_of(session, principal, product_id)["guesses"]}
    product = product_for(session, principal, product_id)
    wanted = None if columns is None else set(columns)
    if wanted is not None and wanted - set(guesses):
        raise ColumnError(f"nothing is guessed about {', '.join(sorted(wanted - set(guesses)))}")
    taken = {column.alias for column in product.columns if column.alias}
    changes = []
    for column in product.columns:
        guess = guesses.get(column.name)
        if guess is None or (guess["confidence"] < sure if wanted is None else column.name not in wanted):
            continue
        meaning = guess["meaning"]
        alias = meaning if meaning in STANDARD_UCDS and not column.alias and meaning not in taken else None
        if alias or not column.ucd:
            changes.append(ColumnChange(column.name, alias=alias, ucd=None if column.ucd else guess["ucd"]))
    return edit_columns(session, principal, product_id, changes)
