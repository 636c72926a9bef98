"""Tomographic bins: ranges of a point estimate that no object belongs to twice."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["SampleBins"]


@dataclass(frozen=True)
class SampleBins:
    """Ranges of a point estimate, each with its lower end and without its upper one.

    Parameters
    ----------
    low, high : tuple of float, (n_bin,)
        In increasing order; ranges may leave gaps and must not overlap.

    Raises
    ------
    ConfigError
        No ranges, one that is empty, or two that overlap.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        pairs = list(zip(self.low, self.high, strict=True))
        if not pairs:
            raise ConfigError("tomographic bins: at least one is needed")
        for low, high in pairs:
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise ConfigError(f"a tomographic bin goes from a lower to a higher redshift; got {low:g} to {high:g}")
        for (first, end), (start, last) in pairwise(pairs):
            if start < end:
                raise ConfigError(
                    f"tomographic bins must increase and not overlap, since an object would count twice; got "
                    f"{first:g} to {end:g} and {start:g} to {last:g}"
                )

    @classmethod
    def from_edges(cls, edges: Sequence[float]) -> Self:
        """Make adjacent bins.

        Raises
        ------
        ConfigError
            Fewer than two edges, or they do not increase.
        """
        values = tuple(float(edge) for edge in edges)
        if len(values) < 2:
            raise ConfigError(f"tomographic bins need at least two edges; got {list(values)}")
        return cls(values[:-1], values[1:])

    @property
    def n_bin(self) -> int:
        """Number of bins."""
        return len(self.low)

    @property
    def names(self) -> tuple[str, ...]:
        """Such as ``0.2 to 0.4``."""
        return tuple(f"{low:g} to {high:g}" for low, high in zip(self.low, self.high, strict=True))

    def assign(self, point: ArrayLike) -> NDArray[np.int16]:
        """Bin of each object.

        Parameters
        ----------
        point : array_like, (n_obj,)

        Returns
        -------
        ndarray of int16, (n_obj,)
            -1 where it is in none, or not finite.
        """
        values = np.asarray(point)
        # Ends as the estimates are stored: 0.7 in single precision is less than in double, and is in the bin from 0.7.
        kind = values.dtype if values.dtype == np.float32 else np.float64
        low, high = np.asarray(self.low, dtype=kind), np.asarray(self.high, dtype=kind)
        found = np.searchsorted(low, values, side="right") - 1
        inside = (found >= 0) & (values < high[np.maximum(found, 0)])
        return np.where(inside, found, -1).astype(np.int16)
