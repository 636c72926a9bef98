"""Where on the sky redshifts are, and what part of a target they lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science.sky import healpix29
from pzcenter.training.moc import cell_area

from .projection import SkyWindow, mollweide, sky_window
from .style import DENSITY_MAP, VERMILION, axes_or_new, dress, no_data, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["plot_sky"]

_ALL_SKY_ORDER = 5
"""Cells of 1.8 degrees: the smallest that are seen on a map of the whole sky."""
_FINEST = 12
_ACROSS = 60
"""Cells across a map of a region, at most."""
_PER_CELL = 4
"""Objects that a cell of such a map should hold."""
_PIXELS = 900
_MOST_PIECES = 40
"""A target in more pieces than this has no edge to speak of, and lines around all of them would hide the map."""
Positions = tuple["ArrayLike", "ArrayLike"]


def plot_sky(
    ra: ArrayLike,
    dec: ArrayLike,
    *,
    footprint: Positions | None = None,
    window: Positions | SkyWindow | None = None,
    objects_per_row: float = 1.0,
    label: str = "redshifts",
    ax: Axes | None = None,
) -> Axes:
    """Density in HEALPix cells: on a map of the whole sky, or of the region where the rows are; RA to the left.

    Parameters
    ----------
    ra, dec : array_like, (n,)
        Degrees, ICRS; rows without position are counted in the title.
    footprint : tuple of array_like, optional
        RA and Dec of a target; the edge of the cells that hold such objects is drawn, unless they are scattered.
    window : tuple of array_like or SkyWindow, optional
        RA and Dec of positions that set the window; those of the rows by default.
    objects_per_row : float
        For a sample: how many objects each row stands for.
    label : str
        What is counted.
    ax : matplotlib.axes.Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_or_new(ax, width=7.5)
    ra, dec, n_missing = _known(ra, dec)
    if not ra.size:
        return no_data(ax, f"no positions of {label}")
    seen = window if isinstance(window, SkyWindow) else _window(window, ra, dec)
    sky_ra, sky_dec = seen.pixels(_PIXELS)
    order = _order(seen, ra, dec)
    cells, counts = np.unique(healpix29(ra, dec) >> 2 * (29 - order), return_counts=True)
    pixel = _cells_of_pixels(sky_ra, sky_dec, order)
    image = _look_up(pixel, cells, counts * objects_per_row / cell_area(order))
    _draw(ax, image, seen, f"{plain(label)} per square degree")
    drawn = footprint is not None and _edge(ax, footprint, pixel, order, seen)
    _frame(ax, seen)
    title = f"{round(ra.size * objects_per_row):,} {plain(label)} in HEALPix cells of {_size(order)}"
    title += f", {n_missing:,} without position" if n_missing else ""
    title += "\nred line: edge of the target" if drawn else ""
    ax.set_title(title, fontsize=9, loc="left", color="0.25")
    return ax


def _known(ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    lon, lat = np.asarray(ra, dtype=np.float64).ravel(), np.asarray(dec, dtype=np.float64).ravel()
    good = np.isfinite(lon) & (np.abs(lat) <= 90.0)
    return np.mod(lon[good], 360.0), lat[good], int(np.count_nonzero(~good))


def _window(given: Positions | None, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> SkyWindow:
    if given is not None:
        lon, lat, _ = _known(*given)
        if lon.size:
            return sky_window(lon, lat)
    return sky_window(ra, dec)


def _order(window: SkyWindow, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> int:
    """Order whose cells are large enough to be seen and to hold a few objects."""
    if window.kind == "mollweide":
        return _ALL_SKY_ORDER
    across = max(window.width * window.squeeze, window.height) / _ACROSS
    order = int(np.clip(np.ceil(np.log2(58.6 / across)), 0, _FINEST))  # a cell of order 0 is 58.6 degrees wide
    fine = healpix29(ra, dec) >> 2 * (29 - order)
    least = max(order - 3, 0)
    while order > least and ra.size / np.unique(fine).size < _PER_CELL:
        fine, order = fine >> 2, order - 1
    return order


def _cells_of_pixels(ra: NDArray[np.float64], dec: NDArray[np.float64], order: int) -> NDArray[np.int64]:
    """Cell of each pixel of the image; -1 outside the sky."""
    cell = np.full(ra.shape, -1, dtype=np.int64)
    inside = np.isfinite(ra) & (np.abs(dec) <= 90.0)
    cell[inside] = healpix29(ra[inside], dec[inside]) >> 2 * (29 - order)
    return cell


def _look_up(pixel: NDArray[np.int64], cells: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    place = np.minimum(np.searchsorted(cells, pixel), cells.size - 1)
    return np.where(cells[place] == pixel, values[place], np.nan)


def _draw(ax: Axes, image: NDArray[np.float64], window: SkyWindow, label: str) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    there = image[np.isfinite(image)]
    low, high = (float(there.min()), float(there.max())) if there.size else (1.0, 10.0)
    norm = LogNorm(low, max(1.5 * low, high))
    shown = ax.imshow(
        np.ma.masked_invalid(image), extent=window.extent, origin="lower", norm=norm, cmap=DENSITY_MAP,
        interpolation="nearest", aspect=1.0 / window.squeeze,
    )  # fmt: skip
    bar = ax.figure.colorbar(shown, ax=ax, orientation="horizontal", pad=0.03, aspect=40, shrink=0.8)
    bar.set_label(label, fontsize=10)
    subs = (1.0, 2.0, 5.0) if high < 10 * low else (1.0, 3.0) if high < 100 * low else (1.0,)
    bar.ax.xaxis.set_major_locator(LogLocator(subs=subs))
    bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    bar.ax.xaxis.set_minor_formatter(NullFormatter())


def _edge(ax: Axes, footprint: Positions, pixel: NDArray[np.int64], order: int, window: SkyWindow) -> bool:
    """Draw the edge of the cells that hold objects of the target; cells no finer than it fills without holes."""
    from scipy.ndimage import label

    ra, dec, _ = _known(*footprint)
    if not ra.size:
        return False
    inside = np.isin(pixel, np.unique(healpix29(ra, dec) >> 2 * (29 - order))).astype(np.float64)
    if inside.min() == inside.max() or label(inside)[1] > _MOST_PIECES:
        return False
    left, right, bottom, top = window.extent
    x = left + (np.arange(pixel.shape[1]) + 0.5) * (right - left) / pixel.shape[1]
    y = bottom + (np.arange(pixel.shape[0]) + 0.5) * (top - bottom) / pixel.shape[0]
    ax.contour(x, y, inside, levels=[0.5], colors=[VERMILION], linewidths=1.4)
    return True


def _frame(ax: Axes, window: SkyWindow) -> None:
    left, right, bottom, top = window.extent
    if window.kind == "mollweide":
        _graticule(ax, window.ra)
        return
    if window.kind == "plate carree":
        dress(ax, xlabel="ra (°)", ylabel="dec (°)", grid=False)
        ax.xaxis.set_major_formatter(_modulo)
    else:
        where = f"ra {window.ra:.2f}°, dec {window.dec:+.2f}°"
        dress(ax, xlabel=f"degrees west to east of {where}", ylabel="degrees north", grid=False)
    ax.set(xlim=(left, right), ylim=(bottom, top))


def _modulo(value: float, _: Any = None) -> str:
    return f"{round(value % 360.0, 6):g}"


def _graticule(ax: Axes, middle: float) -> None:
    """Draw meridians and parallels every 60 and 30 degrees, labelled."""
    from matplotlib.patheffects import withStroke

    line = np.linspace(-90.0, 90.0, 91)
    for ra in (*range(0, 360, 60), 180.001):
        ax.plot(*mollweide(np.full(line.size, float(ra)), line, middle), color="0.6", linewidth=0.5, zorder=3)
    line = np.linspace(-179.999, 179.999, 181) + middle
    for dec in range(-60, 90, 30):
        ax.plot(*mollweide(line, np.full(line.size, float(dec)), middle), color="0.6", linewidth=0.5, zorder=3)
        x, y = mollweide(np.array([middle + 179.999]), np.array([float(dec)]), middle)
        ax.annotate(f"{dec:+d}°" if dec else "0°", (x[0], y[0]), (-4, 0), textcoords="offset points", fontsize=8,
                    ha="right", va="center", color="0.3")  # fmt: skip
    for ra in (120.0, 60.0, 0.0, 300.0, 240.0):
        x, y = mollweide(np.array([ra]), np.array([0.0]), middle)
        ax.annotate(f"{ra:.0f}°", (x[0], y[0]), (2, 2), textcoords="offset points", fontsize=8, color="0.2",
                    path_effects=[withStroke(linewidth=2.5, foreground="white")], zorder=5)  # fmt: skip
    ax.set_axis_off()
    ax.set(xlim=(-2.95, 2.95), ylim=(-1.5, 1.5))


def _size(order: int) -> str:
    side = float(np.sqrt(cell_area(order)))
    return f"{side:.1f}°" if side >= 1.0 else f"{60 * side:.2g} arcmin"
