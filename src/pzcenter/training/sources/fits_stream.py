"""Some columns of a FITS table that arrives as a stream and is never on disk as a whole.

FITS standard 4.0, sections 3.1 (blocks of 2880 bytes), 4.4.1 (headers) and 7.3 (binary tables).
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ColumnError, EmptyTableError, FileFormatError, SourceUnavailableError, UsageError
from pzcenter.training.sources.addresses import host_of
from pzcenter.training.sources.tables import arrow_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

__all__ = ["fits_blocks"]

FITS_BLOCK = 2880
MAX_HEADER_BLOCKS = 1000
CHUNK_BYTES = 32 << 20


def fits_blocks(
    stream: Iterable[bytes], url: str, columns: Sequence[str], *, max_bytes: int, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[pa.Table]:
    """Read the first binary table of a stream.

    Parameters
    ----------
    stream : iterable of bytes
    url : str
        For the messages.
    columns : sequence of str
        Names of scalar columns.
    max_bytes : int
        Largest table that is read.
    chunk_bytes : int
        Bytes of the rows that are looked at together.

    Yields
    ------
    pyarrow.Table

    Raises
    ------
    FileFormatError
        Not FITS, or without a binary table.
    ColumnError
        The table lacks a column.
    UsageError
        It is larger than the limit.
    SourceUnavailableError
        The stream ends before the table does.
    """
    source = _Pull(iter(stream), url)
    header = _table_header(source, url)
    _require(header, columns, url)
    row_bytes, n_rows = int(header["NAXIS1"]), int(header["NAXIS2"])
    if n_rows == 0:
        raise EmptyTableError(f"the table at {url} has no rows")
    if row_bytes * n_rows > max_bytes:
        raise UsageError(
            f"the table at {url} has {row_bytes * n_rows} bytes, the limit is {max_bytes} (max_stream_bytes)"
        )
    step = max(1, chunk_bytes // row_bytes)
    for start in range(0, n_rows, step):
        count = min(step, n_rows - start)
        yield _rows(header, source.take(count * row_bytes), count, columns)


class _Pull:
    """Exactly so many bytes of a stream of blocks."""

    def __init__(self, stream: Iterator[bytes], url: str) -> None:
        self._stream, self._url, self._waiting = stream, url, bytearray()

    def take(self, size: int) -> bytes:
        while len(self._waiting) < size:
            block = next(self._stream, b"")
            if not block:
                raise SourceUnavailableError(
                    f"{host_of(self._url)} ended the file before the table was complete; try again"
                )
            self._waiting += block
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken


def _table_header(source: _Pull, url: str) -> Any:
    """Header of the first binary table; what stands before it is passed over."""
    first = True
    while True:
        header = _next_header(source, url, first=first)
        first = False
        if header.get("XTENSION", "").strip() == "BINTABLE":
            return header
        size = _data_bytes(header)
        for _ in range(-(-size // FITS_BLOCK)):
            source.take(FITS_BLOCK)


def _next_header(source: _Pull, url: str, *, first: bool) -> Any:
    from astropy.io import fits

    text = b""
    for _ in range(MAX_HEADER_BLOCKS):
        block = source.take(FITS_BLOCK)
        if not text and not block.startswith(b"SIMPLE  =" if first else b"XTENSION="):
            raise FileFormatError(f"{url} is not a FITS file with a binary table; it begins with {block[:40]!r}")
        text += block
        if any(text[start : start + 80].rstrip() == b"END" for start in range(len(text) - FITS_BLOCK, len(text), 80)):
            return fits.Header.fromstring(text)
    raise FileFormatError(f"{url}: no end of the header in {MAX_HEADER_BLOCKS} blocks")


def _data_bytes(header: Any) -> int:
    n_axes = int(header.get("NAXIS", 0))
    if n_axes == 0:
        return 0
    size = abs(int(header["BITPIX"])) // 8
    for axis in range(1, n_axes + 1):
        size *= int(header[f"NAXIS{axis}"])
    return (size + int(header.get("PCOUNT", 0))) * int(header.get("GCOUNT", 1))


def _require(header: Any, columns: Sequence[str], url: str) -> None:
    there = [str(header.get(f"TTYPE{index}", "")).strip() for index in range(1, int(header["TFIELDS"]) + 1)]
    missing = [name for name in columns if name not in there]
    if missing:
        raise ColumnError(f"the table at {url} has no columns {missing}; it has {there}")


def _rows(header: Any, data: bytes, count: int, columns: Sequence[str]) -> pa.Table:
    """A few rows, read as a FITS table of their own."""
    from astropy.io import fits
    from astropy.table import Table

    small = header.copy()
    small["NAXIS2"], small["PCOUNT"] = count, 0
    for checked in ("CHECKSUM", "DATASUM", "THEAP"):
        small.remove(checked, ignore_missing=True)
    padding = b"\0" * (-len(data) % FITS_BLOCK)
    text = fits.PrimaryHDU().header.tostring() + small.tostring() + ""
    with fits.open(BytesIO(text.encode("ascii") + data + padding), memmap=False) as file:
        rows = file[1].data
        table = Table({name: rows[name] for name in columns}, copy=True)
    return arrow_of(table)[0]
