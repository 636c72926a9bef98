"""The controls that run beside every submission: what a method must beat to have learnt anything.

``trainz`` gives every object the n(z) of the training set: it knows the sample and nothing of the object, and its PIT
is nearly perfect. ``neighbours`` gives what the nearest training objects in colour have.

References
----------
Schmidt et al. 2020, MNRAS 499, 1587.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ShapeError
from pzcenter.estimators.registry import get_estimator

from .streamed_metrics import MetricChunk
from .technical_metrics import TechnicalFacts, measure_cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import EstimatorConfig
    from pzcenter.schema import PZ, Photometry

__all__ = ["CONTROLS", "Control", "run_controls"]

CONTROLS = ("trainz", "neighbours")
"""Names in the registry of estimators."""


@dataclass(frozen=True, eq=False)
class Control:
    """What a control gives for the objects of the test set.

    Parameters
    ----------
    name : str
        Of the estimator.
    object_id : ndarray of int64, (n_obj,)
        Of the test photometry, in its order.
    pz : PZ
    technical : TechnicalFacts
        What it cost.
    """

    name: str
    object_id: NDArray[np.int64]
    pz: PZ
    technical: TechnicalFacts

    def chunk(self, z_spec: NDArray[np.float64], **more: Any) -> MetricChunk:
        """The result beside true redshifts, (n_obj,), ready to be scored; ``more`` as in ``MetricChunk``."""
        return MetricChunk(self.pz.pdf, self.pz.z_grid, z_spec, object_id=self.object_id, flags=self.pz.flags, **more)


def run_controls(
    training: Photometry,
    z_spec: NDArray[np.floating],
    test: Photometry,
    *,
    names: Sequence[str] = CONTROLS,
    z_grid: NDArray[np.float64] | None = None,
    configs: Mapping[str, EstimatorConfig] | None = None,
) -> tuple[Control, ...]:
    """Train each control on a training set and estimate the test set.

    Parameters
    ----------
    training : Photometry
    z_spec : ndarray, (n_train,)
        Redshifts of the training set.
    test : Photometry
        Its object ids are those of the result.
    names : sequence of str
        Estimators by name.
    z_grid : ndarray, (n_z,), optional
        Of the result; the house grid when not given.
    configs : mapping of str to EstimatorConfig, optional
        Settings by name of the estimator.

    Returns
    -------
    tuple of Control
        In the order of the names.

    Raises
    ------
    ShapeError
        ``z_spec`` is not that of the training set.
    NotFoundError
        No such estimator.
    ModelError, EmptyTableError, GridError, BandError
        An estimator cannot be trained on this set, or not used on the test set.
    """
    truth = np.asarray(z_spec, dtype=np.float64)
    if truth.shape != (training.n_obj,):
        raise ShapeError(f"z_spec must be ({training.n_obj},), one per training object; got {truth.shape}")
    settings = dict(configs or {})
    return tuple(_run(name, training, truth, test, z_grid=z_grid, config=settings.get(name)) for name in names)


def _run(
    name: str,
    training: Photometry,
    z_spec: NDArray[np.float64],
    test: Photometry,
    *,
    z_grid: NDArray[np.float64] | None,
    config: EstimatorConfig | None,
) -> Control:
    estimator = get_estimator(name)
    with measure_cost() as train_cost:
        model = estimator.train(training, z_spec, config=config, z_grid=z_grid)
    with measure_cost() as cost:
        result = model.estimate(test)
    assert test.object_id is not None
    technical = TechnicalFacts(
        train_s=train_cost.cpu_s,
        estimate_s=cost.cpu_s,
        n_obj=test.n_obj,
        peak_bytes=cost.peak_bytes,
        output_bytes=float(result.pdf.nbytes),
    )
    return Control(name, test.object_id, result, technical)
