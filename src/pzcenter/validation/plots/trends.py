"""How bias, scatter and outliers change with redshift and with magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.requirements import DMTN049, LSST_SRD, REQUIREMENTS

from .style import BLUE, GREY, VERMILION, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pzcenter.validation.table import MetricRow, MetricTable

__all__ = ["LINE_STYLES", "METRIC_LABELS", "plot_trends"]

METRIC_LABELS = {
    "bias": "bias\nmedian e",
    "sigma_iqr": "scatter\n" + r"$\sigma_{IQR}$ of e",
    "outlier_fraction_3sigma": "outliers, fraction\n" + r"$|e|>\max(0.06, 3\,\sigma_{IQR})$",
}
LINE_STYLES = {DMTN049.name: (VERMILION, "-."), LSST_SRD.name: (GREY, "--")}


def plot_trends(table: MetricTable, *, point: str = "z_best", mag_band: str | None = None) -> Figure:
    """Bias, scatter and outlier fraction per bin, with bootstrap errors and the requirement lines.

    Parameters
    ----------
    table : MetricTable
    point : str
        Point estimate to show.
    mag_band : str, optional
        Band of the magnitude bins.

    Returns
    -------
    matplotlib.figure.Figure
    """
    axis_labels = {"z_spec": "true redshift z_spec", "mag": f"{mag_band or ''} magnitude (AB)".strip()}
    shown = [axis for axis in axis_labels if table.select(axis=axis)]
    figure = new_figure(4.2 * len(shown), 7.4)
    panels = figure.subplots(len(METRIC_LABELS), len(shown), sharex="col", sharey="row", squeeze=False)
    for line, (metric, label) in enumerate(METRIC_LABELS.items()):
        for column, axis in enumerate(shown):
            axes = panels[line, column]
            rows = table.select(metric=metric, point=point, axis=axis)
            _band(axes, rows)
            _requirements(axes, metric)
            last = line == len(METRIC_LABELS) - 1
            dress(axes, xlabel=axis_labels[axis] if last else "", ylabel=label if column == 0 else "")
        _limits(panels[line, 0], table, metric, point)
    handles, labels = panels[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9.5, frameon=False)
    return figure


def _band(axes: Axes, rows: tuple[MetricRow, ...]) -> None:
    """Draw one step and one shaded error band per bin; bins without numbers stay empty."""
    for row in rows:
        if np.isnan(row.value):
            continue
        assert row.bin_low is not None and row.bin_high is not None
        edges = [row.bin_low, row.bin_high]
        low, high = row.value - row.error, row.value + row.error
        axes.fill_between(
            edges, low, high, color=BLUE, alpha=0.25, linewidth=0, label=_once(axes, "± 1 standard error")
        )
        axes.plot(edges, [row.value, row.value], color=BLUE, linewidth=2.2, label=_once(axes, "this sample, per bin"))


def _once(axes: Axes, label: str) -> str | None:
    return None if label in axes.get_legend_handles_labels()[1] else label


def _requirements(axes: Axes, metric: str) -> None:
    axes.axhline(0.0, color="black", linewidth=0.8)
    for requirement in REQUIREMENTS:
        if requirement.metric == metric:
            colour, style = LINE_STYLES[requirement.selection.name]
            for sign in (-1, 1) if metric == "bias" else (1,):
                axes.axhline(
                    sign * requirement.limit,
                    color=colour,
                    linestyle=style,
                    linewidth=1.4,
                    label=requirement.selection.title if sign == 1 else None,
                )


def _limits(axes: Axes, table: MetricTable, metric: str, point: str) -> None:
    """Choose a range in which the requirement lines and nearly all bins are seen."""
    values = [abs(row.value) for row in table.select(metric=metric, point=point) if row.bin_low is not None]
    known = np.array([value for value in values if np.isfinite(value)])
    top = max(requirement.limit for requirement in REQUIREMENTS if requirement.metric == metric)
    if known.size:
        top = max(top, min(float(known.max()), 3.0 * float(np.percentile(known, 80))))
    axes.set_ylim(-1.2 * top if metric == "bias" else -0.04 * top, 1.2 * top)
