"""A fetched source: where it lies, and its rows as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pzcenter.errors import ConfigError
from pzcenter.training.sources.request import DERIVE, SourceRequest
from pzcenter.training.sources.tables import read_kept

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pzcenter.training.sources.cache import Version

__all__ = ["FetchedSource"]


@dataclass(frozen=True)
class FetchedSource:
    """What :func:`fetch` gives.

    Parameters
    ----------
    survey : str
        Canonical name; empty when a request was fetched without a survey.
    request : SourceRequest
    path : Path
        The kept file.
    version : Version
        Checksum, time, address, rows.
    from_cache : bool
        Nothing was asked of the service.
    changed : bool
        The service gave something else than at the time before; the older version is kept as well.
    notes : tuple of str
        What the reader should know.
    """

    survey: str
    request: SourceRequest
    path: Path
    version: Version
    from_cache: bool
    changed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Checksum of the kept file."""
        return self.version.sha256

    @property
    def n_rows(self) -> int | None:
        """Rows, where they are known without reading."""
        return self.version.n_rows

    def table(self) -> pa.Table:
        """All rows with the columns of the source, and those that the source derives.

        Returns
        -------
        pyarrow.Table

        Raises
        ------
        FileFormatError, EmptyTableError
            The file is not a table, or has no rows.
        ConfigError, ColumnError
            A derived column cannot be computed.
        """
        options = self.request.options
        table = read_kept(self.path, options.get("format"), group=options.get("group"))
        return _with_derived(table, options.get(DERIVE) or {})


def _with_derived(table: pa.Table, derived: object) -> pa.Table:
    if not derived:
        return table
    if not isinstance(derived, dict) or not all(isinstance(text, str) for text in derived.values()):
        raise ConfigError(f"`{DERIVE}` of a source gives an expression for each new column; found {derived!r}")
    from pzcenter.training.expressions import compile_expression

    columns = {name: table.column(name) for name in table.column_names}
    for name, text in derived.items():
        if name in columns:
            raise ConfigError(f"the derived column {name!r} is in the source already: {table.column_names}")
        values = compile_expression(text).evaluate(columns, table.num_rows)
        table = table.append_column(name, values)
    return table
