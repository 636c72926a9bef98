"""Give each row to the HEALPix pixel that holds it, and to the pixels whose margin it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.hats_layout import HEALPIX_COLUMN
from pzcenter.catalogs.runs import sky_order
from pzcenter.errors import ColumnError, SchemaError, UsageError
from pzcenter.science.sky import MAX_ORDER, healpix_center, margin_order, pixel_neighbours

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["PixelSet", "margin_rows", "sort_along_sky", "split_by_pixels"]

Pixel = tuple[int, int]
"""HEALPix order and NESTED pixel number."""

_ID = "objectId"
_NAMED = 3
"""Objects that an error names."""


@dataclass(frozen=True)
class PixelSet:
    """HEALPix pixels of any orders that do not overlap, along the sky.

    Parameters
    ----------
    order, pixel : ndarray of int64, (n_pixel,)
        Order and NESTED pixel number.
    start, stop : ndarray of int64, (n_pixel,)
        Half-open ranges of their order-29 pixels, increasing.
    """

    order: NDArray[np.int64]
    pixel: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    @classmethod
    def of(cls, pixels: Iterable[Pixel]) -> Self:
        """Set of pixels.

        Parameters
        ----------
        pixels : iterable of (int, int)
            Order and NESTED pixel number, in any sequence.

        Raises
        ------
        UsageError
            There is no such pixel, or two of them overlap.
        """
        pairs = np.array(list(pixels), dtype=np.int64).reshape(-1, 2)
        order, pixel = pairs[:, 0], pairs[:, 1]
        if np.any((order < 0) | (order > MAX_ORDER)) or np.any((pixel < 0) | (pixel >= 12 << (2 * order))):
            raise UsageError(f"HEALPix orders are 0 to {MAX_ORDER} and pixels 0 to 12 * 4**order - 1")
        start = pixel << 2 * (MAX_ORDER - order)
        along = np.argsort(start, kind="stable")
        order, pixel, start = order[along], pixel[along], start[along]
        stop = (pixel + 1) << 2 * (MAX_ORDER - order)
        overlap = np.flatnonzero(start[1:] < stop[:-1])
        if overlap.size:
            first = int(overlap[0])
            one, other = ((int(order[i]), int(pixel[i])) for i in (first, first + 1))
            raise UsageError(
                f"{overlap.size} pixels of the tiling overlap; the first are (order, pixel) {one}, {other}"
            )
        return cls(order, pixel, start, stop)

    @classmethod
    def of_table(cls, table: pa.Table) -> Self:
        """Set of the pixels in a table with columns ``order`` and ``pixel``, such as ``pz_pixels``.

        Raises
        ------
        ColumnError
            A column is missing.
        """
        if not {"order", "pixel"} <= set(table.column_names):
            raise ColumnError(f"a table of pixels has the columns 'order' and 'pixel'; got {table.column_names}")
        return cls.of(zip(table.column("order").to_pylist(), table.column("pixel").to_pylist(), strict=True))

    def __len__(self) -> int:
        return int(self.order.size)

    def name(self, index: int) -> Pixel:
        """Order and number of a pixel of the set."""
        return int(self.order[index]), int(self.pixel[index])

    def find(self, hpx29: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index in the set of the pixel that holds each order-29 pixel, -1 for none; any shape."""
        if not len(self):
            return np.full(hpx29.shape, -1, dtype=np.int64)
        index = np.searchsorted(self.start, hpx29, side="right") - 1
        return np.where((index >= 0) & (hpx29 < self.stop[index]), index, -1)


def sort_along_sky(table: pa.Table) -> pa.Table:
    """Rows by ``_healpix_29``, then by object id; the same table where they are in this order already.

    Raises
    ------
    ColumnError
        A column is missing.
    SchemaError
        A row has no position.
    """
    columns = {name: _integers(table, name) for name in (HEALPIX_COLUMN, _ID)}
    order = sky_order(columns)
    if order is None or np.array_equal(order, np.arange(order.size)):
        return table
    return table.take(pa.array(order))


def split_by_pixels(table: pa.Table, pixels: PixelSet) -> dict[Pixel, pa.Table]:
    """Rows of each pixel, sorted along the sky.

    Parameters
    ----------
    table : pa.Table
        With ``_healpix_29`` and ``objectId``.
    pixels : PixelSet

    Returns
    -------
    dict of (int, int) to pa.Table
        By order and pixel, along the sky, none empty. Together they hold each row once. They share the memory of the
        table where its rows are sorted.

    Raises
    ------
    SchemaError
        A row has no position, or lies outside every pixel; the message names the first of them.
    """
    ordered = sort_along_sky(table)
    hpx29 = _integers(ordered, HEALPIX_COLUMN)
    owner = pixels.find(hpx29)
    _refuse_outside(ordered, hpx29, owner, pixels)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(owner)) + 1, [owner.size]]) if owner.size else np.zeros(1, int)
    return {
        pixels.name(int(owner[low])): ordered.slice(low, high - low)
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    }


def margin_rows(table: pa.Table, pixels: PixelSet, radius_arcsec: float) -> dict[Pixel, pa.Table]:
    """Rows outside each pixel that are near its border.

    Parameters
    ----------
    table : pa.Table
        With ``_healpix_29`` and ``objectId``.
    pixels : PixelSet
        Pixels of the whole release: rows of a tract can lie in the margin of a pixel that the tract does not touch.
    radius_arcsec : float
        Width of the margin.

    Returns
    -------
    dict of (int, int) to pa.Table
        By the pixel whose margin it is, along the sky, none empty, rows sorted along the sky. Each holds at least all
        rows within the radius, and some a few times as far: the margin is made of the smallest HEALPix cells that are
        wider than the radius everywhere.

    Raises
    ------
    SchemaError
        A row has no position.
    UsageError
        The radius is not positive, or wider than the smallest pixels.
    """
    at_order = margin_order(radius_arcsec)
    finest = int(pixels.order.max(initial=0))
    if at_order < finest:
        raise UsageError(f"a margin of {radius_arcsec} arcsec is too wide for pixels of order {finest}")
    ordered = sort_along_sky(table)
    if not ordered.num_rows:
        return {}
    shift = 2 * (MAX_ORDER - at_order)
    row_cell = _integers(ordered, HEALPIX_COLUMN) >> shift
    cells, first, n_row = np.unique(row_cell, return_index=True, return_counts=True)
    around = pixel_neighbours(cells, at_order)
    owner = np.where(around >= 0, pixels.find(np.maximum(around, 0) << shift), -1)
    own = pixels.find(cells << shift)
    is_margin = (owner >= 0) & (owner != own[:, None])
    cell_index, corner = np.nonzero(is_margin)
    pairs = np.unique(np.stack([owner[cell_index, corner], cell_index], axis=1), axis=0)
    margins = {}
    for index, members in _groups(pairs):
        margins[pixels.name(index)] = ordered.take(pa.array(_ranges(first[members], n_row[members])))
    return margins


def _groups(pairs: NDArray[np.int64]) -> Iterable[tuple[int, NDArray[np.int64]]]:
    """Second column of the pairs for each value of the first, which is sorted."""
    values, starts = np.unique(pairs[:, 0], return_index=True)
    return zip(values.tolist(), np.split(pairs[:, 1], starts[1:]), strict=True) if values.size else ()


def _ranges(first: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenated ranges of row numbers."""
    before = np.cumsum(length) - length
    return np.repeat(first - before, length) + np.arange(int(length.sum()))


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    if name not in table.column_names:
        raise ColumnError(f"rows are sorted along the sky by {HEALPIX_COLUMN} and {_ID}; there is no column {name!r}")
    column = table.column(name)
    if column.null_count:
        raise SchemaError(f"{column.null_count} of {table.num_rows} rows have no {name}")
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _refuse_outside(table: pa.Table, hpx29: NDArray[np.int64], owner: NDArray[np.int64], pixels: PixelSet) -> None:
    outside = np.flatnonzero(owner < 0)
    if not outside.size:
        return
    few = outside[:_NAMED]
    ids = _integers(table, _ID)[few]
    ra, dec = healpix_center(hpx29[few], MAX_ORDER)
    named = ", ".join(f"object {i} at ra {x:.5f}, dec {y:.5f}" for i, x, y in zip(ids, ra, dec, strict=True))
    raise SchemaError(
        f"{outside.size} of {table.num_rows} objects lie outside all {len(pixels)} pixels of the tiling: {named}"
        f"{', ...' if outside.size > _NAMED else ''}; summarise the release again, so that the pixels cover every tract"
    )
