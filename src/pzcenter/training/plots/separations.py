"""Distances of matched objects, and how many of them chance would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, VERMILION, axes_or_new, dress, legend, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["plot_separations"]


def plot_separations(
    separation: ArrayLike,
    *,
    radius_arcsec: float | None = None,
    n_positions: int | None = None,
    chance: float | None = None,
    n_bin: int = 50,
    ax: Axes | None = None,
) -> Axes:
    """Histogram of the distances on a logarithmic axis, with the number that unrelated objects would give.

    Parameters
    ----------
    separation : array_like, (n_pair,)
        Arcsec.
    radius_arcsec : float, optional
        Of the match; the largest distance by default.
    n_positions : int, optional
        Positions that were matched.
    chance : float, optional
        Share of unrelated positions with an object within the radius, 0 to 1. For objects scattered at random it
        grows as ``1 - exp(-pi n r^2)`` with their density ``n``; the curve is that law for this share at the radius.
    n_bin : int
        Number of bins.
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_or_new(ax)
    values = np.asarray(separation, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return no_data(ax, "no matches")
    radius = radius_arcsec or max(float(values.max()), 1e-3)
    edges = np.linspace(0.0, radius, n_bin + 1)
    counts, _ = np.histogram(values, bins=edges)
    ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.85, label=f"matches ({values.size:,})")
    if n_positions and chance is not None and 0.0 <= chance < 1.0:
        within = 1.0 - (1.0 - chance) ** np.square(edges / radius)
        ax.stairs(
            n_positions * np.diff(within), edges, color=VERMILION, linewidth=1.8,
            label=f"unrelated objects ({n_positions * chance:,.0f})",
        )  # fmt: skip
    median = float(np.median(values))
    ax.axvline(median, color="black", linewidth=1.0, linestyle=":", label=f"median {median:.3f} arcsec")
    n_beyond = int(np.count_nonzero(values > radius))
    dress(
        ax, xlabel="separation (arcsec)", ylabel=f"pairs per {edges[1]:.2g} arcsec",
        title=f"{n_beyond:,} farther than the radius" if n_beyond else "",
    )  # fmt: skip
    ax.set(xlim=(0.0, radius), ylim=(0.5, 2.0 * max(float(counts.max()), 1.0)), yscale="log")
    legend(ax)
    return ax
