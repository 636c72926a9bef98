"""Where a target lacks training objects: cells of its map, and shares by magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import BandError

from .style import BLACK, BLUE, GREY, LACK_MAP, ORANGE, VERMILION, axes_or_new, dress, legend, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pzcenter.training.coverage_report import CoverageReport

__all__ = ["plot_coverage_cells", "plot_coverage_distance", "plot_coverage_magnitude", "plot_coverage_map"]

_NAMED = 5
"""Regions that get their number on the map."""


def plot_coverage_map(report: CoverageReport, *, ax: Axes | None = None) -> Axes:
    """The target's self-organising map: share of each cell's objects that is not covered; the worst are numbered.

    Parameters
    ----------
    report : CoverageReport
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_or_new(ax, width=5.6)
    if not np.any(report.cell_target > 0):
        return no_data(ax, "no target objects")
    lack = np.ma.masked_invalid(1.0 - report.cell_completeness.reshape(report.shape))
    ax.set_facecolor("white")
    n_row, n_column = report.shape
    shown = ax.imshow(
        lack, origin="lower", vmin=0.0, vmax=1.0, cmap=LACK_MAP, interpolation="nearest",
        extent=(0, n_column, 0, n_row), aspect="equal",
    )  # fmt: skip
    ax.figure.colorbar(shown, ax=ax, pad=0.02, aspect=30).set_label("share not covered", fontsize=10)
    for number, region in enumerate(report.regions[:_NAMED], start=1):
        row, column = region.cell
        _number(ax, number, column + 0.5, row + 0.5)
    empty = int(np.count_nonzero((report.cell_training == 0) & (report.cell_target > 0)))
    title = f"{empty:,} of {report.cell_target.size:,} cells have no training objects"
    dress(ax, xlabel="column of the map", ylabel="row", title=title, grid=False)
    return ax


def plot_coverage_cells(
    report: CoverageReport, *, colour: tuple[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Cells of the map by magnitude and colour: area for the target objects, shade for the share not covered.

    Parameters
    ----------
    report : CoverageReport
    colour : tuple of str, optional
        Two bands; g and i where they are there, else the first and the last.
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    BandError
        A band that was not compared.
    """
    ax = axes_or_new(ax)
    bands = report.bands
    blue, red = colour or (("g", "i") if {"g", "i"} <= set(bands) else (bands[0], bands[-1]))
    if not {blue, red} <= set(bands):
        raise BandError(f"{blue} - {red} was not compared; the bands are {', '.join(bands)}")
    there = np.flatnonzero(report.cell_target > 0)
    if not there.size:
        return no_data(ax, "no target objects")
    mag = report.cell_mag[:, bands.index(report.mag_band)]
    tint = report.cell_mag[:, bands.index(blue)] - report.cell_mag[:, bands.index(red)]
    share = report.cell_target / report.cell_target.sum()
    largest = there[np.argsort(-share[there], kind="stable")]  # small circles last, on top of large ones
    drawn = ax.scatter(
        mag[largest], tint[largest], s=12.0 + 700.0 * share[largest] / max(share.max(), 0.005),
        c=1.0 - report.cell_completeness[largest], vmin=0.0, vmax=1.0, cmap=LACK_MAP, edgecolors="0.25",
        linewidths=0.5, alpha=0.9,
    )  # fmt: skip
    ax.figure.colorbar(drawn, ax=ax, pad=0.02, aspect=30).set_label("share not covered", fontsize=10)
    for number, region in enumerate(report.regions[:_NAMED], start=1):
        cell = region.cell[0] * report.shape[1] + region.cell[1]
        _number(ax, number, float(mag[cell]), float(tint[cell]))
    dress(ax, xlabel=f"{report.mag_band} magnitude (asinh)", ylabel=f"{blue} - {red}")
    ax.margins(0.08)
    return ax


def plot_coverage_magnitude(report: CoverageReport, *, ax: Axes | None = None) -> Axes:
    """Target objects by magnitude, those covered, and the training objects; all as shares of their set.

    Parameters
    ----------
    report : CoverageReport
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_or_new(ax)
    target, covered, training = report.mag_target, report.mag_covered, report.mag_training
    used = np.flatnonzero((target > 0) | (training > 0))
    if not used.size:
        return no_data(ax, f"no magnitudes {report.mag_band}")
    keep = slice(used[0], used[-1] + 1)
    edges = report.mag_edges[used[0] : used[-1] + 2]
    n_target, n_training = max(int(target.sum()), 1), max(int(training.sum()), 1)
    ax.stairs(100 * target[keep] / n_target, edges, fill=True, color=ORANGE, label="target, not covered")
    ax.stairs(100 * covered[keep] / n_target, edges, fill=True, color="0.75", label="target, covered")
    ax.stairs(100 * target[keep] / n_target, edges, color=GREY, linewidth=1.0)
    ax.stairs(100 * training[keep] / n_training, edges, color=BLUE, linewidth=1.8, label="training set")
    dress(ax, xlabel=f"{report.mag_band} magnitude (asinh)", ylabel="% of each set")
    legend(ax, loc="upper left")
    return ax


def plot_coverage_distance(report: CoverageReport, *, ax: Axes | None = None) -> Axes:
    """Distance to the training neighbours in units of the limit: of target objects, and of training objects.

    Parameters
    ----------
    report : CoverageReport
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_or_new(ax)
    sets: list[tuple[Any, dict[str, Any]]] = [
        (report.distance_target, {"fill": True, "color": "0.75", "label": "target"}),
        (report.distance_training, {"color": BLUE, "linewidth": 1.8, "label": "training set to itself"}),
    ]
    if not any(counts.sum() for counts, _ in sets):
        return no_data(ax, "no distances")
    for counts, options in sets:
        ax.stairs(100 * counts / max(int(counts.sum()), 1), report.distance_edges, **options)
    ax.axvline(1.0, color=VERMILION, linewidth=1.6, linestyle="--", label="limit")
    dress(ax, xlabel="distance to the training set / limit (last bin: farther too)", ylabel="% of each set")
    legend(ax)
    return ax


def _number(ax: Axes, number: int, x: float, y: float) -> None:
    if np.isfinite(x) and np.isfinite(y):
        ax.text(x, y, str(number), ha="center", va="center", fontsize=8, color=BLACK, zorder=6,
                bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": VERMILION})  # fmt: skip
