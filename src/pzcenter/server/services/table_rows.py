"""Rows of a product that fulfil conditions, as a CSV file."""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

import pyarrow as pa
from pyarrow import csv

from pzcenter.catalogs.columns import require_columns
from pzcenter.errors import QuotaError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.tables.conditions import check_conditions, fulfilling
from pzcenter.server.services.tables.opening import naming, open_file, source_of
from pzcenter.server.services.tables.rows import Deadline, stream
from pzcenter.server.services.tables.sources import local_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pzcenter.catalogs.readers import Catalog
    from pzcenter.schema import Condition
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["MAX_BYTES", "MAX_ROWS", "selected_rows"]

MAX_ROWS, MAX_BYTES = 1_000_000, 200 * 2**20
"""Who wants more downloads the file."""
SECONDS = 60.0


def selected_rows(
    services: Services, principal: Principal, product_id: int | str, *, where: Sequence[Condition] = ()
) -> tuple[str, IO[bytes]]:
    """Rows of the main file that fulfil conditions, all columns with one value in a cell.

    Parameters
    ----------
    services : Services
        No session is open while the file is read.
    principal : Principal
    product_id : int or str
    where : sequence of Condition

    Returns
    -------
    name : str
        For the file.
    file : binary file
        CSV with names of the columns in the first line; at its beginning, and gone when it is closed.

    Raises
    ------
    NotFoundError
        No such product for the asker, or no main file.
    FileFormatError
        The file is no table.
    ColumnError
        No such column.
    QuotaError
        More than a million rows, or 200 MB.
    UsageError
        More work than a minute.
    """
    with services.database.reading() as session:
        product = product_for(session, principal, product_id)
        source, number = source_of(product), product.id
    check_conditions(where)
    catalog = open_file(services, source)
    folder = services.settings.data_dir / "incoming"
    folder.mkdir(exist_ok=True)
    with naming(local_view(services, source), source.name):
        require_columns([each.column for each in where], catalog.column_names, source.name)
        columns = [field.name for field in catalog.schema if not pa.types.is_nested(field.type)]
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller sends and closes it
        try:
            _write(catalog, columns, where, file)
        except BaseException:
            file.close()
            raise
    file.seek(0)
    return f"product-{number}-rows.csv", file


def _write(catalog: Catalog, columns: list[str], where: Sequence[Condition], file: IO[bytes]) -> None:
    schema = pa.schema([catalog.schema.field(name) for name in columns])
    deadline, n_rows = Deadline(SECONDS, "this selection"), 0
    with csv.CSVWriter(file, schema) as writer:
        for batch in stream(catalog, columns, deadline):
            mask = fulfilling(batch, where)
            n_rows += int(mask.sum())
            writer.write_batch(batch.filter(pa.array(mask)).cast(schema))
            if n_rows > MAX_ROWS or file.tell() > MAX_BYTES:
                raise QuotaError(
                    f"more than {MAX_ROWS:,} rows or {MAX_BYTES:,} bytes; set more conditions, or download the file"
                )
