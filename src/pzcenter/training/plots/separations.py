"""Distances of matched objects, and how many of them chance would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .style import BLUE, VERMILION, axes_or_new, dress, finite, legend, no_data

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["plot_separations"]


def plot_separations(
    separation: ArrayLike | None = None,
    *,
    histogram: tuple[ArrayLike, ArrayLike] | None = None,
    radius_arcsec: float | None = None,
    n_positions: int | None = None,
    chance: float | None = None,
    n_bin: int = 50,
    ax: Axes | None = None,
) -> Axes:
    """Histogram of the distances on a logarithmic axis, with the number that unrelated objects would give.

    Parameters
    ----------
    separation : array_like, (n_pair,), optional
        Arcsec.
    histogram : tuple of array_like, optional
        Counts and the edges of their bins, arcsec, where the distances themselves are not at hand.
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
    values = finite([] if separation is None else separation)
    if histogram is not None:
        counts, edges = (np.asarray(part, dtype=np.float64) for part in histogram)
        n_pair, radius = int(counts.sum()), radius_arcsec or float(edges[-1])
    else:
        n_pair, radius = values.size, radius_arcsec or max(float(values.max(initial=0.0)), 1e-3)
        edges = np.linspace(0.0, radius, n_bin + 1)
        counts = np.histogram(values, bins=edges)[0].astype(np.float64)
    if not n_pair:
        return no_data(ax, "no matches")
    ax.stairs(counts, edges, fill=True, color=BLUE, alpha=0.85, label=f"matches ({n_pair:,})")
    if n_positions and chance is not None and 0.0 <= chance < 1.0:
        within = 1.0 - (1.0 - chance) ** np.square(edges / radius)
        ax.stairs(
            n_positions * np.diff(within), edges, color=VERMILION, linewidth=1.8,
            label=f"unrelated objects ({n_positions * chance:,.0f})",
        )  # fmt: skip
    median = _median(values, counts, edges)
    ax.axvline(median, color="black", linewidth=1.0, linestyle=":", label=f"median {median:.3f} arcsec")
    n_beyond = n_pair - int(counts.sum())
    dress(
        ax, xlabel="separation (arcsec)", ylabel=f"pairs per {edges[1] - edges[0]:.2g} arcsec",
        title=f"{n_beyond:,} farther than the radius" if n_beyond else "",
    )  # fmt: skip
    ax.set(xlim=(0.0, radius), ylim=(0.5, 2.0 * max(float(counts.max()), 1.0)), yscale="log")
    legend(ax)
    return ax


def _median(values: NDArray[np.float64], counts: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """Of the values, or as the histogram has it."""
    if values.size:
        return float(np.median(values))
    return float(np.interp(0.5 * counts.sum(), np.append(0.0, np.cumsum(counts)), edges))
