"""What a split keeps together or in proportion: blocks of the sky, bins of redshift and magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.columns import float_column, require_columns
from pzcenter.errors import BandError, ConfigError
from pzcenter.science.photometry import flux_to_mag
from pzcenter.science.sky import healpix29, healpix_at_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["bins_of", "blocks_of", "magnitude_or_column", "strata_of"]

_MAG = "mag_"


def blocks_of(table: pa.Table, order: int) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """HEALPix pixel of each row.

    Parameters
    ----------
    table : pa.Table
        With ``ra`` and ``dec``, deg ICRS.
    order : int
        0 to 29.

    Returns
    -------
    block : ndarray of int64, (n_obj,)
        0 to ``n_block - 1``.
    pixel : ndarray of uint64, (n_block,)
        Nested pixel of each block.

    Raises
    ------
    ColumnError, UnitError, UsageError
        No position, one that is none, or no such order.
    """
    require_columns(["ra", "dec"], table.column_names, "the table to split in blocks")
    place = healpix29(float_column(table.column("ra")), float_column(table.column("dec")))
    pixel, block = np.unique(healpix_at_order(place, order), return_inverse=True)
    return block.astype(np.int64), pixel.astype(np.uint64)


def strata_of(table: pa.Table, widths: Mapping[str, float]) -> NDArray[np.int64]:
    """Bin of each row in several columns at once.

    Parameters
    ----------
    table : pa.Table
        A training set.
    widths : mapping of str to float
        Width of the bins by column, see :func:`magnitude_or_column`.

    Returns
    -------
    ndarray of int64, (n_obj,)
        0 to ``n_stratum - 1``; rows without a value are a bin of their own. Sorted, so that neighbours in number are
        neighbours in the last column.

    Raises
    ------
    ConfigError
        A width that is not positive.
    ColumnError, BandError
        A column is not there.
    """
    wrong = {name: width for name, width in widths.items() if not (np.isfinite(width) and width > 0)}
    if wrong or not widths:
        raise ConfigError(f"strata are bins of positive width by column; got {dict(widths)}")
    columns = [bins_of(magnitude_or_column(table, name), width) for name, width in widths.items()]
    stacked = np.nan_to_num(np.column_stack(columns), nan=-1e9, posinf=1e9, neginf=-1e9)
    return np.asarray(np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def bins_of(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Number of the bin of each value, counted from zero.

    Parameters
    ----------
    values : ndarray of float64, (n_obj,)
        NaN stays NaN.
    width : float
        Positive.

    Returns
    -------
    ndarray of float64, (n_obj,)
        A value on an edge, to one part in a million of the width, is in the bin above, as 0.3 is for a width of 0.1.
    """
    return np.asarray(np.floor(values / width + 1e-6))


def magnitude_or_column(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Values of a column; ``mag_{band}`` is computed of ``flux_{band}`` where no column is called so.

    Parameters
    ----------
    table : pa.Table
        A training set.
    name : str
        Of the column.

    Returns
    -------
    ndarray of float64, (n_obj,)
        NaN where missing, or where no magnitude exists because the flux is not positive.

    Raises
    ------
    ColumnError, BandError
        There is neither the column nor the flux.
    """
    if name in table.column_names or not name.startswith(_MAG):
        require_columns([name], table.column_names, "the table")
        return float_column(table.column(name))
    band = name[len(_MAG) :]
    if f"flux_{band}" not in table.column_names:
        raise BandError(f"{name} needs the column flux_{band}, which the table does not have")
    return flux_to_mag(float_column(table.column(f"flux_{band}")))
