"""How every figure looks: sizes, fonts, and colours that colour-blind people and printers can tell apart."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "BLACK",
    "BLUE",
    "DENSITY_MAP",
    "GREEN",
    "GREY",
    "ORANGE",
    "POINT_LABELS",
    "SKY",
    "VERMILION",
    "Figure",
    "annotate",
    "dress",
    "legend",
    "new_figure",
    "percentile_band",
]

# Okabe & Ito 2008, "Color Universal Design"
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREY = "#7F7F7F"
DENSITY_MAP = "cividis"

POINT_LABELS = {"z_best": "least risk", "z_mode": "mode", "z_median": "median", "z_mean": "mean"}

_FONT = 11
_DPI = 150


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure that belongs to no window and no global state.

    Parameters
    ----------
    width, height : float
        Inches; a page is about 7 wide.
    """
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def dress(axes: Axes, *, xlabel: str = "", ylabel: str = "", title: str = "", grid: bool = True) -> None:
    """Label a panel with readable fonts, inward ticks and, where it helps, a light grid."""
    axes.set_xlabel(xlabel, fontsize=_FONT)
    axes.set_ylabel(ylabel, fontsize=_FONT)
    if title:
        axes.set_title(title, fontsize=_FONT, loc="left")
    axes.tick_params(which="both", direction="in", top=True, right=True, labelsize=_FONT - 1)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color="0.9", linewidth=0.7)
    for spine in axes.spines.values():
        spine.set_color("0.3")


def annotate(axes: Axes, text: str, *, place: str = "upper left", size: float = _FONT - 2) -> None:
    """Put a few lines of text into a corner of a panel, on white."""
    vertical, horizontal = place.split()
    axes.text(
        {"left": 0.03, "right": 0.97}[horizontal],
        {"upper": 0.97, "lower": 0.03}[vertical],
        text,
        transform=axes.transAxes,
        ha=horizontal,
        va={"upper": "top", "lower": "bottom"}[vertical],
        fontsize=size,
        linespacing=1.35,
        bbox={"facecolor": "white", "edgecolor": "0.8", "alpha": 0.9, "boxstyle": "round,pad=0.35"},
        zorder=10,
    )


def legend(axes: Axes, **options: Any) -> None:
    """Add a legend in the font of the figures, if there is anything to name."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=_FONT - 2, framealpha=0.9, edgecolor="0.8", **options)


def percentile_band(
    x: NDArray[np.float64], y: NDArray[np.float64], edges: NDArray[np.float64], *, min_objects: int = 10
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Running 16, 50 and 84 % percentiles.

    Parameters
    ----------
    x, y : ndarray, (n_obj,)
    edges : ndarray, (n_bin + 1,)
        Of the bins in ``x``.
    min_objects : int
        Bins with fewer are left out.

    Yields
    ------
    tuple of float and ndarray, (3,)
        Median ``x`` of a bin and the percentiles of its ``y``.
    """
    order = np.argsort(x, kind="stable")
    starts = np.searchsorted(x[order], edges)
    for first, last in pairwise(starts):
        if last - first >= min_objects:
            rows = order[first:last]
            yield float(np.median(x[rows])), np.percentile(y[rows], (16, 50, 84))
