"""How redshifts are distributed: n(z) by survey, quality or type, and against magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .columns import galaxies, magnitudes, numbers, parts_of
from .style import BLUE, DENSITY_MAP, axes_or_new, bins_for, dress, legend, no_data, plain

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["plot_nz", "plot_z_mag", "z_edges"]

MAX_MARKERS = 2000
"""With fewer rows each is a marker; with more the density is drawn."""
_TITLES = {"survey": "survey", "z_flag": "quality", "z_type": "kind of redshift", "split": "sample"}


def plot_nz(
    table: pa.Table,
    *,
    by: str | None = "survey",
    z_max: float | None = None,
    n_bin: int | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Number of galaxies by redshift, stacked by survey, quality, type or sample.

    Parameters
    ----------
    table : pa.Table
        With ``z_spec`` and the column named by ``by``; stars (``z_flag`` 6) are left out, and counted in the title.
    by : str or None
        ``survey``, ``z_flag``, ``z_type``, ``split``, or None for all in one.
    z_max : float, optional
        Where the axis ends; 99.5 % of the redshifts by default.
    n_bin : int, optional
        Number of bins; what the number of galaxies allows by default.
    log : bool
        Counts on a logarithmic axis, not stacked.
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
    ax = axes_or_new(ax)
    z_spec = numbers(table, "z_spec")
    chosen, n_star, n_missing = galaxies(table)
    if not chosen.any():
        return no_data(ax, "no redshifts of galaxies")
    edges = z_edges(_meant(table, z_spec, chosen), z_max=z_max, n_bin=n_bin or bins_for(int(chosen.sum())))
    base = np.zeros(edges.size - 1)
    for part in parts_of(table, by):
        counts, _ = np.histogram(z_spec[part.rows & chosen], bins=edges)
        if not (part.rows & chosen).any():
            continue
        label = f"{plain(part.label, 40)} ({np.count_nonzero(part.rows & chosen):,})"
        if log:
            ax.stairs(counts, edges, color=part.colour, linewidth=1.6, label=label)
        else:
            ax.stairs(base + counts, edges, baseline=base, fill=True, color=part.colour, label=label)
            ax.stairs(base + counts, edges, color="white", linewidth=0.4)
            base = base + counts
    if log:
        ax.set_yscale("log")
    n_beyond = int(np.count_nonzero((z_spec[chosen] < edges[0]) | (z_spec[chosen] > edges[-1])))
    title = _left_out(int(chosen.sum()), n_star, n_missing, n_beyond)
    dress(ax, xlabel="z_spec", ylabel=f"galaxies per {edges[1] - edges[0]:.2g} in z", title=title)
    ax.set_xlim(edges[0], edges[-1])
    if by is not None:
        legend(ax, title=_TITLES[by], title_fontsize=9)
    return ax


def z_edges(z_spec: NDArray[np.float64], *, z_max: float | None = None, n_bin: int = 60) -> NDArray[np.float64]:
    """Edges of bins from 0 to where nearly all redshifts end.

    Parameters
    ----------
    z_spec : ndarray, (n,)
        Finite.
    z_max : float, optional
    n_bin : int

    Returns
    -------
    ndarray, (n_bin + 1,)
    """
    if z_max is None:
        top = float(np.percentile(z_spec, 99.5)) if z_spec.size else 0.0
        unit = 0.1 if top < 1 else 0.5
        z_max = max(unit * float(np.ceil(1.05 * top / unit)), 0.1)
    return np.linspace(0.0, z_max, n_bin + 1)


def _meant(table: pa.Table, z_spec: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Redshifts that set the axis: not those of quality 0, where some surveys write any number."""
    if "z_flag" not in table.column_names:
        return z_spec[chosen]
    meant = chosen & (numbers(table, "z_flag") != 0)
    return z_spec[meant if meant.any() else chosen]


def plot_z_mag(table: pa.Table, *, band: str = "i", ax: Axes | None = None) -> Axes:
    """Redshift against magnitude: density, or markers where there are few rows.

    Parameters
    ----------
    table : pa.Table
        With ``z_spec`` and ``flux_{band}`` in nJy; stars are left out.
    band : str
        Band of the magnitude.
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
    mag, z_spec = magnitudes(table, band), numbers(table, "z_spec")
    chosen, n_star, n_missing = galaxies(table)
    there = chosen & np.isfinite(mag)
    if not there.any():
        return no_data(ax, f"no redshifts with a magnitude {band}")
    mag, z_spec = mag[there], z_spec[there]
    edges = z_edges(z_spec)
    mag_edges = np.linspace(*_span(mag), 81)
    if mag.size <= MAX_MARKERS:
        ax.plot(mag, z_spec, linestyle="", marker="o", markersize=2.5, color=BLUE, alpha=0.6)
    else:
        _density(ax, mag, z_spec, mag_edges, edges)
    inside = (mag >= mag_edges[0]) & (mag <= mag_edges[-1]) & (z_spec >= edges[0]) & (z_spec <= edges[-1])
    title = _left_out(mag.size, n_star, n_missing, int(np.count_nonzero(~inside)))
    n_no_mag = int(np.count_nonzero(chosen & ~there))
    title += f", {n_no_mag:,} without {band}" if n_no_mag else ""
    dress(ax, xlabel=f"{band} magnitude (AB)", ylabel="z_spec", title=title)
    ax.set(xlim=(mag_edges[0], mag_edges[-1]), ylim=(edges[0], edges[-1]))
    return ax


def _density(
    ax: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_edges: NDArray[np.float64],
    y_edges: NDArray[np.float64],
) -> None:
    from matplotlib.colors import LogNorm

    counts, _, _ = np.histogram2d(x, y, bins=(x_edges, y_edges))
    norm = LogNorm(1, max(float(counts.max()), 10.0))
    mesh = ax.pcolormesh(
        x_edges, y_edges, np.ma.masked_equal(counts.T, 0), norm=norm, cmap=DENSITY_MAP, rasterized=True
    )
    ax.figure.colorbar(mesh, ax=ax, pad=0.01, aspect=30).set_label("galaxies per cell", fontsize=10)


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, (0.1, 99.9))
    return float(np.floor(2 * low) / 2 - 0.5), float(np.ceil(2 * high) / 2 + 0.5)


def _left_out(n: int, n_star: int, n_missing: int, n_beyond: int) -> str:
    parts = [f"{n:,} galaxies"]
    parts += [f"{n_beyond:,} outside the axes"] if n_beyond else []
    parts += [f"{n_star:,} stars left out"] if n_star else []
    parts += [f"{n_missing:,} without redshift"] if n_missing else []
    return ", ".join(parts)
