"""The table that the first data releases served: one row per object, point estimates of several methods side by side.

Its columns are ``objectId, ra, dec`` and, for each method, ``{algo}_z_best`` and seven more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import require_columns
from pzcenter.errors import ConfigError, EmptyTableError, SchemaError
from pzcenter.schema import load_table

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VIEW_COLUMNS", "compatibility_view"]

VIEW_COLUMNS = (
    "z_best",
    "z_mode",
    "z_mean",
    "z_median",
    "z_err68_low",
    "z_err68_high",
    "z_err95_low",
    "z_err95_high",
)
"""Columns of each method, after ``{algo}_``."""

_CARRIED = ("objectId", "ra", "dec")


def compatibility_view(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Point estimates of several methods in one wide table.

    Parameters
    ----------
    tables : mapping of str to pa.Table
        Core table of each method, by the method's name; the same objects in the same order, as a production makes
        them. Names are written as given, in this order: ``bpz``, ``fzboost``, ...

    Returns
    -------
    pa.Table
        ``objectId, ra, dec`` and eight float32 columns for each method; missing is NaN.

    Raises
    ------
    EmptyTableError
        No method.
    ConfigError
        A name that cannot begin a column's name.
    ColumnError
        A table lacks a column.
    SchemaError
        The tables are not of the same objects in the same order.
    """
    if not tables:
        raise EmptyTableError("a view needs the table of at least one method")
    first_name, first = next(iter(tables.items()))
    definition = load_table("pz")
    columns: dict[str, Any] = {}
    fields = []
    for algo, table in tables.items():
        if not algo.isidentifier():
            raise ConfigError(f"{algo!r} cannot begin the name of a column; accepted are letters, digits and _")
        require_columns((*_CARRIED, *VIEW_COLUMNS), table.column_names, f"the table of {algo}")
        _require_same_objects(first_name, first, algo, table)
        for name in VIEW_COLUMNS:
            column = definition.column(name)
            metadata = {"description": f"{algo}: {column.description}", "ucd": column.ucd}
            columns[f"{algo}_{name}"] = table.column(name).cast(pa.float32())
            fields.append(pa.field(f"{algo}_{name}", pa.float32(), metadata=metadata))
    carried = [first.schema.field(name) for name in _CARRIED]
    schema = pa.schema([*carried, *fields], metadata={"pz.view": "object_photoz"})
    return pa.table([first.column(name) for name in _CARRIED] + list(columns.values()), schema=schema)


def _require_same_objects(first_name: str, first: pa.Table, algo: str, table: pa.Table) -> None:
    ids, others = (np.asarray(each.column("objectId").to_numpy()) for each in (first, table))
    if ids.size != others.size:
        raise SchemaError(f"{first_name} has {ids.size} objects and {algo} {others.size}; a view needs the same ones")
    differ = np.flatnonzero(ids != others)
    if differ.size:
        row = int(differ[0])
        raise SchemaError(
            f"{first_name} and {algo} differ in {differ.size} object ids, first in row {row}: {ids[row]} and "
            f"{others[row]}; a view needs the same objects in the same order"
        )
