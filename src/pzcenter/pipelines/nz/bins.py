"""Tomographic bins from what was typed: edges, ranges, names, or equal numbers of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ConfigError, EmptyTableError
from pzcenter.science.nz import SampleBins
from pzcenter.validation.binned_nz import LENS_Y1, LENS_Y10

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["NAMED_BINS", "equal_bins", "parse_bins"]

NAMED_BINS = {bins.name: bins.edges for bins in (LENS_Y1, LENS_Y10)}
"""Bins of the DESC Science Requirements Document."""

_FINE = 1e-3
_TOP = 20.0
_MAX_BINS = 100


def parse_bins(text: str) -> SampleBins | int:
    """Bins of a text.

    Parameters
    ----------
    text : str
        ``0,0.3,0.6`` edges; ``0.2:0.4,0.5:0.8`` ranges; ``lens_y1``, ``lens_y10``; ``equal:5`` for five bins with
        equal numbers of objects.

    Returns
    -------
    SampleBins or int
        The number of bins where they are to be of equal numbers.

    Raises
    ------
    ConfigError
        It is none of these, or bins overlap.
    """
    words = text.strip()
    if words in NAMED_BINS:
        return SampleBins.from_edges(NAMED_BINS[words])
    try:
        if words.startswith("equal:"):
            number = int(words.removeprefix("equal:"))
            if not 1 <= number <= _MAX_BINS:
                raise ConfigError(f"1 to {_MAX_BINS} bins of equal numbers are accepted; got {number}")
            return number
        if ":" in words:
            pairs = [tuple(float(end) for end in part.split(":")) for part in words.split(",")]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError(words)
            return SampleBins(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))
        return SampleBins.from_edges([float(part) for part in words.split(",")])
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"bins are edges (0,0.3,0.6), ranges (0.2:0.4,0.5:0.8), {', '.join(NAMED_BINS)} or equal:N; got {text!r}"
        ) from None


def equal_bins(points: Iterable[NDArray[np.floating[Any]]], n_bin: int) -> SampleBins:
    """Bins with equal numbers of objects, from one pass; their edges are multiples of 0.001.

    Parameters
    ----------
    points : iterable of ndarray, (n_obj,)
        Point estimates, block by block.
    n_bin : int

    Returns
    -------
    SampleBins
        Fewer bins where many objects have the same estimate.

    Raises
    ------
    EmptyTableError
        There are no objects.
    """
    counts = np.zeros(round(_TOP / _FINE) + 1, dtype=np.int64)
    for block in points:
        # A little more, since 0.7 in single precision lies below 0.7.
        place = np.floor(np.asarray(block, dtype=np.float64) / _FINE + 1e-3)
        place = np.clip(place, 0, counts.size - 1).astype(np.int64)
        counts += np.bincount(place, minlength=counts.size)
    if not counts.any():
        raise EmptyTableError("no object has an estimate")
    below = np.cumsum(counts)
    inner = np.searchsorted(below, below[-1] * np.arange(1, n_bin) / n_bin) + 1
    filled = np.flatnonzero(counts)
    edges = np.unique([filled[0], *inner[(inner > filled[0]) & (inner <= filled[-1])], filled[-1] + 1])
    return SampleBins.from_edges(np.round(edges * _FINE, 3).tolist())
