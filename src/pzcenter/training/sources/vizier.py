"""Tables of VizieR, whole: all rows and all columns, with positions in degrees.

The service gives fifty rows and its default columns unless it is told otherwise, and sexagesimal positions for many
tables. Here a query always asks for all rows, all columns, and the computed columns ``_RAJ2000`` and ``_DEJ2000``.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pzcenter.errors import ConfigError, EmptyTableError, MissingDependencyError, NotFoundError
from pzcenter.training.sources.protocol import Answer
from pzcenter.training.sources.tables import arrow_of
from pzcenter.training.sources.transport import unreachable

if TYPE_CHECKING:
    from pzcenter.training.sources.protocol import Visit
    from pzcenter.training.sources.request import SourceRequest

__all__ = ["COLUMNS", "TABLE_COLUMN", "VizierConnector"]

URL = "https://vizier.cds.unistra.fr"
COLUMNS = ("**", "_RAJ2000", "_DEJ2000")
TABLE_COLUMN = "vizier_table"
"""Added where several tables are joined: which one a row comes from."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.&_-]*(/[A-Za-z0-9][A-Za-z0-9+.&_-]*)+")
_TABLE = re.compile(r"[A-Za-z0-9+._-]+")


class VizierConnector:
    """Options: ``catalog``, with its table or without; ``tables`` to join several tables of one catalogue."""

    name = "vizier"

    def fetch(self, request: SourceRequest, visit: Visit) -> Answer:
        """Ask for the tables one after the other.

        Raises
        ------
        NotFoundError
            VizieR has no such table.
        ConfigError
            The catalogue has several tables and the request does not say which.
        """
        request.allow_only("catalog", "tables")
        identifiers = _identifiers(request)
        client = _client(visit.limits.query_s)
        parts: list[pa.Table] = []
        notes: list[str] = []
        for identifier in identifiers:
            table, told = arrow_of(_one_table(client, identifier))
            if table.num_rows == 0:
                raise EmptyTableError(f"VizieR sent no rows for {identifier}")
            if len(identifiers) > 1:
                names = pa.array([identifier.rsplit("/", 1)[-1]] * table.num_rows, pa.string())
                table = table.append_column(TABLE_COLUMN, names)
            parts.append(table)
            notes.extend(told)
        joined = parts[0] if len(parts) == 1 else pa.concat_tables(parts, promote_options="permissive")
        where = f"{URL}/viz-bin/VizieR?-source={identifiers[0] if len(parts) == 1 else request.options['catalog']}"
        return Answer(where, table=joined, notes=tuple(notes))


def _identifiers(request: SourceRequest) -> list[str]:
    catalog = str(request.required("catalog")).strip("/")
    if not _IDENTIFIER.fullmatch(catalog):
        raise ConfigError(f"{catalog!r} is not the number of a VizieR catalogue, such as J/ApJS/199/26/table3")
    tables = request.options.get("tables") or []
    if isinstance(tables, str) or not all(isinstance(name, str) and _TABLE.fullmatch(name) for name in tables):
        raise ConfigError(f"tables of {catalog}: a list of names is needed, found {tables!r}")
    return [f"{catalog}/{name}" for name in tables] or [catalog]


def _client(timeout_s: float) -> Any:
    try:
        from astroquery.vizier import VizierClass
    except ImportError as error:
        raise MissingDependencyError(
            "the connector `vizier` needs astroquery; install it with: pip install 'pzcenter[training]'"
        ) from error
    # A new object: the limits of astroquery's ready-made one do not reach others, and -1 means all rows.
    return VizierClass(columns=list(COLUMNS), row_limit=-1, timeout=timeout_s)


def _one_table(client: Any, identifier: str) -> Any:
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            # Units and names that the VOTable parser comments on; the values are not touched.
            warnings.simplefilter("ignore", AstropyWarning)
            found = client.get_catalogs(identifier)
    except (OSError, TimeoutError) as error:  # the errors of requests are OSErrors
        raise unreachable(URL, error) from error
    names = [str(name) for name in found.keys()]  # noqa: SIM118 - a TableList iterates over its tables
    if not names:
        raise NotFoundError(f"VizieR has nothing under {identifier}; look the catalogue up at {URL}")
    if len(names) > 1:
        raise ConfigError(f"{identifier} has {len(names)} tables, say which in `catalog` or `tables`: {names}")
    return found[0]
