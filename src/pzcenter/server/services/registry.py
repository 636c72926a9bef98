"""Registration: what is in the main file of a product, before anybody has said anything about it."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ColumnError, ConflictError, EmptyTableError, FileFormatError, SchemaError, UsageError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.report.making import make_report
from pzcenter.server.services.tables.opening import TABULAR_TYPES, naming, open_file, source_of
from pzcenter.server.services.tables.sources import SourceFile, local_view
from pzcenter.server.services.tables.text import TextCatalog
from pzcenter.server.services.unpacking import is_archive, unpack_main_file
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Product, ProductColumn, ProductState

if TYPE_CHECKING:
    import pyarrow as pa

    from pzcenter.catalogs.readers import Catalog
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["PREVIEW_ROWS", "plain_value", "register_main_file"]

PREVIEW_ROWS = 10
MAX_TEXT = 200
"""Letters of one value that are shown."""
MAX_FAILURE = 2000
FILE_ERRORS = (FileFormatError, EmptyTableError, ColumnError, SchemaError)
"""What is wrong with the file itself, so that trying again does not help."""


def register_main_file(services: Services, principal: Principal, product_id: int | str) -> None:
    """Read the main file of a product: its columns, its rows, what is to be said about them.

    Products of types that need no table are accepted as they are; their files are never opened. What was said of a
    column before (alias, UCD, unit, description) stays.

    Parameters
    ----------
    services : Services
        No session is open while the file is read.
    principal : Principal
    product_id : int or str

    Raises
    ------
    NotFoundError
        No such product, or no main file.
    FileFormatError, EmptyTableError, ColumnError
        A table is needed and this is none; the product is then a failed one.
    ConflictError
        The main file was changed meanwhile.
    """
    with services.database.reading() as session:
        product = product_for(session, principal, product_id, Action.FILL)
        number, kind = product.id, product.product_type.name
        source = source_of(product)
    if kind not in TABULAR_TYPES:
        return
    left_out: dict[str, str] = {}
    try:
        with naming(local_view(services, source), source.name):
            if source.reference is None and is_archive(local_view(services, source)):
                source, left_out = unpack_main_file(services, principal, source)
        catalog = open_file(services, source)
        with naming(local_view(services, source), source.name):
            report = make_report(catalog) | {"preview": _preview(catalog), "left_out": left_out}
    except FILE_ERRORS as error:
        _fail(services, principal, number, source, error)
        raise
    with services.database.writing() as session:
        product = _same(product_for(session, principal, number, Action.FILL), source)
        _keep(product, catalog, report)
        record(session, principal, "product.register", ("product", number), format=catalog.format)


def _preview(catalog: Catalog) -> dict[str, Any]:
    """First rows, as the first interface shows them."""
    batch = next(catalog.batches(batch_size=PREVIEW_ROWS, stop=PREVIEW_ROWS), None)
    rows = [] if batch is None else batch.to_pylist()
    return {
        "columns": catalog.column_names,
        "rows": [{name: plain_value(value) for name, value in row.items()} for row in rows],
    }


def plain_value(value: Any) -> Any:
    """A value as JSON can hold it: missing and infinite ones as null, long texts cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [plain_value(each) for each in value[:MAX_TEXT]]
    if isinstance(value, dict):
        return {str(key): plain_value(each) for key, each in list(value.items())[:MAX_TEXT]}
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value[:MAX_TEXT].hex()
    text = str(value).replace("\x00", "")
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _same(product: Product, source: SourceFile) -> Product:
    if product.main_file is None or product.main_file.id != source.id:
        raise ConflictError(f"the main file of product {product.id} was changed while it was read")
    return product


def _keep(product: Product, catalog: Catalog, report: dict[str, Any]) -> None:
    """Write down what was found; the session that holds the product writes it."""
    file = product.main_file
    assert file is not None
    file.n_rows = product.n_rows = report["n_rows"]
    if isinstance(catalog, TextCatalog):
        file.csv_dialect = {"delimiter": catalog.dialect.delimiter, "has_header": catalog.dialect.has_header}
    known = {column.name: column for column in product.columns}
    product.columns = [_column(known.get(field.name), field, place) for place, field in enumerate(catalog.schema)]
    product.report, product.failure = report, None
    product.revision += 1
    product.updated_at = now()


def _column(known: ProductColumn | None, field: pa.Field, place: int) -> ProductColumn:
    words = {key.decode(): value.decode("utf-8", "replace") for key, value in (field.metadata or {}).items()}
    column = known or ProductColumn(name=field.name)
    column.order, column.datatype = place, str(field.type)[:255]
    for word in ("unit", "ucd", "description"):
        text = words.get(word, "").strip()
        setattr(column, word, getattr(column, word) or text[:255] or None)
    return column


def _fail(services: Services, principal: Principal, number: int, source: SourceFile, error: UsageError) -> None:
    with services.database.writing() as session:
        product = _same(product_for(session, principal, number, Action.FILL), source)
        product.state, product.failure = ProductState.FAILED, str(error)[:MAX_FAILURE]
        product.revision += 1
        product.updated_at = now()
        record(session, principal, "product.fail", ("product", number), code=error.code)
