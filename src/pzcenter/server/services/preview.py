"""Pages of the table of a product: any rows, sorted and picked, without reading more than needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs.columns import require_columns
from pzcenter.errors import ColumnError, UsageError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.registry import plain_value
from pzcenter.server.services.tables.conditions import check_conditions, fulfilling
from pzcenter.server.services.tables.opening import naming, open_file, source_of
from pzcenter.server.services.tables.rows import Deadline, pieces, rows_at, rows_between, stream
from pzcenter.server.services.tables.sources import local_view
from pzcenter.server.services.tables.text import TextCatalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog
    from pzcenter.schema import Condition
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["MAX_LIMIT", "PageColumn", "TablePage", "table_page"]

MAX_LIMIT = 1000
MAX_COLUMNS = 200
MAX_SORTED = 100_000
SECONDS = 20.0
GATHERED = 200_000


@dataclass(frozen=True)
class PageColumn:
    """A column of a page.

    Attributes
    ----------
    name, datatype : str
    unit, alias, description : str or None
        As the file or the owner says.
    """

    name: str
    datatype: str
    unit: str | None = None
    alias: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class TablePage:
    """Some rows of a table.

    Attributes
    ----------
    columns : tuple of PageColumn
    rows : list of list
        Values that JSON can hold, in the order of the columns; null where there is none.
    offset : int
    n_rows : int or None
        Of the table, or those that fulfil the conditions; None for a long text table.
    n_columns : int
        Of the table; a page without a choice shows the first 200.
    """

    columns: tuple[PageColumn, ...]
    rows: list[list[Any]]
    offset: int
    n_rows: int | None
    n_columns: int


def table_page(
    services: Services,
    principal: Principal,
    product_id: int | str,
    *,
    offset: int = 0,
    limit: int = 50,
    sort: str | None = None,
    columns: Sequence[str] | None = None,
    where: Sequence[Condition] = (),
) -> TablePage:
    """Rows of the main file of a product.

    Parameters
    ----------
    services : Services
        No session is open while the file is read.
    principal : Principal
    product_id : int or str
    offset, limit : int
        At most 1000 rows.
    sort : str, optional
        Name of a column, with ``-`` before it from the largest to the smallest; missing values come last.
    columns : sequence of str, optional
        Names, at most 200; the first ones when not given.
    where : sequence of Condition
        Those rows only that fulfil all of them.

    Returns
    -------
    TablePage

    Raises
    ------
    NotFoundError
        No such product for the asker, or no main file.
    FileFormatError
        The file is no table.
    ColumnError
        No such column, or one that cannot be sorted.
    UsageError
        Limits that are not accepted, or more work than 20 s.
    """
    with services.database.reading() as session:
        product = product_for(session, principal, product_id)
        source = source_of(product)
        said = {column.name: column for column in product.columns}
    _check(offset, limit, sort, where)
    catalog = open_file(services, source)
    with naming(local_view(services, source), source.name):
        wanted = _wanted(catalog, columns, source.name)
        deadline = Deadline(SECONDS, "this page")
        if sort is None and not where:
            table, n_rows = _plain(catalog, offset, limit, wanted, deadline)
        else:
            table, n_rows = _chosen(catalog, offset, limit, wanted, deadline, sort=sort, where=where)
    told = tuple(
        PageColumn(
            field.name, str(field.type), _word("unit", field, said), _word("alias", field, said),
            _word("description", field, said),
        )
        for field in table.schema
    )  # fmt: skip
    rows = [[plain_value(value) for value in row.values()] for row in table.to_pylist()]
    return TablePage(told, rows, offset, n_rows, len(catalog.column_names))


def _check(offset: int, limit: int, sort: str | None, where: Sequence[Condition]) -> None:
    if not 0 <= offset < 2**62 or not 1 <= limit <= MAX_LIMIT:
        raise UsageError(f"offset {offset}, limit {limit}: accepted are an offset from 0 and 1 to {MAX_LIMIT} rows")
    if sort is not None and offset + limit > MAX_SORTED:
        raise UsageError(f"sorted tables are shown to row {MAX_SORTED:,}; sort the other way round, or set conditions")
    check_conditions(where)


def _wanted(catalog: Catalog, columns: Sequence[str] | None, name: str) -> list[str]:
    if columns is None:
        return catalog.column_names[:MAX_COLUMNS]
    wanted = list(dict.fromkeys(columns))
    if not 1 <= len(wanted) <= MAX_COLUMNS:
        raise UsageError(f"{len(wanted)} columns; accepted are 1 to {MAX_COLUMNS}")
    require_columns(wanted, catalog.column_names, name)
    return wanted


def _word(word: str, field: pa.Field, said: dict[str, Any]) -> str | None:
    there = getattr(said.get(field.name), word, None)
    inside = (field.metadata or {}).get(word.encode())
    return there or (inside.decode("utf-8", "replace") if inside else None)


def _plain(
    catalog: Catalog, offset: int, limit: int, columns: list[str], deadline: Deadline
) -> tuple[pa.Table, int | None]:
    n_rows = catalog.n_rows if isinstance(catalog, TextCatalog) else pieces(catalog)[-1][1]
    batches = rows_between(catalog, offset, offset + limit, columns, deadline)
    schema = pa.schema([catalog.schema.field(name) for name in columns])
    return pa.Table.from_batches([batch.cast(schema) for batch in batches], schema=schema), n_rows


def _chosen(
    catalog: Catalog,
    offset: int,
    limit: int,
    columns: list[str],
    deadline: Deadline,
    *,
    sort: str | None,
    where: Sequence[Condition],
) -> tuple[pa.Table, int]:
    """Rows of a page that is sorted or picked: first their places, then their values."""
    name = None if sort is None else sort.removeprefix("-")
    keys = list(dict.fromkeys([each.column for each in where] + ([name] if name else [])))
    require_columns(keys, catalog.column_names, catalog.path.name)
    if name and not _can_be_sorted(catalog.schema.field(name).type):
        raise ColumnError(f"column {name!r} is {catalog.schema.field(name).type}; numbers and texts can be sorted")
    best = _Best(offset + limit, name, descending=bool(sort and sort.startswith("-")))
    n_rows = position = 0
    for batch in stream(catalog, keys, deadline):
        here = np.flatnonzero(fulfilling(batch, where))
        best.add(here + position, batch.column(name).take(pa.array(here)) if name else None)
        n_rows += here.size
        position += batch.num_rows
    return rows_at(catalog, best.places()[offset:], columns, deadline), n_rows


def _can_be_sorted(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_null(kind))


class _Best:
    """Places of the first rows in an order, found in one pass that keeps no more than these."""

    def __init__(self, n_rows: int, key: str | None, *, descending: bool) -> None:
        self._n_rows, self._key = n_rows, key
        self._order = [("key", "descending" if descending else "ascending"), ("place", "ascending")]
        self._kept: list[pa.Table] = []
        self._n_kept = 0

    def add(self, places: NDArray[np.int64], keys: pa.Array | None) -> None:
        """Look at more rows."""
        if self._key is None and self._n_kept >= self._n_rows:
            return
        columns = {"place": pa.array(places, pa.int64())}
        if keys is not None:
            columns["key"] = pc.if_else(pc.is_nan(keys), None, keys) if pa.types.is_floating(keys.type) else keys
        self._kept.append(pa.table(columns))
        self._n_kept += len(places)
        if self._n_kept > self._n_rows + GATHERED:
            self._cut()

    def places(self) -> NDArray[np.int64]:
        """Of the first rows, in order."""
        self._cut()
        return np.asarray(self._kept[0]["place"].to_numpy(), dtype=np.int64) if self._kept else np.empty(0, np.int64)

    def _cut(self) -> None:
        if not self._kept:
            return
        table = pa.concat_tables(self._kept)
        if self._key is not None:
            table = table.take(pc.sort_indices(table, sort_keys=self._order))
        self._kept = [table.slice(0, self._n_rows).combine_chunks()]
        self._n_kept = self._kept[0].num_rows
