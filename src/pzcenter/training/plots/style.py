"""How the figures of redshifts look: axes, fonts, and colours that colour-blind people and printers can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BLACK",
    "BLUE",
    "DENSITY_MAP",
    "GREEN",
    "GREY",
    "LACK_MAP",
    "ORANGE",
    "PALE",
    "PURPLE",
    "SKY",
    "SURVEY_COLOURS",
    "VERMILION",
    "YELLOW",
    "axes_or_new",
    "bins_for",
    "dress",
    "even_edges",
    "finite",
    "legend",
    "no_data",
    "plain",
    "steps",
]

# Okabe & Ito 2008, "Color Universal Design"
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#7F7F7F"
PALE = "#D0D4D8"
SURVEY_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
DENSITY_MAP = "cividis"
LACK_MAP = "cividis_r"

_FONT = 11


def axes_or_new(ax: Axes | None, *, width: float = 6.4, height: float = 4.2) -> Axes:
    """Give the axes, or those of a new figure of pyplot, which a notebook shows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
    width, height : float
        Inches, for a new figure.
    """
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    _, new = plt.subplots(figsize=(width, height), layout="constrained")
    return new


def dress(ax: Axes, *, xlabel: str = "", ylabel: str = "", title: str = "", grid: bool = True) -> None:
    """Label a panel with readable fonts, inward ticks and, where it helps, a light grid."""
    ax.set_xlabel(xlabel, fontsize=_FONT)
    ax.set_ylabel(ylabel, fontsize=_FONT)
    if title:
        ax.set_title(plain(title), fontsize=_FONT - 2, loc="left", color="0.25")
    ax.tick_params(which="both", direction="in", top=True, right=True, labelsize=_FONT - 1)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(color="0.9", linewidth=0.7)
    for spine in ax.spines.values():
        spine.set_color("0.3")


def legend(ax: Axes, **options: Any) -> None:
    """Add a legend in the font of the figures, if there is anything to name."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(**{"fontsize": _FONT - 2, "framealpha": 0.9, "edgecolor": "0.8"} | options)


def no_data(ax: Axes, reason: str = "no data") -> Axes:
    """Say in the middle of a panel that there is nothing to draw."""
    ax.text(0.5, 0.5, plain(reason), transform=ax.transAxes, ha="center", va="center", fontsize=_FONT, color="0.4")
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def plain(text: str, longest: int = 200) -> str:
    """Text that is drawn as it stands: no mathematics, no line breaks, none of it hidden; cut when too long."""
    kept = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    kept = f" {kept}" if kept.startswith("_") else kept  # legends leave out what begins so
    return (kept if len(kept) <= longest else kept[: longest - 1] + "…").replace("$", r"\$")


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """The values that are finite."""
    array = np.asarray(values, dtype=np.float64).ravel()
    return array[np.isfinite(array)]


def bins_for(n: int) -> int:
    """Number of bins in which a histogram of so many values is not all noise: the rule of Rice, 10 to 60."""
    return int(np.clip(2.0 * n ** (1.0 / 3.0), 10, 60))


def even_edges(*sets: NDArray[np.float64], percentile: float = 99.5) -> NDArray[np.float64]:
    """Edges of even bins over nearly all values of all sets, as many as the smallest set allows.

    Parameters
    ----------
    *sets : ndarray, (n,)
        Finite; at least one set that is not empty.
    percentile : float
        Share of the values of each set inside, from both ends.

    Returns
    -------
    ndarray, (n_bin + 1,)
        Around the value where all are equal.
    """
    given = [values for values in sets if values.size]
    ends = np.array([np.percentile(values, (100.0 - percentile, percentile)) for values in given])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    n_bin = bins_for(min(values.size for values in given))
    if not high > low:
        low, high = min(float(values.min()) for values in given), max(float(values.max()) for values in given)
    if not high > low:
        half = max(0.05 * abs(low), 0.05)
        low, high = low - half, high + half
    return np.linspace(low, high, n_bin + 1)


def steps(
    ax: Axes,
    values: NDArray[np.float64],
    edges: NDArray[np.float64],
    *,
    weight: NDArray[np.float64] | None = None,
    density: bool = True,
    **options: Any,
) -> bool:
    """Draw a histogram as steps; of unit area by default, counted over all values and not over those drawn alone.

    Returns
    -------
    bool
        False when there was nothing to draw.
    """
    counts, _ = np.histogram(values, bins=edges, weights=weight)
    total = float(values.size if weight is None else weight.sum())
    if not counts.sum() > 0 or not total > 0:
        return False
    height = counts / (total * np.diff(edges)) if density else counts
    ax.stairs(height, edges, **options)
    return True
