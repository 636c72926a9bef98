"""The controls on the test set, a few objects at a time, so that they too stay within bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.errors import EmptyTableError
from pzcenter.estimators.protocol import default_z_grid
from pzcenter.estimators.registry import get_estimator
from pzcenter.validation.technical_metrics import Cost, TechnicalFacts, measure_cost

from .scoring import score_densities, truth_chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import Estimator
    from pzcenter.validation.streamed_metrics import MetricChunk

    from .scoring import ScoredObjects
    from .truth import TrainingSet, TruthSet

__all__ = ["ScoredControl", "control_grid", "score_control"]

ROWS = 16_384
"""Objects estimated at a time."""


@dataclass(frozen=True, eq=False)
class ScoredControl:
    """A control with its numbers.

    Parameters
    ----------
    scored : ScoredObjects
    technical : TechnicalFacts
        What it cost.
    """

    scored: ScoredObjects
    technical: TechnicalFacts


def control_grid(truth: TruthSet, training: TrainingSet) -> NDArray[np.float64]:
    """The house grid, made longer by whole tenths where redshifts of either set lie beyond it, (n_z,)."""
    grid = default_z_grid()
    top = max(float(truth.z_spec.max()), float(training.z_spec.max()))
    if top <= grid[-1]:
        return grid
    step = float(grid[1] - grid[0])
    end = np.ceil(10.0 * top + 1e-9) / 10.0
    return np.linspace(0.0, end, round(end / step) + 1)


def score_control(name: str, truth: TruthSet, training: TrainingSet) -> ScoredControl:
    """Train a control, estimate the test set, and score it.

    Parameters
    ----------
    name : str
        In the registry of estimators.
    truth : TruthSet
        With photometry.
    training : TrainingSet

    Returns
    -------
    ScoredControl

    Raises
    ------
    NotFoundError
        No such estimator.
    EmptyTableError
        The truth set has no photometry, or no object has an estimate.
    ModelError, GridError, BandError
        It cannot be trained on this set, or not used on the test set.
    """
    if truth.photometry is None:
        raise EmptyTableError(f"the control {name} needs photometry of the truth set, and there is none")
    estimator = get_estimator(name)
    with measure_cost() as train_cost:
        model = estimator.train(training.photometry, training.z_spec, z_grid=control_grid(truth, training))
    total = Cost(cpu_s=0.0, wall_s=0.0, peak_bytes=0.0)
    scored = score_densities(_estimated(model, truth, total), truth)
    technical = TechnicalFacts(
        train_s=train_cost.cpu_s,
        estimate_s=total.cpu_s,
        n_obj=truth.n_obj,
        peak_bytes=total.peak_bytes,
        output_bytes=float(truth.n_obj * model.z_grid.size * 4),
    )
    return ScoredControl(scored, technical)


def _estimated(model: Estimator, truth: TruthSet, total: Cost) -> Iterator[MetricChunk]:
    assert truth.photometry is not None
    photometry = truth.photometry.with_bands(model.bands)
    for first in range(0, truth.n_obj, ROWS):
        place = np.arange(first, min(first + ROWS, truth.n_obj))
        with measure_cost() as cost:
            result = model.estimate(photometry.select(place))
        total.cpu_s += cost.cpu_s
        total.wall_s += cost.wall_s
        total.peak_bytes = max(total.peak_bytes, cost.peak_bytes)
        yield truth_chunk(truth, place, result.pdf, result.z_grid)
