"""Cut the sky into HEALPix pixels that hold about the same number of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.sky import healpix_at_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_TILE_ORDER", "SkyCounts", "choose_pixels"]

MAX_TILE_ORDER = 10
"""Smallest pixels, 12 arcmin^2: 150,000 objects in one are 45 million per square degree."""


class SkyCounts:
    """Numbers of objects in the pixels of :data:`MAX_TILE_ORDER`, counted batch by batch.

    Parameters
    ----------
    order : int
        HEALPix order, NESTED.
    """

    def __init__(self, order: int = MAX_TILE_ORDER) -> None:
        self.order = order
        self.counts: NDArray[np.int32] = np.zeros(12 * 4**order, dtype=np.int32)

    def add(self, hpx29: NDArray[np.int64]) -> None:
        """Count objects.

        Parameters
        ----------
        hpx29 : ndarray of int64, (n_obj,)
            Pixels of order 29.
        """
        pixels, n_obj = np.unique(healpix_at_order(hpx29, self.order), return_counts=True)
        self.counts[pixels] += n_obj.astype(np.int32)


def choose_pixels(sky: SkyCounts, max_rows: int) -> list[tuple[int, int, int]]:
    """Largest pixels that hold no more than a number of objects.

    Parameters
    ----------
    sky : SkyCounts
    max_rows : int
        Most objects in a pixel. A pixel of the order of ``sky`` may hold more: it is not cut further.

    Returns
    -------
    list of (int, int, int)
        Order, NESTED pixel and number of objects; along the sky, none empty, none overlapping.
    """
    levels = [(np.flatnonzero(sky.counts), sky.counts[sky.counts > 0].astype(np.int64))]
    for _ in range(sky.order):
        pixels, n_obj = levels[0]
        parents, first = np.unique(pixels >> 2, return_index=True)
        levels.insert(0, (parents, np.add.reduceat(n_obj, first) if first.size else n_obj))
    chosen: list[tuple[int, int, int]] = []
    # Pixels of one level up that hold too much; before the first level, all of the sky.
    too_full: NDArray[np.int64] | None = None
    for order, (pixels, n_obj) in enumerate(levels):
        is_open = np.ones(pixels.size, dtype=bool) if too_full is None else np.isin(pixels >> 2, too_full)
        fits = (n_obj <= max_rows) | (order == sky.order)
        closed = is_open & fits
        chosen += [(order, int(p), int(n)) for p, n in zip(pixels[closed], n_obj[closed], strict=True)]
        too_full = pixels[is_open & ~fits]
    return sorted(chosen, key=lambda pixel: pixel[1] << 2 * (29 - pixel[0]))
