"""What a set is made of: surveys by quality, samples by survey, redshifts of the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .columns import galaxies, numbers, parts_of, texts
from .redshifts import z_edges
from .style import axes_or_new, bins_for, dress, legend, no_data, plain, steps

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes

    from .columns import Part

__all__ = ["plot_split", "plot_split_nz", "plot_surveys"]

_MOST = 25
"""Surveys with a bar of their own."""
_LINES = ("-", "--", ":", "-.")


def plot_surveys(table: pa.Table, *, by: str = "z_flag", share: bool = True, ax: Axes | None = None) -> Axes:
    """One bar for each survey, divided by quality or type; the number of its rows stands beside it.

    Parameters
    ----------
    table : pa.Table
        With ``survey`` and the column named by ``by``.
    by : str
        ``z_flag`` or ``z_type``.
    share : bool
        Bars of one length, so that small surveys are seen; else their length is the number of rows.
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnError, UsageError
        A column is not there or not known.
    """
    ax = axes_or_new(ax, height=5.0)
    if not table.num_rows:
        return no_data(ax, "no redshifts")
    values, code = texts(table, "survey")
    order = np.argsort(-np.bincount(code, minlength=len(values)), kind="stable")
    if order.size > _MOST:
        shown = order[: _MOST - 1]
        code = np.where(np.isin(code, shown), code, len(values))
        values.append(f"{order.size - shown.size} others")
        order = np.append(shown, len(values) - 1)
    bars = [(values[place], code == place) for place in order]
    _bars(ax, bars, parts_of(table, by), share=share)
    dress(ax, xlabel="share of rows, %" if share else "rows", title=f"{table.num_rows:,} rows", grid=False)
    ax.tick_params(axis="y", left=False, right=False)
    return ax


def plot_split(table: pa.Table, *, by: str = "survey", ax: Axes | None = None) -> Axes:
    """One bar for each sample, divided by survey, quality or type: alike when the samples are.

    Parameters
    ----------
    table : pa.Table
        With ``split`` and the column named by ``by``.
    by : str
        ``survey``, ``z_flag`` or ``z_type``.
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnError, UsageError
        A column is not there or not known.
    """
    ax = axes_or_new(ax, height=2.8)
    samples = parts_of(table, "split")
    if not samples:
        return no_data(ax, "no rows")
    _bars(ax, [(part.label, part.rows) for part in samples], parts_of(table, by), share=True)
    dress(ax, xlabel="share of rows, %", grid=False)
    ax.tick_params(axis="y", left=False, right=False)
    return ax


def _bars(ax: Axes, bars: list[tuple[str, np.ndarray]], parts: list[Part], *, share: bool) -> None:
    """Draw stacked horizontal bars, the first at the top."""
    total = np.array([np.count_nonzero(rows) for _, rows in bars], dtype=np.float64)
    unit = 100.0 / np.maximum(total, 1.0) if share else np.ones(total.size)
    place, left = np.arange(total.size), np.zeros(total.size)
    for part in parts:
        width = unit * np.array([np.count_nonzero(rows & part.rows) for _, rows in bars])
        ax.barh(
            place, width, left=left, height=0.78, color=part.colour, edgecolor="white", linewidth=0.6,
            label=plain(part.label, 40),
        )  # fmt: skip
        left = left + width
    for row, (end, n) in enumerate(zip(left, total, strict=True)):
        ax.annotate(f"{n:,.0f}", (end, row), (4, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(place, [plain(name, 28) for name, _ in bars], fontsize=9)
    ax.set_ylim(total.size - 0.4, -0.6)
    ax.set_xlim(0, 1.2 * float(left.max(initial=1.0)))
    if share:
        ax.set_xticks([0, 25, 50, 75, 100])
    legend(ax, loc="upper center", bbox_to_anchor=(0.4, -0.13), ncols=3, frameon=False, handlelength=1.2)


def plot_split_nz(table: pa.Table, *, ax: Axes | None = None) -> Axes:
    """n(z) of each sample, of unit area: the lines lie on each other when the samples are alike.

    Parameters
    ----------
    table : pa.Table
        With ``split`` and ``z_spec``; stars are left out.
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
    ax = axes_or_new(ax)
    z_spec, (chosen, _, _) = numbers(table, "z_spec"), galaxies(table)
    if not chosen.any():
        return no_data(ax, "no redshifts of galaxies")
    edges = z_edges(z_spec[chosen], n_bin=bins_for(int(chosen.sum()) // 5))
    for part, line in zip(parts_of(table, "split"), _LINES * 5, strict=False):
        values = z_spec[part.rows & chosen]
        steps(
            ax,
            values,
            edges,
            color=part.colour,
            linestyle=line,
            linewidth=1.8,
            label=f"{plain(part.label, 40)} ({values.size:,})",
        )
    dress(ax, xlabel="z_spec", ylabel="share per unit of z")
    ax.set_xlim(edges[0], edges[-1])
    legend(ax)
    return ax
