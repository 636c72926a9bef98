"""Several methods in one panel: calibration, and how bias, scatter and outliers change with redshift and magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.requirements import REQUIREMENTS

from .method_style import join_legends, short
from .style import GREY, annotate, dress, new_figure
from .trends import LINE_STYLES, METRIC_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pzcenter.validation.table import MetricTable

    from .method_style import MethodStyle

__all__ = ["plot_methods_pit_qq", "plot_methods_shifts", "plot_methods_trends"]

_HIDDEN_ABOVE = 3.0
"""Bins whose value exceeds this many times the 80 % percentile do not set the range of a panel."""


def plot_methods_pit_qq(pits: Mapping[str, NDArray[np.float64]], styles: Mapping[str, MethodStyle]) -> Figure:
    """Distribution of the PIT, and the deviation of the QQ curve from the diagonal.

    Parameters
    ----------
    pits : mapping of str to ndarray, (n_obj,)
        By method.
    styles : mapping of str to MethodStyle

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(8.0, 4.3)
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0.0, 1.0, 21)
    level = np.linspace(0.0, 1.0, 401)
    left.axhline(1.0, color=GREY, linewidth=0.8)
    right.axhline(0.0, color=GREY, linewidth=0.8)
    top = 1.5
    for name, pit in pits.items():
        counts, _ = np.histogram(pit, bins=edges)
        height = counts * (edges.size - 1) / pit.size
        top = max(top, float(np.sort(height)[-3]))  # the two outermost cells hold the truths outside of the p(z)
        left.stairs(height, edges, label=short(name), baseline=None, **styles[name].line)
        below = np.searchsorted(np.sort(pit), level, side="right") / pit.size
        right.plot(level, below - level, **styles[name].line)
    left.set(xlim=(0, 1), ylim=(0, 1.25 * top))
    right.set_xlim(0, 1)
    dress(left, xlabel="PIT: cumulative p(z) at the true redshift", ylabel="objects, relative to uniform", title="PIT")
    dress(
        right,
        xlabel="predicted fraction below",
        ylabel="observed \N{MINUS SIGN} predicted fraction",
        title="QQ, difference",
    )
    join_legends(figure, ncols=4)
    return figure


def plot_methods_trends(
    tables: Mapping[str, MetricTable],
    styles: Mapping[str, MethodStyle],
    *,
    mag_band: str | None = None,
    range_of: Sequence[str] = (),
) -> Figure:
    """Bias, scatter and outlier fraction of all methods in bins, with standard errors and requirement lines.

    Parameters
    ----------
    tables : mapping of str to MetricTable
        By method, on the same bins.
    styles : mapping of str to MethodStyle
    mag_band : str, optional
        Band of the magnitude bins.
    range_of : sequence of str
        Methods that set the ranges of the axes; all when none is named.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = {"z_spec": "true redshift z_spec", "mag": f"{mag_band or ''} magnitude (AB)".strip()}
    shown = [axis for axis in labels if any(table.select(axis=axis) for table in tables.values())]
    figure = new_figure(4.0 * len(shown), 7.8)
    panels = figure.subplots(len(METRIC_LABELS), len(shown), sharex="col", sharey="row", squeeze=False)
    for i, (metric, label) in enumerate(METRIC_LABELS.items()):
        values: list[float] = []
        for j, axis in enumerate(shown):
            last = i == len(METRIC_LABELS) - 1
            found = _bins(panels[i, j], tables, styles, metric, axis)
            values += _ranging(found, range_of)
            _lines(panels[i, j], metric)
            dress(panels[i, j], xlabel=labels[axis] if last else "", ylabel=label if j == 0 else "")
        _limits(panels[i, 0], values, metric)
    join_legends(figure)
    return figure


def _bins(
    axes: Axes, tables: Mapping[str, MetricTable], styles: Mapping[str, MethodStyle], metric: str, axis: str
) -> dict[str, list[float]]:
    """Draw the bins of all methods, each a little beside the other; their values."""
    found: dict[str, list[float]] = {}
    for place, (name, table) in enumerate(tables.items()):
        rows = [row for row in table.select(metric=metric, point="z_best", axis=axis) if np.isfinite(row.value)]
        if not rows:
            continue
        low, high = (np.array([getattr(row, edge) for row in rows], dtype=float) for edge in ("bin_low", "bin_high"))
        shift = (place + 1) / (len(tables) + 1)
        value, error = (np.array([getattr(row, number) for row in rows]) for number in ("value", "error"))
        style = styles[name]
        x = low + shift * (high - low)
        axes.errorbar(x, value, yerr=error, linestyle=style.dashes, linewidth=0.9, label=short(name), **style.points)
        found[name] = value.tolist()
    return found


def _ranging(values: Mapping[str, list[float]], range_of: Sequence[str]) -> list[float]:
    """Values that set the range of an axis."""
    chosen = [name for name in values if name in range_of] or list(values)
    return [value for name in chosen for value in values[name]]


def _lines(axes: Axes, metric: str) -> None:
    axes.axhline(0.0, color="black", linewidth=0.8)
    for requirement in REQUIREMENTS:
        if requirement.metric == metric:
            color, style = LINE_STYLES[requirement.selection.name]
            for sign in (-1, 1) if metric == "bias" else (1,):
                label = requirement.selection.title if sign == 1 else None
                axes.axhline(sign * requirement.limit, color=color, linestyle=style, linewidth=1.2, label=label)


def _limits(axes: Axes, values: Sequence[float], metric: str) -> None:
    top = max(requirement.limit for requirement in REQUIREMENTS if requirement.metric == metric)
    size = np.abs(values)
    if size.size:
        top = max(top, min(float(size.max()), _HIDDEN_ABOVE * float(np.percentile(size, 80))))
    axes.set_ylim(-1.2 * top if metric == "bias" else -0.04 * top, 1.2 * top)


def plot_methods_shifts(
    tables: Mapping[str, MetricTable],
    styles: Mapping[str, MethodStyle],
    *,
    bins: str,
    limits: Mapping[str, float],
    range_of: Sequence[str] = (),
) -> Figure:
    """Shift of the mean and of the width of n(z) in each tomographic bin, with the limits on them.

    Parameters
    ----------
    tables : mapping of str to MetricTable
        By method.
    styles : mapping of str to MethodStyle
    bins : str
        Name of the tomographic bins.
    limits : mapping of str to float
        Largest shift that is accepted, by metric.
    range_of : sequence of str
        Methods that set the ranges of the axes; all when none is named.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = {"nz_mean_shift": "shift of the mean / (1+z)", "nz_width_shift": "shift of the width / (1+z)"}
    figure = new_figure(8.0, 4.0)
    for axes, (metric, label) in zip(figure.subplots(1, 2), labels.items(), strict=True):
        limit = limits.get(metric)
        if limit is not None:
            axes.axhspan(-limit, limit, color=GREY, alpha=0.25, linewidth=0, label="DESC SRD, year 1")
        axes.axhline(0.0, color="black", linewidth=0.8)
        found = _shifts(axes, tables, styles, metric, bins)
        values = _ranging(found, range_of)
        top = max([*(abs(value) for value in values), 2.0 * (limit or 0.0)]) or 0.01
        if any(abs(value) > 1.2 * top for each in found.values() for value in each):
            annotate(axes, "some lie outside", place="lower right", size=8)
        axes.set_ylim(-1.2 * top, 1.2 * top)
        dress(axes, xlabel="bin in z_best", ylabel=label)
    join_legends(figure)
    return figure


def _shifts(
    axes: Axes, tables: Mapping[str, MetricTable], styles: Mapping[str, MethodStyle], metric: str, bins: str
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for place, (name, table) in enumerate(tables.items()):
        rows = [row for row in table.select(metric=metric, axis=bins) if np.isfinite(row.value)]
        if not rows:
            continue
        low, high = (np.array([getattr(row, edge) for row in rows], dtype=float) for edge in ("bin_low", "bin_high"))
        x = low + (place + 1) / (len(tables) + 1) * (high - low)
        value = [row.value for row in rows]
        axes.errorbar(
            x, value, yerr=[row.error for row in rows], linestyle="none", label=short(name), **styles[name].points
        )
        found[name] = value
    return found
