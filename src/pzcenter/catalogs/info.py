"""What a catalogue is, at a glance."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.columns import float_column
from pzcenter.catalogs.exporters.hats import find_positions
from pzcenter.catalogs.manifest import MANIFEST_NAME
from pzcenter.catalogs.readers import open_catalog
from pzcenter.errors import ColumnError
from pzcenter.schema import detect_mapping

if TYPE_CHECKING:
    import os

    from pzcenter.catalogs.readers import Catalog

__all__ = ["CatalogInfo", "ColumnInfo", "SkyBox", "catalog_info"]

log = logging.getLogger(__name__)

ROWS_FOR_SKY = 50_000_000
"""Larger catalogues are not read to find where they lie."""
RA_BINS = 3600


@dataclass(frozen=True)
class ColumnInfo:
    """Name, type and unit of a column."""

    name: str
    type: str
    unit: str = ""


@dataclass(frozen=True)
class SkyBox:
    """Range of positions, ICRS degrees; ``ra_min > ra_max`` means that the box goes through right ascension 0."""

    ra_min: float
    ra_max: float
    dec_min: float
    dec_max: float


@dataclass(frozen=True)
class CatalogInfo:
    """What a catalogue is.

    Parameters
    ----------
    path, format : str
    n_rows : int or None
        None where only reading everything would tell.
    columns : tuple of ColumnInfo
    n_partitions : int
    mapping : str or None
        Name of the shipped mapping that fits, None where none does.
    bands : tuple of str
        Of the mapping.
    sky : SkyBox or None
        None without positions, or when the catalogue was not read to find it.
    has_manifest : bool
        Whether it can be verified.
    note : str
        Why no mapping fits.
    """

    path: str
    format: str
    n_rows: int | None
    columns: tuple[ColumnInfo, ...]
    n_partitions: int
    mapping: str | None
    bands: tuple[str, ...]
    sky: SkyBox | None
    has_manifest: bool
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers and texts, for JSON."""
        return asdict(self)


def catalog_info(path: str | os.PathLike[str], *, group: str | None = None, sky: bool = True) -> CatalogInfo:
    """Describe a catalogue.

    Parameters
    ----------
    path : path
    group : str, optional
        HDF5 group or FITS extension.
    sky : bool
        Read the positions to find the range on the sky.

    Returns
    -------
    CatalogInfo

    Raises
    ------
    NotFoundError, FileFormatError, EmptyTableError, ColumnError
        It cannot be opened.
    """
    catalog = open_catalog(path, group=group)
    mapping, note = None, ""
    try:
        mapping = detect_mapping(catalog.column_names)
    except ColumnError as error:
        note = str(error)
    return CatalogInfo(
        path=str(catalog.path),
        format=catalog.format,
        n_rows=catalog.n_rows,
        columns=tuple(
            ColumnInfo(field.name, str(field.type), (field.metadata or {}).get(b"unit", b"").decode())
            for field in catalog.schema
        ),
        n_partitions=len(catalog.partitions),
        mapping=mapping.name if mapping else None,
        bands=mapping.bands if mapping else (),
        sky=_sky_box(catalog) if sky and (catalog.n_rows or 0) <= ROWS_FOR_SKY else None,
        has_manifest=(catalog.path / MANIFEST_NAME).is_file(),
        note=note,
    )


def _sky_box(catalog: Catalog) -> SkyBox | None:
    try:
        ra_name, dec_name = find_positions(catalog)
    except ColumnError:
        return None
    if not all(_is_number(catalog.schema.field(name).type) for name in (ra_name, dec_name)):
        return None
    low, high = np.full(RA_BINS, np.inf), np.full(RA_BINS, -np.inf)
    dec_min, dec_max = np.inf, -np.inf
    for batch in catalog.batches([ra_name, dec_name]):
        ra, dec = float_column(batch.column(ra_name)), float_column(batch.column(dec_name))
        there = np.isfinite(ra) & np.isfinite(dec)
        if not there.any():
            continue
        ra, dec = np.mod(ra[there], 360.0), dec[there]
        bins = np.minimum((ra * (RA_BINS / 360.0)).astype(np.int64), RA_BINS - 1)
        np.minimum.at(low, bins, ra)
        np.maximum.at(high, bins, ra)
        dec_min, dec_max = min(dec_min, float(dec.min())), max(dec_max, float(dec.max()))
    used = np.flatnonzero(np.isfinite(low))
    if not used.size:
        return None
    # The box begins after the widest empty stretch of the circle.
    gaps = np.diff(np.append(used, used[0] + RA_BINS))
    first = (int(np.argmax(gaps)) + 1) % used.size
    return SkyBox(float(low[used[first]]), float(high[used[first - 1]]), dec_min, dec_max)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
