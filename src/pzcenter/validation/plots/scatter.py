"""Estimated against true redshift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm

from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER
from pzcenter.validation.table import format_number

from .style import BLACK, DENSITY_MAP, POINT_LABELS, VERMILION, dress, new_figure, percentile_band

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pzcenter.validation.sample import ValidationSample
    from pzcenter.validation.table import MetricTable

__all__ = ["plot_z_phot_z_spec"]

_ERROR_RANGE = 0.3  # |e| shown in the lower panel


def plot_z_phot_z_spec(sample: ValidationSample, table: MetricTable, *, point: str = "z_best") -> Figure:
    """Number of objects over true and estimated redshift, and the residuals below.

    Parameters
    ----------
    sample : ValidationSample
    table : MetricTable
        Of the same sample: its numbers are written into the figure.
    point : str
        Point estimate to show.

    Returns
    -------
    matplotlib.figure.Figure
    """
    z_spec, z_phot, error = sample.z_spec, sample.points[point], sample.delta_z(point)
    top = max(np.percentile(z_spec, 99.9), np.percentile(z_phot, 99.9))
    z_max = float(np.ceil(10.0 * min(1.02 * top, sample.z_grid[-1])) / 10.0)
    n_cell = int(np.clip(2.5 * np.sqrt(sample.n_obj) / 2.0, 40, 180))
    edges = np.linspace(0.0, z_max, n_cell + 1)

    figure = new_figure(5.6, 7.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    norm = LogNorm(vmin=1)
    counts, _, _ = np.histogram2d(np.clip(z_spec, 0, z_max), np.clip(z_phot, 0, z_max), bins=(edges, edges))
    norm.vmax = max(float(counts.max()), 10.0)
    mesh = upper.pcolormesh(edges, edges, np.ma.masked_equal(counts.T, 0), norm=norm, cmap=DENSITY_MAP, rasterized=True)
    line = np.array([0.0, z_max])
    upper.plot(line, line, color=BLACK, linewidth=1.0, label="equal redshifts")
    for sign in (-1, 1):
        upper.plot(
            line,
            line + sign * ABSOLUTE_OUTLIER * (1.0 + line),
            color=VERMILION,
            linewidth=1.2,
            linestyle="--",
            label=rf"$|z_{{phot}}-z_{{spec}}| = {ABSOLUTE_OUTLIER:g}\,(1+z_{{spec}})$" if sign > 0 else None,
        )
    upper.set(xlim=(0.0, z_max), ylim=(0.0, z_max))
    dress(upper, ylabel=f"estimated redshift {point} ({POINT_LABELS[point]})", grid=False)
    upper.set_title(_numbers(table, point, sample.n_obj), loc="left", fontsize=9.5, linespacing=1.4)
    figure.colorbar(mesh, ax=upper, pad=0.01, aspect=30).set_label(f"objects per cell of {edges[1]:.3f}²", fontsize=10)

    e_edges = np.linspace(-_ERROR_RANGE, _ERROR_RANGE, 81)
    counts, _, _ = np.histogram2d(z_spec, error, bins=(edges, e_edges))
    norm = LogNorm(vmin=1, vmax=max(float(counts.max()), 10.0))
    lower.pcolormesh(edges, e_edges, np.ma.masked_equal(counts.T, 0), norm=norm, cmap=DENSITY_MAP, rasterized=True)
    bands = list(percentile_band(z_spec, error, np.linspace(0.0, z_max, 31), min_objects=20))
    if bands:
        x = np.array([place for place, _ in bands])
        low, middle, high = np.array([values for _, values in bands]).T
        lower.plot(x, middle, color=VERMILION, linewidth=2.0, label="median of the residuals")
        lower.plot(x, low, color=VERMILION, linewidth=1.2, linestyle=":", label="their central 68 %")
        lower.plot(x, high, color=VERMILION, linewidth=1.2, linestyle=":")
    lower.axhline(0.0, color=BLACK, linewidth=0.8)
    lower.set_ylim(-_ERROR_RANGE, _ERROR_RANGE)
    dress(lower, xlabel="true redshift z_spec", ylabel=r"$(z_{phot}-z_{spec})/(1+z_{spec})$", grid=False)
    # Above and below the panels: in a corner they would hide the worst outliers.
    handles, labels = (a + b for a, b in zip(*(x.get_legend_handles_labels() for x in (upper, lower)), strict=True))
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9.5, frameon=False)
    return figure


def _numbers(table: MetricTable, point: str, n_obj: int) -> str:
    """Two lines: how many, how many are wrong; how far off and how wide."""
    outliers, bias, sigma = (table.row(name, point=point) for name in ("outlier_fraction", "bias", "sigma_nmad"))
    percent, error = (format_number(100 * value, digits=2) for value in (outliers.value, outliers.error))
    return (
        f"{n_obj:,} objects, outliers {percent} ± {error} %\n"
        f"bias {format_number(bias.value)} ± {format_number(bias.error)}, "
        rf"$\sigma_{{NMAD}}$ {format_number(sigma.value)} ± {format_number(sigma.error)}"
    )
