"""A number for each object's photometry, by which training objects are recognised among those to be estimated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["count_known", "fingerprints", "tell_known"]

log = logging.getLogger(__name__)

_ODD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiplication with it spreads bits (Knuth, TAOCP 3, section 6.4)."""


def fingerprints(flux: NDArray[np.float32], flux_err: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Hash of the bits of each row.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        All NaN count as the same.

    Returns
    -------
    ndarray of uint64, (n_obj,)
        In the order of the rows. Two different objects in 10⁶ have the same with a probability of 3e-8.
    """
    out = np.zeros(flux.shape[0], dtype=np.uint64)
    for values in (flux, flux_err):
        bits = np.where(np.isnan(values), np.float32(0), values + np.float32(0)).view(np.uint32).astype(np.uint64)
        bits[np.isnan(values)] = np.uint64(0xFFFFFFFF)
        for band in range(values.shape[1]):
            out = (out ^ bits[:, band]) * _ODD
            out ^= out >> np.uint64(29)
    return out


def count_known(found: NDArray[np.uint64], known: NDArray[np.uint64]) -> int:
    """Count objects whose hash is in the sorted array ``known``."""
    if not known.size:
        return 0
    at = np.minimum(np.searchsorted(known, found), known.size - 1)
    return int(np.count_nonzero(known[at] == found))


def tell_known(flux: NDArray[np.float32], flux_err: NDArray[np.float32], known: NDArray[np.uint64]) -> int:
    """Warn in the log when objects to be estimated are training objects: metrics of them say nothing.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        Of the objects, in the model's form.
    known : ndarray of uint64
        Hashes of the training objects, sorted.

    Returns
    -------
    int
        How many.
    """
    n_known = count_known(fingerprints(flux, flux_err), known)
    if n_known:
        log.warning("%d of %d objects are in the training set of the model", n_known, flux.shape[0])
    return n_known
