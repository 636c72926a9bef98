"""Objects that most methods get wrong: candidates for blends, wrong redshifts of the truth set, or new physics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER

from .store import read_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .results import MethodResult

__all__ = ["HardObject", "hard_objects"]


@dataclass(frozen=True)
class HardObject:
    """One of them.

    Parameters
    ----------
    object_id : int
    z_spec : float
    z_best : tuple of float
        Of each method, NaN where it has not the object.
    n_wrong, n_method : int
        Methods that are off by more than 0.15 (1+z), and that have the object.
    """

    object_id: int
    z_spec: float
    z_best: tuple[float, ...]
    n_wrong: int
    n_method: int


def hard_objects(methods: Sequence[MethodResult], *, n_max: int = 15) -> list[HardObject]:
    """Objects that the most methods get wrong; of as many, those that are farthest off in the median.

    Parameters
    ----------
    methods : sequence of MethodResult
    n_max : int

    Returns
    -------
    list of HardObject
        None where no object is wrong in at least two methods, or in the only one.
    """
    if not methods:
        return []
    every = [read_scores(method.directory, ("point.z_best",)) for method in methods]
    ids = np.unique(np.concatenate([scores.object_id for scores in every]))
    z_best = np.full((len(every), ids.size), np.nan)
    z_spec = np.empty(ids.size)
    for k, scores in enumerate(every):
        place = np.searchsorted(ids, scores.object_id)
        z_best[k, place], z_spec[place] = scores.points["z_best"], scores.z_spec
    error = np.abs(z_best - z_spec) / (1.0 + z_spec)
    n_wrong = (error > ABSOLUTE_OUTLIER).sum(axis=0)
    chosen = np.flatnonzero(n_wrong >= min(2, len(every)))
    if not chosen.size:
        return []
    typical = np.nanmedian(error[:, chosen], axis=0)
    order = np.lexsort((ids[chosen], -typical, -n_wrong[chosen]))[:n_max]
    return [
        HardObject(
            int(ids[row]),
            float(z_spec[row]),
            tuple(float(z) for z in z_best[:, row]),
            int(n_wrong[row]),
            int(np.isfinite(z_best[:, row]).sum()),
        )
        for row in chosen[order]
    ]
