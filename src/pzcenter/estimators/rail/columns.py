"""Names and marks in RAIL's tables of magnitudes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pzcenter.errors import BandError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LSST_BANDS",
    "NON_DETECTION",
    "NOT_OBSERVED",
    "REDSHIFT_COLUMN",
    "band_of_column",
    "err_column",
    "mag_column",
    "order_bands",
]

LSST_BANDS = ("u", "g", "r", "i", "z", "y")
NON_DETECTION, NOT_OBSERVED = 99.0, -99.0
"""RAIL's marks in columns of magnitudes."""
REDSHIFT_COLUMN = "redshift"


def band_of_column(column: str) -> str:
    """Band of a column of magnitudes: ``mag_u_lsst`` and ``mag_u`` are u, any other name is the band itself.

    Parameters
    ----------
    column : str

    Returns
    -------
    str
    """
    found = re.fullmatch(r"mag_(.+?)(_lsst)?", column)
    return found[1] if found else column


def mag_column(band: str) -> str:
    """Name of the magnitude of a band in RAIL's tables."""
    return f"mag_{band}_lsst" if band in LSST_BANDS else f"mag_{band}"


def err_column(band: str) -> str:
    """Name of the error of a magnitude in RAIL's tables."""
    return f"mag_err_{band}_lsst" if band in LSST_BANDS else f"mag_err_{band}"


def order_bands(bands: Iterable[str], wanted: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Bands in RAIL's order: those of LSST by wavelength, then the others as they come.

    Parameters
    ----------
    bands : iterable of str
        Of the photometry.
    wanted : tuple of str
        The ones to use, in this order; all when empty.

    Returns
    -------
    tuple of str

    Raises
    ------
    BandError
        A wanted band is not there.
    """
    there = tuple(bands)
    missing = [band for band in wanted if band not in there]
    if missing:
        raise BandError(f"use_bands names {missing}; the photometry has {list(there)}")
    if wanted:
        return wanted
    return (*(band for band in LSST_BANDS if band in there), *(band for band in there if band not in LSST_BANDS))
