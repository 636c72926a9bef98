"""Columns of a product: what each means, in standard words and in its owner's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from pzcenter.errors import ColumnError, NotFoundError
from pzcenter.server.services.access import Action, need, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import ProductColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.products import Product

__all__ = ["STANDARD_UCDS", "ColumnChange", "columns_of", "edit_column", "edit_columns"]

STANDARD_UCDS = {
    "ID": "meta.id;meta.main",
    "RA": "pos.eq.ra;meta.main",
    "Dec": "pos.eq.dec;meta.main",
    "z": "src.redshift",
    "z_err": "stat.error;src.redshift",
    "z_flag": "stat.rank",
    "survey": "meta.curation",
}
"""Standard names of columns, as existing clients know them, and the UCD that each stands for."""
MAX_LETTERS = 255
WORDS = ("alias", "ucd", "unit", "description")


@dataclass(frozen=True)
class ColumnChange:
    """What to say of one column from now on; None leaves a word as it is, an empty text takes it away.

    Attributes
    ----------
    name : str
        Of the column, as in the file.
    alias : str or None
        Standard name (``STANDARD_UCDS``), whose UCD is set too unless another is given, or a free one.
    ucd, unit, description : str or None
    """

    name: str
    alias: str | None = None
    ucd: str | None = None
    unit: str | None = None
    description: str | None = None


def columns_of(session: Session, principal: Principal, product_id: int | str) -> Sequence[ProductColumn]:
    """Columns of a product that the asker may see, in the order of the file.

    Raises
    ------
    AuthenticationError, NotFoundError
        See :func:`pzcenter.server.services.access.product_for`.
    """
    return product_for(session, principal, product_id).columns


def edit_columns(
    session: Session, principal: Principal, product_id: int | str, changes: Iterable[ColumnChange]
) -> Sequence[ProductColumn]:
    """Say what columns mean, all of them or none; only before the product is published.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    changes : iterable of ColumnChange

    Returns
    -------
    list of ProductColumn
        All columns of the product.

    Raises
    ------
    ColumnError
        A column that is not there or is named twice, one standard name for two columns, or a word that is too long.
    PermissionDeniedError
        Not the asker's product, or it is published.
    """
    product = product_for(session, principal, product_id, Action.FILL)
    wanted = list(changes)
    there = {column.name: column for column in product.columns}
    missing = sorted({change.name for change in wanted} - set(there))
    if missing:
        raise ColumnError(f"no column {', '.join(missing)}; there are {', '.join(there) or 'none'}")
    repeated = [name for name, n in Counter(change.name for change in wanted).items() if n > 1]
    if repeated:
        raise ColumnError(f"column {', '.join(repeated)} is named more than once")
    for change in wanted:
        _apply(there[change.name], change)
    _finish(session, principal, product, [change.name for change in wanted])
    return product.columns


def edit_column(session: Session, principal: Principal, column_id: int, change: ColumnChange) -> ProductColumn:
    """Say what one column means, by its number; its name in the change is not looked at.

    Raises
    ------
    NotFoundError
        No such column, or one of a product that the asker does not see.
    ColumnError, PermissionDeniedError
        See :func:`edit_columns`.
    """
    column = session.scalar(select(ProductColumn).where(ProductColumn.id == column_id))
    if column is None:
        raise NotFoundError(f"no column {column_id}")
    need(principal, Action.FILL, column.product)
    _apply(column, change)
    _finish(session, principal, column.product, [column.name])
    return column


def _apply(column: ProductColumn, change: ColumnChange) -> None:
    for word in WORDS:
        value = getattr(change, word)
        if value is None:
            continue
        if word != "description" and len(value) > MAX_LETTERS:
            raise ColumnError(f"{word} of {column.name} has {len(value)} letters; {MAX_LETTERS} are accepted")
        setattr(column, word, value.strip() or None)
    if change.alias is not None and change.ucd is None:
        column.ucd = STANDARD_UCDS.get(change.alias, column.ucd)


def _finish(session: Session, principal: Principal, product: Product, names: list[str]) -> None:
    """Refuse one standard name for two columns; note the change."""
    counts = Counter(column.alias for column in product.columns if column.alias in STANDARD_UCDS)
    doubled = sorted(str(alias) for alias, n in counts.items() if n > 1)
    if doubled:
        raise ColumnError(f"{', '.join(doubled)} is given to more than one column; each stands for one")
    product.revision += 1
    product.updated_at = now()
    record(session, principal, "columns.edit", ("product", product.id), columns=sorted(names))
