"""Magnitudes and colours of a training set beside those of its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .columns import magnitudes, numbers
from .style import BLUE, GREY, VERMILION, axes_or_new, dress, even_edges, legend, no_data, steps

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["plot_colour", "plot_magnitude", "plot_reweighted"]


def plot_magnitude(
    training: pa.Table, target: pa.Table | None = None, *, band: str = "i", ax: Axes | None = None
) -> Axes:
    """Magnitudes of a training set and of its target, each of unit area.

    Parameters
    ----------
    training, target : pa.Table
        With ``flux_{band}``, nJy. Rows whose flux is missing, zero or negative have no magnitude; the title counts
        those of the training set.
    band : str
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnError
        A column is not there.
    """
    return _compared(training, target, lambda table: magnitudes(table, band), f"{band} magnitude (AB)", ax)


def plot_colour(
    training: pa.Table, target: pa.Table | None = None, *, bands: tuple[str, str] = ("g", "r"), ax: Axes | None = None
) -> Axes:
    """One colour of a training set and of its target, each of unit area.

    Parameters
    ----------
    training, target : pa.Table
        With ``flux_{band}``, nJy.
    bands : tuple of str
        The bluer first.
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnError
        A column is not there.
    """
    blue, red = bands

    def colour(table: pa.Table) -> NDArray[np.float64]:
        return magnitudes(table, blue) - magnitudes(table, red)

    return _compared(training, target, colour, f"{blue} - {red}", ax)


def _compared(
    training: pa.Table,
    target: pa.Table | None,
    values_of: Callable[[pa.Table], NDArray[np.float64]],
    xlabel: str,
    ax: Axes | None,
) -> Axes:
    ax = axes_or_new(ax)
    own = values_of(training)
    there = np.isfinite(own)
    other = np.empty(0) if target is None else values_of(target)
    other = other[np.isfinite(other)]
    if not there.any() and not other.size:
        return no_data(ax, f"no {xlabel}")
    edges = even_edges(own[there], other)
    if other.size:
        steps(ax, other, edges, fill=True, color="0.85", label="target")
        steps(ax, other, edges, color=GREY, linewidth=1.0)
    steps(ax, own[there], edges, color=BLUE, linewidth=1.8, label="training set")
    _weighted(ax, training, own, edges)
    missing = int(np.count_nonzero(~there))
    title = f"{missing:,} of {own.size:,} training rows have none" if missing else ""
    dress(ax, xlabel=xlabel, ylabel="share per unit", title=title)
    legend(ax)
    return ax


def _weighted(ax: Axes, table: pa.Table, values: NDArray[np.float64], edges: NDArray[np.float64]) -> None:
    """Add the weighted training set where the weights differ."""
    if "weight" not in table.column_names:
        return
    weight = numbers(table, "weight")
    rows = np.isfinite(values) & np.isfinite(weight) & (weight > 0)
    if rows.any() and np.ptp(weight[rows]) > 0:
        steps(
            ax, values[rows], edges, weight=weight[rows], color=VERMILION, linewidth=1.8, linestyle="--",
            label="training set, weighted",
        )  # fmt: skip


def plot_reweighted(
    values: NDArray[np.float64],
    weight: NDArray[np.float64],
    *,
    target: NDArray[np.float64] | None = None,
    xlabel: str = "z_spec",
    ax: Axes | None = None,
) -> Axes:
    """A quantity before and after its rows are weighted, each of unit area.

    Parameters
    ----------
    values, weight : ndarray, (n_obj,)
        Rows without either, or with no weight, are left out of the weighted one.
    target : ndarray, (n,), optional
        The same quantity of the target.
    xlabel : str
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_or_new(ax)
    values, weight = np.asarray(values, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    other = np.empty(0) if target is None else np.asarray(target, dtype=np.float64)
    known, other = values[np.isfinite(values)], other[np.isfinite(other)]
    if not known.size and not other.size:
        return no_data(ax, f"no {xlabel}")
    edges = even_edges(known, other)
    steps(ax, other, edges, fill=True, color="0.85", label="target")
    steps(ax, known, edges, color=BLUE, linewidth=1.8, label="before")
    rows = np.isfinite(values) & np.isfinite(weight) & (weight > 0)
    title = ""
    if rows.any():
        steps(
            ax, values[rows], edges, weight=weight[rows], color=VERMILION, linewidth=1.8, linestyle="--", label="after"
        )
        # Kish 1965, section 11.7
        effective = float(weight[rows].sum() ** 2 / np.square(weight[rows]).sum())
        title = f"{values.size:,} rows count as {effective:,.0f}"
    dress(ax, xlabel=xlabel, ylabel="share per unit", title=title)
    legend(ax)
    return ax
