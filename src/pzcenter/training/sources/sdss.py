"""Spectra of SDSS by SkyServer, in pages.

SkyServer cuts a long answer at a number of rows without a word. Here rows come in the order of a unique number, page
by page, each page beginning after the last number of the page before, until a page is empty: wherever an answer is
cut, the next page goes on from there.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.errors import ConfigError, EmptyTableError, MissingDependencyError, UsageError
from pzcenter.training.sources.protocol import Answer
from pzcenter.training.sources.tables import arrow_of
from pzcenter.training.sources.transport import unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["PAGE_ROWS", "SdssConnector", "page_query"]

URL = "https://skyserver.sdss.org"
PAGE_ROWS = 100_000
MAX_PAGES = 10_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


class SdssConnector:
    """Options: ``data_release``, ``table``, ``columns``; ``where``, ``key`` (unique number), ``page_rows``."""

    name = "sdss"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Ask for page after page.

        Raises
        ------
        UsageError
            SkyServer refuses the query.
        """
        request.allow_only("data_release", "table", "columns", "where", "key", "page_rows")
        release = request.required("data_release")
        key = str(request.options.get("key", "specObjID"))
        ask = _service(release, visit.limits.query_s)
        pages: list[pa.Table] = []
        notes: list[str] = []
        last: int | None = None
        for _ in range(MAX_PAGES):
            found = ask(page_query(request, key, after=last))
            if found is None or len(found) == 0:
                break
            page, told = arrow_of(found)
            last = _last_key(page, key, last)
            pages.append(page)
            notes = list(told)
        if not pages:
            raise EmptyTableError(f"SkyServer has no rows for this query: {page_query(request, key)}")
        joined = pa.concat_tables(pages, promote_options="permissive")
        return Answer(f"{URL}/dr{release}", table=joined, notes=(*notes, f"{len(pages)} pages"))


def page_query(request: SourceRequest, key: str, *, after: int | None = None) -> str:
    """SQL of one page.

    Parameters
    ----------
    request : SourceRequest
    key : str
        Column by which the rows are ordered; unique.
    after : int, optional
        Largest key of the page before.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        A name is not a name, or the condition holds more than a condition.
    """
    table, columns = str(request.required("table")), list(request.required("columns"))
    bad = [name for name in (table, key, *columns) if not (isinstance(name, str) and _NAME.fullmatch(name))]
    if bad:
        raise ConfigError(f"these are not names of columns or tables of SkyServer: {bad}")
    if key not in columns:
        raise ConfigError(f"the columns must hold the key {key!r}, by which the pages are made; found {columns}")
    where = str(request.options.get("where", "")).strip()
    if ";" in where or "--" in where or "/*" in where:
        raise ConfigError(f"`where` must be one condition; found {where!r}")
    conditions = [f"({where})"] if where else []
    conditions += [f"{key} > {after}"] if after is not None else []
    rows = int(request.options.get("page_rows", PAGE_ROWS))
    if rows < 1:
        raise ConfigError(f"page_rows must be 1 or more; found {rows}")
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT TOP {rows} {', '.join(columns)} FROM {table}{condition} ORDER BY {key}"  # noqa: S608 - names are checked


def _service(release: int, timeout_s: float) -> Callable[[str], Any]:
    """SkyServer of a data release, as a function of the query."""
    try:
        from astroquery.exceptions import RemoteServiceError
        from astroquery.sdss import SDSSClass
    except ImportError as error:
        raise MissingDependencyError(
            "the connector `sdss` needs astroquery; install it with: pip install 'pzcenter[training]'"
        ) from error
    from astropy.io.ascii import InconsistentTableError
    from astropy.utils.exceptions import AstropyWarning

    client = SDSSClass()

    def ask(query: str) -> Any:
        try:
            with warnings.catch_warnings():
                # Identifiers of 64 bits without a sign pass through text on their way to integers.
                warnings.simplefilter("ignore", AstropyWarning)
                # Their cache is left alone: it does not know when an answer is out of date.
                return client.query_sql(query, timeout=timeout_s, data_release=release, cache=False)
        except RemoteServiceError as error:
            raise UsageError(f"SkyServer refuses the query {query!r}: {error}") from error
        except InconsistentTableError as error:
            raise unreachable(URL, f"the answer is not a table: {error}") from error
        except OSError as error:  # the errors of requests are OSErrors
            raise unreachable(URL, error) from error

    return ask


def _last_key(page: pa.Table, key: str, before: int | None) -> int:
    if key not in page.column_names:
        raise UsageError(f"SkyServer did not send the column {key!r}; it sent {page.column_names}")
    last = int(pc.max(page.column(key)).as_py())
    if before is not None and last <= before:
        raise UsageError(f"SkyServer sent the same page twice (up to {key} {last}); is {key} unique and a number?")
    return last
