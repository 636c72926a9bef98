"""RAIL's tables of magnitudes as our photometry: the other way round from :mod:`.magnitudes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.errors import ColumnError
from pzcenter.estimators.rail.columns import band_of_column
from pzcenter.schema import Photometry
from pzcenter.science.photometry import mag_err_to_flux_err, mag_to_flux

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["photometry_of_table"]

_MARK_TOLERANCE = 0.01
"""Magnitudes; marks such as 99 are compared as RAIL's methods compare them."""


def photometry_of_table(
    table: Mapping[str, Any],
    columns: Sequence[str],
    err_columns: Sequence[str],
    *,
    mag_limits: Mapping[str, float],
    nondetect_val: float,
    nonobserved_val: float,
    dereddened: bool = True,
) -> Photometry:
    """Fluxes of a table.

    Parameters
    ----------
    table : mapping of str to array_like, (n_obj,)
        Columns.
    columns, err_columns : sequence of str
        Of the magnitudes and their errors, band by band.
    mag_limits : mapping of str to float
        One-sigma limits by column, for non-detections.
    nondetect_val, nonobserved_val : float
        RAIL's marks; NaN is a band that was not observed, unless it is the mark of a non-detection.
    dereddened : bool
        Whether Galactic extinction is out of the magnitudes.

    Returns
    -------
    Photometry
        nJy. A non-detection is a flux of zero with the error of the limit; a band that was not observed is NaN.

    Raises
    ------
    ColumnError
        Columns are missing, or a band has non-detections and no limit.
    """
    missing = [name for name in (*columns, *err_columns) if name not in table]
    if missing:
        raise ColumnError(f"the table has no columns {missing}; it has {sorted(table)}")
    if len(columns) != len(err_columns):
        raise ColumnError(f"{len(columns)} columns of magnitudes and {len(err_columns)} of errors; one each is needed")
    mag = np.stack([np.asarray(table[name], dtype=np.float64) for name in columns], axis=1)
    mag_err = np.stack([np.asarray(table[name], dtype=np.float64) for name in err_columns], axis=1)
    undetected = _is_mark(mag, nondetect_val)
    unobserved = _is_mark(mag, nonobserved_val) & ~undetected
    without_limit = [name for k, name in enumerate(columns) if undetected[:, k].any() and name not in mag_limits]
    if without_limit:
        raise ColumnError(f"{without_limit} have non-detections, and mag_limits only {sorted(mag_limits)}")
    limit = np.array([mag_limits.get(name, np.nan) for name in columns])
    with np.errstate(over="ignore", invalid="ignore"):
        flux = np.where(undetected, 0.0, mag_to_flux(mag))
        flux_err = np.where(undetected, mag_to_flux(limit), mag_err_to_flux_err(mag, mag_err))
    flux[unobserved] = flux_err[unobserved] = np.nan
    with np.errstate(over="ignore"):
        return Photometry(
            flux=flux.astype(np.float32),
            flux_err=flux_err.astype(np.float32),
            bands=tuple(band_of_column(name) for name in columns),
            dereddened=dereddened,
        )


def _is_mark(mag: Any, mark: float) -> Any:
    return np.isnan(mag) if np.isnan(mark) else np.isclose(mag, mark, rtol=0, atol=_MARK_TOLERANCE)
