"""Ranks of methods with their uncertainty: no medal for a difference inside its error.

All methods are judged on the same objects, and the error of a difference comes from resampling these objects for all
methods at once, so that what is common to them, such as a hard object, cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError, EmptyTableError, NotFoundError
from pzcenter.science import metrics
from pzcenter.science.metrics.pdf import PIT_OUTLIER
from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER, CATASTROPHIC
from pzcenter.science.metrics.rows import nmad_of_rows, pit_statistics_of_rows, point_statistics_of_rows

from .metric_resamples import Resampler
from .metric_suite_info import DP1_OUTLIER, SUITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .streamed_metrics import ObjectScores

__all__ = ["RANKED_METRICS", "RankedMethod", "Ranking", "rank_methods"]

_POINT_MEANS = {"mean_bias", "outlier_fraction", "outlier_fraction_0p2", "catastrophic_fraction", "loss"}
_POINT_ROBUST = {
    "bias",
    "sigma_nmad",
    "sigma_mad",
    "sigma_iqr",
    "sigma_rms",
    "outlier_fraction_3sigma",
    "biweight_bias",
    "biweight_sigma",
    "outlier_fraction_biweight",
}
_PIT_MEANS = {"pit_outlier_rate", "coverage_68", "coverage_95"}
_PIT_ROBUST = {"pit_ks", "pit_cvm", "pit_ad"}
_LOSSES = {"cde_loss", "crps", "log_score", "brier", "credibility", "kld", "rmse"}

RANKED_METRICS = tuple(
    name for name in SUITE if name in _POINT_MEANS | _POINT_ROBUST | _PIT_MEANS | _PIT_ROBUST | _LOSSES
)
"""Metrics by which methods can be ranked: not ``risk`` or ``concentration``, which are what a method says of itself."""


@dataclass(frozen=True)
class RankedMethod:
    """One line of a ranking.

    Parameters
    ----------
    name : str
        Of the method.
    value, error : float
        Of the metric, on the common objects; NaN where the method does not give it.
    rank : int
        1 + the number of methods that are better by more than the error of the difference. Methods may share one.
    rank_low, rank_high : int
        Ranks that 95 % of the resamples lie between.
    same_as : tuple of str
        Other methods that are neither better nor worse than this one, within the error.
    """

    name: str
    value: float
    error: float
    rank: int
    rank_low: int
    rank_high: int
    same_as: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """Methods in the order of one metric.

    Parameters
    ----------
    metric, point : str
    n_obj : int
        Objects that all methods give an estimate for: the numbers are of these.
    n_left_out : dict of str to int
        Objects of each method that others do not have.
    n_sigma : float
        Errors of a difference above which it counts.
    methods : tuple of RankedMethod
        Best first.
    """

    metric: str
    point: str
    n_obj: int
    n_left_out: dict[str, int]
    n_sigma: float
    methods: tuple[RankedMethod, ...]

    def method(self, name: str) -> RankedMethod:
        """One line.

        Raises
        ------
        NotFoundError
            No such method.
        """
        for line in self.methods:
            if line.name == name:
                return line
        raise NotFoundError(f"no method {name!r} in this ranking, which has {[line.name for line in self.methods]}")


def rank_methods(
    scores: Mapping[str, ObjectScores],
    metric: str,
    *,
    point: str = "z_best",
    n_sigma: float = 2.0,
    n_bootstrap: int = 400,
    seed: int = 0,
) -> Ranking:
    """Rank methods by one metric with a paired bootstrap.

    Parameters
    ----------
    scores : mapping of str to ObjectScores
        By name of the method, with the same object ids; at least one.
    metric : str
        One of :data:`RANKED_METRICS`.
    point : str
        Point estimate, for metrics of points.
    n_sigma : float
        A difference counts when it exceeds this many standard errors of itself.
    n_bootstrap : int
        Resamples, at least 10.
    seed : int

    Returns
    -------
    Ranking
        A method without the metric (point estimates only, say) is last, and its value NaN.

    Raises
    ------
    ConfigError
        The metric cannot be ranked by, the settings make no sense, or the true redshifts differ.
    EmptyTableError
        There are no methods, or no object that all of them have.
    """
    if metric not in RANKED_METRICS:
        raise ConfigError(f"methods cannot be ranked by {metric!r}; accepted are {', '.join(RANKED_METRICS)}")
    if n_bootstrap < 10 or not n_sigma > 0.0:
        raise ConfigError(f"n_bootstrap must be 10 or more and n_sigma positive; got {n_bootstrap} and {n_sigma}")
    names = list(scores)
    common = _common_objects(scores)
    drawn = Resampler(n_bootstrap, seed=seed, max_rows=20_000).draw(common.size, metric)
    parts = np.array_split(drawn, n_bootstrap // 10)
    share = np.sqrt(drawn.shape[1] / common.size)
    values = np.full(len(names), np.nan)
    resampled = np.full((len(names), n_bootstrap), np.nan)
    for k, name in enumerate(names):
        columns = _columns(scores[name], common, metric, point)
        if columns is not None:
            values[k] = _statistic(metric, columns, np.arange(common.size)[None])[0]
            resampled[k] = np.concatenate([_statistic(metric, columns, part) for part in parts])
    # Resamples smaller than the sample scatter more: shrink them about their mean, not about the value, which is free
    # of their bias.
    centre = resampled.mean(axis=1, keepdims=True)
    factor = 1.0 / share if metric in {"pit_cvm", "pit_ad"} else share
    badness = np.vectorize(SUITE[metric].badness, otypes=[float])
    spread = badness(values[:, None] + factor * (resampled - centre))
    better = _better(badness(values), spread, n_sigma)
    low, high = _rank_range(spread)
    order = np.argsort(np.where(np.isnan(values), np.inf, badness(values)), kind="stable")
    errors = factor * resampled.std(axis=1, ddof=1)
    lines = [
        RankedMethod(
            name=names[k],
            value=float(values[k]),
            error=float(errors[k]),
            rank=1 + int(better[:, k].sum()),
            rank_low=int(low[k]),
            rank_high=int(high[k]),
            same_as=tuple(
                names[j] for j in order if j != k and not better[j, k] and not better[k, j] and np.isfinite(values[j])
            )
            if np.isfinite(values[k])
            else (),
        )
        for k in order
    ]
    left_out = {name: int(scores[name].n_obj - common.size) for name in names}
    return Ranking(metric, point, int(common.size), left_out, n_sigma, tuple(lines))


def _common_objects(scores: Mapping[str, ObjectScores]) -> NDArray[np.int64]:
    """Ids that all methods have, sorted."""
    if not scores:
        raise EmptyTableError("there are no methods to rank")
    ids = [np.sort(method.object_id) for method in scores.values()]
    common = ids[0]
    for other in ids[1:]:
        common = np.intersect1d(common, other, assume_unique=True)
    if not common.size:
        raise EmptyTableError("the methods have no object in common; were they run on the same test set?")
    truths = {name: method.z_spec[_rows_of(method, common)] for name, method in scores.items()}
    first = next(iter(truths.values()))
    for name, truth in truths.items():
        if not np.array_equal(truth, first):
            raise ConfigError(f"the true redshifts of {name} are not those of {next(iter(truths))}; rank on one truth")
    return common


def _rows_of(scores: ObjectScores, common: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the common objects stand."""
    order = np.argsort(scores.object_id, kind="stable")
    return order[np.searchsorted(scores.object_id[order], common)]


def _columns(
    scores: ObjectScores, common: NDArray[np.int64], metric: str, point: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """What the metric is made from, in the order of the common ids; None where the method has it not."""
    rows = _rows_of(scores, common)
    z_spec = scores.z_spec[rows]
    if metric in _POINT_MEANS | _POINT_ROBUST:
        return (scores.points[point][rows], z_spec) if point in scores.points else None
    column = metric if metric in _LOSSES else "pit"
    return (scores.pdf[column][rows].astype(np.float64), z_spec) if column in scores.pdf else None


def _statistic(
    metric: str, columns: tuple[NDArray[np.float64], NDArray[np.float64]], rows: NDArray[np.integer]
) -> NDArray[np.float64]:
    """The metric of each row of objects."""
    first, z_spec = columns
    if metric in _POINT_MEANS:
        values: NDArray[np.float64] = _point_column(metric, first, z_spec)[rows].mean(axis=1)
        return values
    if metric == "sigma_nmad":
        return nmad_of_rows((first - z_spec)[rows], (1.0 + z_spec)[rows])
    if metric in _POINT_ROBUST:
        return point_statistics_of_rows(np.sort(metrics.delta_z(first, z_spec)[rows], axis=1))[metric]
    if metric in _PIT_ROBUST:
        return pit_statistics_of_rows(np.sort(first[rows], axis=1))[metric]
    column = {
        "pit_outlier_rate": lambda: (first < PIT_OUTLIER) | (first > 1.0 - PIT_OUTLIER),
        "coverage_68": lambda: np.abs(first - 0.5) <= 0.34,
        "coverage_95": lambda: np.abs(first - 0.5) <= 0.475,
    }.get(metric, lambda: first)()
    means: NDArray[np.float64] = column[rows].mean(axis=1)
    return means


def _point_column(metric: str, z_phot: NDArray[np.float64], z_spec: NDArray[np.float64]) -> NDArray[np.float64]:
    dz = metrics.delta_z(z_phot, z_spec)
    if metric == "mean_bias":
        return dz
    if metric == "loss":
        return metrics.lorentzian_loss(z_phot, z_spec)
    if metric == "catastrophic_fraction":
        return (np.abs(z_phot - z_spec) > CATASTROPHIC).astype(np.float64)
    threshold = DP1_OUTLIER if metric == "outlier_fraction_0p2" else ABSOLUTE_OUTLIER
    return (np.abs(dz) > threshold).astype(np.float64)


def _better(badness: NDArray[np.float64], spread: NDArray[np.float64], n_sigma: float) -> NDArray[np.bool_]:
    """Whether method j is better than method k by more than the error of their difference, [j, k]."""
    n = badness.size
    found = np.zeros((n, n), dtype=bool)
    for j in range(n):
        for k in range(n):
            if np.isnan(badness[j]) or j == k:
                continue
            if np.isnan(badness[k]):
                found[j, k] = True
                continue
            error = float((spread[j] - spread[k]).std(ddof=1))
            found[j, k] = badness[k] - badness[j] > n_sigma * error
    return found


def _rank_range(spread: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ranks between which 95 % of the resamples lie."""
    ranks = 1 + (spread[None] < np.where(np.isnan(spread), np.inf, spread)[:, None]).sum(axis=1)
    low = np.quantile(ranks, 0.025, axis=1, method="lower")
    high = np.quantile(ranks, 0.975, axis=1, method="higher")
    return low, high
