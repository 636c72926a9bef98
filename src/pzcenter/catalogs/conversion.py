"""One batch of a survey's rows to skinny columns: what a mapping declares, carried out.

Everything happens in flux space. A negative flux is data; a band is missing, NaN in value and error, where the value is
missing or its error is not positive and finite.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs.columns import float_column, int_column
from pzcenter.errors import ConfigError, UnitError
from pzcenter.schema import PZFlag
from pzcenter.schema.mapping import Cut
from pzcenter.science.extinction import deredden, ebv_from_map, extinction_coefficients
from pzcenter.science.photometry import (
    AB_ZERO_POINT_NJY,
    asinh_mag_err_to_flux_err,
    asinh_mag_to_flux,
    looks_like_magnitudes,
    mag_err_to_flux_err,
    mag_to_flux,
)
from pzcenter.science.sky import healpix29

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.schema import Mapping

__all__ = ["NO_TRACT", "Converter", "parse_cut"]

NO_TRACT = np.iinfo(np.int32).min
"""Stands for a missing tract in arrays; null in files."""

POSITION_CUT = "no_position"
Z_SPEC_RANGE = (-0.02, 20.0)
MAG_RANGE = (-30.0, 60.0)
MAX_FOREIGN = 0.01
MIN_JUDGED = 10
CUT_PATTERN = re.compile(r"\s*([^\s<>=!]+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True, eq=False)
class Converter:
    """Turn batches of a survey's table into skinny columns.

    Parameters
    ----------
    mapping : Mapping
        Already narrowed to the columns that the table has.
    cuts : tuple of Cut
        Conditions that a row must fulfil, in order.
    deredden : bool
        Take Galactic extinction out where it is known and not yet taken out.
    ebv_map : object, optional
        Dust map for :func:`~pzcenter.science.extinction.ebv_from_map`, used where the table has no E(B-V).
    row_numbers : bool
        Use the row number as object id.
    """

    mapping: Mapping
    cuts: tuple[Cut, ...]
    deredden: bool = True
    ebv_map: Any = None
    row_numbers: bool = False
    has_position: bool = field(init=False)
    coefficients: NDArray[np.float64] | None = field(init=False)

    def __post_init__(self) -> None:
        mapping = self.mapping
        object.__setattr__(self, "has_position", mapping.ra is not None)
        coefficients = None
        if self.deredden and not mapping.photometry.dereddened and mapping.extinction is not None:
            if mapping.extinction.coefficients is not None:
                coefficients = np.array([mapping.extinction.coefficients[band] for band in mapping.bands])
            else:
                coefficients = extinction_coefficients(mapping.bands, mapping.extinction.survey or "lsst")
        object.__setattr__(self, "coefficients", coefficients)

    @property
    def cut_names(self) -> tuple[str, ...]:
        """Names of all cuts, in order; rows without a finite position are cut first."""
        return ((POSITION_CUT,) if self.has_position else ()) + tuple(cut.name for cut in self.cuts)

    @property
    def is_dereddened(self) -> bool:
        """Whether the skinny fluxes are free of Galactic extinction, except for flagged rows."""
        known = self.mapping.ebv is not None or (self.ebv_map is not None and self.has_position)
        return self.mapping.photometry.dereddened or (self.coefficients is not None and known)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns to read."""
        mapping = self.mapping
        names = [] if self.row_numbers else [mapping.object_id]
        names += [name for name in (mapping.ra, mapping.dec, mapping.tract, mapping.z_spec) if name is not None]
        names += [mapping.ebv.column] if mapping.ebv else []
        for band in mapping.bands:
            names += [mapping.value_column(band), mapping.error_column(band)]
        for condition in (*mapping.flags, *self.cuts):
            names += mapping.columns_of(condition)
        return tuple(dict.fromkeys(names))

    @property
    def output_columns(self) -> tuple[str, ...]:
        """Skinny columns, in the order of the table definition."""
        mapping = self.mapping
        names = ["objectId"]
        names += ["ra", "dec", "_healpix_29"] if self.has_position else []
        names += ["tract"] if mapping.tract else []
        for band in mapping.bands:
            names += [f"flux_{band}", f"flux_err_{band}"]
        names += ["ebv", "flags"]
        return (*names, "z_spec") if mapping.z_spec else tuple(names)

    def check_units(self, batch: pa.RecordBatch) -> None:
        """Refuse numbers that are not of the kind that the mapping declares.

        Parameters
        ----------
        batch : pa.RecordBatch

        Raises
        ------
        UnitError
            Fluxes that are magnitudes, or magnitudes that are fluxes.
        """
        mapping = self.mapping
        value = np.stack([float_column(batch.column(mapping.value_column(band))) for band in mapping.bands])
        error = np.stack([float_column(batch.column(mapping.error_column(band))) for band in mapping.bands])
        columns = f"{mapping.value_column(mapping.bands[0])} ... {mapping.value_column(mapping.bands[-1])}"
        value = np.where(_is_any(value, self._sentinels()), np.nan, value)
        finite = value[np.isfinite(value)]
        if finite.size < MIN_JUDGED:
            return
        if mapping.photometry.kind == "flux":
            if looks_like_magnitudes(value, error):
                raise UnitError(
                    f"columns {columns} are declared as fluxes in {mapping.photometry.unit} "
                    f"by mapping {mapping.name!r}, and hold magnitudes: their median is {np.median(finite):.4g}, "
                    f"with errors around {np.nanmedian(error):.2g}; use a mapping of kind ab_mag"
                )
        elif np.mean((finite < MAG_RANGE[0]) | (finite > MAG_RANGE[1])) > MAX_FOREIGN:
            raise UnitError(
                f"columns {columns} are declared as magnitudes by mapping {mapping.name!r}, and hold values from "
                f"{finite.min():.4g} to {finite.max():.4g}; accepted are {MAG_RANGE[0]:g} to {MAG_RANGE[1]:g}: "
                "use a mapping of kind flux"
            )

    def convert(self, batch: pa.RecordBatch, first_row: int) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
        """Apply cuts, units, flags and dereddening.

        Parameters
        ----------
        batch : pa.RecordBatch
            With the columns of :attr:`columns`.
        first_row : int
            Number of the batch's first row in the catalogue.

        Returns
        -------
        skinny : dict of str to ndarray, (n_out,)
            The columns of :attr:`output_columns`.
        n_cut : dict of str to int
            Rows removed by each cut; a row counts for the first cut that removes it.

        Raises
        ------
        SchemaError, ColumnError
            A column cannot be used as what the mapping says it is.
        """
        position = self._positions(batch)
        kept, n_cut = self._apply_cuts(batch, position)
        if not kept.all():
            batch = batch.filter(_as_mask(kept))
            position = None if position is None else (position[0][kept], position[1][kept])
        skinny: dict[str, NDArray[Any]] = {}
        if self.row_numbers:
            skinny["objectId"] = first_row + np.flatnonzero(kept)
        else:
            skinny["objectId"] = int_column(batch.column(self.mapping.object_id), self.mapping.object_id)
        if position is not None:
            skinny["ra"], skinny["dec"] = position
            skinny["_healpix_29"] = healpix29(*position) if batch.num_rows else np.empty(0, dtype=np.int64)
        if self.mapping.tract:
            tract = float_column(batch.column(self.mapping.tract))
            skinny["tract"] = np.where(np.isfinite(tract), tract, NO_TRACT).astype(np.int32)
        flags = np.zeros(batch.num_rows, dtype=np.uint32)
        flux, flux_err = self._fluxes(batch, flags)
        self._apply_flags(batch, flux, flux_err, flags)
        self._mark_missing(flux, flux_err, flags)
        ebv = self._ebv(batch, position)
        flux, flux_err = self._deredden(flux, flux_err, ebv, flags)
        for index, band in enumerate(self.mapping.bands):
            skinny[f"flux_{band}"] = flux[:, index].astype(np.float32)
            skinny[f"flux_err_{band}"] = flux_err[:, index].astype(np.float32)
        skinny["ebv"] = ebv.astype(np.float32)
        skinny["flags"] = flags
        if self.mapping.z_spec:
            z_spec = float_column(batch.column(self.mapping.z_spec))
            known = (z_spec >= Z_SPEC_RANGE[0]) & (z_spec <= Z_SPEC_RANGE[1])
            skinny["z_spec"] = np.where(known, z_spec, np.nan)
        return {name: skinny[name] for name in self.output_columns}, n_cut

    def _positions(self, batch: pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        if self.mapping.ra is None or self.mapping.dec is None:
            return None
        ra, dec = float_column(batch.column(self.mapping.ra)), float_column(batch.column(self.mapping.dec))
        return np.mod(ra, 360.0), dec

    def _apply_cuts(
        self, batch: pa.RecordBatch, position: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    ) -> tuple[NDArray[np.bool_], dict[str, int]]:
        kept = np.ones(batch.num_rows, dtype=bool)
        n_cut: dict[str, int] = {}
        left = batch.num_rows
        if position is not None:
            kept &= np.isfinite(position[0]) & (np.abs(position[1]) <= 90.0)
            left, n_cut[POSITION_CUT] = _count(kept, left)
        for cut in self.cuts:
            kept &= _as_numpy(cut.holds(batch.column(cut.column)))
            left, n_cut[cut.name] = _count(kept, left)
        return kept, n_cut

    def _sentinels(self) -> tuple[float, ...]:
        photometry = self.mapping.photometry
        return photometry.missing_values + ((photometry.nondetection.value,) if photometry.nondetection else ())

    def _fluxes(
        self, batch: pa.RecordBatch, flags: NDArray[np.uint32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fluxes and errors in nJy, (n_obj, n_band) with contiguous columns; NaN where the value is missing."""
        shape = (len(self.mapping.bands), batch.num_rows)
        flux, flux_err = np.empty(shape), np.empty(shape)
        for index, band in enumerate(self.mapping.bands):
            value = float_column(batch.column(self.mapping.value_column(band)))
            error = float_column(batch.column(self.mapping.error_column(band)))
            missing = _is_any(value, self.mapping.photometry.missing_values) | ~np.isfinite(value)
            error = np.where(_is_any(error, self.mapping.photometry.missing_values), np.nan, error)
            with np.errstate(over="ignore", invalid="ignore"):
                flux[index], flux_err[index] = self._in_njy(band, value, error)
            flux[index][missing] = flux_err[index][missing] = np.nan
            undetected, limit_err = self._limits(band, value, error)
            flux[index][undetected], flux_err[index][undetected] = np.where(np.isnan(limit_err), np.nan, 0.0), limit_err
            flags[undetected[np.isfinite(limit_err)]] |= np.uint32(PZFlag.non_detection)
        return flux.T, flux_err.T

    def _in_njy(
        self, band: str, value: NDArray[np.float64], error: NDArray[np.float64]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        photometry = self.mapping.photometry
        # m_AB = m + offset multiplies the flux by 10^(-0.4 offset).
        zero_point = AB_ZERO_POINT_NJY - photometry.ab_offset.get(band, 0.0)
        if photometry.kind == "ab_mag":
            return mag_to_flux(value, zero_point=zero_point), mag_err_to_flux_err(value, error, zero_point=zero_point)
        if photometry.kind == "flux":
            scale = 10.0 ** (0.4 * (zero_point - photometry.ab_zero_point))
            return value * scale, error * scale
        assert photometry.softening is not None
        # b is given in units of the flux of magnitude 0.
        softening = photometry.softening[band] * 10.0 ** (0.4 * zero_point)
        return (
            asinh_mag_to_flux(value, softening, zero_point=zero_point),
            asinh_mag_err_to_flux_err(value, error, softening, zero_point=zero_point),
        )

    def _limits(
        self, band: str, value: NDArray[np.float64], error: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of the declared non-detections and the flux errors, nJy, of their limits; NaN for a missing band."""
        rule = self.mapping.photometry.nondetection
        if rule is None:
            return np.empty(0, dtype=np.int64), np.empty(0)
        rows = np.flatnonzero(value == rule.value)
        if rule.rule == "missing":
            return rows, np.full(rows.size, np.nan)
        if rule.limit_mag is None:
            limit = error[rows] + self.mapping.photometry.ab_offset.get(band, 0.0)
        else:
            limit = np.full(rows.size, rule.limit_mag[band])
        believable = (limit >= rule.accepted_limits[0]) & (limit <= rule.accepted_limits[1])
        return rows, np.where(believable, mag_to_flux(np.where(believable, limit, np.nan)), np.nan) / rule.limit_sigma

    def _apply_flags(
        self,
        batch: pa.RecordBatch,
        flux: NDArray[np.float64],
        flux_err: NDArray[np.float64],
        flags: NDArray[np.uint32],
    ) -> None:
        for rule in self.mapping.flags:
            for index, column in enumerate(self.mapping.columns_of(rule)):
                holds = _as_numpy(rule.holds(batch.column(column)))
                if not holds.any():
                    continue
                flags[holds] |= np.uint32(rule.bit)
                if rule.drop_band:
                    flux[holds, index] = flux_err[holds, index] = np.nan

    @staticmethod
    def _mark_missing(flux: NDArray[np.float64], flux_err: NDArray[np.float64], flags: NDArray[np.uint32]) -> None:
        """Set bands without a usable error to missing, and flag them and the non-detections, in place."""
        there = ~np.isnan(flux)
        usable = np.isfinite(flux) & np.isfinite(flux_err) & (flux_err > 0)
        flags[(there & ~usable).any(axis=1)] |= np.uint32(PZFlag.bad_error)
        flags[(usable & (flux <= 0)).any(axis=1)] |= np.uint32(PZFlag.non_detection)
        flux[~usable] = np.nan
        flux_err[~usable] = np.nan

    def _ebv(
        self, batch: pa.RecordBatch, position: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    ) -> NDArray[np.float64]:
        """E(B-V), mag; NaN where it is not known or negative."""
        if self.mapping.ebv is not None:
            ebv = float_column(batch.column(self.mapping.ebv.column)) / self.mapping.ebv.divide_by
        elif self.ebv_map is not None and position is not None and batch.num_rows:
            ebv = ebv_from_map(self.ebv_map, *position)
        else:
            return np.full(batch.num_rows, np.nan)
        return np.where(np.isfinite(ebv) & (ebv >= 0), ebv, np.nan)

    def _deredden(
        self,
        flux: NDArray[np.float64],
        flux_err: NDArray[np.float64],
        ebv: NDArray[np.float64],
        flags: NDArray[np.uint32],
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        if self.mapping.photometry.dereddened:
            return flux, flux_err
        known = np.isfinite(ebv) if self.coefficients is not None else np.zeros(ebv.shape, dtype=bool)
        flags[~known] |= np.uint32(PZFlag.not_dereddened)
        if self.coefficients is None or not known.any():
            return flux, flux_err
        return deredden(flux, flux_err, np.where(known, ebv, 0.0), self.coefficients)


def parse_cut(text: str) -> Cut:
    """Read a cut such as ``refExtendedness > 0.5``.

    Parameters
    ----------
    text : str
        Column, one of ``< <= > >= == !=``, and a number or ``true``/``false``.

    Returns
    -------
    Cut
        Named by its text.

    Raises
    ------
    ConfigError
        It is not of this form.
    """
    match = CUT_PATTERN.fullmatch(text)
    if match is None:
        raise ConfigError(f"cut {text!r} must be a column, one of < <= > >= == !=, and a value, such as 'i_snr > 5'")
    column, operator, written = match.groups()
    if written.lower() in {"true", "false"}:
        wanted = (written.lower() == "true") == (operator == "==")
        if operator not in {"==", "!="}:
            raise ConfigError(f"cut {text!r}: true and false go with == and != only")
        return Cut.model_validate({"name": text.strip(), "column": column, "op": "is_true" if wanted else "is_false"})
    try:
        value: float | int = int(written)
    except ValueError:
        try:
            value = float(written)
        except ValueError:
            raise ConfigError(f"cut {text!r}: {written!r} is not a number") from None
    return Cut.model_validate({"name": text.strip(), "column": column, "op": operator, "value": value})


def _is_any(values: NDArray[np.float64], sentinels: Iterable[float]) -> NDArray[np.bool_]:
    found = np.zeros(values.shape, dtype=bool)
    for sentinel in sentinels:
        found |= values == sentinel
    return found


def _count(kept: NDArray[np.bool_], before: int) -> tuple[int, int]:
    left = int(np.count_nonzero(kept))
    return left, before - left


def _as_numpy(held: Any) -> NDArray[np.bool_]:
    return np.asarray(held.to_numpy(zero_copy_only=False), dtype=bool)


def _as_mask(kept: NDArray[np.bool_]) -> pa.BooleanArray:
    import pyarrow as pa

    return pa.array(kept)
