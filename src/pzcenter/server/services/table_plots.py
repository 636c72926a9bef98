"""How the values of one or two columns of a product are spread: counts in cells, for a plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import require_columns
from pzcenter.errors import ColumnError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.tables.conditions import check_conditions, fulfilling
from pzcenter.server.services.tables.opening import naming, open_file, source_of
from pzcenter.server.services.tables.rows import Deadline, stream
from pzcenter.server.services.tables.sources import local_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog
    from pzcenter.schema import Condition
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["TablePlot", "table_plot"]

BARS, CELLS_X, CELLS_Y = 60, 60, 40
SAMPLED = 2000
"""Values of each batch that the ends of the axes are found from."""
INNER = 0.001, 0.999
"""Share of the values below the ends of an axis, before the ends are moved out a little."""
SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class TablePlot:
    """Counts in cells.

    Attributes
    ----------
    x, y : str
        Names of columns; y is empty for a histogram.
    x_edges : ndarray, (n_x + 1,)
    y_edges : ndarray, (n_y + 1,)
        Empty for a histogram.
    counts : ndarray of int64, (n_x,) or (n_x, n_y)
    n_rows : int
        Rows that fulfil the conditions.
    n_missing : int
        Of these, without a finite value on an axis.
    n_outside : int
        Of these, beyond the ends of the axes.
    """

    x: str
    y: str
    x_edges: NDArray[np.float64]
    y_edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    n_rows: int
    n_missing: int
    n_outside: int


def table_plot(
    services: Services,
    principal: Principal,
    product_id: int | str,
    x: str,
    y: str = "",
    *,
    where: Sequence[Condition] = (),
) -> TablePlot:
    """Count the rows of the main file of a product in cells of one or two columns.

    The file is read twice, in bounded memory: for the ends of the axes, which hold nearly all values, and for the
    counts.

    Parameters
    ----------
    services : Services
        No session is open while the file is read.
    principal : Principal
    product_id : int or str
    x, y : str
        Columns of numbers; without y a histogram of x.
    where : sequence of Condition
        Those rows only that fulfil all of them.

    Returns
    -------
    TablePlot

    Raises
    ------
    NotFoundError
        No such product for the asker, or no main file.
    FileFormatError
        The file is no table.
    ColumnError
        No such column, or no numbers in it.
    UsageError
        Too many conditions, or more work than 20 s.
    """
    with services.database.reading() as session:
        source = source_of(product_for(session, principal, product_id))
    check_conditions(where)
    catalog = open_file(services, source)
    with naming(local_view(services, source), source.name):
        axes = [name for name in (x, y) if name]
        _check(catalog, [*axes, *(each.column for each in where)], axes, source.name)
        deadline = Deadline(SECONDS, "this plot")
        edges = _edges(catalog, axes, where, deadline)
        return _counted(catalog, axes, where, deadline, edges)


def _check(catalog: Catalog, columns: list[str], axes: list[str], name: str) -> None:
    require_columns(list(dict.fromkeys(columns)), catalog.column_names, name)
    for each in axes:
        kind = catalog.schema.field(each).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            raise ColumnError(f"column {each!r} is {kind}; columns of numbers can be drawn")


def _values(
    catalog: Catalog, axes: list[str], where: Sequence[Condition], deadline: Deadline
) -> Iterator[list[NDArray[np.float64]]]:
    """Values of each axis, of the rows that fulfil the conditions, batch by batch."""
    columns = list(dict.fromkeys([*axes, *(each.column for each in where)]))
    for batch in stream(catalog, columns, deadline):
        mask = fulfilling(batch, where)
        numbers = (batch.column(name).cast(pa.float64(), safe=False) for name in axes)
        yield [np.asarray(each.to_numpy(zero_copy_only=False), dtype=np.float64)[mask] for each in numbers]


def _edges(
    catalog: Catalog, axes: list[str], where: Sequence[Condition], deadline: Deadline
) -> list[NDArray[np.float64]]:
    samples: list[list[NDArray[np.float64]]] = [[] for _ in axes]
    for values in _values(catalog, axes, where, deadline):
        for sample, each in zip(samples, values, strict=True):
            step = max(1, each.size // SAMPLED)
            sample.append(each[::step])
    cells = (BARS,) if len(axes) == 1 else (CELLS_X, CELLS_Y)
    return [_ends(sample, n) for sample, n in zip(samples, cells, strict=True)]


def _ends(sample: list[NDArray[np.float64]], n_cells: int) -> NDArray[np.float64]:
    """Edges around nearly all of the sampled values; a cell around a single value."""
    values = np.concatenate(sample) if sample else np.empty(0)
    values = values[np.isfinite(values)]
    if not values.size:
        return np.linspace(0.0, 1.0, n_cells + 1)
    low, high = (float(end) for end in np.quantile(values, INNER))
    margin = 0.02 * (high - low) or max(0.5, 1e-3 * abs(low))
    return np.linspace(low - margin, high + margin, n_cells + 1)


def _counted(
    catalog: Catalog,
    axes: list[str],
    where: Sequence[Condition],
    deadline: Deadline,
    edges: list[NDArray[np.float64]],
) -> TablePlot:
    counts = np.zeros([each.size - 1 for each in edges], dtype=np.int64)
    n_rows = n_known = 0
    for values in _values(catalog, axes, where, deadline):
        known = np.logical_and.reduce([np.isfinite(each) for each in values])
        n_rows, n_known = n_rows + known.size, n_known + int(known.sum())
        found, _ = np.histogramdd([each[known] for each in values], bins=edges)
        counts += found.astype(np.int64)
    y, y_edges = (axes[1], edges[1]) if len(axes) == 2 else ("", np.empty(0))
    return TablePlot(axes[0], y, edges[0], y_edges, counts, n_rows, n_rows - n_known, n_known - int(counts.sum()))
