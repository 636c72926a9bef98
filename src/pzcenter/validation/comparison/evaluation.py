"""Metrics and verdicts of one method, with the bins and requirement lines of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.validation.binned_metrics import MetricAxis, default_axes, group_rows
from pzcenter.validation.binned_nz import TomographicBins, default_bins
from pzcenter.validation.evaluation import MIN_BIN_OBJECTS
from pzcenter.validation.metric_resamples import Resampler
from pzcenter.validation.metric_suite import evaluate_suite
from pzcenter.validation.requirements import Requirement, Selection
from pzcenter.validation.table import MetricRow, MetricTable, Verdict
from pzcenter.validation.verdicts import give_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pzcenter.validation.streamed_metrics import ObjectScores
    from pzcenter.validation.technical_metrics import TechnicalFacts

    from .settings import ComparisonSettings

__all__ = ["evaluate_method", "own_lines", "table_of"]


def evaluate_method(
    scores: ObjectScores,
    settings: ComparisonSettings,
    *,
    mag_band: str | None = None,
    technical: TechnicalFacts | None = None,
    z_edges: Sequence[float] | NDArray[np.float64] | None = None,
    mag_edges: Sequence[float] | NDArray[np.float64] | None = None,
) -> tuple[MetricRow, ...]:
    """All metrics of one method.

    Parameters
    ----------
    scores : ObjectScores
    settings : ComparisonSettings
    mag_band : str, optional
        Band of the covariate ``mag``.
    technical : TechnicalFacts, optional
    z_edges, mag_edges : sequence of float, optional
        Bins that all methods share; those of the settings are stronger.

    Returns
    -------
    tuple of MetricRow
    """
    edges = {"z_spec": settings.bins.z_spec or z_edges, "mag": settings.bins.mag or mag_edges}
    axes = [
        axis if edges.get(axis.name) is None else MetricAxis(axis.name, axis.values, np.asarray(edges[axis.name]))
        for axis in default_axes(scores)
    ]
    own = [TomographicBins(name, name, bounds) for name, bounds in settings.bins.tomographic.items()]
    table = evaluate_suite(
        scores,
        axes=axes,
        bins=[*default_bins(scores), *own],
        mag_band=mag_band,
        technical=technical,
        n_bootstrap=settings.n_bootstrap,
        seed=settings.seed,
    )
    return (*table.rows, *_own_rows(scores, settings, mag_band))


def own_lines(settings: ComparisonSettings) -> tuple[Requirement, ...]:
    """Requirement lines that the settings add."""
    return tuple(
        Requirement(
            Selection(
                name=f"own_{number}",
                title=each.title,
                source="settings of this comparison",
                z_min=each.z_min,
                z_max=each.z_max,
                mag_max=each.mag_max,
                mag_band=settings.mag_band,
            ),
            each.metric,
            each.limit,
            each.words or f"{each.metric} below {each.limit:g}",
        )
        for number, each in enumerate(settings.requirements, 1)
    )


def _own_rows(scores: ObjectScores, settings: ComparisonSettings, mag_band: str | None) -> list[MetricRow]:
    resampler = Resampler(settings.n_bootstrap, seed=settings.seed)
    rows: list[MetricRow] = []
    for line in own_lines(settings):
        chosen = np.flatnonzero(line.selection.rows(scores.z_spec, scores.covariates.get("mag"), mag_band))
        place = MetricRow(
            line.metric, "z_best", "selection", np.nan, np.nan, int(chosen.size), selection=line.selection.name
        )
        if chosen.size >= MIN_BIN_OBJECTS:
            found = group_rows(scores, chosen, place, resampler, ("z_best",))
            rows += [row for row in found if row.metric == line.metric]
        else:
            rows.append(place)
    return rows


def table_of(rows: Sequence[MetricRow], settings: ComparisonSettings, mag_band: str | None) -> MetricTable:
    """Rows with the verdicts of the lines that the settings ask for.

    Parameters
    ----------
    rows : sequence of MetricRow
    settings : ComparisonSettings
    mag_band : str, optional
        Band by which objects were selected.

    Returns
    -------
    MetricTable
    """
    verdicts = [
        verdict
        for verdict in give_verdicts(rows, mag_band=mag_band)
        if verdict.requirement.selection.name in settings.lines
    ]
    for line in own_lines(settings):
        at = (row for row in rows if row.axis == "selection" and row.selection == line.selection.name)
        row = next(
            (row for row in at if row.metric == line.metric),
            MetricRow(line.metric, "z_best", "selection", np.nan, np.nan, 0, selection=line.selection.name),
        )
        words = "all objects"
        if (line.selection.z_min, line.selection.z_max, line.selection.mag_max) != (-np.inf, np.inf, np.inf):
            words = line.selection.words(mag_band)
        verdicts.append(Verdict(line, row, words))
    return MetricTable(tuple(rows), tuple(verdicts))
