"""The part of the sky that positions occupy, as a multi-order coverage map (MOC) of HEALPix cells.

References
----------
Fernique et al. 2022, MOC: HEALPix Multi-Order Coverage map, IVOA Recommendation 2.0, sections 4.3.2 (ASCII) and 4.3.3
(JSON).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import FileFormatError, UsageError
from pzcenter.science.sky import MAX_ORDER, healpix29, healpix_at_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Moc", "cell_area", "moc_of_positions", "read_moc"]

_MOST_CELLS = 20_000_000
_ASCII = re.compile(r"(\d+)/([^/]*?)(?=\d+/|$)", re.DOTALL)
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def cell_area(order: int) -> float:
    """Area of a HEALPix cell, square degrees."""
    return float(4.0 * np.pi * np.degrees(1.0) ** 2 / (12.0 * 4.0**order))


@dataclass(frozen=True, eq=False)
class Moc:
    """HEALPix cells, nested, ICRS.

    Parameters
    ----------
    order : int
        Of the cells; the finest of the map.
    cells : ndarray of int64, (n_cell,)
        Sorted, each once.
    """

    order: int
    cells: NDArray[np.int64]

    @property
    def area_deg2(self) -> float:
        """Square degrees."""
        return self.cells.size * cell_area(self.order)

    def at_order(self, order: int) -> Moc:
        """The larger cells that hold these.

        Raises
        ------
        UsageError
            The order is higher than that of this map.
        """
        if not 0 <= order <= self.order:
            raise UsageError(f"a map of order {self.order} says nothing of cells of order {order}")
        return Moc(order, np.unique(self.cells >> 2 * (self.order - order)))

    def by_order(self) -> dict[int, NDArray[np.int64]]:
        """The fewest cells that are the same area, by order: four sisters are their mother."""
        found, cells = {}, self.cells
        for order in range(self.order, 0, -1):
            mother, count = np.unique(cells >> 2, return_counts=True)
            full = mother[count == 4]
            alone = cells[~np.isin(cells >> 2, full)]
            if alone.size:
                found[order] = alone
            cells = full
        if cells.size:
            found[0] = cells
        return dict(sorted(found.items()))

    def to_ascii(self) -> str:
        """The map as text, such as ``3/2-4 7 5/100``; the finest order is always named."""
        parts = [f"{order}/{' '.join(_ranges(cells))}" for order, cells in self.by_order().items()]
        if not parts or not parts[-1].startswith(f"{self.order}/"):
            parts.append(f"{self.order}/")
        return " ".join(parts)

    def to_json(self) -> str:
        """The map as JSON, such as ``{"3": [2, 3, 4, 7], "5": [100]}``; the finest order is always named."""
        found = {str(order): cells.tolist() for order, cells in self.by_order().items()}
        return json.dumps(found | ({} if str(self.order) in found else {str(self.order): []}))


def moc_of_positions(ra: ArrayLike, dec: ArrayLike, *, order: int) -> Moc:
    """Cells that hold at least one position.

    Parameters
    ----------
    ra, dec : array_like, (n,)
        Degrees, ICRS; positions that are not finite are left out.
    order : int
        0 to 29.

    Returns
    -------
    Moc

    Raises
    ------
    UsageError
        The order is outside 0 to 29.
    """
    lon, lat = np.asarray(ra, dtype=np.float64).ravel(), np.asarray(dec, dtype=np.float64).ravel()
    good = np.isfinite(lon) & (np.abs(lat) <= 90.0)
    if not good.any():
        return Moc(order, np.empty(0, dtype=np.int64))
    return Moc(order, np.unique(healpix_at_order(healpix29(lon[good], lat[good]), order)))


def read_moc(text: str) -> Moc:
    """Read a map from ASCII or JSON.

    Parameters
    ----------
    text : str
        As :meth:`Moc.to_ascii` or :meth:`Moc.to_json` write it, or another program.

    Returns
    -------
    Moc

    Raises
    ------
    FileFormatError
        It is neither; or a cell does not exist at its order; or it has more cells than memory is meant for.
    """
    text = text.strip()
    ranges = _from_json(text) if text.startswith("{") else _from_ascii(text)
    order = max(ranges, default=0)
    total, pieces = 0, [np.empty(0, dtype=np.int64)]
    for each, pairs in ranges.items():
        for first, last in pairs:
            if not 0 <= first <= last < 12 * 4**each:
                raise FileFormatError(f"there is no cell {last} of order {each}, or {first} to {last} is no range")
            total += (last - first + 1) << 2 * (order - each)
            if total > _MOST_CELLS:
                raise FileFormatError(f"the map has more than {_MOST_CELLS:,} cells of order {order}")
            pieces.append(np.arange(first << 2 * (order - each), (last + 1) << 2 * (order - each), dtype=np.int64))
    return Moc(order, np.unique(np.concatenate(pieces)))


def _ranges(cells: NDArray[np.int64]) -> Iterable[str]:
    breaks = np.flatnonzero(np.diff(cells) != 1)
    for first, last in zip(cells[np.append(0, breaks + 1)], cells[np.append(breaks, cells.size - 1)], strict=True):
        yield f"{first}" if first == last else f"{first}-{last}"


def _from_json(text: str) -> dict[int, list[tuple[int, int]]]:
    try:
        content: Mapping[str, list[int]] = json.loads(text)
        return {_order(each): [(int(cell), int(cell)) for cell in cells] for each, cells in content.items()}
    except (ValueError, TypeError) as error:
        raise FileFormatError(f"this is no MOC in JSON: {error}") from error


def _from_ascii(text: str) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    rest = _ASCII.sub("", text).strip()
    if rest or not text:
        raise FileFormatError(f"this is no MOC: {text[:60]!r}; a text such as '3/2-4 7 5/100' is")
    for order, cells in _ASCII.findall(text):
        words = [word for word in re.split(r"[\s,]+", cells) if word]
        pairs = [_RANGE.fullmatch(word) for word in words]
        wrong = [word for word, pair in zip(words, pairs, strict=True) if pair is None]
        if wrong:
            raise FileFormatError(f"{wrong[0]!r} in a MOC is no cell and no range of cells")
        own = [(int(pair[1]), int(pair[2] or pair[1])) for pair in pairs if pair is not None]
        found.setdefault(_order(order), []).extend(own)
    return found


def _order(text: str) -> int:
    order = int(text)
    if not 0 <= order <= MAX_ORDER:
        raise FileFormatError(f"a MOC has orders 0 to {MAX_ORDER}; got {order}")
    return order
