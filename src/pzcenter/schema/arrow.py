"""Arrow schemas from the table definitions, and the check that every table passes before it is written."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ColumnError, SchemaError
from pzcenter.schema.felis import Column, Table, load_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["arrow_schema", "check_table"]

# Numbers that other catalogues write for "missing". The positive ones (99, 999) break the range of a redshift anyway,
# but can be the true kurtosis of a p(z).
SENTINELS = (-9999.0, -999.0, -99.0)

_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_TIMESTAMP = pa.timestamp("us", tz="UTC")


def arrow_schema(
    table: str | Table,
    *,
    columns: Iterable[str] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> pa.Schema:
    """Arrow schema of a table: types, and unit, UCD and description in the metadata of each field.

    Parameters
    ----------
    table : str or Table
        Such as ``"pz"``.
    columns : iterable of str, optional
        Only these, in the table's order; columns of bands beyond ugrizy come last, in the order given.
    sizes : mapping of str to int, optional
        Number of values or bytes in each row of a column of unstated size, such as ``{"pdf_code": 301}``. Without
        it such a column is of variable length.

    Returns
    -------
    pyarrow.Schema
        Its metadata names the table and its version.

    Raises
    ------
    ColumnError
        A column that the table does not have.
    NotFoundError
        No table of this name.
    """
    definition = _table(table)
    chosen: tuple[Column, ...] = definition.columns
    if columns is not None:
        wanted = {name: definition.column(name) for name in columns}
        chosen = tuple(wanted.pop(column.name) for column in definition.columns if column.name in wanted)
        chosen += tuple(wanted.values())
    fields = [_field(column, (sizes or {}).get(column.name)) for column in chosen]
    return pa.schema(fields, metadata={"pz.table": definition.name, "pz.table_version": definition.version})


def check_table(data: pa.Table | pa.RecordBatch, table: str | Table, *, columns: Iterable[str] | None = None) -> None:
    """Refuse data that are not what the table's definition says.

    Unique ids are the caller's to check, because a batch does not see the whole table.

    Parameters
    ----------
    data : pyarrow.Table or pyarrow.RecordBatch
    table : str or Table
        Such as ``"pz"``.
    columns : iterable of str, optional
        The columns that must be there; by default all that the definition does not call optional. Optional columns
        may always be there.

    Raises
    ------
    ColumnError
        A column is missing, doubled, unknown or of the wrong type.
    SchemaError
        A value is missing where it must not be, outside its range, infinite where a range is given, or stands for
        "missing" in a redshift column (-99 and the like).
    """
    definition = _table(table)
    names = data.schema.names
    if len(set(names)) != len(names):
        raise ColumnError(
            f"table {definition.name}: columns appear twice: {sorted({n for n in names if names.count(n) > 1})}"
        )
    needed = definition.required if columns is None else tuple(columns)
    missing = [name for name in needed if name not in names]
    if missing:
        raise ColumnError(f"table {definition.name}: missing columns {missing}; it has {names}")
    extra = [name for name in names if name not in definition]
    if extra:
        raise ColumnError(f"table {definition.name}: unknown columns {extra}; accepted are {definition.column_names}")
    for name in names:
        _check_column(data.column(name), definition.column(name), definition.name)


def _table(table: str | Table) -> Table:
    return load_table(table) if isinstance(table, str) else table


def _value_type(column: Column) -> pa.DataType:
    return _TIMESTAMP if column.storage == "timestamp" else pa.type_for_alias(column.storage)


def _field(column: Column, size: int | None) -> pa.Field:
    kind = _value_type(column)
    if column.storage == "binary":
        kind = pa.binary() if size is None else pa.binary(size)
    elif column.arraysize == "*":
        kind = pa.list_(kind) if size is None else pa.list_(kind, size)
    elif column.arraysize:
        kind = pa.list_(kind, int(column.arraysize))
    metadata = {"description": column.description}
    if column.unit:
        metadata["unit"] = column.unit
    if column.ucd:
        metadata["ucd"] = column.ucd
    return pa.field(column.name, kind, nullable=column.nullable, metadata=metadata)


def _check_column(values: Any, column: Column, table: str) -> None:
    where = f"table {table}, column {column.name}"
    if not _fits(values.type, column):
        raise ColumnError(f"{where}: type {values.type}; accepted is {_field(column, None).type}")
    if len(values) == 0:
        return
    if not column.nullable:
        n_missing = values.null_count
        if pa.types.is_floating(values.type):
            n_missing = len(values) - pc.sum(pc.fill_null(pc.is_finite(values), False)).as_py()
        if n_missing:
            raise SchemaError(f"{where}: {n_missing} of {len(values)} values are missing, and none may be")
    is_redshift = "src.redshift" in column.ucd and pa.types.is_floating(values.type)
    if not (column.bounds or is_redshift):
        return
    extremes = pc.min_max(values).as_py()
    lowest, highest = extremes["min"], extremes["max"]
    if lowest is None or math.isnan(lowest):
        return
    if is_redshift and lowest in SENTINELS:
        raise SchemaError(f"{where}: {lowest:g} stands for a missing value; missing is NaN or null, with a flag")
    for bound in column.bounds:
        end, value = ("maximum", highest) if bound.op in ("<", "<=") else ("minimum", lowest)
        if not _OPERATORS[bound.op](value, bound.value):
            accepted = " and ".join(str(each) for each in column.bounds)
            raise SchemaError(f"{where}: the {end} is {value:g}; accepted are values {accepted}")
    if math.isinf(lowest) or math.isinf(highest):
        raise SchemaError(f"{where}: values are infinite; missing is NaN or null, with a flag")


def _fits(kind: pa.DataType, column: Column) -> bool:
    expected = _value_type(column)
    if column.storage == "binary":
        return bool(pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    if not column.arraysize:
        return bool(kind == expected or (expected == pa.string() and kind == pa.large_string()))
    is_fixed = pa.types.is_fixed_size_list(kind)
    if column.arraysize == "*":
        is_list = is_fixed or pa.types.is_list(kind) or pa.types.is_large_list(kind)
        return bool(is_list and kind.value_type == expected)
    return bool(is_fixed and kind.value_type == expected and kind.list_size == int(column.arraysize))
