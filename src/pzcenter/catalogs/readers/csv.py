"""Delimited text: CSV, TSV, with or without gzip, with a header line.

The delimiter is the one of ``,``, tab, ``;``, ``|`` that the header has most of. Types are inferred from the
first 64 MB; a column that is empty there counts as numbers.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

import pyarrow as pa
import pyarrow.csv as pa_csv

from pzcenter.catalogs.columns import refuse_duplicate_names
from pzcenter.catalogs.readers.catalog import Catalog, Partition
from pzcenter.errors import FileFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CsvCatalog"]

DELIMITERS = ",\t;|"
HEAD_BYTES = 1 << 16
SAMPLE_BYTES = 1 << 26
BLOCK_BYTES = 1 << 23
NULL_VALUES = ["", "NaN", "nan", "NAN", "null", "NULL", "None", "NA", "N/A", "n/a", "<NA>", "--", "\\N", "masked"]
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+([eE][-+]?\d+)?\s*")
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
FOREIGN_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class CsvCatalog(Catalog):
    """A text table with a header line."""

    format: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt")

    def _read_schema(self) -> pa.Schema:
        head = self._head()
        self._skip, header = _find_header(head, str(self.path))
        self._delimiter = max(DELIMITERS, key=header.count) if any(d in header for d in DELIMITERS) else ","
        self._names = [
            name.strip() for name in next(csv.reader([header.lstrip("#").strip()], delimiter=self._delimiter))
        ]
        self._check_header()
        refuse_duplicate_names(self._names, str(self.path))
        self._check_decimal_comma(head)
        self._n_rows: int | None = None
        types = self._infer()
        return pa.schema([pa.field(name, types[name]) for name in self._names])

    def _head(self) -> list[str]:
        try:
            with self._open() as file:
                raw = file.read(HEAD_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise FileFormatError(f"{self.path} cannot be uncompressed: {error}") from error
        if raw[:2] in FOREIGN_MARKS:
            raise FileFormatError(f"{self.path} is text in {FOREIGN_MARKS[raw[:2]]}; save it as UTF-8")
        if b"\0" in raw:
            raise FileFormatError(f"{self.path} is no text: it has NUL bytes")
        whole_lines = raw if len(raw) < HEAD_BYTES else raw[: raw.rfind(b"\n") + 1]
        return whole_lines.decode("utf-8-sig", "replace").splitlines()

    def _check_header(self) -> None:
        numbers = [name for name in self._names if NUMBER.fullmatch(name)]
        if numbers:
            raise FileFormatError(
                f"{self.path} has no header line: its first line has the numbers {numbers[:3]}; "
                "put the column names first"
            )
        if len(self._names) == 1 and len(self._names[0].split()) > 1:
            raise FileFormatError(
                f"{self.path}: no delimiter in the header {self._names[0][:80]!r}; "
                "accepted are comma, tab, semicolon and |"
            )

    def _check_decimal_comma(self, head: list[str]) -> None:
        if self._delimiter == ",":
            return
        for number, line in enumerate(head[self._skip :], self._skip + 1):
            for name, value in zip(self._names, line.split(self._delimiter), strict=False):
                if DECIMAL_COMMA.fullmatch(value.strip('"')):
                    raise FileFormatError(
                        f"{self.path}, line {number}, column {name!r}: {value!r} has a decimal comma; "
                        "numbers need a decimal point, such as 23.5"
                    )

    def _open(self) -> IO[bytes]:
        with self.path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        return cast("IO[bytes]", gzip.open(self.path)) if compressed else self.path.open("rb")

    def _options(self, types: dict[str, pa.DataType], columns: list[str], *, skip: int, block: int) -> dict[str, Any]:
        return {
            "read_options": pa_csv.ReadOptions(
                column_names=self._names, skip_rows=skip, block_size=block, use_threads=False
            ),
            "parse_options": pa_csv.ParseOptions(delimiter=self._delimiter),
            "convert_options": pa_csv.ConvertOptions(
                include_columns=columns, column_types=types, null_values=NULL_VALUES, strings_can_be_null=False
            ),
        }

    def _infer(self) -> dict[str, pa.DataType]:
        """Types of the first blocks, the wider one where two blocks differ."""
        types = dict.fromkeys(self._names, pa.null())
        n_rows, skip = 0, self._skip
        for text, is_last in self._sample():
            table = self._parse(text, skip)
            skip = 0
            n_rows += table.num_rows
            for field in table.schema:
                types[field.name] = _wider(types[field.name], field.type)
            if is_last:
                self._n_rows = n_rows
        return {name: pa.float64() if pa.types.is_null(kind) else kind for name, kind in types.items()}

    def _sample(self) -> Iterator[tuple[bytes, bool]]:
        """Whole lines from the beginning of the file, and whether they reach its end."""
        seen, rest = 0, b""
        try:
            with self._open() as file:
                while seen < SAMPLE_BYTES:
                    block = file.read(BLOCK_BYTES)
                    seen += len(block)
                    is_last = len(block) < BLOCK_BYTES
                    cut = len(block) if is_last else block.rfind(b"\n") + 1
                    if is_last or cut:
                        yield rest + block[:cut], is_last
                        rest = b""
                    rest += block[cut:]
                    if is_last:
                        return
        except (OSError, EOFError, zlib.error) as error:
            raise FileFormatError(f"{self.path} cannot be uncompressed to its end: {error}") from error

    def _parse(self, text: bytes, skip: int) -> pa.Table:
        options = self._options({}, self._names, skip=skip, block=len(text) + 1)
        try:
            return pa_csv.read_csv(pa.BufferReader(text), **options)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return pa.schema([pa.field(name, pa.null()) for name in self._names]).empty_table()
            raise FileFormatError(f"{self.path}: {_plain(error)}") from error

    @property
    def n_rows(self) -> int | None:
        """Number of rows where the file is smaller than 64 MB, else None."""
        return self._n_rows

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The whole file: text has no row index."""
        return (Partition("part-00000", self.path, self.format, n_rows=self.n_rows),)

    def _batches(self, columns: list[str], batch_size: int, start: int, stop: int | None) -> Iterator[pa.RecordBatch]:
        types = {field.name: field.type for field in self.schema}
        position = 0
        waiting: list[pa.RecordBatch] = []
        n_waiting = 0
        if self._n_rows == 0:
            return
        with self._open() as file:
            try:
                options = self._options(types, columns, skip=self._skip, block=BLOCK_BYTES)
                for block in pa_csv.open_csv(pa.PythonFile(file, mode="r"), **options):
                    low = max(start - position, 0)
                    high = block.num_rows if stop is None else min(stop - position, block.num_rows)
                    position += block.num_rows
                    if high > low:
                        waiting.append(block.slice(low, high - low))
                        n_waiting += high - low
                    while n_waiting >= batch_size:
                        whole = pa.concat_batches(waiting)
                        yield whole.slice(0, batch_size)
                        waiting, n_waiting = [whole.slice(batch_size)], n_waiting - batch_size
                    if stop is not None and position >= stop:
                        break
            except (pa.ArrowInvalid, OSError, EOFError, zlib.error) as error:
                raise FileFormatError(f"{self.path}, after row {position}: {_plain(error)}") from error
        if n_waiting:
            yield pa.concat_batches(waiting)


def _find_header(head: list[str], where: str) -> tuple[int, str]:
    """Find the header and the number of lines up to its end; lines that begin with ``#`` are comments."""
    comments = 0
    while comments < len(head) and (head[comments].startswith("#") or not head[comments].strip()):
        comments += 1
    if comments == len(head) and not comments:
        raise FileFormatError(f"{where} is empty")
    following = head[comments] if comments < len(head) else ""
    if comments and head[comments - 1].startswith("#") and (not following or _looks_like_row(following)):
        return comments, head[comments - 1]
    return comments + 1, following


def _looks_like_row(line: str) -> bool:
    values = re.split("[" + re.escape(DELIMITERS) + "]", line)
    return any(NUMBER.fullmatch(value) for value in values)


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_integer(one) | pa.types.is_floating(one) and pa.types.is_integer(other) | pa.types.is_floating(
        other
    ):
        return pa.float64()
    return pa.string()


def _plain(error: BaseException) -> str:
    text = str(error)
    if "Expected" in text and "columns, got" in text:
        text += " (a decimal comma, an unquoted delimiter in a text, or a line cut short)"
    return text
