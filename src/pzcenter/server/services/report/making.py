"""The report on a table, made in one pass within a few seconds and little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pzcenter.errors import SchemaError
from pzcenter.server.services.report.doubts import Findings, examine, looks_like_radians
from pzcenter.server.services.report.guesses import guess_columns
from pzcenter.server.services.report.ids import IdTally
from pzcenter.server.services.report.sky import SkyTally, degrees_of
from pzcenter.server.services.report.statistics import ColumnTally, RowSample
from pzcenter.server.services.tables.rows import Deadline, batch_rows, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.catalogs.readers import Catalog

__all__ = ["REPORT_SECONDS", "REPORT_VERSION", "make_report"]

REPORT_VERSION = 1
REPORT_SECONDS = 8.0
"""After that the report is made of what has been read, and says so."""
MAX_COLUMNS = 2000
"""That are looked at."""
MAX_HISTOGRAMS, MAX_SHOWN = 100, 12
SHOWN = {"z": "Redshift", "mag": "Magnitude", "flux": "Flux"}
IN_SEQUENCE = {"text", "votable", "csv"}


def make_report(catalog: Catalog, *, seconds: float = REPORT_SECONDS) -> dict[str, Any]:
    """Say what a table seems to be.

    Parameters
    ----------
    catalog : Catalog
    seconds : float
        For reading; of a larger table parts are read, spread over the file where its format allows that.

    Returns
    -------
    dict
        JSON: ``format``, ``n_rows``, ``rows_read``, ``complete``, ``sampled`` (words, or null), ``columns``,
        ``histograms``, ``guesses``, ``sky``, ``duplicates``, ``warnings``.

    Raises
    ------
    FileFormatError, SchemaError
        The table cannot be read.
    """
    reading = _Reading(catalog)
    deadline = Deadline(seconds, "the report")
    complete = True
    for batch in _batches(catalog, reading.columns):
        reading.add(batch)
        if deadline.is_over:
            complete = catalog.n_rows == reading.n_rows
            break
    return reading.report(complete=complete)


def _batches(catalog: Catalog, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Rows, parts of the file in an order that is spread over it whenever one stops."""
    if catalog.format in IN_SEQUENCE:
        yield from stream(catalog, columns)
        return
    parts = catalog.partitions
    size = batch_rows(catalog.schema, columns)
    for place in _spread(len(parts)):
        yield from parts[place].batches(columns, size)


def _spread(n: int) -> list[int]:
    """Numbers below ``n`` in the order of the van der Corput sequence in base 2."""
    digits = max(n - 1, 0).bit_length()
    order = (int(f"{place:0{digits}b}"[::-1], 2) if digits else 0 for place in range(1 << digits))
    return [place for place in order if place < n]


class _Reading:
    """What has been seen of a table."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.columns = catalog.column_names[:MAX_COLUMNS]
        self.n_rows = 0
        schema = pa.schema([catalog.schema.field(name) for name in self.columns])
        self._guesses = guess_columns(schema, catalog.position_columns)
        self._tallies = {field.name: ColumnTally(field) for field in schema}
        self._sample = RowSample(schema)
        self._sky = SkyTally()
        named = {guess.meaning: guess.column for guess in self._guesses}
        self._position = (named["RA"], named["Dec"]) if {"RA", "Dec"} <= set(named) else None
        self._ids = IdTally(named["ID"]) if "ID" in named else None
        self._radians: bool | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at more rows."""
        self.n_rows += batch.num_rows
        for name, tally in self._tallies.items():
            tally.add(batch.column(name))
        self._sample.add(batch)
        if self._ids is not None:
            self._ids.add(batch.column(self._ids.column))
        if self._position is not None:
            self._add_positions(batch, *self._position)

    def _add_positions(self, batch: pa.RecordBatch, ra: str, dec: str) -> None:
        if self._tallies[ra].is_number is not self._tallies[dec].is_number:
            return
        if self._radians is None:
            # Decided by the first rows: a map of both would be none.
            self._radians = looks_like_radians(self._tallies[ra], self._tallies[dec])
        self._sky.add(*degrees_of(batch.column(ra), batch.column(dec), radians=self._radians))

    def report(self, *, complete: bool) -> dict[str, Any]:
        """All that is to be told."""
        sample = self._sample.table()
        found = examine(self._guesses, self._tallies, sample)
        known = self._catalog.n_rows
        n_rows = self.n_rows if complete else known
        if complete and known is not None and known != self.n_rows:
            raise SchemaError(f"{self._catalog.path} says that it has {known} rows, and has {self.n_rows}")
        duplicates = {
            "ids": None if self._ids is None else self._ids.as_json(), "positions": self._sky.close_pairs(),
        }  # fmt: skip
        _warn_of_duplicates(found, duplicates)
        n_columns = len(self._catalog.column_names)
        if n_columns > MAX_COLUMNS:
            found.warn("many_columns", f"{n_columns} columns; the first {MAX_COLUMNS} were looked at")
        columns = self._told_columns(sample, found)
        return {
            "version": REPORT_VERSION,
            "format": self._catalog.format,
            "n_rows": n_rows,
            "rows_read": self.n_rows,
            "complete": complete,
            "sampled": None if complete else self._words(known),
            "columns": columns,
            "histograms": _histograms(found, columns),
            "guesses": [guess.as_json() for guess in found.guesses],
            "sky": self._sky.as_json(),
            "duplicates": duplicates,
            "warnings": found.warnings,
        }

    def _words(self, known: int | None) -> str:
        where = "its first" if self._catalog.format in IN_SEQUENCE else "parts all over it,"
        of = "a long text" if known is None else f"{known:,}"
        return f"the table is large: {where} {self.n_rows:,} rows of {of} were read"

    def _told_columns(self, sample: pa.Table | None, found: Findings) -> list[dict[str, Any]]:
        """Columns; with histograms those that mean something, and others as long as there are not too many."""
        meant = {guess.column for guess in found.guesses}
        order = sorted(self.columns, key=lambda name: name not in meant)
        full = set(order[:MAX_HISTOGRAMS])
        there = set() if sample is None else set(sample.column_names)
        guesses = {guess.column: guess.as_json() for guess in found.guesses}
        return [
            tally.as_json(sample[name].combine_chunks() if sample is not None and name in full & there else None)
            | {"guess": guesses.get(name)}
            for name, tally in self._tallies.items()
        ]


def _histograms(found: Findings, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that say most of a product: redshifts, then magnitudes or fluxes."""
    by_name = {column["name"]: column for column in columns}
    told = []
    for guess in found.guesses:
        column = by_name[guess.column]
        histogram = column.get("histogram")
        if guess.meaning not in SHOWN or histogram is None or len(histogram["edges"]) < 3:
            continue
        title = SHOWN[guess.meaning] + (f" {guess.band}" if guess.band else "")
        words = f"{histogram['n_sampled']:,} of {column['n']:,} objects, median {column['median']:g}"
        told.append({"column": guess.column, "title": title, "unit": column["unit"], "words": words} | histogram)
    told.sort(key=lambda each: not each["title"].startswith(SHOWN["z"]))
    return told[:MAX_SHOWN]


def _warn_of_duplicates(found: Findings, duplicates: dict[str, Any]) -> None:
    ids, positions = duplicates["ids"], duplicates["positions"]
    if ids is not None and ids["n_repeated"]:
        text = f"{ids['n_repeated']} rows repeat an id in {ids['column']}, such as {', '.join(ids['examples'][:3])}"
        found.warn("repeated_ids", text, ids["column"])
        guess = found.of("ID")
        if guess is not None and ids["n_repeated"] > ids["n_looked_at"] / 2:
            found.doubt(guess, 0.3, "most of its values repeat")
    if positions is not None and positions["n_same"] + positions["n_close"]:
        text = (
            f"{positions['n_same']} of {positions['n_looked_at']} positions are there more than once, "
            f"{positions['n_close']} more have another one within {positions['arcsec']:g} arcsec"
        )
        found.warn("close_positions", text)
