"""All metrics of one method with errors: overall, as functions of anything, in tomographic bins, against the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import ConfigError
from pzcenter.science import metrics

from .binned_metrics import binned_rows, default_axes, group_rows
from .binned_nz import default_bins, nz_rows, tomography_rows
from .evaluation import MIN_BIN_OBJECTS
from .metric_resamples import Resampler
from .table import MetricRow, MetricTable
from .technical_metrics import technical_rows
from .verdicts import LINE_SELECTIONS, give_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .binned_metrics import MetricAxis
    from .binned_nz import TomographicBins
    from .streamed_metrics import ObjectScores
    from .technical_metrics import TechnicalFacts

__all__ = ["evaluate_suite", "overall_rows", "selection_rows"]


def evaluate_suite(
    scores: ObjectScores,
    *,
    axes: Sequence[MetricAxis] | None = None,
    bins: Sequence[TomographicBins] | None = None,
    mag_band: str | None = None,
    technical: TechnicalFacts | None = None,
    n_bootstrap: int = 100,
    seed: int = 0,
) -> MetricTable:
    """Every metric of :data:`~pzcenter.validation.metric_suite_info.SUITE` that the scores allow, and every verdict.

    Parameters
    ----------
    scores : ObjectScores
        From :func:`~pzcenter.validation.streamed_metrics.score_chunks` or ``score_points``.
    axes : sequence of MetricAxis, optional
        What the metrics are functions of; redshifts and all covariates when not given.
    bins : sequence of TomographicBins, optional
        Those of the DESC SRD when not given.
    mag_band : str, optional
        Band of the covariate ``mag``; without it no magnitude limit of a requirement can be applied.
    technical : TechnicalFacts, optional
    n_bootstrap : int
        Resamples for the errors; 0 gives NaN errors where there is no formula.
    seed : int
        The same seed gives the same errors.

    Returns
    -------
    MetricTable
        All point estimates overall and in the selections; ``z_best`` and p(z) in bins.

    Raises
    ------
    ConfigError
        ``n_bootstrap`` is negative, or an axis does not fit.
    """
    if n_bootstrap < 0:
        raise ConfigError(f"n_bootstrap must not be negative; got {n_bootstrap}")
    rows = overall_rows(scores, n_bootstrap=n_bootstrap, seed=seed)
    for axis in default_axes(scores) if axes is None else axes:
        rows += binned_rows(scores, axis, n_bootstrap=n_bootstrap, seed=seed)
    for tomographic in default_bins(scores) if bins is None else bins:
        rows += nz_rows(scores, tomographic, n_bootstrap=n_bootstrap, seed=seed)
        rows += tomography_rows(scores, tomographic, n_bootstrap=n_bootstrap, seed=seed)
    rows += selection_rows(scores, mag_band=mag_band, n_bootstrap=n_bootstrap, seed=seed)
    if technical is not None:
        rows += technical_rows(technical)
    return MetricTable(tuple(rows), give_verdicts(rows, mag_band=mag_band))


def overall_rows(scores: ObjectScores, *, n_bootstrap: int = 100, seed: int = 0) -> list[MetricRow]:
    """All metrics of all objects, for every point estimate."""
    place = MetricRow("", "", "all", np.nan, np.nan, scores.n_obj)
    rows = group_rows(scores, slice(None), place, Resampler(n_bootstrap, seed=seed), tuple(scores.points))
    if scores.pdf:
        value = metrics.pit_ad_ksamp(scores.pdf["pit"])
        rows.append(MetricRow("pit_ad_ksamp", "pdf", "all", value, float("nan"), scores.n_obj))
    return rows


def selection_rows(
    scores: ObjectScores, *, mag_band: str | None = None, n_bootstrap: int = 100, seed: int = 0
) -> list[MetricRow]:
    """All metrics of the part of the sample on which each requirement is stated, of ``z_best`` and p(z)."""
    mag = scores.covariates.get("mag")
    resampler = Resampler(n_bootstrap, seed=seed)
    rows: list[MetricRow] = []
    for selection in LINE_SELECTIONS:
        chosen = np.flatnonzero(selection.rows(scores.z_spec, mag, mag_band))
        place = MetricRow("bias", "z_best", "selection", np.nan, np.nan, int(chosen.size), selection=selection.name)
        if chosen.size < MIN_BIN_OBJECTS:
            rows.append(place)
        else:
            rows += group_rows(scores, chosen, place, resampler, ("z_best",))
    return rows
