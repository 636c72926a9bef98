"""All metrics as functions of redshift, magnitude, colour, E(B-V), tract, number of bands, or anything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ConfigError

from .evaluation import MIN_BIN_OBJECTS
from .metric_resamples import Resampler, group_metrics
from .table import MetricRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .streamed_metrics import ObjectScores

__all__ = ["MAX_CATEGORIES", "MetricAxis", "binned_rows", "default_axes", "group_rows", "round_edges"]

MAX_CATEGORIES = 20_000
"""More different values than this are no categories; a release has fewer tracts."""

_ROWS_OF_BIN = 1000
_ROWS_OF_MANY = 300  # of each of more bins than _MANY
_MANY = 100


@dataclass(frozen=True, eq=False)
class MetricAxis:
    """What metrics are a function of.

    Parameters
    ----------
    name : str
        As in the ``axis`` column of a metric table.
    values : ndarray, (n_obj,)
        One for each object of the scores; an object whose value is NaN is in no bin.
    edges : ndarray, (n_bin + 1,), optional
        Of bins that hold their lower edge. None makes each different value a bin, whose two edges are that value.

    Raises
    ------
    ConfigError
        The edges do not increase, or there are too many different values.
    """

    name: str
    values: NDArray[Any]
    edges: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.edges is not None and (self.edges.size < 2 or not np.all(np.diff(self.edges) > 0)):
            raise ConfigError(
                f"edges of the bins in {self.name} must increase, at least two of them; got {self.edges.tolist()}"
            )

    def bins(self) -> Iterator[tuple[float, float, NDArray[np.int64]]]:
        """Edges of each bin, and the objects in it in ascending order.

        Yields
        ------
        (float, float, ndarray of int64)
        """
        if self.edges is None:
            known, index = np.unique(self.values, return_inverse=True)
            known = known[np.isfinite(known)]
            if known.size > MAX_CATEGORIES:
                raise ConfigError(f"{self.name} has {known.size} different values; give edges, or {MAX_CATEGORIES}")
            low, high = known.astype(np.float64), known.astype(np.float64)
        else:
            index = np.searchsorted(self.edges, self.values, side="right") - 1
            low, high = self.edges[:-1], self.edges[1:]
            index = np.where(np.isfinite(self.values), index, low.size)
        order = np.argsort(index, kind="stable")
        ends = np.searchsorted(index[order], np.arange(low.size + 1))
        for i in range(low.size):
            yield float(low[i]), float(high[i]), order[ends[i] : ends[i + 1]]


def default_axes(scores: ObjectScores) -> tuple[MetricAxis, ...]:
    """Redshift true and estimated, and every covariate: round edges for numbers, categories for integers.

    Parameters
    ----------
    scores : ObjectScores

    Returns
    -------
    tuple of MetricAxis
    """
    named: dict[str, NDArray[Any]] = {"z_spec": scores.z_spec, "z_best": scores.points["z_best"], **scores.covariates}
    axes = []
    for name, values in named.items():
        if values.dtype.kind in "iub":
            axes.append(MetricAxis(name, values))
        elif np.isfinite(values).any():
            low, high = np.nanpercentile(values, (0.1, 99.9) if name.startswith("z_") else (0.5, 99.5))
            axes.append(MetricAxis(name, values, round_edges(float(low), float(high))))
    return tuple(axes)


def round_edges(low: float, high: float, *, n_bin: int = 12) -> NDArray[np.float64]:
    """Edges that cover a range with at most about ``n_bin`` bins, multiples of 1, 2, 2.5 or 5 times a power of ten.

    Parameters
    ----------
    low, high : float
        Finite.
    n_bin : int

    Returns
    -------
    ndarray, (n + 1,)
        Two edges at least.
    """
    width = (high - low) / n_bin
    if not width > 0.0:
        width = max(abs(low), 1.0) / 10.0
    power = 10.0 ** np.floor(np.log10(width))
    step = next((factor * power for factor in (1.0, 2.0, 2.5, 5.0) if factor * power >= width * 0.999), 10.0 * power)
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    edges: NDArray[np.float64] = np.round(np.arange(first, max(last, first + 1) + 1) * step, 10)
    return edges


def binned_rows(
    scores: ObjectScores,
    axis: MetricAxis,
    *,
    n_bootstrap: int = 100,
    seed: int = 0,
    points: Sequence[str] = ("z_best",),
) -> list[MetricRow]:
    """All metrics in each bin of an axis.

    Parameters
    ----------
    scores : ObjectScores
    axis : MetricAxis
    n_bootstrap : int
        Resamples for the errors.
    seed : int
    points : sequence of str
        Point estimates wanted.

    Returns
    -------
    list of MetricRow
        A bin with fewer than 20 objects has one row, of ``bias``, whose value is NaN.

    Raises
    ------
    ConfigError
        The axis does not fit the scores.
    """
    if axis.values.shape != (scores.n_obj,):
        raise ConfigError(f"axis {axis.name} must have {scores.n_obj} values, one per object; got {axis.values.shape}")
    bins = list(axis.bins())
    resampler = Resampler(n_bootstrap, seed=seed, max_rows=_ROWS_OF_BIN if len(bins) <= _MANY else _ROWS_OF_MANY)
    rows: list[MetricRow] = []
    for low, high, chosen in bins:
        if chosen.size < MIN_BIN_OBJECTS:
            rows.append(MetricRow("bias", points[0], axis.name, np.nan, np.nan, int(chosen.size), low, high))
            continue
        place = MetricRow("", "", axis.name, np.nan, np.nan, int(chosen.size), low, high)
        rows += group_rows(scores, chosen, place, resampler, points)
    return rows


def group_rows(
    scores: ObjectScores,
    chosen: NDArray[np.int64] | slice,
    place: MetricRow,
    resampler: Resampler,
    points: Sequence[str],
) -> list[MetricRow]:
    """All metrics of some objects, as rows that stand where ``place`` stands."""
    label = f"{place.axis}/{place.selection}/{place.bin_low}"
    found = group_metrics(scores, chosen, resampler, label, tuple(points))
    return [
        MetricRow(name, point, place.axis, value, error, place.n_obj, place.bin_low, place.bin_high, place.selection)
        for point, numbers in found.items()
        for name, (value, error) in numbers.items()
    ]
