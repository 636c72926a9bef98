"""Which columns of an object catalogue are its ids, positions and brightness, for matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from pzcenter.catalogs.columns import int_column
from pzcenter.errors import ColumnError
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.catalogs.readers import Catalog

__all__ = ["ObjectColumns", "object_columns"]

PIXEL = "_healpix_29"
IDS = ("objectId", "object_id", "id", "ID")
RA = ("ra", "coord_ra", "RA", "RAJ2000", "ra_deg")
DEC = ("dec", "coord_dec", "DEC", "DEJ2000", "dec_deg")


@dataclass(frozen=True)
class ObjectColumns:
    """Names of columns.

    Parameters
    ----------
    object_id, ra, dec : str
        Positions in degrees.
    mag : str, optional
        Magnitude or flux.
    mag_is_flux : bool
        ``mag`` is a flux in nJy.
    has_pixel : bool
        There is a column ``_healpix_29``.
    """

    object_id: str
    ra: str
    dec: str
    mag: str | None = None
    mag_is_flux: bool = False
    has_pixel: bool = False

    def wanted(self, *, trusted: bool) -> list[str]:
        """Columns to read first; the pixels of a HATS catalogue are trusted."""
        names = [self.object_id, self.ra, self.dec]
        names += [self.mag] if self.mag is not None else []
        return list(dict.fromkeys(names + ([PIXEL] if self.has_pixel and trusted else [])))

    def ids(self, table: pa.Table) -> NDArray[np.int64]:
        """Ids as integers."""
        return int_column(table.column(self.object_id), self.object_id)

    def position(self, table: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Right ascension and declination, degrees; NaN where missing."""
        return _floats(table.column(self.ra)), _floats(table.column(self.dec))

    def pixels(self, table: pa.Table, *, trusted: bool) -> NDArray[np.int64] | None:
        """Order-29 pixels, where the catalogue has them and they can be trusted."""
        if not (self.has_pixel and trusted):
            return None
        column = table.column(PIXEL)
        return None if column.null_count else np.asarray(column.to_numpy(), dtype=np.int64)

    def magnitude(self, table: pa.Table) -> NDArray[np.float64] | None:
        """AB magnitude, NaN where there is none; None where no column was named."""
        if self.mag is None:
            return None
        value = _floats(table.column(self.mag))
        if not self.mag_is_flux:
            return value
        return np.where(value > 0, flux_to_mag(np.where(value > 0, value, 1.0)), np.nan)


def object_columns(
    catalog: Catalog,
    *,
    object_id: str | None = None,
    ra: str | None = None,
    dec: str | None = None,
    mag: str | None = None,
    flux: str | None = None,
) -> ObjectColumns:
    """Find the columns of a catalogue that a match needs.

    Parameters
    ----------
    catalog : Catalog
    object_id, ra, dec : str, optional
        By default what the catalogue declares, or a common name.
    mag, flux : str, optional
        Column of magnitudes, or of fluxes in nJy; at most one.

    Returns
    -------
    ObjectColumns

    Raises
    ------
    ColumnError
        A column is not there, or none can be found.
    """
    declared = catalog.position_columns or (None, None)
    found = {
        "object ids": _one(catalog, object_id, IDS),
        "right ascension": _one(catalog, ra or declared[0], RA),
        "declination": _one(catalog, dec or declared[1], DEC),
    }
    missing = [name for name, column in found.items() if column is None]
    if missing:
        raise ColumnError(
            f"{catalog.path}: no column for {', '.join(missing)} among {', '.join(catalog.column_names)}; name them"
        )
    brightness = mag or flux
    if brightness is not None and brightness not in catalog.column_names:
        raise ColumnError(f"{catalog.path} has no column {brightness!r}; it has {', '.join(catalog.column_names)}")
    return ObjectColumns(
        str(found["object ids"]), str(found["right ascension"]), str(found["declination"]), brightness,
        mag_is_flux=mag is None and flux is not None, has_pixel=PIXEL in catalog.column_names,
    )  # fmt: skip


def _one(catalog: Catalog, given: str | None, known: tuple[str, ...]) -> str | None:
    if given is not None and given not in catalog.column_names:
        raise ColumnError(f"{catalog.path} has no column {given!r}; it has {', '.join(catalog.column_names)}")
    return given or next((name for name in known if name in catalog.column_names), None)


def _floats(column: Any) -> NDArray[np.float64]:
    filled = pc.fill_null(column, float("nan")) if column.null_count else column
    return np.asarray(filled.to_numpy(), dtype=np.float64)
