"""Maps of a release from sums by HEALPix pixel: what each tract counts, how counts are added, what they say.

Everything here is additive, so that a map of any number of objects needs the memory of its pixels alone. Medians come
from histograms: they are exact to a small part of a bin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.errors import UsageError
from pzcenter.schema import PZFlag
from pzcenter.science.sky import healpix_at_order, healpix_center

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FLAGS", "MAP_ORDER", "Z_STD_EDGES", "MapSums", "median_of_counts", "pixel_area"]

MAP_ORDER = 8
"""Order of the pixels, 0.052 square degrees: a Rubin tract has some 50 of them."""

FLAGS = tuple(PZFlag)

Z_STD_EDGES = np.concatenate([[0.0], np.geomspace(3e-3, 3.0, 97), [np.inf]])
"""Edges of the histogram of ``z_std`` of each pixel; a bin is 7 % wide."""

_N_STD = Z_STD_EDGES.size - 1
_COLUMNS = 3  # n_obj, n_estimate, sum of z_best
_WIDTH = _COLUMNS + len(FLAGS) + _N_STD


class MapSums:
    """Sums by HEALPix pixel: objects, estimates, redshifts, flags, and the histogram of ``z_std``.

    Parameters
    ----------
    order : int
        HEALPix order, NESTED.
    """

    def __init__(self, order: int = MAP_ORDER) -> None:
        self.order = order
        self._row_of: dict[int, int] = {}
        self._sums = np.zeros((0, _WIDTH))

    @property
    def pixel(self) -> NDArray[np.int64]:
        """Pixels that hold objects, (n_pixel,), sorted."""
        return np.array(sorted(self._row_of), dtype=np.int64)

    @property
    def n_obj(self) -> NDArray[np.int64]:
        """Objects in each pixel."""
        return self.sums[:, 0].astype(np.int64)

    @property
    def n_estimate(self) -> NDArray[np.int64]:
        """Objects with an estimate in each pixel."""
        return self.sums[:, 1].astype(np.int64)

    @property
    def flags(self) -> NDArray[np.int64]:
        """Objects with each flag, (n_pixel, n_flag), in the order of :data:`FLAGS`."""
        return self.sums[:, _COLUMNS : _COLUMNS + len(FLAGS)].astype(np.int64)

    @property
    def sums(self) -> NDArray[np.float64]:
        """All sums, (n_pixel, n_column), sorted by pixel."""
        rows = [self._row_of[pixel] for pixel in self.pixel.tolist()]
        return self._sums[rows]

    def count(
        self,
        hpx29: NDArray[np.int64],
        z_best: NDArray[np.floating],
        z_std: NDArray[np.floating],
        flags: NDArray[np.integer],
    ) -> None:
        """Count objects.

        Parameters
        ----------
        hpx29 : ndarray of int64, (n_obj,)
            NESTED pixels of order 29.
        z_best, z_std : ndarray, (n_obj,)
            NaN for an object without an estimate.
        flags : ndarray of int, (n_obj,)
            Bits of ``pz_flag``.
        """
        pixels, index = np.unique(healpix_at_order(hpx29, self.order), return_inverse=True)
        known = np.isfinite(z_best)
        sums = np.zeros((pixels.size, _WIDTH))
        sums[:, 0] = np.bincount(index, minlength=pixels.size)
        sums[:, 1] = np.bincount(index[known], minlength=pixels.size)
        sums[:, 2] = np.bincount(index[known], weights=z_best[known], minlength=pixels.size)
        for column, flag in enumerate(FLAGS, start=_COLUMNS):
            sums[:, column] = np.bincount(index[(flags & int(flag)) != 0], minlength=pixels.size)
        has_std = np.isfinite(z_std)
        bins = np.searchsorted(Z_STD_EDGES, z_std[has_std], side="right") - 1
        cell = index[has_std] * _N_STD + np.clip(bins, 0, _N_STD - 1)
        sums[:, -_N_STD:] = np.bincount(cell, minlength=pixels.size * _N_STD).reshape(-1, _N_STD)
        self.add_rows(pixels, sums)

    def add(self, other: MapSums) -> None:
        """Add the sums of another part of the sky.

        Raises
        ------
        UsageError
            Its pixels are of another order.
        """
        if other.order != self.order:
            raise UsageError(f"maps of orders {self.order} and {other.order} cannot be added")
        self.add_rows(other.pixel, other.sums)

    def add_rows(self, pixels: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
        """Add sums of unique pixels."""
        for pixel in pixels.tolist():
            self._row_of.setdefault(pixel, len(self._row_of))
        if len(self._row_of) > len(self._sums):
            grown = np.zeros((max(64, len(self._row_of), 3 * len(self._sums) // 2), _WIDTH))
            grown[: len(self._sums)] = self._sums
            self._sums = grown
        self._sums[[self._row_of[pixel] for pixel in pixels.tolist()]] += sums

    def median_z_std(self) -> float:
        """Median ``z_std`` of all objects, NaN where there is none."""
        return float(median_of_counts(self._sums[:, -_N_STD:].sum(axis=0)[None], Z_STD_EDGES)[0])

    def at_order(self, order: int) -> MapSums:
        """Sums in larger pixels.

        Raises
        ------
        UsageError
            The order is higher than that of this map.
        """
        if order > self.order:
            raise UsageError(f"a map of order {self.order} says nothing of pixels of order {order}")
        parents, index = np.unique(self.pixel >> 2 * (self.order - order), return_inverse=True)
        sums = np.zeros((parents.size, _WIDTH))
        np.add.at(sums, index, self.sums)
        coarse = MapSums(order)
        coarse.add_rows(parents, sums)
        return coarse

    def table(self) -> pa.Table:
        """The map as a table, one row per pixel.

        Returns
        -------
        pa.Table
            ``order, pixel, ra, dec, n_obj, n_estimate, density`` (per square degree), ``mean_z_best``,
            ``median_z_std``, and the number of objects with each flag, ``n_NAME``.
        """
        sums, pixel = self.sums, self.pixel
        ra, dec = healpix_center(pixel, self.order) if pixel.size else (np.empty(0), np.empty(0))
        n_estimate = sums[:, 1]
        mean_z = np.divide(sums[:, 2], n_estimate, out=np.full(pixel.size, np.nan), where=n_estimate > 0)
        columns = {
            "order": np.full(pixel.size, self.order, dtype=np.int16),
            "pixel": pixel,
            "ra": ra,
            "dec": dec,
            "n_obj": self.n_obj,
            "n_estimate": self.n_estimate,
            "density": sums[:, 0] / pixel_area(self.order),
            "mean_z_best": mean_z.astype(np.float32),
            "median_z_std": median_of_counts(sums[:, -_N_STD:], Z_STD_EDGES).astype(np.float32),
        }
        columns |= {f"n_{flag.name}": counts for flag, counts in zip(FLAGS, self.flags.T, strict=True)}
        return pa.table(columns)


def median_of_counts(counts: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of values of which only a histogram is known.

    Parameters
    ----------
    counts : ndarray, (n, n_bin)
        One histogram per row.
    edges : ndarray, (n_bin + 1,)
        Increasing; an infinite last edge is taken for the last finite one.

    Returns
    -------
    ndarray, (n,)
        Interpolated inside the bin that holds the median; NaN for an empty histogram.
    """
    finite = np.where(np.isfinite(edges), edges, edges[np.isfinite(edges)].max())
    total = counts.sum(axis=1)
    cumulative = np.cumsum(counts, axis=1)
    half = 0.5 * total
    index = np.argmax(cumulative >= half[:, None], axis=1)
    rows = np.arange(len(counts))
    inside = counts[rows, index]
    before = cumulative[rows, index] - inside
    share = np.divide(half - before, inside, out=np.zeros_like(half), where=inside > 0)
    low, high = finite[index], finite[index + 1]
    return np.where(total > 0, low + share * (high - low), np.nan)


def pixel_area(order: int) -> float:
    """Area of a HEALPix pixel, square degrees."""
    return float(4.0 * np.pi * np.degrees(1.0) ** 2 / (12.0 * 4.0**order))
