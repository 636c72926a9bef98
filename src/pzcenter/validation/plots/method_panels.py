"""Small panels of the same kind, one for each method: estimated against true redshift, n(z) of bins, some p(z)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER
from pzcenter.validation.table import format_number

from .method_style import join_legends, short
from .style import BLACK, BLUE, DENSITY_MAP, GREY, VERMILION, dress, new_figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pzcenter.validation.sample import ValidationSample
    from pzcenter.validation.table import MetricTable

    from .method_style import MethodStyle

__all__ = ["plot_density_panels", "plot_methods_nz", "plot_methods_z_z"]

_COLUMNS = 3


def plot_methods_z_z(samples: Mapping[str, ValidationSample], tables: Mapping[str, MetricTable]) -> Figure:
    """Number of objects over true and estimated redshift, for each method, all with the same axes and colours.

    Parameters
    ----------
    samples : mapping of str to ValidationSample
        By method.
    tables : mapping of str to MetricTable

    Returns
    -------
    matplotlib.figure.Figure
    """
    top = max(float(np.percentile(sample.z_spec, 99.9)) for sample in samples.values())
    z_max = float(np.ceil(10.5 * top) / 10.0)
    n_row = -(-len(samples) // _COLUMNS)
    figure = new_figure(8.0, 2.75 * n_row + 0.8)
    panels = figure.subplots(n_row, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    n_cell = int(np.clip(np.sqrt(max(sample.n_obj for sample in samples.values())), 40, 120))
    edges = np.linspace(0.0, z_max, n_cell + 1)
    counts = {name: _counts(sample, edges) for name, sample in samples.items()}
    norm = LogNorm(vmin=1, vmax=max(10.0, *(float(count.max()) for count in counts.values())))
    line = np.array([0.0, z_max])
    mesh = None
    for place, (axes, (name, count)) in enumerate(zip(panels, counts.items(), strict=False)):
        mesh = axes.pcolormesh(
            edges, edges, np.ma.masked_equal(count.T, 0), norm=norm, cmap=DENSITY_MAP, rasterized=True
        )
        axes.plot(line, line, color=BLACK, linewidth=0.9)
        for sign in (-1, 1):
            axes.plot(line, line + sign * ABSOLUTE_OUTLIER * (1 + line), color=VERMILION, linewidth=1.0, linestyle="--")
        axes.set(xlim=(0, z_max), ylim=(0, z_max), aspect="equal")
        last_row = place >= len(counts) - _COLUMNS
        dress(
            axes,
            xlabel="z_spec" if last_row else "",
            ylabel="z_best" if place % _COLUMNS == 0 else "",
            grid=False,
        )
        axes.tick_params(labelbottom=last_row)
        axes.set_title(f"{short(name, 28)}\n{_numbers(tables[name])}", fontsize=8.5, loc="left")
    for axes in panels[len(counts) :]:
        axes.set_axis_off()
    assert mesh is not None
    bar = figure.colorbar(mesh, ax=list(panels), orientation="horizontal", aspect=50, pad=0.01, fraction=0.04)
    bar.set_label("objects per cell", fontsize=9)
    return figure


def _counts(sample: ValidationSample, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    top = edges[-1]
    z_spec, z_best = np.clip(sample.z_spec, 0, top), np.clip(sample.points["z_best"], 0, top)
    return np.histogram2d(z_spec, z_best, bins=(edges, edges))[0]


def _numbers(table: MetricTable) -> str:
    sigma, out = (table.row(name, point="z_best") for name in ("sigma_nmad", "outlier_fraction"))
    return rf"$\sigma_{{NMAD}}$ {format_number(sigma.value)}, outliers {format_number(100 * out.value, digits=1)} %"


def plot_methods_nz(samples: Mapping[str, ValidationSample], edges: Sequence[tuple[float, float]]) -> Figure:
    """n(z) of tomographic bins: one row for each method, one column for each bin.

    Parameters
    ----------
    samples : mapping of str to ValidationSample
        By method, with p(z).
    edges : sequence of (float, float)
        Of the bins in ``z_best``, multiples of 0.01.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(8.0, 1.25 * len(samples) + 0.9)
    panels = figure.subplots(len(samples), len(edges), squeeze=False, sharex="col")
    width = 0.05
    for i, (name, sample) in enumerate(samples.items()):
        for j, (low, high) in enumerate(edges):
            axes = panels[i, j]
            _nz_panel(axes, sample, low, high, width)
            axes.tick_params(labelsize=8, labelleft=False, left=False, top=False, right=False)
            axes.set_xlim(max(0.0, low - 0.5), high + 0.5)
            if i == 0:
                axes.set_title(f"{low:g} ≤ z_best < {high:g}", fontsize=8.5, loc="left")
            if j == 0:
                axes.set_ylabel(short(name, 16), fontsize=8.5)
    figure.supxlabel("redshift", fontsize=10)
    join_legends(figure)
    return figure


def _nz_panel(axes: Axes, sample: ValidationSample, low: float, high: float, width: float) -> None:
    z_best = sample.points["z_best"]
    chosen = (z_best >= low) & (z_best < high)
    axes.axvspan(low, high, color="0.94", linewidth=0)
    if np.count_nonzero(chosen) < 2:
        axes.text(0.5, 0.5, "no objects", ha="center", va="center", transform=axes.transAxes, fontsize=8)
        return
    cells = np.arange(0.0, max(float(sample.z_spec[chosen].max()), high) + 2 * width, width)
    truth, _ = np.histogram(sample.z_spec[chosen], bins=cells, density=True)
    axes.stairs(truth, cells, fill=True, color=GREY, alpha=0.5, label="true redshifts")
    stacked = sample.stacked_nz(low, high)
    axes.plot(sample.z_grid, stacked, color=BLUE, linewidth=1.4, label="sum of p(z)")
    axes.set_ylim(0.0, 1.15 * max(float(truth.max()), float(stacked.max())))


def plot_density_panels(
    panels: Sequence[tuple[str, Mapping[str, tuple[NDArray[np.float64], NDArray[np.floating]]], float]],
    styles: Mapping[str, MethodStyle],
    *,
    points: Sequence[float] | None = None,
    range_of: Sequence[str] = (),
) -> Figure:
    """p(z) of some objects, those of several methods in one panel.

    Parameters
    ----------
    panels : sequence of (str, mapping, float)
        Title; grid and density by method; true redshift.
    styles : mapping of str to MethodStyle
    points : sequence of float, optional
        Point estimate of each panel.
    range_of : sequence of str
        Methods that set the ranges of the axes; all when none is named.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_row = -(-len(panels) // _COLUMNS)
    figure = new_figure(8.0, 2.2 * n_row + 0.6)
    every = figure.subplots(n_row, _COLUMNS, squeeze=False).ravel()
    for place, (axes, (title, densities, z_spec)) in enumerate(zip(every, panels, strict=False)):
        low, high, top = z_spec, z_spec, 0.0
        for name, (z_grid, pdf) in densities.items():
            axes.plot(z_grid, pdf, label=short(name), **styles[name].line)
            if range_of and name not in range_of and not set(densities).isdisjoint(range_of):
                continue
            seen = z_grid[pdf > 0.02 * pdf.max()]
            low, high, top = min(low, float(seen[0])), max(high, float(seen[-1])), max(top, float(pdf.max()))
        axes.axvline(z_spec, color=BLACK, linewidth=1.6, label="true redshift")
        if points is not None:
            axes.axvline(points[place], color=GREY, linewidth=1.6, linestyle=":", label="point estimate")
        margin = max(0.08 * (high - low), 0.1)
        axes.set(xlim=(max(0.0, low - margin), high + margin), ylim=(0.0, 1.1 * top if top else 1.0))
        dress(
            axes,
            xlabel="redshift" if place >= len(panels) - _COLUMNS else "",
            ylabel="p(z)" if place % _COLUMNS == 0 else "",
        )
        axes.set_title(title, fontsize=8.5, loc="left")
        axes.tick_params(labelsize=8.5)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    join_legends(figure)
    return figure
