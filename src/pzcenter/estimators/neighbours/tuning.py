"""The settings of the neighbours, chosen on the training set itself.

Each candidate is judged by leave-one-out: every object of a random subsample gets the density that the others give it,
and the conditional density estimation loss at its own redshift. One setting is changed at a time, in a fixed order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.estimators.neighbours.kernel import DensitySettings, neighbour_densities
from pzcenter.estimators.neighbours.space import space_of_bands
from pzcenter.science.metrics import cde_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pzcenter.estimators.checks import TrainingSample
    from pzcenter.estimators.neighbours.space import Space
    from pzcenter.estimators.protocol import Progress

__all__ = ["CANDIDATES", "NeighbourSettings", "leave_one_out_loss", "tune"]

CANDIDATES: dict[str, tuple[float, ...]] = {
    "magnitude_weight": (0.05, 0.1, 0.2, 0.4),
    "n_neighbours": (25, 50, 80),
    "reach": (0.02, 0.05, 0.08, 0.12, 0.2),
    "ridge": (0.5, 1.0, 2.0),
    "colour_floor": (0.02, 0.03, 0.05, 0.08),
    "width": (0.5, 0.7, 1.0, 1.4, 2.0),
}
"""Values tried for each setting, in the order of the search. The last settings are the cheapest to change."""

_N_TUNE_MIN = 200
"""With fewer objects the defaults are better than what a search would find."""


@dataclass(frozen=True)
class NeighbourSettings:
    """The numbers of one model; the defaults are where the search starts.

    Parameters
    ----------
    n_neighbours : int
        Neighbours asked of the tree.
    magnitude_weight : float
        See :func:`pzcenter.estimators.neighbours.space.features`.
    colour_floor, reach, ridge, width, width_min : float
        See :class:`pzcenter.estimators.neighbours.kernel.DensitySettings`.
    """

    n_neighbours: int = 50
    magnitude_weight: float = 0.1
    colour_floor: float = 0.05
    reach: float = 0.08
    ridge: float = 1.0
    width: float = 1.0
    width_min: float = 0.004

    @property
    def density(self) -> DensitySettings:
        """The part that the kernel needs."""
        return DensitySettings(self.colour_floor, self.reach, self.ridge, self.width, self.width_min)


def tune(
    sample: TrainingSample,
    softening: NDArray[np.float64],
    start: NeighbourSettings,
    fixed: Mapping[str, float],
    *,
    n_tune: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[NeighbourSettings, float]:
    """Search the settings that are not fixed.

    Parameters
    ----------
    sample : TrainingSample
        Training set.
    softening : ndarray of float64, (n_band,)
        nJy.
    start : NeighbourSettings
        Where to begin.
    fixed : mapping of str to float
        Settings that stay as they are in ``start``.
    n_tune : int
        Objects on which candidates are judged.
    seed : int
        Of their choice.
    progress : callable, optional
        Told after each setting.

    Returns
    -------
    settings : NeighbourSettings
        The best found.
    loss : float
        Its leave-one-out loss; NaN when the sample is too small to search.
    """
    best = start
    space = _full_space(sample, softening, best)
    if space is None or space.n_train < _N_TUNE_MIN:
        return best, float("nan")
    rows = np.random.default_rng(seed).permutation(space.n_train)[:n_tune]
    near = _other_neighbours(space, rows, best.n_neighbours)
    best_loss = leave_one_out_loss(space, rows, near, sample.z_grid, best.density)
    for done, (name, values) in enumerate(CANDIDATES.items()):
        for value in () if name in fixed else values:
            if value == getattr(best, name):
                continue
            change: dict[str, Any] = {name: value}
            trial = replace(best, **change)
            trial_space = _full_space(sample, softening, trial) if name == "magnitude_weight" else space
            if trial_space is None or trial.n_neighbours >= trial_space.n_train:
                continue
            searched = name in ("magnitude_weight", "n_neighbours")
            trial_near = _other_neighbours(trial_space, rows, trial.n_neighbours) if searched else near
            loss = leave_one_out_loss(trial_space, rows, trial_near, sample.z_grid, trial.density)
            if loss < best_loss:
                best, best_loss, space, near = trial, loss, trial_space, trial_near
        if progress is not None:
            progress((done + 1) / len(CANDIDATES), f"neighbours: {name} chosen")
    return best, best_loss


def leave_one_out_loss(
    space: Space,
    rows: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    z_grid: NDArray[np.float64],
    settings: DensitySettings,
) -> float:
    """Conditional density estimation loss of training objects estimated from the others.

    Parameters
    ----------
    space : Space
        Training objects.
    rows : ndarray of int64, (n_obj,)
        Those that are judged.
    neighbours : ndarray of int64, (n_obj, n_neighbour)
        Rows of the others that are nearest to each.
    z_grid : ndarray of float64, (n_z,)
        Redshift grid.
    settings : DensitySettings
        Candidate.

    Returns
    -------
    float
        Mean of int p(z)^2 dz - 2 p(z_spec), up to a constant; lower is better.

    References
    ----------
    Izbicki & Lee 2017, Electronic Journal of Statistics 11, 2800, eq. 7.
    """
    total = 0.0
    for start in range(0, rows.size, _BLOCK):
        part = rows[start : start + _BLOCK]
        pdf = neighbour_densities(
            space.x[part], space.x_err[part], space.x, space.x_err, space.z, neighbours[start : start + _BLOCK],
            z_grid, settings,
        )  # fmt: skip
        total += part.size * cde_loss(pdf, z_grid, space.z[part])
    return total / rows.size


_BLOCK = 2000


def _full_space(sample: TrainingSample, softening: NDArray[np.float64], settings: NeighbourSettings) -> Space | None:
    """Build the space of all bands, or of those that enough training objects have."""
    return space_of_bands(
        tuple(range(len(sample.bands))),
        sample.flux,
        sample.flux_err,
        sample.z_spec,
        softening,
        magnitude_weight=settings.magnitude_weight,
        n_min=min(settings.n_neighbours, sample.z_spec.size),
    )


def _other_neighbours(space: Space, rows: NDArray[np.int64], n_neighbour: int) -> NDArray[np.int64]:
    """Nearest training objects to training objects, without themselves."""
    n = min(n_neighbour, space.n_train - 1)
    index = space.tree.query(space.x[rows], n + 1)[1].astype(np.int64)
    itself = index == rows[:, None]
    # With doubled objects the object itself may not be among its neighbours: then the farthest is left out.
    itself[~itself.any(axis=1), -1] = True
    return np.ascontiguousarray(index[~itself].reshape(rows.size, n))
