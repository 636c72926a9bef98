"""n(z): the redshift distribution of samples, from PDFs, from point estimates, and true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.table import format_number

from .style import BLUE, GREY, VERMILION, annotate, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pzcenter.validation.sample import ValidationSample
    from pzcenter.validation.table import MetricRow, MetricTable

__all__ = ["plot_nz"]

_COLUMNS = 3


def plot_nz(sample: ValidationSample, table: MetricTable) -> Figure:
    """Stacked p(z), histogram of the truth and of ``z_best``, of each tomographic bin of the table.

    Parameters
    ----------
    sample : ValidationSample
    table : MetricTable
        Of the same sample: its tomographic bins are shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    bins = table.select(metric="nz_mean_shift")
    n_row = -(-len(bins) // _COLUMNS)
    figure = new_figure(8.8, 2.5 * n_row + 0.6)
    panels = figure.subplots(n_row, _COLUMNS, squeeze=False).flat
    width = 0.05 if sample.n_obj >= 2000 else 0.1
    edges = np.arange(0.0, sample.z_grid[-1] + width, width)
    for index, (axes, row) in enumerate(zip(panels, bins, strict=False)):
        _panel(axes, sample, row, edges)
        dress(
            axes,
            xlabel="redshift" if index >= len(bins) - _COLUMNS else "",
            ylabel="n(z), per unit redshift" if index % _COLUMNS == 0 else "",
            title=f"{row.bin_low:.3g} ≤ z_best < {row.bin_high:.3g}",
        )
    for axes in list(panels):
        axes.set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=10, frameon=False)
    return figure


def _panel(axes: Axes, sample: ValidationSample, row: MetricRow, edges: NDArray[np.float64]) -> None:
    assert row.bin_low is not None and row.bin_high is not None
    z_best = sample.points["z_best"]
    chosen = (z_best >= row.bin_low) & (z_best < row.bin_high)
    axes.axvspan(row.bin_low, row.bin_high, color="0.94", linewidth=0)
    if not chosen.any():
        annotate(axes, "no objects", place="upper right")
        return
    truth, _ = np.histogram(sample.z_spec[chosen], bins=edges, density=True)
    points, _ = np.histogram(z_best[chosen], bins=edges, density=True)
    stacked = sample.stacked_nz(row.bin_low, row.bin_high)
    axes.stairs(truth, edges, fill=True, color=GREY, alpha=0.45, label="true (z_spec)")
    axes.stairs(points, edges, color=VERMILION, linewidth=1.2, linestyle="--", label="point estimates (z_best)")
    axes.plot(sample.z_grid, stacked, color=BLUE, linewidth=2.0, label="stacked p(z)")
    top = max(float(stacked.max()), float(truth.max()), float(points.max()))
    spread = np.flatnonzero(stacked > 0.01 * stacked.max())
    margin = 0.15
    low = min(sample.z_grid[spread[0]], row.bin_low) - margin
    high = max(sample.z_grid[spread[-1]], row.bin_high) + margin
    axes.set(xlim=(max(0.0, low), min(high, sample.z_grid[-1])), ylim=(0.0, 1.45 * top))
    lines = [f"{row.n_obj:,} objects"]
    if np.isfinite(row.value):
        lines.append(f"mean shift {format_number(row.value, signed=True)} ± {format_number(row.error)}")
    annotate(
        axes,
        "\n".join(lines),
        place="upper right",
        size=8.5,
    )
