"""Where on the sky the objects are, and where their redshifts are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize

from pzcenter.science.sky import healpix29

from .style import DENSITY_MAP, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pzcenter.validation.sample import ValidationSample

__all__ = ["cell_corners", "plot_sky"]

_PER_CELL = 30  # objects that a cell should hold on average
_MAX_ORDER = 9  # cells of 7 arcmin


def plot_sky(sample: ValidationSample, *, point: str = "z_best") -> Figure | None:
    """Map of the density of objects and of the median |e|, in HEALPix cells.

    Parameters
    ----------
    sample : ValidationSample
    point : str
        Point estimate whose errors are shown.

    Returns
    -------
    matplotlib.figure.Figure or None
        None for a sample without positions.
    """
    if sample.ra is None or sample.dec is None:
        return None
    known = np.isfinite(sample.ra) & np.isfinite(sample.dec)
    if not known.any():
        return None
    ra, dec = sample.ra[known], sample.dec[known]
    error = np.abs(sample.delta_z(point))[known]
    order, cells, first, row_order = _cells(ra, dec)
    counts = np.diff(np.append(first, ra.size))
    quality = np.array([np.median(part) for part in np.split(error[row_order], first[1:])])
    cell_area = 4.0 * np.pi * np.degrees(1.0) ** 2 / (12.0 * 4.0**order)  # square degrees
    density = counts / cell_area
    corners = cell_corners(cells, order, ra)

    figure = new_figure(8.8, 4.6)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    scale = LogNorm(max(density.min(), 1e-3), max(density.max(), 1.01 * density.min()))
    good = counts >= 5
    for axes, values, norm, label in (
        (left, density, scale, "objects with z_spec per square degree"),
        (right, np.where(good, quality, np.nan), Normalize(0.0), r"median $|z_{phot}-z_{spec}|/(1+z_{spec})$"),
    ):
        drawn = PolyCollection(
            list(corners), array=values, norm=norm, cmap=DENSITY_MAP, edgecolors="face", linewidths=0.2
        )
        axes.add_collection(drawn)
        figure.colorbar(drawn, ax=axes, orientation="horizontal", pad=0.02, aspect=30).set_label(label, fontsize=10)
        dress(axes, xlabel="ra (°)", ylabel="dec (°)" if axes is left else "")
        axes.autoscale_view()
    left.invert_xaxis()
    squeeze = np.cos(np.radians(np.median(dec)))
    width, height = np.ptp(corners[..., 0]) * squeeze, np.ptp(corners[..., 1])
    if 1 / 3 < width / height < 3:  # else true shapes would leave the panels nearly empty
        left.set_aspect(1.0 / squeeze)
        right.set_aspect(1.0 / squeeze)
    return figure


def _cells(
    ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sort objects into HEALPix cells that hold about 30 each; order, cells, first row of each, and row order."""
    fine = healpix29(ra, dec) >> 2 * (29 - _MAX_ORDER)
    order = _MAX_ORDER
    while order > 0 and ra.size / np.unique(fine >> 2 * (_MAX_ORDER - order)).size < _PER_CELL:
        order -= 1
    cell = fine >> 2 * (_MAX_ORDER - order)
    row_order = np.argsort(cell, kind="stable")
    cells, first = np.unique(cell[row_order], return_index=True)
    return order, cells, first, row_order


def cell_corners(cells: NDArray[np.int64], order: int, ra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the cells, (n_cell, 4, 2), in degrees, unwrapped around the middle of the sample."""
    from cdshealpix import nested

    lon, lat = nested.vertices(cells.astype(np.uint64), order)
    angles = np.radians(ra)
    middle = float(np.degrees(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean()))) % 360.0
    x = (lon.deg - middle + 180.0) % 360.0 - 180.0 + middle
    # A cell that straddles the seam opposite the middle is moved to one side as a whole.
    x = np.where(x - x[:, :1] > 180.0, x - 360.0, np.where(x - x[:, :1] < -180.0, x + 360.0, x))
    return np.stack([x, lat.deg], axis=2)
