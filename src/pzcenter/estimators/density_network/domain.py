"""Where training objects are, in colours, magnitude and noise, so that the model can say when it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.estimators.density_network.kernel import Domain, domain_distance, photometric_features

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

__all__ = ["BELIEF", "fit_domain"]

BELIEF = 2.0
"""The share of the networks is exp(-BELIEF (r - 1)^2) at a distance r > 1: 0.1 at twice the usual distance."""
_WEIGHTS = (1.0, 1.0, 1.0)
"""Of the squared distances in colours, mean magnitude and mean logarithm of the errors."""
_N_PLACE = 512
_N_HELD_OUT = 4000
_NEIGHBOUR = 20
"""The distance from a place to this held-out object is its radius."""
_LARGEST_RADIUS = 90.0
"""Percentile of the radii that holds for all: one lonely object does not vouch for a large empty region."""
_PERCENTILE = 99.0
"""Of the held-out objects are at a distance below 1."""
_RADIUS_MIN = 0.02


def fit_domain(
    flux: NDArray[np.float32], flux_err: NDArray[np.float32], softening: NDArray[np.float64], rng: Generator
) -> Domain:
    """Choose places among training objects and measure on others what distance is usual.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy, NaN where missing.
    softening : ndarray of float64, (n_band,)
        Of the asinh magnitudes, nJy.
    rng : Generator
        Of the choice.

    Returns
    -------
    Domain
        Distances are calibrated: 99 % of the held-out objects are nearer than 1.
    """
    n_band = flux.shape[1]
    order = rng.permutation(flux.shape[0])
    places = order[: min(_N_PLACE, flux.shape[0] // 2)]
    held_out = order[places.size : places.size + _N_HELD_OUT]
    x = photometric_features(flux[places], flux_err[places], softening)
    mag, log_err = x[:, :n_band], x[:, 2 * n_band - 1 : 3 * n_band - 1]
    seen = np.isfinite(mag)
    domain = Domain(
        mag=np.where(seen, mag, 0).astype(np.float32),
        seen=seen.astype(np.float32),
        noise=(np.where(seen, log_err, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)).astype(np.float32),
        radius=np.ones(places.size, dtype=np.float32),
        weights=np.array(_WEIGHTS, dtype=np.float32),
    )
    domain = domain._replace(radius=_usual_distances(domain, flux[held_out], flux_err[held_out], softening))
    distance = domain_distance(flux[held_out], flux_err[held_out], softening, domain)
    usual = np.float32(max(float(np.percentile(distance, _PERCENTILE)), 1e-3))
    return domain._replace(radius=(domain.radius * usual).astype(np.float32))


def _usual_distances(
    domain: Domain, flux: NDArray[np.float32], flux_err: NDArray[np.float32], softening: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Distance of each place from its twentieth held-out object, within limits."""
    radius = np.empty_like(domain.radius)
    nth = min(_NEIGHBOUR, flux.shape[0]) - 1
    for place in range(radius.size):
        one = slice(place, place + 1)
        alone = domain._replace(
            mag=domain.mag[one], seen=domain.seen[one], noise=domain.noise[one], radius=domain.radius[one]
        )
        distance = domain_distance(flux, flux_err, softening, alone)
        radius[place] = np.partition(distance, nth)[nth]
    return np.clip(radius, _RADIUS_MIN, np.percentile(radius, _LARGEST_RADIUS)).astype(np.float32)
