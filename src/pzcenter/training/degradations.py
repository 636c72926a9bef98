"""Training sets made worse in one declared way, to see what a method does where it has learnt nothing.

Real training sets end at some magnitude, lack redshifts whose lines lie between the bands of a spectrograph, or were
observed without a band. The test set stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.columns import float_column, require_columns
from pzcenter.catalogs.photometry import bands_of
from pzcenter.errors import BandError, ConfigError, EmptyTableError
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

__all__ = ["AsItIs", "Degradation", "MagnitudeCut", "MissingBand", "MissingRedshifts", "degradations_of", "degrade"]


@dataclass(frozen=True)
class AsItIs:
    """Nothing is changed: what the others are compared with."""

    @property
    def name(self) -> str:
        """Of the variant."""
        return "as_is"

    @property
    def meaning(self) -> str:
        """In words."""
        return "the training set as it is"

    def apply(self, table: pa.Table) -> pa.Table:
        """All rows and columns."""
        return table


@dataclass(frozen=True)
class MagnitudeCut:
    """Only objects brighter than a limit; those without a magnitude go.

    Parameters
    ----------
    band : str
    mag_max : float
        AB magnitude, mag.
    """

    band: str
    mag_max: float

    @property
    def name(self) -> str:
        """Of the variant."""
        return f"{self.band}_brighter_than_{self.mag_max:g}"

    @property
    def meaning(self) -> str:
        """In words."""
        return f"training objects with {self.band} < {self.mag_max:g} only"

    def apply(self, table: pa.Table) -> pa.Table:
        """Rows that stay.

        Raises
        ------
        BandError
            The table does not have the band.
        """
        _require_band(table, self.band)
        mag = np.asarray(flux_to_mag(float_column(table.column(f"flux_{self.band}"))))
        return table.filter(mag < self.mag_max)


@dataclass(frozen=True)
class MissingRedshifts:
    """No objects in a range of redshift.

    Parameters
    ----------
    z_low, z_high : float
        The lower end is in the range.
    """

    z_low: float
    z_high: float

    def __post_init__(self) -> None:
        if not self.z_low < self.z_high:
            raise ConfigError(f"a range of redshift goes up; got {self.z_low:g} to {self.z_high:g}")

    @property
    def name(self) -> str:
        """Of the variant."""
        return f"without_z_{self.z_low:g}_to_{self.z_high:g}"

    @property
    def meaning(self) -> str:
        """In words."""
        return f"no training objects with {self.z_low:g} <= z < {self.z_high:g}"

    def apply(self, table: pa.Table) -> pa.Table:
        """Rows that stay.

        Raises
        ------
        ColumnError
            The table has no redshifts.
        """
        require_columns(["z_spec"], table.column_names, "the training set")
        z = float_column(table.column("z_spec"))
        return table.filter(~((z >= self.z_low) & (z < self.z_high)))


@dataclass(frozen=True)
class MissingBand:
    """The training set has no measurements in a band.

    Parameters
    ----------
    band : str
    """

    band: str

    @property
    def name(self) -> str:
        """Of the variant."""
        return f"without_{self.band}"

    @property
    def meaning(self) -> str:
        """In words."""
        return f"no {self.band} band in the training set"

    def apply(self, table: pa.Table) -> pa.Table:
        """All rows, without the columns of the band.

        Raises
        ------
        BandError
            The table does not have the band, or no other.
        """
        _require_band(table, self.band)
        if len(bands_of(table.schema)) == 1:
            raise BandError(f"{self.band} is the only band: without it nothing is left")
        return table.drop_columns([f"flux_{self.band}", f"flux_err_{self.band}"])


Degradation = AsItIs | MagnitudeCut | MissingRedshifts | MissingBand


def degradations_of(
    *,
    mag_cuts: Iterable[tuple[str, float]] = (),
    missing_z: Iterable[tuple[float, float]] = (),
    missing_bands: Iterable[str] = (),
) -> tuple[Degradation, ...]:
    """List what is to be done, the unchanged set first.

    Parameters
    ----------
    mag_cuts : iterable of (str, float)
        Band and limit.
    missing_z : iterable of (float, float)
    missing_bands : iterable of str

    Returns
    -------
    tuple of Degradation

    Raises
    ------
    ConfigError
        Nothing is asked for, or one thing twice.
    """
    wanted: tuple[Degradation, ...] = (
        AsItIs(),
        *(MagnitudeCut(band, limit) for band, limit in mag_cuts),
        *(MissingRedshifts(low, high) for low, high in missing_z),
        *(MissingBand(band) for band in missing_bands),
    )
    if len(wanted) == 1:
        raise ConfigError("nothing to degrade: name a magnitude cut, a range of redshift or a band that is missing")
    if len(set(wanted)) != len(wanted):
        raise ConfigError(f"each degradation may be asked for once; got {[each.name for each in wanted]}")
    return wanted


def degrade(table: pa.Table, degradation: Degradation, *, least: int = 20) -> pa.Table:
    """Make a degraded training set.

    Parameters
    ----------
    table : pa.Table
        ``objectId``, ``flux_{band}``, ``flux_err_{band}`` in nJy, ``z_spec``.
    degradation : Degradation
    least : int
        Fewest rows that must stay.

    Returns
    -------
    pa.Table

    Raises
    ------
    EmptyTableError
        Fewer rows stay.
    BandError, ColumnError
        The table does not have what it takes.
    """
    left = degradation.apply(table)
    if left.num_rows < least:
        raise EmptyTableError(
            f"{degradation.meaning}: {left.num_rows} of {table.num_rows} rows stay; at least {least} are needed"
        )
    return left


def _require_band(table: pa.Table, band: str) -> None:
    bands = bands_of(table.schema)
    if band not in bands:
        raise BandError(f"the training set has no band {band!r}; it has {list(bands)}")
