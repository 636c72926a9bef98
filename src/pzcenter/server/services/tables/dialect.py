"""How a text table is written: what parts its columns, and whether its first line names them."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pzcenter.errors import FileFormatError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BLANKS", "Dialect", "find_dialect"]

DELIMITERS = (",", "\t", ";", "|")
BLANKS = " "
"""One or more blanks part the columns."""
HEAD_BYTES = 1 << 16
N_LINES = 50
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?\s*")
MISSING = {"", "nan", "null", "none", "na", "n/a", "--", "-"}
FOREIGN_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes
    ----------
    delimiter : str
        ``BLANKS`` for any number of blanks.
    has_header : bool
        The file names its columns.
    names : tuple of str
        Of the columns; ``col1``, ``col2``, ... where the file has none.
    skip : int
        Lines before the first row.
    """

    delimiter: str
    has_header: bool
    names: tuple[str, ...]
    skip: int

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self) | {"names": None}


def find_dialect(path: Path, where: str) -> Dialect:
    """Find out how a text table is written, from its first lines.

    Parameters
    ----------
    path : Path
        Plain or gzip-compressed text; lines that begin with ``#`` are comments, the last of them may name the columns.
    where : str
        Name of the file in messages.

    Returns
    -------
    Dialect

    Raises
    ------
    FileFormatError
        No text, or none that has columns.
    """
    lines = _head(path, where)
    first = next((place for place, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if first is None:
        comments = [line for line in lines if line.startswith("#")]
        if not comments:
            raise FileFormatError(f"{where} is empty")
        first = len(lines)
    comment = lines[first - 1] if first and lines[first - 1].startswith("#") else None
    rows = [line for line in lines[first:] if line.strip() and not line.startswith("#")][:N_LINES]
    delimiter = _delimiter(rows or [str(comment).lstrip("# ")])
    named = None if comment is None else _split(comment.lstrip("#").strip(), delimiter)
    values = [_split(row, delimiter) for row in rows]
    if named is not None and (not values or (len(named) == len(values[0]) and _has_number(values[0]))):
        return Dialect(delimiter, True, _names(named), first)
    if _has_number(values[0]):
        return Dialect(delimiter, False, tuple(f"col{n}" for n in range(1, len(values[0]) + 1)), first)
    return Dialect(delimiter, True, _names(values[0]), first + 1)


def _head(path: Path, where: str) -> list[str]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            raw = file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise FileFormatError(f"{where} cannot be uncompressed: {error}") from error
    if raw.startswith(FOREIGN_MARKS):
        raise FileFormatError(f"{where} is text in UTF-16; save it as UTF-8")
    if b"\0" in raw:
        raise FileFormatError(f"{where} is no text: it has NUL bytes")
    whole = raw if len(raw) < HEAD_BYTES else raw[: raw.rfind(b"\n") + 1]
    if not whole:
        raise FileFormatError(
            f"{where} has a first line of more than {HEAD_BYTES} bytes" if raw else f"{where} is empty"
        )
    return whole.decode("utf-8-sig", "replace").splitlines()


def _delimiter(rows: list[str]) -> str:
    """What parts all rows into the same number of columns, two or more; blanks where nothing else does."""
    counts = {each: {len(_split(row, each)) for row in rows} for each in (*DELIMITERS, BLANKS)}
    even = [each for each, found in counts.items() if len(found) == 1 and min(found) > 1]
    if even:
        return max((each for each in even if each != BLANKS), key=lambda each: min(counts[each]), default=BLANKS)
    # Uneven rows are told when they are read; the header says what was meant.
    return max(DELIMITERS, key=rows[0].count) if any(each in rows[0] for each in DELIMITERS) else ","


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == BLANKS:
        return line.split()
    return [value.strip() for value in next(csv.reader([line], delimiter=delimiter), [])]


def _has_number(values: list[str]) -> bool:
    return any(NUMBER.fullmatch(value) for value in values) or all(value.lower() in MISSING for value in values)


def _names(values: list[str]) -> tuple[str, ...]:
    return tuple(value or f"col{place}" for place, value in enumerate(values, 1))
