"""Photometry of given objects from any object table, and what metrics can be functions of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.columns import require_columns
from pzcenter.catalogs.conversion import NO_TRACT
from pzcenter.catalogs.skinny_rows import check_flux_levels, converter_for
from pzcenter.errors import EmptyTableError
from pzcenter.schema import Photometry
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["COLOUR", "ObjectTable", "read_objects"]

COLOUR = ("g", "r")
"""Bands of the colour that metrics are a function of; the first two of the table where one of them is not there."""


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """What an object table says of some objects, in their order.

    Parameters
    ----------
    photometry : Photometry
        nJy; NaN for objects that the table has not.
    found : ndarray of bool, (n_obj,)
        Whether the table has the object.
    ebv : ndarray, (n_obj,)
        Mag; NaN where not known.
    tract : ndarray of int64, (n_obj,), or None
    notes : tuple of str
    """

    photometry: Photometry
    found: NDArray[np.bool_]
    ebv: NDArray[np.float64]
    tract: NDArray[np.int64] | None
    notes: tuple[str, ...] = ()

    def covariates(self, mag_band: str) -> dict[str, NDArray[Any]]:
        """``mag``, a colour, ``ebv``, ``tract``, ``n_bands``, (n_obj,) each, as far as they differ between objects.

        Parameters
        ----------
        mag_band : str

        Returns
        -------
        dict of str to ndarray
        """
        flux, bands = self.photometry.flux, self.photometry.bands
        found: dict[str, NDArray[Any]] = {}
        if mag_band in bands:
            found["mag"] = flux_to_mag(flux[:, bands.index(mag_band)].astype(np.float64))
        blue, red = COLOUR if set(COLOUR) <= set(bands) else (*bands, "", "")[:2]
        if red:
            mags = [flux_to_mag(flux[:, bands.index(band)].astype(np.float64)) for band in (blue, red)]
            found[f"colour_{blue}{red}"] = mags[0] - mags[1]
        found["ebv"] = self.ebv
        if self.tract is not None:
            found["tract"] = self.tract
        found["n_bands"] = np.isfinite(flux).sum(axis=1).astype(np.int64)
        return {name: values for name, values in found.items() if name == "mag" or _differ(values)}


def read_objects(
    path: str | os.PathLike[str], object_id: NDArray[np.int64], *, mapping: str | None = None
) -> ObjectTable:
    """Read the photometry of some objects; no cuts are applied.

    Parameters
    ----------
    path : path
        Object table of any format, or a skinny table.
    object_id : ndarray of int64, (n_obj,)
        Increasing, each once.
    mapping : str, optional
        Of the columns; detected by default.

    Returns
    -------
    ObjectTable

    Raises
    ------
    ColumnError, BandError, NotFoundError
        The columns are not understood.
    UnitError
        Fluxes are magnitudes, or of another unit than declared.
    EmptyTableError
        The table has none of the objects.
    """
    catalog = open_catalog(path)
    converter, _ = converter_for(catalog.column_names, str(path), mapping, cuts=())
    require_columns(converter.columns, catalog.column_names, str(path))
    bands = converter.mapping.bands
    flux, flux_err = (np.full((object_id.size, len(bands)), np.nan, dtype=np.float32) for _ in range(2))
    flags = np.zeros(object_id.size, dtype=np.uint32)
    found = np.zeros(object_id.size, dtype=bool)
    ebv = np.full(object_id.size, np.nan)
    tract = np.full(object_id.size, NO_TRACT, dtype=np.int64) if converter.mapping.tract else None
    first_row = 0
    for batch in catalog.batches(list(converter.columns)):
        if first_row == 0:
            converter.check_units(batch)
        columns, _ = converter.convert(batch, first_row)
        if first_row == 0:
            check_flux_levels(columns, converter.mapping, str(path))
        first_row += batch.num_rows
        rows, place = _places(np.asarray(columns["objectId"], dtype=np.int64), object_id)
        for index, band in enumerate(bands):
            flux[place, index] = columns[f"flux_{band}"][rows]
            flux_err[place, index] = columns[f"flux_err_{band}"][rows]
        flags[place], ebv[place], found[place] = columns["flags"][rows], columns["ebv"][rows], True
        if tract is not None:
            tract[place] = columns["tract"][rows]
    if not found.any():
        raise EmptyTableError(f"{path} has none of the {object_id.size} objects; are its ids those of the truth set?")
    photometry = Photometry(flux, flux_err, bands, object_id, flags, dereddened=converter.is_dereddened)
    n_absent = int(np.count_nonzero(~found))
    notes = (f"{n_absent:,} objects have no photometry: they are not in {path}",) if n_absent else ()
    return ObjectTable(photometry, found, ebv, tract, notes)


def _places(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of a batch that are wanted, and where they belong."""
    at = np.minimum(np.searchsorted(wanted, ids), wanted.size - 1)
    rows = np.flatnonzero(wanted[at] == ids)
    return rows, at[rows]


def _differ(values: NDArray[Any]) -> bool:
    known = values[np.isfinite(values)]
    return bool(known.size) and bool(np.any(known != known[0]))
