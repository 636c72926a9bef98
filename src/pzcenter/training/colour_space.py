"""The space in which a training set and its target are compared: asinh colours and one magnitude.

Magnitudes are asinh magnitudes, softened by the median flux error of the target, the same for both. A flux that is
measured and is zero or negative has a place: where noise alone would put it. A band that is missing (NaN, or an
error that is none) is left out: such an object is compared in the colours of the bands it has, with those of the
others in the same bands.

The features of any set of bands are linear in the magnitudes, so points given in magnitudes have a place in all sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.columns import float_column
from pzcenter.errors import BandError, EmptyTableError, UnitError, UsageError
from pzcenter.science.photometry import flux_to_asinh_mag, looks_like_magnitudes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["ColourSpace", "bands_to_compare", "check_fluxes", "colour_space", "flux_columns", "measured_fluxes"]

_ONE_SIGMA = (15.865, 84.135)
_MIN_SAMPLE = 50
"""Fewest objects with all bands from which a width can be measured."""


@dataclass(frozen=True, eq=False)
class ColourSpace:
    """Features of objects with any of the bands.

    Parameters
    ----------
    bands : tuple of str
        In order of wavelength, at most 16.
    mag_band : str
        Band of the magnitude; where it is missing, the nearest in order.
    softening : ndarray of float64, (n_band,)
        Of the asinh magnitudes, nJy.
    mag_sample : ndarray of float64, (n, n_band)
        Target objects with all bands: they set the unit of each feature.
    centre : ndarray of float64, (n_band,)
        Their median: where all features are zero.
    min_bands : int
        Objects with fewer have no place.
    """

    bands: tuple[str, ...]
    mag_band: str
    softening: NDArray[np.float64]
    mag_sample: NDArray[np.float64]
    centre: NDArray[np.float64]
    min_bands: int = 3
    _axes: dict[int, tuple[tuple[int, ...], NDArray[np.float64]]] = field(default_factory=dict, repr=False)

    @property
    def all_bands(self) -> int:
        """Code of an object that has every band."""
        return (1 << len(self.bands)) - 1

    @property
    def mag_index(self) -> int:
        """Place of ``mag_band`` among the bands."""
        return self.bands.index(self.mag_band)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features of an object that has all bands."""
        colours = tuple(f"{a}-{b}" for a, b in zip(self.bands[:-1], self.bands[1:], strict=True))
        return (*colours, self.mag_band)

    def magnitudes(self, table: pa.Table | pa.RecordBatch) -> NDArray[np.float64]:
        """Asinh magnitudes of rows.

        Parameters
        ----------
        table : pa.Table or pa.RecordBatch
            With ``flux_{band}``.

        Returns
        -------
        ndarray of float64, (n_obj, n_band)
            NaN where missing.
        """
        return flux_to_asinh_mag(measured_fluxes(table, self.bands)[0], self.softening)

    def codes(self, mag: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which bands each object has, as a number of one bit per band; 0 where they are too few.

        Parameters
        ----------
        mag : ndarray of float64, (n_obj, n_band)
            From :meth:`magnitudes`.

        Returns
        -------
        ndarray of int64, (n_obj,)
        """
        there = np.isfinite(mag)
        code = there @ (1 << np.arange(len(self.bands), dtype=np.int64))
        return np.where(there.sum(axis=1) >= self.min_bands, code, 0)

    def by_code(self, mag: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Rows by the bands that they have; those with too few are left out.

        Parameters
        ----------
        mag : ndarray of float64, (n_obj, n_band)

        Yields
        ------
        code : int
        rows : ndarray of int64
        """
        codes = self.codes(mag)
        for code in np.unique(codes[codes > 0]):
            yield int(code), np.flatnonzero(codes == code)

    def features(self, mag: NDArray[np.float64], code: int | None = None) -> NDArray[np.float64]:
        """Colours of adjacent bands and the magnitude, in units of their width in the target.

        Parameters
        ----------
        mag : ndarray of float64, (n_obj, n_band)
            Finite in the bands of the code.
        code : int, optional
            Bands to use; all by default.

        Returns
        -------
        ndarray of float64, (n_obj, n_band_used)
            The width is half the range that holds 68.27 % of ``mag_sample``.
        """
        columns, axes = self._axes_of(self.all_bands if code is None else code)
        return np.asarray((mag[:, columns] - self.centre[list(columns)]) @ axes)

    def magnitudes_of(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Magnitudes of places given by all features: the inverse of :meth:`features`.

        Parameters
        ----------
        features : ndarray of float64, (n, n_band)

        Returns
        -------
        ndarray of float64, (n, n_band)
        """
        _, axes = self._axes_of(self.all_bands)
        return np.asarray(np.linalg.solve(axes.T, features.T).T + self.centre)

    def _axes_of(self, code: int) -> tuple[tuple[int, ...], NDArray[np.float64]]:
        """Bands of a code, and the matrix that makes features of their magnitudes."""
        if code not in self._axes:
            columns = tuple(index for index in range(len(self.bands)) if code >> index & 1)
            self._axes[code] = columns, self._scaled(columns)
        return self._axes[code]

    def _scaled(self, columns: tuple[int, ...]) -> NDArray[np.float64]:
        n = len(columns)
        axes = np.zeros((n, n))
        axes[np.arange(n - 1), np.arange(n - 1)] = 1.0
        axes[np.arange(1, n), np.arange(n - 1)] = -1.0
        axes[int(np.argmin(np.abs(np.array(columns) - self.mag_index))), n - 1] = 1.0
        low, high = np.percentile(self.mag_sample[:, columns] @ axes, _ONE_SIGMA, axis=0)
        width = (high - low) / 2
        if not np.all(width > 0):
            names = [self.bands[index] for index in columns]
            raise UsageError(f"a colour or magnitude of the bands {names} is the same in most of the target's objects")
        return np.asarray(axes / width)


def colour_space(
    target_sample: pa.Table, bands: Sequence[str], *, mag_band: str | None = None, min_bands: int = 3
) -> ColourSpace:
    """Make the space of a target.

    Parameters
    ----------
    target_sample : pa.Table
        Some thousand target objects, drawn at random.
    bands : sequence of str
        At least two, in order of wavelength.
    mag_band : str, optional
        Band of the magnitude; ``i``, or the middle one where there is no i.
    min_bands : int
        Objects with fewer measured bands have no place; at most the number of bands.

    Returns
    -------
    ColourSpace

    Raises
    ------
    BandError
        Too few bands, an unknown ``mag_band``, or hardly any object that has all bands.
    UnitError
        The fluxes are magnitudes.
    UsageError
        A band that is the same in all objects.
    """
    names = tuple(bands)
    if not 2 <= len(names) <= 16 or len(set(names)) != len(names):
        raise BandError(f"colours need 2 to 16 different bands; got {list(names)}")
    mag_band = mag_band or ("i" if "i" in names else names[len(names) // 2])
    if mag_band not in names:
        raise BandError(f"the band of the magnitude is {mag_band!r}; accepted: {', '.join(names)}")
    if target_sample.num_rows == 0:
        raise EmptyTableError("the target has no objects")
    flux, err = measured_fluxes(target_sample, names)
    check_fluxes(flux, err, names, "the target")
    softening = np.nanmedian(err, axis=0)
    mag = flux_to_asinh_mag(flux, softening)
    complete = mag[np.isfinite(mag).all(axis=1)]
    if complete.shape[0] < _MIN_SAMPLE:
        counts = {band: int(n) for band, n in zip(names, np.isfinite(mag).sum(axis=0), strict=True)}
        raise BandError(
            f"{complete.shape[0]} of {mag.shape[0]} target objects have all of {', '.join(names)}; at least "
            f"{_MIN_SAMPLE} are needed. Measured: {counts}. Give fewer bands"
        )
    return ColourSpace(names, mag_band, softening, complete, np.median(complete, axis=0), min(min_bands, len(names)))


def bands_to_compare(wanted: Sequence[str] | None, training: Sequence[str], target: Sequence[str]) -> tuple[str, ...]:
    """Bands whose flux and error two tables have.

    Parameters
    ----------
    wanted : sequence of str or None
        Bands asked for; None takes all in common, in the order of the target's columns.
    training, target : sequence of str
        Column names.

    Returns
    -------
    tuple of str

    Raises
    ------
    BandError
        A band asked for is not in both, or there are fewer than two in common.
    """
    ours, theirs = _bands_of(training), _bands_of(target)
    for where, there in (("training set", ours), ("target", theirs)):
        absent = [band for band in wanted or () if band not in there]
        if absent:
            raise BandError(f"the {where} has no flux and error of the bands {absent}; it has {there}")
    common = tuple(wanted) if wanted is not None else tuple(band for band in theirs if band in ours)
    if len(common) < 2:
        raise BandError(f"colours need two bands in common; the training set has {ours}, the target has {theirs}")
    return common


def _bands_of(names: Sequence[str]) -> list[str]:
    return [name[9:] for name in names if name.startswith("flux_err_") and f"flux_{name[9:]}" in names]


def flux_columns(bands: Sequence[str]) -> list[str]:
    """Columns of the fluxes and errors of bands.

    Parameters
    ----------
    bands : sequence of str

    Returns
    -------
    list of str
    """
    return [f"{kind}_{band}" for band in bands for kind in ("flux", "flux_err")]


def measured_fluxes(
    table: pa.Table | pa.RecordBatch, bands: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fluxes and errors, both NaN where a flux is not finite or its error is missing or not positive.

    Parameters
    ----------
    table : pa.Table or pa.RecordBatch
        With ``flux_{band}`` and ``flux_err_{band}``, nJy.
    bands : sequence of str
        Bands to take.

    Returns
    -------
    flux, flux_err : ndarray of float64, (n_obj, n_band)

    Raises
    ------
    BandError
        A band is not there.
    """
    there = _bands_of(table.schema.names)
    absent = [band for band in bands if band not in there]
    if absent:
        raise BandError(f"the table has no flux and error of the bands {absent}; it has {there}")
    flux, err = (np.empty((table.num_rows, len(bands))) for _ in range(2))
    for index, band in enumerate(bands):
        flux[:, index] = float_column(table.column(f"flux_{band}"))
        err[:, index] = float_column(table.column(f"flux_err_{band}"))
    bad = ~(np.isfinite(flux) & np.isfinite(err) & (err > 0))
    flux[bad] = np.nan
    err[bad] = np.nan
    return flux, err


def check_fluxes(flux: NDArray[np.float64], err: NDArray[np.float64], bands: Sequence[str], where: str) -> None:
    """Raise where a band has one flux in all objects, or none at all, or magnitudes.

    Parameters
    ----------
    flux, err : ndarray of float64, (n_obj, n_band)
        NaN where missing.
    bands : sequence of str
        Their names.
    where : str
        The table's name in the message.

    Raises
    ------
    UsageError
        A constant.
    BandError
        A band without any measurement.
    UnitError
        Numbers that are very probably magnitudes.
    """
    for index, band in enumerate(bands):
        values = flux[np.isfinite(flux[:, index]), index]
        if values.size == 0:
            raise BandError(f"band {band!r} is not measured in any of the {flux.shape[0]} objects of {where}")
        if values.size > 1 and values.min() == values.max():
            raise UsageError(f"flux_{band} of {where} is {values[0]:g} nJy in all of its {values.size} objects")
        if looks_like_magnitudes(flux[:, index], err[:, index]):
            raise UnitError(f"flux_{band} of {where} holds magnitudes, it seems; fluxes in nJy are needed")
