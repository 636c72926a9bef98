"""Text tables of any dialect as catalogues: with or without names, parted by blanks too."""

from __future__ import annotations

import io
import re
from typing import IO, TYPE_CHECKING, ClassVar, cast

import pyarrow as pa

from pzcenter.catalogs.columns import refuse_duplicate_names
from pzcenter.catalogs.readers.csv import CsvCatalog
from pzcenter.errors import FileFormatError
from pzcenter.server.services.tables.dialect import BLANKS, Dialect, find_dialect

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TextCatalog"]

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 24
EDGES = re.compile(rb"(?m)^[ \t]+|[ \t\r]+$")
BETWEEN = re.compile(rb"[ \t]+")
COMMENTS = re.compile(rb"(?m)^#.*\n?")


class TextCatalog(CsvCatalog):
    """A text table as its dialect says.

    Parameters
    ----------
    path : Path
    group : str, optional
        Not used.
    dialect : Dialect, optional
        Found from the first lines when not given.
    """

    format: ClassVar[str] = "text"

    def __init__(self, path: Path, *, group: str | None = None, dialect: Dialect | None = None) -> None:
        self.dialect = dialect or find_dialect(path, str(path))
        super().__init__(path, group=group)

    def _read_schema(self) -> pa.Schema:
        blanks = self.dialect.delimiter == BLANKS
        # Comments and empty lines are gone when blanks have become tabs.
        self._skip = self.dialect.skip
        if blanks:
            self._skip = int(self.dialect.has_header and self._first_line() == self.dialect.names)
        self._delimiter = "\t" if blanks else self.dialect.delimiter
        self._names = list(self.dialect.names)
        refuse_duplicate_names(self._names, str(self.path))
        self._check_decimal_comma(self._head())
        self._n_rows: int | None = None
        types = self._infer()
        return pa.schema([pa.field(name, types[name]) for name in self._names])

    def _first_line(self) -> tuple[str, ...]:
        with self._open() as file:
            return tuple(file.readline().decode("utf-8-sig", "replace").split())

    def _open(self) -> IO[bytes]:
        source = super()._open()
        if self.dialect.delimiter != BLANKS:
            return source
        return cast("IO[bytes]", io.BufferedReader(_TabsForBlanks(source, str(self.path)), BLOCK_BYTES))


class _TabsForBlanks(io.RawIOBase):
    """Lines with one tab wherever there are blanks, without comments and empty lines."""

    def __init__(self, source: IO[bytes], where: str) -> None:
        self._source, self._where = source, where
        self._rest, self._ready = b"", memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close what is read."""
        self._source.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Some bytes; 0 at the end."""
        while not self._ready:
            block = self._source.read(BLOCK_BYTES)
            lines, self._rest = _whole_lines(self._rest + block, is_last=not block)
            if len(self._rest) > MAX_LINE_BYTES:
                raise FileFormatError(f"{self._where} has a line of more than {MAX_LINE_BYTES} bytes")
            text = BETWEEN.sub(b"\t", EDGES.sub(b"", COMMENTS.sub(b"", lines)))
            self._ready = memoryview(re.sub(rb"\n{2,}", b"\n", text).lstrip(b"\n"))
            if not block and not self._ready:
                return 0
        n_bytes = min(len(buffer), len(self._ready))
        buffer[:n_bytes] = self._ready[:n_bytes]
        self._ready = self._ready[n_bytes:]
        return n_bytes


def _whole_lines(text: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
    cut = len(text) if is_last else text.rfind(b"\n") + 1
    return text[:cut], text[cut:]
