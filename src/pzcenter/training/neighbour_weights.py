"""Weights that make a training set look like its target: ratios of the two densities around each training object."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field
from scipy.spatial import cKDTree

from pzcenter.errors import EmptyTableError, UsageError
from pzcenter.training.colour_space import bands_to_compare, colour_space, flux_columns
from pzcenter.training.subsample import Subsample, SubsampleSettings
from pzcenter.training.target_chunks import names_of, random_rows

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.target_chunks import Target

__all__ = ["NeighbourWeights", "NeighbourWeightsSettings", "density_ratios"]


class NeighbourWeightsSettings(SubsampleSettings):
    """Of which neighbours, in which bands."""

    bands: tuple[str, ...] | None = Field(
        default=None, title="Bands", description="In order of wavelength; those in common when not given."
    )
    mag_band: str | None = Field(default=None, title="Band", description="Band of the magnitude; i when not given.")
    n_neighbour: int = Field(
        default=20, title="Neighbours", description="Training objects around each that set its volume.", ge=1
    )
    n_sample: int = Field(
        default=200_000, title="Sample", description="Target objects, drawn at random, that are counted.", ge=100
    )


class NeighbourWeights:
    """Weight each training object by the target's density over that of the training set."""

    name: ClassVar[str] = "neighbour_weights"
    title: ClassVar[str] = "Weights by the ratio of the densities of target and training set (Lima et al. 2008)."
    needs_target: ClassVar[bool] = True
    Settings: ClassVar[type[SubsampleSettings]] = NeighbourWeightsSettings

    def __init__(self, settings: NeighbourWeightsSettings) -> None:
        self.settings = settings

    def draw(self, table: pa.Table, target: Target | None, *, seed: int) -> Subsample:
        """Weight the rows.

        Parameters
        ----------
        table : pa.Table
            A training set.
        target : Target
            What it shall look like.
        seed : int
            Of the choice of the target objects that are counted.

        Returns
        -------
        Subsample
            Weights with mean 1 over the rows that have all bands. Rows that lack one, and rows around which there is no
            target object, have weight 0 and are counted.

        Raises
        ------
        EmptyTableError, UsageError
            Too few rows with all bands; no target object near any of them.
        BandError, UnitError
            Bands or fluxes that do not serve.
        """
        assert target is not None
        bands = bands_to_compare(self.settings.bands, table.column_names, names_of(target))
        sample, _ = random_rows(target, flux_columns(bands), self.settings.n_sample, seed=seed)
        space = colour_space(sample, bands, mag_band=self.settings.mag_band, min_bands=len(bands))
        mag = space.magnitudes(table)
        placed = np.isfinite(mag).all(axis=1)
        if np.count_nonzero(placed) <= self.settings.n_neighbour:
            raise EmptyTableError(
                f"{np.count_nonzero(placed)} training objects have all of {', '.join(bands)}; more than n_neighbour = "
                f"{self.settings.n_neighbour} are needed"
            )
        weight = np.zeros(table.num_rows)
        weight[placed] = density_ratios(
            space.features(mag[placed]), space.features(space.mag_sample), self.settings.n_neighbour
        )
        if not weight.any():
            raise UsageError("no target object is near any training object: the two have no colours in common")
        weight /= weight[placed].mean()
        counts = {
            "rows_without_all_bands": int(np.count_nonzero(~placed)),
            "rows_without_target_objects_around": int(np.count_nonzero(placed & (weight == 0))),
            "target_objects_counted": len(space.mag_sample),
            "largest_weight": float(weight.max()),
        }
        return Subsample(weight, is_weighted=True, counts=counts)


def density_ratios(training: NDArray[np.float64], target: NDArray[np.float64], n_neighbour: int) -> NDArray[np.float64]:
    """Target objects over training objects within the distance of each training object's k-th neighbour.

    Parameters
    ----------
    training : ndarray of float64, (n_training, n_feature)
    target : ndarray of float64, (n_target, n_feature)
    n_neighbour : int
        Neighbours beside the object itself.

    Returns
    -------
    ndarray of float64, (n_training,)
        Expected to be 1 where both are drawn from one distribution; not normalised otherwise.

    References
    ----------
    Lima et al. 2008, MNRAS 390, 118, eq. 24: w = (N_target within d) / (N_training within d), up to the ratio of the
    sample sizes.
    """
    distance = cKDTree(training, leafsize=32, balanced_tree=False).query(training, [n_neighbour + 1])[0][:, 0]
    tree = cKDTree(target, leafsize=32, balanced_tree=False)
    n_near = tree.query_ball_point(training, distance, return_length=True)
    return np.asarray(n_near / (n_neighbour + 1.0) * (len(training) / len(target)))
