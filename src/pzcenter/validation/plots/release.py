"""Figures of a whole release: n(z), maps, and errors, all from sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize

from pzcenter.validation.evaluation import TOMOGRAPHIC_EDGES
from pzcenter.validation.release_sums import BEST_EDGES, ERROR_EDGES

from .sky import cell_corners
from .style import BLACK, BLUE, DENSITY_MAP, GREEN, GREY, ORANGE, SKY, VERMILION, annotate, dress, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pzcenter.validation.release_maps import MapSums
    from pzcenter.validation.release_sums import ReleaseSums

__all__ = ["plot_release_errors", "plot_release_maps", "plot_release_nz"]

_MAX_CELLS = 20_000
_PER_CELL = 30
# Each line has its own colour, dashes and label, so that no two are told apart by colour alone.
_LINES = (
    (BLUE, "-"),
    (ORANGE, (0, (6, 1.5))),
    (GREEN, (0, (1, 1))),
    (VERMILION, (0, (6, 1.5, 1, 1.5))),
    (SKY, (0, (3, 1))),
    (GREY, (0, (9, 2, 2, 2))),
)


def plot_release_nz(sums: ReleaseSums) -> Figure:
    """n(z) of all objects and of tomographic bins.

    Parameters
    ----------
    sums : ReleaseSums

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(8.8, 3.6)
    left, right = figure.subplots(1, 2)
    z_grid = sums.z_grid
    width = 0.05
    step = round(width / (BEST_EDGES[1] - BEST_EDGES[0]))
    counts = sums.best_counts.reshape(-1, step).sum(axis=1)
    if counts.sum():
        left.stairs(
            counts / (counts.sum() * width),
            BEST_EDGES[::step],
            fill=True,
            color=GREY,
            alpha=0.45,
            label="point estimates (z_best)",
        )
    if sums.n_nz[0]:
        left.plot(z_grid, sums.nz[0] / sums.n_nz[0], color=BLUE, linewidth=2.0, label="stacked p(z)")
    left.set_xlim(z_grid[0], z_grid[-1])
    left.set_ylim(bottom=0.0)
    dress(left, xlabel="redshift", ylabel="n(z), per unit redshift", title=f"all objects ({int(sums.n_nz[0]):,})")
    legend(left, loc="upper right")
    bins = zip(TOMOGRAPHIC_EDGES[:-1], TOMOGRAPHIC_EDGES[1:], sums.nz[1:], sums.n_nz[1:], _LINES, strict=True)
    for low, high, stacked, n_obj, (color, dashes) in bins:
        if n_obj:
            label = f"{low:g}\N{EN DASH}{high:g}  ({int(n_obj):,})"
            right.plot(z_grid, stacked / n_obj, color=color, linestyle=dashes, linewidth=1.8, label=label)
    right.set_xlim(z_grid[0], z_grid[-1])
    right.set_ylim(bottom=0.0)
    dress(right, xlabel="redshift", title="bins of z_best (objects)")
    legend(right, loc="upper right", handlelength=4)
    return figure


def plot_release_maps(maps: MapSums) -> Figure | None:
    """Density of objects and median ``z_std`` on the sky.

    Parameters
    ----------
    maps : MapSums

    Returns
    -------
    matplotlib.figure.Figure or None
        None without objects. Pixels are joined until there are no more than 20,000, with 30 objects each on average.
    """
    if not maps.pixel.size:
        return None
    shown = maps
    while shown.order and (shown.pixel.size > _MAX_CELLS or shown.n_obj.sum() / shown.pixel.size < _PER_CELL):
        shown = shown.at_order(shown.order - 1)
    table = shown.table()
    density, spread = (table.column(name).to_numpy() for name in ("density", "median_z_std"))
    ra, dec = table.column("ra").to_numpy(), table.column("dec").to_numpy()
    corners = cell_corners(shown.pixel, shown.order, ra)
    figure = new_figure(8.8, 4.4)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    crowded = LogNorm if density.max() > 30 * density.min() else Normalize
    known = spread[np.isfinite(spread)]
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
    for axes, values, norm, label in (
        (left, density, crowded(density.min(), max(density.max(), 1.01 * density.min())), "objects per square degree"),
        (right, spread, Normalize(low, max(high, low + 1e-3)), "median z_std"),
    ):
        drawn = PolyCollection(
            list(corners), array=values, norm=norm, cmap=DENSITY_MAP, edgecolors="face", linewidths=0.2, rasterized=True
        )
        axes.add_collection(drawn)
        extend = "both" if axes is right and known.size > 100 else "neither"
        bar = figure.colorbar(drawn, ax=axes, orientation="horizontal", pad=0.02, aspect=30, extend=extend)
        bar.set_label(label, fontsize=10)
        dress(axes, xlabel="ra (°)", ylabel="dec (°)" if axes is left else "")
        axes.autoscale_view()
    left.invert_xaxis()
    squeeze = np.cos(np.radians(np.median(dec)))
    shape = np.ptp(corners[..., 0]) * squeeze / np.ptp(corners[..., 1])
    if 1 / 3 < shape < 3:  # else true shapes would leave the panels nearly empty
        left.set_aspect(1.0 / squeeze)
        right.set_aspect(1.0 / squeeze)
    return figure


def plot_release_errors(sums: ReleaseSums) -> Figure | None:
    """Errors of the point estimates, and the probability integral transform of the densities.

    Parameters
    ----------
    sums : ReleaseSums

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no redshift is known.
    """
    n_truth = sums.total("n_truth")
    if not n_truth:
        return None
    figure = new_figure(8.8, 3.4)
    left, right = figure.subplots(1, 2)
    join = 40
    counts, edges = sums.error_counts.reshape(-1, join).sum(axis=1), ERROR_EDGES[::join]
    left.stairs(np.maximum(counts, 0.5), edges, color=BLUE, fill=True, alpha=0.6)
    left.set_yscale("log")
    left.set_ylim(0.5, 60.0 * counts.max())  # room for the numbers
    left.set(xlim=(edges[0], edges[-1]), xticks=np.linspace(-1.0, 1.0, 5))
    for limit in (-0.15, 0.15):
        left.axvline(limit, color=BLACK, linestyle="--", linewidth=1.0)
    found = sums.release_metrics()
    lines = [
        f"{n_truth:,} objects",
        f"bias {found['bias']:+.4f}",
        f"scatter {found['sigma_nmad']:.4f}",
        f"outliers {100 * found['outlier_fraction']:.1f} %",
    ]
    annotate(left, "\n".join(lines))
    dress(left, xlabel=r"$(z_{best}-z_{spec})/(1+z_{spec})$", ylabel="objects")
    n_bin = sums.pit_counts.size
    total = max(sums.pit_counts.sum(), 1.0)
    right.stairs(sums.pit_counts / total * n_bin, np.linspace(0.0, 1.0, n_bin + 1), color=BLUE, linewidth=1.6)
    right.axhline(1.0, color=BLACK, linestyle="--", linewidth=1.0)
    right.set_xlim(0.0, 1.0)
    right.set_ylim(bottom=0.0)
    dress(right, xlabel="probability integral transform", ylabel="density; 1 where the p(z) are true")
    return figure
