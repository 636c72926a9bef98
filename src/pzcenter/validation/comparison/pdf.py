"""A page on A4 paper: text, tables and figures one below the other, by matplotlib alone."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from pzcenter.catalogs.storage import atomic_path

from .paper_tables import column_groups, wrapped_rows

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from .page_parts import Page, Picture, Section, TextTable

__all__ = ["write_pdf"]

WIDTH, HEIGHT, MARGIN = 8.27, 11.69, 0.6
"""Of A4 paper, inches."""
_INK, _SOFT = "#1a1d21", "#5b636d"
_POINT = 1.0 / 72.0
_LEADING = 1.35
_CAPTION = 0.65
CHARACTER = 0.52
"""Mean width of a character of the font, in its size."""


def write_pdf(path: Path, page: Page, time: datetime) -> None:
    """Write a page as PDF, whole or not at all.

    Parameters
    ----------
    path : Path
    page : Page
    time : datetime
        Of the making; with it fixed, the same page gives the same bytes.

    Raises
    ------
    StorageError
        The file system refused.
    """
    facts = {"Title": page.title, "Creator": "PZ Center", "Producer": None, "CreationDate": time}
    with atomic_path(path) as part, PdfPages(part, metadata=facts) as pdf:
        paper = _Paper(pdf)
        paper.text(page.title, size=17, weight="bold")
        paper.text(page.meta, size=8, color=_SOFT)
        paper.space(0.1)
        for sentence in page.summary:
            paper.text(f"• {sentence}", size=9.5)
        for section in page.sections:
            _section(paper, section)
        paper.finish()


def _section(paper: _Paper, section: Section) -> None:
    paper.space(0.2)
    first = section.pictures[0] if section.pictures and not (section.sentences or section.tables) else None
    keep = 1.2 if first is None else paper.height_of(first)
    paper.text(section.title, size=13, weight="bold", keep=keep)
    for sentence in section.sentences:
        paper.text(sentence, size=8.5)
    for table in section.tables:
        if table.rows:
            _table(paper, table)
    for image in section.pictures:
        paper.image(image)
    for title, text in section.codes:
        paper.text(title, size=9, weight="bold", keep=0.6)
        for line in text.splitlines():
            paper.text(line, size=7, family="monospace")


def _table(paper: _Paper, table: TextTable) -> None:
    if table.title:
        paper.text(table.title, size=10, weight="bold", keep=0.8)
    for columns in column_groups(table):
        _columns(paper, table, columns)
    if table.note:
        paper.text(table.note, size=7.5, color=_SOFT)


def _columns(paper: _Paper, table: TextTable, columns: list[int], size: float = 7.0) -> None:
    widths, rows = wrapped_rows(table, columns, n_character=int(paper.width / (CHARACTER * size * _POINT)))
    places = MARGIN + np.concatenate(([0.0], np.cumsum(widths)[:-1])) * CHARACTER * size * _POINT
    head, *body = rows
    line = size * _POINT * _LEADING
    paper.space(0.08)
    for number, row in enumerate([head, *body]):
        height = line * max(len(texts) + len(subs) for texts, subs, _ in row) + 0.05
        if number and paper.left < height:
            paper.new_page()
            paper.row(head, places, size, line, is_head=True)
        if number == 0:
            paper.need(height + 3 * line)
        paper.row(row, places, size, line, is_head=number == 0)


class _Paper:
    """A pile of sheets, and the height that is left on the last."""

    def __init__(self, pdf: PdfPages) -> None:
        self._pdf = pdf
        self._number = 0
        self._open()

    @property
    def width(self) -> float:
        """Of what is printed, inches."""
        return WIDTH - 2 * MARGIN

    @property
    def left(self) -> float:
        """Height that is left, inches."""
        return self._y - MARGIN

    def _open(self) -> None:
        self._figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
        self._y = HEIGHT - MARGIN
        self._number += 1

    def new_page(self) -> None:
        """Put the sheet away and take another."""
        self._write(WIDTH / 2, 0.35, str(self._number), size=7, color=_SOFT, ha="center")
        self._pdf.savefig(self._figure)  # type: ignore[no-untyped-call]
        self._open()

    def finish(self) -> None:
        """Put the last sheet away."""
        self.new_page()

    def need(self, height: float) -> None:
        """Go to a new sheet where less than this is left."""
        if self.left < height:
            self.new_page()

    def space(self, height: float) -> None:
        """Leave some room, but not at the top of a sheet."""
        if self._y < HEIGHT - MARGIN:
            self._y -= height

    def text(self, words: str, *, size: float, keep: float = 0.0, **style: Any) -> None:
        """A paragraph; ``keep`` inches must be left below it."""
        per_line = int(self.width / ((0.62 if "family" in style else CHARACTER) * size * _POINT))
        height = size * _POINT * _LEADING
        lines = textwrap.wrap(words, per_line, break_long_words=True, subsequent_indent="  " * words.startswith("• "))
        self.need(min(len(lines) * height + keep, HEIGHT - 2 * MARGIN))
        for line in lines or [""]:
            self.need(height)
            self._y -= height
            self._write(MARGIN, self._y, line, size=size, **style)
        self._y -= 0.04

    def row(self, cells: list[Any], places: Any, size: float, line: float, *, is_head: bool) -> None:
        """One row of a table, with a rule below."""
        height = line * max(len(texts) + len(subs) for texts, subs, _ in cells)
        for (texts, subs, is_strong), x in zip(cells, places, strict=True):
            y = self._y
            for text in texts:
                y -= line
                self._write(x, y, text, size=size, weight="bold" if is_head or is_strong else "normal")
            for text in subs:
                y -= line
                self._write(x, y, text, size=size - 0.8, color=_SOFT)
        self._y -= height + 0.03
        ends, at = [MARGIN / WIDTH, 1 - MARGIN / WIDTH], self._y / HEIGHT
        color, width = (_INK, 0.8) if is_head else ("0.85", 0.4)
        self._figure.add_artist(Line2D(ends, [at, at], color=color, linewidth=width))
        self._y -= 0.02

    def height_of(self, image: Picture) -> float:
        """Height of a figure with its texts, inches: as wide as the paper unless it is too high for it."""
        scale = min(self.width / image.width, 1.0, (HEIGHT - 2 * MARGIN - 2 * _CAPTION) / image.height)
        return image.height * scale + _CAPTION

    def image(self, image: Picture) -> None:
        """A figure with what it says."""
        height = self.height_of(image) - _CAPTION
        width = image.width * height / image.height
        self.need(height + _CAPTION)
        self.text(image.title, size=10, weight="bold")
        self._y -= height
        axes = self._figure.add_axes((MARGIN / WIDTH, self._y / HEIGHT, width / WIDTH, height / HEIGHT))
        pixels = np.round(255.0 * imread(io.BytesIO(image.png))[:, :, :3]).astype(np.uint8)  # white paper: no alpha
        axes.imshow(pixels, aspect="auto", interpolation="none")
        axes.set_axis_off()
        self._y -= 0.03
        self.text(image.reading, size=8, color=_SOFT)
        self.space(0.12)

    def _write(self, x: float, y: float, text: str, *, size: float, **style: Any) -> None:
        options = {"color": _INK, "va": "bottom", **style}
        self._figure.text(x / WIDTH, y / HEIGHT, text.replace("$", r"\$"), fontsize=size, **options)
