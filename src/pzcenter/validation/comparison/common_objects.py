"""Methods that cover different objects on the objects that all of them have: ranks, and metrics where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.evaluation import MIN_BIN_OBJECTS
from pzcenter.validation.metric_suite import overall_rows
from pzcenter.validation.metric_suite_info import SUITE
from pzcenter.validation.ranking import rank_methods
from pzcenter.validation.streamed_metrics import PDF_SCORES
from pzcenter.validation.table import MetricTable

from .store import read_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.validation.ranking import Ranking
    from pzcenter.validation.streamed_metrics import ObjectScores

    from .results import MethodResult
    from .settings import ComparisonSettings

__all__ = ["CommonComparison", "compare_common"]


@dataclass(frozen=True, eq=False)
class CommonComparison:
    """What all ranked methods have in common.

    Parameters
    ----------
    n_common : int
    rankings : tuple of Ranking
    unranked : dict of str to str
        Methods that are not ranked, with the reason.
    tables : dict of str to MetricTable
        Metrics of the common objects; empty where all ranked methods have exactly these.
    """

    n_common: int = 0
    rankings: tuple[Ranking, ...] = ()
    unranked: dict[str, str] = field(default_factory=dict)
    tables: dict[str, MetricTable] = field(default_factory=dict)


def compare_common(methods: Sequence[MethodResult], settings: ComparisonSettings) -> CommonComparison:
    """Rank methods on the objects that all of them have.

    Parameters
    ----------
    methods : sequence of MethodResult
        Scored and on disk; each is read again, one after the other, for the columns that a metric needs.
    settings : ComparisonSettings

    Returns
    -------
    CommonComparison
    """
    unranked = {
        method.name: f"it has {method.coverage:.1%} of the truth set; {settings.min_coverage:.1%} are needed"
        for method in methods
        if method.coverage < settings.min_coverage
    }
    ranked = [method for method in methods if method.name not in unranked]
    if len(ranked) < 2:
        return CommonComparison(unranked=unranked)
    common = _common_ids(ranked)
    if common.size < MIN_BIN_OBJECTS:
        why = f"only {common.size} objects are common to all methods; {MIN_BIN_OBJECTS} are needed"
        return CommonComparison(int(common.size), unranked=unranked | {method.name: why for method in ranked})
    rankings = tuple(_ranking(ranked, metric, common, settings) for metric in settings.rank_by)
    tables = {}
    if any(method.n_obj != common.size for method in ranked):
        tables = {method.name: _table(method, common, settings) for method in ranked}
    return CommonComparison(int(common.size), rankings, unranked, tables)


def _common_ids(methods: Sequence[MethodResult]) -> NDArray[np.int64]:
    common = np.sort(read_scores(methods[0].directory, ()).object_id)
    for method in methods[1:]:
        common = np.intersect1d(common, read_scores(method.directory, ()).object_id, assume_unique=True)
    return common


def _ranking(
    methods: Sequence[MethodResult], metric: str, common: NDArray[np.int64], settings: ComparisonSettings
) -> Ranking:
    column = "point.z_best" if SUITE[metric].family == "point" else f"pdf.{metric if metric in PDF_SCORES else 'pit'}"
    scores = {method.name: _of_common(method, common, (column,)) for method in methods}
    return rank_methods(scores, metric, n_bootstrap=settings.n_rank_bootstrap, seed=settings.seed)


def _of_common(method: MethodResult, common: NDArray[np.int64], columns: Sequence[str] | None = None) -> ObjectScores:
    scores = read_scores(method.directory, columns)
    if scores.n_obj == common.size:
        return scores
    return scores.select(np.flatnonzero(np.isin(scores.object_id, common)))


def _table(method: MethodResult, common: NDArray[np.int64], settings: ComparisonSettings) -> MetricTable:
    scores = _of_common(method, common)
    return MetricTable(tuple(overall_rows(scores, n_bootstrap=settings.n_bootstrap, seed=settings.seed)), ())
