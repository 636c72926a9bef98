"""Where neighbours are looked for: asinh colours and one magnitude of the bands that an object has.

Objects with the same bands share one space: a tree over the training objects that have all of these bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from pzcenter.science.photometry import flux_err_to_asinh_mag_err, flux_to_asinh_mag

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Space", "asinh_softening", "features", "space_of_bands"]

_DOMAIN_NEIGHBOUR = 5
"""The distance to this neighbour says how well a place is populated."""
_DOMAIN_PERCENTILE = 95.0
_N_DOMAIN = 2000
"""Training objects from which the usual distance is measured."""


@dataclass(frozen=True, eq=False)
class Space:
    """Training objects in the features of a set of bands.

    Parameters
    ----------
    columns : tuple of int
        Bands of the features, as columns of the model's bands.
    tree : cKDTree
        Over ``x``.
    x, x_err : ndarray of float64, (n_train, n_feature)
        Features and errors of the training objects that have all of the bands.
    z : ndarray of float64, (n_train,)
        Their redshifts.
    usual_distance : float
        95th percentile of the distance of a training object to its fifth neighbour; objects nearer than this to
        theirs are inside the domain.
    """

    columns: tuple[int, ...]
    tree: cKDTree
    x: NDArray[np.float64]
    x_err: NDArray[np.float64]
    z: NDArray[np.float64]
    usual_distance: float

    @property
    def n_train(self) -> int:
        """Number of training objects in this space."""
        return int(self.z.size)

    def nearest(self, x: NDArray[np.float64], n_neighbour: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Nearest training objects, and how far inside the training domain each place is.

        Parameters
        ----------
        x : ndarray of float64, (n_obj, n_feature)
            Features.
        n_neighbour : int
            At most ``n_train``.

        Returns
        -------
        neighbours : ndarray of int64, (n_obj, n_neighbour)
            Rows of this space.
        in_train_domain : ndarray of float32, (n_obj,)
            exp(-((r - 1)^2) / 2) of the distance r to the fifth neighbour in units of the usual distance; 1 for r < 1.
        """
        distance, index = self.tree.query(x, n_neighbour)
        distance = distance.reshape(x.shape[0], n_neighbour)
        ratio = distance[:, min(_DOMAIN_NEIGHBOUR, n_neighbour) - 1] / self.usual_distance
        inside = np.exp(-0.5 * np.clip(ratio - 1.0, 0.0, 30.0) ** 2).astype(np.float32)
        return index.reshape(x.shape[0], n_neighbour).astype(np.int64), inside


def asinh_softening(flux_err: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Softening of the asinh magnitudes of each band: a multiple of the median flux error.

    Parameters
    ----------
    flux_err : ndarray of float32, (n_obj, n_band)
        NaN where missing.
    scale : float
        The multiple.

    Returns
    -------
    ndarray of float64, (n_band,)
        nJy; 1 for a band that no object has.
    """
    softening = np.ones(flux_err.shape[1])
    for band in range(flux_err.shape[1]):
        measured = flux_err[:, band][np.isfinite(flux_err[:, band])]
        if measured.size:
            softening[band] = scale * float(np.median(measured.astype(np.float64)))
    return softening


def features(
    flux: NDArray[np.float32],
    flux_err: NDArray[np.float32],
    softening: NDArray[np.float64],
    magnitude_weight: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colours of adjacent bands, and the magnitude of the middle band times a weight.

    In asinh magnitudes, which exist for negative fluxes too and stop growing where there is only noise.

    Parameters
    ----------
    flux, flux_err : ndarray, (n_obj, n_band)
        nJy, all finite.
    softening : ndarray of float64, (n_band,)
        nJy.
    magnitude_weight : float
        Of the last feature.

    Returns
    -------
    x, x_err : ndarray of float64, (n_obj, n_band)
        As many features as bands. The errors of adjacent colours are taken as independent.

    References
    ----------
    Lupton, Gunn & Szalay 1999, AJ 118, 1406.
    """
    f, e = flux.astype(np.float64), flux_err.astype(np.float64)
    mag = flux_to_asinh_mag(f, softening)
    mag_err = flux_err_to_asinh_mag_err(f, e, softening)
    middle = flux.shape[1] // 2
    x, x_err = np.empty_like(mag), np.empty_like(mag)
    x[:, :-1] = mag[:, :-1] - mag[:, 1:]
    x_err[:, :-1] = np.hypot(mag_err[:, :-1], mag_err[:, 1:])
    x[:, -1] = magnitude_weight * mag[:, middle]
    x_err[:, -1] = magnitude_weight * mag_err[:, middle]
    return x, x_err


def space_of_bands(
    wanted: tuple[int, ...],
    flux: NDArray[np.float32],
    flux_err: NDArray[np.float32],
    z_spec: NDArray[np.float64],
    softening: NDArray[np.float64],
    *,
    magnitude_weight: float,
    n_min: int,
) -> Space | None:
    """Build the space of the bands an object has, with fewer bands where too few training objects have them all.

    Parameters
    ----------
    wanted : tuple of int
        Columns of the bands.
    flux, flux_err : ndarray of float32, (n_train, n_band)
        Training photometry, NaN where missing.
    z_spec : ndarray of float64, (n_train,)
        Training redshifts.
    softening : ndarray of float64, (n_band,)
        nJy.
    magnitude_weight : float
        See :func:`features`.
    n_min : int
        Fewest training objects; the band that most of them lack is dropped until there are as many.

    Returns
    -------
    Space or None
        None where no band of the object has enough training objects.
    """
    columns = list(wanted)
    measured = np.isfinite(flux)
    while columns:
        rows = measured[:, columns].all(axis=1)
        if np.count_nonzero(rows) >= n_min:
            break
        columns.pop(int(np.argmin(measured[:, columns].sum(axis=0))))
    if not columns:
        return None
    x, x_err = features(
        np.ascontiguousarray(flux[rows][:, columns]),
        np.ascontiguousarray(flux_err[rows][:, columns]),
        softening[columns],
        magnitude_weight,
    )
    tree = cKDTree(x)
    return Space(
        columns=tuple(columns),
        tree=tree,
        x=x,
        x_err=x_err,
        z=np.ascontiguousarray(z_spec[rows]),
        usual_distance=_usual_distance(tree, x),
    )


def _usual_distance(tree: cKDTree, x: NDArray[np.float64]) -> float:
    some = np.linspace(0, x.shape[0] - 1, min(x.shape[0], _N_DOMAIN)).astype(np.int64)
    # One more neighbour than asked for, because each object is its own first.
    distance = tree.query(x[some], [min(_DOMAIN_NEIGHBOUR + 1, x.shape[0])])[0]
    usual = float(np.percentile(distance, _DOMAIN_PERCENTILE))
    return usual if usual > 0 else 1.0
