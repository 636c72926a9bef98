"""How far a training set reaches: the distance of an object to its k-th training neighbour, against what is usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pzcenter.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.training.colour_space import ColourSpace

__all__ = ["FARTHEST", "TrainingReach"]

FARTHEST = 3.0
"""Relative distances beyond this are not measured; they are infinite."""

_N_USUAL = 5000
"""Training objects whose own neighbours say what is usual."""


@dataclass(eq=False)
class TrainingReach:
    """Training objects in the space of every set of bands that is asked for.

    Parameters
    ----------
    space : ColourSpace
        Of the target.
    mag : ndarray of float64, (n_train, n_band)
        Asinh magnitudes of the training objects.
    n_neighbour : int
        Which neighbour counts.
    percentile : float
        Share, in per cent, of training objects whose distance to their own such neighbour is within the limit.
    seed : int
        Of the choice of the training objects that set the limit.
    """

    space: ColourSpace
    mag: NDArray[np.float64]
    n_neighbour: int
    percentile: float
    seed: int
    _trees: dict[int, tuple[cKDTree | None, float]] = field(default_factory=dict)

    def relative_distance(self, x: NDArray[np.float64], code: int) -> NDArray[np.float64]:
        """Distance to the k-th training neighbour over the limit.

        Parameters
        ----------
        x : ndarray of float64, (n_obj, n_feature)
            Features in the bands of ``code``; neighbours in sequence are found faster.
        code : int
            Bands, see :meth:`ColourSpace.codes`.

        Returns
        -------
        ndarray of float64, (n_obj,)
            Above 1 is beyond the limit; infinite beyond ``FARTHEST``, and where fewer training objects than neighbours
            have these bands.

        Raises
        ------
        UsageError
            The limit is zero, because most training objects are repeated.
        """
        tree, limit = self._tree(code)
        if tree is None:
            return np.full(x.shape[0], np.inf)
        distance = tree.query(x, [self.n_neighbour], distance_upper_bound=FARTHEST * limit)[0][:, 0]
        return np.asarray(distance / limit)

    def usual_distances(self, code: int) -> NDArray[np.float64]:
        """Relative distances of training objects to their own neighbours, for comparison.

        Parameters
        ----------
        code : int
            Bands.

        Returns
        -------
        ndarray of float64, (n,)
            Of some thousand training objects; empty where there are too few.
        """
        tree, limit = self._tree(code)
        return np.empty(0) if tree is None else self._own_distances(tree) / limit

    def _tree(self, code: int) -> tuple[cKDTree | None, float]:
        if code not in self._trees:
            has = (self.space.codes(self.mag) & code) == code
            if np.count_nonzero(has) <= self.n_neighbour:
                self._trees[code] = None, np.nan
            else:
                # Halving at the middle of a box is faster to build than at the median, and as fast to search.
                tree = cKDTree(self.space.features(self.mag[has], code), leafsize=32, balanced_tree=False)
                self._trees[code] = tree, self._limit(tree)
        return self._trees[code]

    def _limit(self, tree: cKDTree) -> float:
        limit = float(np.percentile(self._own_distances(tree), self.percentile))
        if not limit > 0:
            raise UsageError(
                f"at least {self.percentile:g} % of the training objects have {self.n_neighbour} others with the same "
                "colours and magnitude: leave out repeated rows"
            )
        return limit

    def _own_distances(self, tree: cKDTree) -> NDArray[np.float64]:
        """One more neighbour than asked for, because each object is its own first."""
        some = np.random.default_rng(self.seed).permutation(tree.n)[:_N_USUAL]
        return np.asarray(tree.query(tree.data[some], [self.n_neighbour + 1])[0][:, 0])
