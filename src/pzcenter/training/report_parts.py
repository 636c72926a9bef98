"""What a report page is made of: sections with sentences, tables, figures and text to copy."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Code", "Image", "Row", "Section", "Table", "draw", "text_of"]

_DPI = 130


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Parameters
    ----------
    cells : tuple
        Numbers or texts; None is shown as nothing.
    marked : bool
        What the reader should look at.
    """

    cells: tuple[Any, ...]
    marked: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    title : str
    columns : tuple of str
        Heads; those of columns of numbers begin with ``#``.
    rows : list of Row
    note : str
        Below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[Row]
    note: str = ""

    @property
    def heads(self) -> list[tuple[str, bool]]:
        """Head of each column, and whether it holds numbers."""
        return [(name.removeprefix("#"), name.startswith("#")) for name in self.columns]


@dataclass(frozen=True)
class Image:
    """A figure.

    Parameters
    ----------
    uri : str
        PNG inside a ``data:`` address.
    title : str
    reading : str
        How to read it, in a sentence.
    alt : str
        What it shows, for those who cannot see it.
    wide : bool
        Over the whole page.
    """

    uri: str
    title: str
    reading: str
    alt: str
    wide: bool = False


@dataclass(frozen=True)
class Code:
    """Text to copy.

    Parameters
    ----------
    title, text : str
    folded : bool
        Shown when it is asked for, and left out on paper.
    """

    title: str
    text: str
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A section of the page; left out when it has nothing.

    Parameters
    ----------
    key : str
        For links.
    title : str
    sentences : list of str
    tables : list of Table
    images : list of Image
    codes : list of Code
    """

    key: str
    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.sentences or self.images or self.codes or any(table.rows for table in self.tables))


def draw(
    paint: Callable[..., Axes] | Sequence[Callable[..., Axes]],
    *,
    title: str,
    reading: str,
    alt: str,
    size: tuple[float, float] = (5.6, 4.0),
    wide: bool = False,
    n_column: int = 3,
    one_legend: bool = False,
) -> Image:
    """Make an image of one plot, or of several side by side.

    Parameters
    ----------
    paint : callable or sequence of callable
        Each draws on the axes that it is given.
    title, reading, alt : str
        See :class:`Image`.
    size : tuple of float
        Inches of the whole.
    wide : bool
        Over the whole page.
    n_column : int
        Most plots in a row.
    one_legend : bool
        One legend for all plots, below them; that of the first.

    Returns
    -------
    Image
    """
    from matplotlib.figure import Figure

    paints = [paint] if callable(paint) else list(paint)
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    n_column = min(n_column, len(paints))
    panels = figure.subplots(-(-len(paints) // n_column), n_column, squeeze=False).ravel()
    for each, ax in zip(paints, panels, strict=False):
        each(ax)
    for ax in panels[len(paints) :]:
        ax.set_axis_off()
    if one_legend:
        _join_legends(figure, panels)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    uri = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Image(uri, title, reading, alt, wide=wide)


def _join_legends(figure: Figure, panels: Iterable[Axes]) -> None:
    handles: dict[str, Any] = {}
    for ax in panels:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
        own = ax.get_legend()
        if own is not None:
            own.remove()
    if handles:
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=4, fontsize=10, frameon=False
        )


def text_of(value: Any) -> str:
    """Value as a reader wants it: counts in full with commas, small numbers with four digits, lists joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {text_of(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text_of(each) for each in value)
    return str(value)
