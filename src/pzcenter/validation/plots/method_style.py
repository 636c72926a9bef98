"""How several methods are told apart: each has its own colour, dashes, marker and name, never a colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

__all__ = ["MethodStyle", "join_legends", "short", "styles_of"]

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, SKY, BLACK)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_DASHES: tuple[Any, ...] = ("-", (0, (6, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1)))
_CONTROL_DASHES: tuple[Any, ...] = ((0, (2, 2)), (0, (5, 2, 1, 2, 1, 2)))
MAX_NAME = 24


@dataclass(frozen=True)
class MethodStyle:
    """Look of one method in all figures of a comparison.

    Parameters
    ----------
    color, marker : str
    dashes : str or tuple
        As matplotlib's ``linestyle``.
    """

    color: str
    marker: str
    dashes: Any

    @property
    def line(self) -> dict[str, Any]:
        """Options of a line."""
        return {"color": self.color, "linestyle": self.dashes, "linewidth": 1.8}

    @property
    def points(self) -> dict[str, Any]:
        """Options of markers with error bars."""
        return {"color": self.color, "marker": self.marker, "markersize": 4.5, "elinewidth": 1.0, "capsize": 0}


def styles_of(names: Sequence[str], controls: Sequence[str] = ()) -> dict[str, MethodStyle]:
    """A look for each method; the controls are grey.

    Parameters
    ----------
    names : sequence of str
        All methods, in the order of the page.
    controls : sequence of str
        Those of them that are controls.

    Returns
    -------
    dict of str to MethodStyle
        Up to 30 submissions look different.
    """
    found: dict[str, MethodStyle] = {}
    n_own = n_control = 0
    for name in names:
        if name in controls:
            dashes = _CONTROL_DASHES[n_control % len(_CONTROL_DASHES)]
            found[name] = MethodStyle(GREY, "x+*"[n_control % 3], dashes)
            n_control += 1
        else:
            n_round, place = divmod(n_own, len(_COLOURS))
            dashes = _DASHES[(place + 2 * n_round) % len(_DASHES)]  # each colour meets each of the dashes once
            found[name] = MethodStyle(_COLOURS[place], _MARKERS[n_own % len(_MARKERS)], dashes)
            n_own += 1
    return found


def short(name: str, width: int = MAX_NAME) -> str:
    """A name that fits into a legend; its end is kept, which tells members of one archive apart."""
    return name if len(name) <= width else f"{name[: width // 2 - 1]}…{name[-(width // 2) :]}"


def join_legends(figure: Figure, *, ncols: int = 3) -> None:
    """One legend above all panels, each name once."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside upper center",
            ncols=min(ncols, len(handles)),
            fontsize=9.5,
            frameon=False,
            handlelength=3.2,
        )
