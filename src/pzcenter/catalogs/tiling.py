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
    levels: list[NDArray[np.int32] | NDArray[np.int64]] = [sky.counts]
    while levels[0].size > 12:
        levels.insert(0, levels[0].reshape(-1, 4).sum(axis=1, dtype=np.int64))
    chosen = []
    open_pixels = np.flatnonzero(levels[0])
    for order, counts in enumerate(levels):
        n_obj = counts[open_pixels]
        closed = (n_obj <= max_rows) | (order == sky.order)
        chosen += [(order, int(p), int(n)) for p, n in zip(open_pixels[closed], n_obj[closed], strict=True)]
        if order < sky.order:
            children = (open_pixels[~closed][:, None] * 4 + np.arange(4)).ravel()
            open_pixels = children[levels[order + 1][children] > 0]
    return sorted(chosen, key=lambda pixel: pixel[1] << 2 * (29 - pixel[0]))
