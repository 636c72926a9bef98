"""Where objects lie: counts on the sky, and objects at nearly the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.errors import ColumnError
from pzcenter.science.sky import healpix29, healpix_at_order, healpix_center

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLOSE_ARCSEC", "SkyTally", "degrees_of"]

ORDER, LOWEST = 8, 3
MAX_PIXELS = 3000
"""Of the map that is told."""
MAX_POSITIONS = 200_000
"""That are compared with each other."""
CLOSE_ARCSEC = 1.0


def degrees_of(
    ra: pa.Array, dec: pa.Array, *, radians: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions in degrees, from numbers or from sexagesimal texts; those that are none are left out.

    Parameters
    ----------
    ra, dec : pa.Array, (n_rows,)
    radians : bool

    Returns
    -------
    ra, dec : ndarray, (n_found,)
        Degrees, ``ra`` in [0, 360).
    """
    from pzcenter.server.services.report.statistics import as_numbers

    if pa.types.is_string(ra.type) or pa.types.is_large_string(ra.type):
        from pzcenter.training.positions import read_positions

        try:
            read = read_positions(ra, dec)
        except ColumnError:
            return np.empty(0), np.empty(0)
        x, y = read.ra, read.dec
    else:
        factor = 180.0 / np.pi if radians else 1.0
        x, y = as_numbers(ra) * factor, as_numbers(dec) * factor
    with np.errstate(invalid="ignore"):
        good = (x >= -180.0) & (x <= 360.0) & (np.abs(y) <= 90.0)
    return x[good] % 360.0, y[good]


class SkyTally:
    """Counts on the sky, batch by batch, and a part of the positions in whole patches of sky."""

    def __init__(self) -> None:
        self._counts = np.zeros(12 << 2 * ORDER, dtype=np.int64)
        self._kept: list[NDArray[np.float64]] = []
        self._n_kept = 0
        self._one_in = 1
        self.n_positions = 0

    def add(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> None:
        """Look at more positions, in degrees."""
        if not ra.size:
            return
        self.n_positions += ra.size
        pixels = healpix_at_order(healpix29(ra, dec), ORDER)
        self._counts += np.bincount(pixels, minlength=self._counts.size)
        self._keep(np.column_stack([ra, dec, pixels]))

    def _keep(self, rows: NDArray[np.float64]) -> None:
        """Positions of some pixels only when there are many, so that neighbours stay together."""
        rows = rows[_chosen(rows[:, 2], self._one_in)]
        self._kept.append(rows)
        self._n_kept += len(rows)
        while self._n_kept > MAX_POSITIONS and self._one_in < self._counts.size:
            self._one_in *= 2
            whole = np.concatenate(self._kept)
            self._kept = [whole[_chosen(whole[:, 2], self._one_in)]]
            self._n_kept = len(self._kept[0])

    def as_json(self) -> dict[str, Any] | None:
        """For the report: the finest map that has few enough pixels; None without positions."""
        if not self.n_positions:
            return None
        order, counts = ORDER, self._counts
        while order > LOWEST and np.count_nonzero(counts) > MAX_PIXELS:
            order, counts = order - 1, counts.reshape(-1, 4).sum(axis=1)
        pixels = np.flatnonzero(counts)
        area = 4 * np.pi * (180 / np.pi) ** 2 / counts.size
        ra, dec = healpix_center(pixels, order)
        return {
            "order": order, "pixels": pixels.tolist(), "counts": counts[pixels].tolist(),
            "ra": np.round(ra, 3).tolist(), "dec": np.round(dec, 3).tolist(), "n_positions": self.n_positions,
            "area_deg2": round(float(area * pixels.size), 3), "cell": round(float(np.sqrt(area)), 4),
            "words": f"{self.n_positions:,} objects in {pixels.size:,} pixels of {np.sqrt(area):.2g} degrees",
        }  # fmt: skip

    def close_pairs(self) -> dict[str, Any] | None:
        """Positions that have another one within an arcsecond, among those that were kept."""
        from scipy.spatial import cKDTree

        if not self._n_kept:
            return None
        rows = np.concatenate(self._kept)[:MAX_POSITIONS, :2]
        places, counts = np.unique(rows, axis=0, return_counts=True)
        n_same = int(counts[counts > 1].sum())
        ra, dec = np.radians(places[:, 0]), np.radians(places[:, 1])
        points = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
        n_close = 0
        if len(points) > 1:
            reach = 2 * np.sin(np.radians(CLOSE_ARCSEC / 3600) / 2)
            near, _ = cKDTree(points).query(points, k=[2], distance_upper_bound=reach)
            n_close = int((np.isfinite(near[:, 0]) & (counts == 1)).sum())
        return {
            "n_looked_at": len(rows), "n_same": n_same, "n_close": n_close, "arcsec": CLOSE_ARCSEC,
            "complete": self._one_in == 1,
        }  # fmt: skip


def _chosen(pixels: NDArray[np.float64], one_in: int) -> NDArray[np.bool_]:
    """One pixel of so many, spread over the sky (multiplicative hashing, Knuth 1998, section 6.4)."""
    scattered = (pixels.astype(np.uint64) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    return np.asarray((scattered >> np.uint64(8)) % np.uint64(one_in) == 0)
