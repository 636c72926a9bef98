"""Rows of all tables as lines of JSON: read by people, the same from SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import enum
import gzip
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Date, Enum, LargeBinary, insert, select, text

from pzcenter.server.storage.base import UtcDateTime
from pzcenter.server.storage.tables import Base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Column, Connection, Table

__all__ = ["dump_table", "load_table", "reset_numbers", "tables_in_order"]

ROWS = 5000


def tables_in_order() -> list[Table]:
    """All tables, each after those that it refers to."""
    return list(Base.metadata.sorted_tables)


def dump_table(connection: Connection, table: Table, path: Path) -> int:
    """Write the rows of a table, in order of its key, and give their number."""
    n_rows = 0
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
        rows = connection.execution_options(yield_per=ROWS).execute(select(table).order_by(*table.primary_key.columns))
        for row in rows.mappings():
            values = {column.name: _plain(row[column]) for column in table.columns}
            file.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            n_rows += 1
    return n_rows


def load_table(connection: Connection, table: Table, path: Path) -> int:
    """Add the rows that a file tells to an empty table, and give their number."""
    n_rows = 0
    for rows in _batches(table, path):
        connection.execute(insert(table), rows)
        n_rows += len(rows)
    return n_rows


def reset_numbers(connection: Connection) -> None:
    """Have PostgreSQL number new rows after those that were loaded; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables_in_order():
        key = list(table.primary_key.columns)
        if len(key) == 1 and key[0].autoincrement in {True, "auto"} and key[0].type.python_type is int:
            name = connection.dialect.identifier_preparer.quote(table.name)
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', '{key[0].name}'), "  # noqa: S608 - our names
                    f"(SELECT COALESCE(MAX(id), 0) + 1 FROM {name}), false)"
                )
            )


def _batches(table: Table, path: Path) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            told = json.loads(line)
            rows.append({column.name: _typed(column, told.get(column.name)) for column in table.columns})
            if len(rows) == ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.name
    return value


def _typed(column: Column[Any], value: Any) -> Any:
    kind = column.type
    if value is None or isinstance(kind, JSON):
        return value
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    if isinstance(kind, Enum) and kind.enum_class is not None:
        return kind.enum_class[value]
    return value
