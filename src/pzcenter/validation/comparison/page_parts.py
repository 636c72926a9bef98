"""What a page is made of: sections with sentences, tables, figures and text to copy. HTML and PDF are made from it."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pzcenter.validation.table import format_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

__all__ = [
    "Cell",
    "Page",
    "Picture",
    "Section",
    "TextTable",
    "number",
    "percent",
    "picture",
    "sentence",
    "table_rows",
    "with_error",
]


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Parameters
    ----------
    text : str
    sub : str
        Below it, smaller; may have several lines.
    kind : str
        ``n`` for numbers; ``best``, ``met``, ``notmet``, ``untested`` for what it says. Each has a word or sign of its
        own: none speaks by its colour alone.
    """

    text: str
    sub: str = ""
    kind: str = ""


@dataclass(frozen=True)
class TextTable:
    """A table; on narrow screens each row becomes a card, unless it has names and values only.

    Parameters
    ----------
    key : str
        For links and tests.
    heads : tuple of str
    rows : list of list of Cell
        The first cell of each names the row.
    title, note : str
        Above and below.
    is_pairs : bool
        Whether it has names and values only.
    """

    key: str
    heads: tuple[str, ...]
    rows: list[list[Cell]]
    title: str = ""
    note: str = ""
    is_pairs: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure as PNG.

    Parameters
    ----------
    png : bytes
    width, height : float
        Inches.
    title : str
    reading : str
        How to read it, in a sentence.
    alt : str
        What it shows, for those who cannot see it.
    """

    png: bytes
    width: float
    height: float
    title: str
    reading: str
    alt: str

    @property
    def uri(self) -> str:
        """The image inside a ``data:`` address."""
        import base64

        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class Section:
    """A section of a page; left out when it has nothing.

    Parameters
    ----------
    key, title : str
    sentences : list of str
    tables : list of TextTable
    pictures : list of Picture
    codes : list of (str, str)
        Title and text to copy.
    """

    key: str
    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[TextTable] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    codes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.sentences or self.pictures or self.codes or any(table.rows for table in self.tables))


@dataclass(frozen=True)
class Page:
    """A page.

    Parameters
    ----------
    title, meta : str
        Heading, and the line below it.
    summary : list of str
        Sentences that a reader should take home.
    sections : list of Section
    key : str
        Checksum of what it is made from.
    links : list of (str, str)
        Name and address of other pages beside this one.
    """

    title: str
    meta: str
    summary: list[str]
    sections: list[Section]
    key: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)


def picture(figure: Figure, *, title: str, reading: str, alt: str) -> Picture:
    """Draw a figure once, for HTML and PDF."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    width, height = figure.get_size_inches()
    return Picture(buffer.getvalue(), float(width), float(height), title, reading, alt)


def number(value: float, error: float = math.nan, *, scale: float = 1.0, digits: int = 4) -> str:
    """A number with as many digits as its error has sense in."""
    return format_number(value * scale, digits=_digits(error * scale, digits))


def with_error(value: float, error: float, *, scale: float = 1.0, unit: str = "", digits: int = 4) -> str:
    """``0.0199 ± 0.0003``; a dash where it is not defined."""
    if math.isnan(value):
        return "\N{EN DASH}"
    places = _digits(error * scale, digits)
    text = format_number(value * scale, digits=places)
    if not math.isnan(error):
        text += f" ± {format_number(error * scale, digits=places)}"
    return f"{text} {unit}" if unit else text


def sentence(words: str) -> str:
    """Words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "…")) else ".")


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return "\N{EN DASH}" if math.isnan(value) else f"{100 * value:.{digits}f} %"


def _digits(error: float, digits: int) -> int:
    """Digits after the point that show two of the error."""
    if not error > 0.0 or math.isinf(error):
        return digits
    return max(0, min(6, 1 - math.floor(math.log10(error))))


def table_rows(rows: Sequence[Sequence[str | Cell]]) -> list[list[Cell]]:
    """Texts as cells."""
    return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
