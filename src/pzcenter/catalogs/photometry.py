"""Skinny rows as the array container that every estimator takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.columns import float_column, int_column, require_columns
from pzcenter.errors import BandError
from pzcenter.schema import Photometry

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DEREDDENED_KEY", "bands_of", "photometry_of"]

FLUX, FLUX_ERR = "flux_", "flux_err_"
DEREDDENED_KEY = "pz.dereddened"
"""Key of the schema metadata: ``true`` where Galactic extinction was taken out."""


def bands_of(schema: pa.Schema) -> tuple[str, ...]:
    """Bands of a skinny table, in the order of its columns.

    Parameters
    ----------
    schema : pa.Schema

    Returns
    -------
    tuple of str
    """
    names = set(schema.names)
    values = (name[len(FLUX) :] for name in schema.names if name.startswith(FLUX) and not name.startswith(FLUX_ERR))
    return tuple(band for band in values if FLUX_ERR + band in names)


def photometry_of(table: pa.Table | pa.RecordBatch, bands: Sequence[str] | None = None) -> Photometry:
    """Fluxes, ids and flags of skinny rows.

    Parameters
    ----------
    table : pa.Table or pa.RecordBatch
        With ``objectId``, ``flux_{band}``, ``flux_err_{band}`` and, optionally, ``flags``.
    bands : sequence of str, optional
        Bands to take, in this order; all by default.

    Returns
    -------
    Photometry
        float32, nJy, null as NaN. ``dereddened`` as the table's metadata say; true where they say nothing.

    Raises
    ------
    BandError
        A band is not in the table, or the table has none.
    """
    there = bands_of(table.schema)
    wanted = there if bands is None else tuple(bands)
    absent = [band for band in wanted if band not in there]
    if absent or not wanted:
        raise BandError(f"bands {absent} are not in this table, which has {list(there)}")
    require_columns(["objectId"], table.schema.names, "the skinny table")
    flags = None
    if "flags" in table.schema.names:
        flags = np.asarray(table.column("flags").to_numpy(), dtype=np.uint32)
    stated = (table.schema.metadata or {}).get(DEREDDENED_KEY.encode(), b"true")
    return Photometry(
        flux=_stacked(table, [FLUX + band for band in wanted]),
        flux_err=_stacked(table, [FLUX_ERR + band for band in wanted]),
        bands=wanted,
        object_id=int_column(table.column("objectId"), "objectId"),
        flags=flags,
        dereddened=stated != b"false",
    )


def _stacked(table: pa.Table | pa.RecordBatch, names: list[str]) -> NDArray[Any]:
    """Columns side by side, (n_obj, n_band), rows contiguous."""
    stack = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for index, name in enumerate(names):
        stack[:, index] = float_column(table.column(name), np.float32)
    return stack
