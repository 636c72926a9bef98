"""Fluxes as RAIL's methods take them: magnitudes with marks for non-detections and for bands that were not observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.estimators.rail.columns import NON_DETECTION, NOT_OBSERVED
from pzcenter.science.photometry import flux_err_to_mag_err, flux_to_mag

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LIMIT_ERR", "limiting_magnitudes", "rail_magnitudes"]

LIMIT_ERR = 1.0
"""Error of a magnitude that is a limit, as RAIL's own methods set it."""


def rail_magnitudes(
    flux: NDArray[np.float32], flux_err: NDArray[np.float32], *, detection_snr: float, marks_missing: bool
) -> NDArray[np.float64]:
    """Magnitudes and their errors, one row for each column of RAIL's table.

    Parameters
    ----------
    flux, flux_err : ndarray of float32, (n_obj, n_band)
        nJy; both NaN where the band is missing.
    detection_snr : float
        A flux that is not above so many errors is a non-detection.
    marks_missing : bool
        Whether the method has a mark for bands that were not observed; they are non-detections otherwise.

    Returns
    -------
    ndarray of float64, (2 n_band, n_obj)
        AB magnitudes of all bands, then their errors.
    """
    f, e = flux.T.astype(np.float64), flux_err.T.astype(np.float64)
    missing = np.isnan(f)
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        mag, mag_err = flux_to_mag(f), flux_err_to_mag_err(f, e)
        detected = (f > 0) & (f > detection_snr * e) & np.isfinite(mag) & np.isfinite(mag_err)
    marked = missing & marks_missing
    mag = np.where(marked, NOT_OBSERVED, np.where(detected, mag, NON_DETECTION))
    mag_err = np.where(marked, NOT_OBSERVED, np.where(detected, mag_err, LIMIT_ERR))
    return np.ascontiguousarray(np.concatenate([mag, mag_err]))


def limiting_magnitudes(flux_err: NDArray[np.float32], bands: tuple[str, ...]) -> dict[str, float]:
    """One-sigma limits of a sample: magnitude of its median flux error.

    Parameters
    ----------
    flux_err : ndarray of float32, (n_obj, n_band)
        nJy; NaN where the band is missing.
    bands : tuple of str

    Returns
    -------
    dict of str to float
        Without bands that no object has.
    """
    limits = {}
    for k, band in enumerate(bands):
        known = flux_err[:, k][np.isfinite(flux_err[:, k])]
        if known.size:
            limits[band] = float(flux_to_mag(np.median(known.astype(np.float64))))
    return limits
