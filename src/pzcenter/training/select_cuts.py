"""The cuts of a selection as masks: one small function for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pzcenter.catalogs.columns import float_column, require_columns
from pzcenter.errors import BandError
from pzcenter.schema import PZFlag
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from numpy.typing import NDArray

    from pzcenter.training.select import SelectionConfig

__all__ = ["STAR_FLAG", "TIE", "TIE_LOSER", "TIE_STAR", "Cut", "cuts_of"]

STAR_FLAG = 6
"""``z_flag`` of a star on the homogenised scale."""
TIE_LOSER, TIE, TIE_STAR = 0, 2, 3
"""Values of ``tie_result``: lost to a better measurement, undecided, star."""


@dataclass(frozen=True, eq=False)
class Cut:
    """One cut, computed.

    Parameters
    ----------
    name : str
        Of the setting.
    meaning : str
        What a row must satisfy.
    keep : ndarray of bool, (n_obj,)
        True where it does.
    n_missing : int
        Rows that fail because the value is missing.
    """

    name: str
    meaning: str
    keep: NDArray[np.bool_]
    n_missing: int


def cuts_of(table: pa.Table, config: SelectionConfig) -> list[Cut]:
    """Masks of all cuts that a configuration asks for, in a fixed order.

    Parameters
    ----------
    table : pa.Table
        A training set.
    config : SelectionConfig
        The settings.

    Returns
    -------
    list of Cut

    Raises
    ------
    ColumnError, BandError
        A column is not there.
    """
    return [*_redshift_cuts(table, config), *_source_cuts(table, config), *_photometry_cuts(table, config)]


def _redshift_cuts(table: pa.Table, config: SelectionConfig) -> Iterator[Cut]:
    if config.needs_redshift:
        z = _values(table, "z_spec")
        yield _cut("needs_redshift", "z_spec is there", z, np.isfinite(z))
    if config.z_min is not None:
        z = _values(table, "z_spec")
        yield _cut("z_min", f"z_spec >= {config.z_min:g}", z, z >= config.z_min)
    if config.z_max is not None:
        z = _values(table, "z_spec")
        yield _cut("z_max", f"z_spec < {config.z_max:g}", z, z < config.z_max)
    if config.no_stars:
        yield _no_stars(table)
    if config.min_z_flag is not None:
        flag = _values(table, "z_flag")
        yield _cut("min_z_flag", f"z_flag >= {config.min_z_flag}", flag, flag >= config.min_z_flag)
    if config.z_types:
        yield _text_cut(table, "z_types", "z_type", config.z_types)
    if config.no_ties:
        tie = _values(table, "tie_result")
        yield _cut("no_ties", "the redshift is not disputed", tie, np.isfinite(tie) & (tie != TIE))
    if config.no_repeats:
        tie = _values(table, "tie_result")
        yield _cut("no_repeats", "no better measurement is kept", tie, np.isfinite(tie) & (tie != TIE_LOSER))


def _source_cuts(table: pa.Table, config: SelectionConfig) -> Iterator[Cut]:
    if config.surveys:
        yield _text_cut(table, "surveys", "survey", config.surveys)
    if config.excluded_surveys:
        yield _text_cut(table, "excluded_surveys", "survey", config.excluded_surveys, wanted=False)
    if config.max_separation_arcsec is not None:
        distance = _values(table, "separation_arcsec")
        meaning = f"separation <= {config.max_separation_arcsec:g} arcsec"
        yield _cut("max_separation_arcsec", meaning, distance, distance <= config.max_separation_arcsec)
    if config.excluded_flags:
        yield _no_flags(table, config.excluded_flags)
    if config.min_extendedness is not None:
        value = _values(table, config.extendedness_column)
        meaning = f"{config.extendedness_column} >= {config.min_extendedness:g}"
        yield _cut("min_extendedness", meaning, value, value >= config.min_extendedness)


def _photometry_cuts(table: pa.Table, config: SelectionConfig) -> Iterator[Cut]:
    for band in config.required_bands:
        flux, err = _band(table, band)
        there = np.isfinite(flux) & np.isfinite(err) & (err > 0)
        yield Cut(f"required_bands.{band}", f"{band} is measured", there, int(np.count_nonzero(~there)))
    for band, least in config.min_snr.items():
        flux, err = _band(table, band)
        snr = np.divide(flux, err, out=np.full(flux.shape, np.nan), where=err > 0)
        yield _cut(f"min_snr.{band}", f"signal to noise in {band} >= {least:g}", snr, snr >= least)
    for band, (low, high) in config.mag_range.items():
        yield _magnitude_cut(table, band, low, high)


def _magnitude_cut(table: pa.Table, band: str, low: float | None, high: float | None) -> Cut:
    flux, _ = _band(table, band)
    # A flux that is zero or negative is fainter than any limit: it is a value, not a missing one.
    mag = np.where(np.isfinite(flux) & (flux <= 0), np.inf, flux_to_mag(flux))
    keep = np.isfinite(flux) & (mag >= (-np.inf if low is None else low))
    if high is not None:
        keep &= mag < high
    ends = ("" if low is None else f"{low:g} <= ") + f"mag {band}" + ("" if high is None else f" < {high:g}")
    return _cut(f"mag_range.{band}", ends, flux, keep)


def _no_stars(table: pa.Table) -> Cut:
    """Rows are stars by their flag or by the combination of their measurements, whichever column is there."""
    names = [name for name in ("z_flag", "tie_result") if name in table.column_names]
    if not names:
        require_columns(["z_flag"], table.column_names, "the table (no_stars=False does without it)")
    star = np.zeros(table.num_rows, dtype=bool)
    for name, value in (("z_flag", STAR_FLAG), ("tie_result", TIE_STAR)):
        if name in names:
            star |= _values(table, name) == value
    return Cut("no_stars", "not a star", ~star, 0)


def _no_flags(table: pa.Table, names: tuple[str, ...]) -> Cut:
    require_columns(["flags"], table.column_names, "the table")
    refused = np.uint32(sum(PZFlag[name] for name in set(names)))
    column = table.column("flags").combine_chunks()
    bits = np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False)).astype(np.uint32)
    known = ~np.asarray(column.is_null().to_numpy(zero_copy_only=False))
    keep = known & ((bits & refused) == 0)
    return Cut("excluded_flags", f"none of the flags {', '.join(names)}", keep, int(np.count_nonzero(~known)))


def _text_cut(table: pa.Table, name: str, column: str, accepted: tuple[str, ...], *, wanted: bool = True) -> Cut:
    """Membership of a column of text, whatever its case."""
    require_columns([column], table.column_names, "the table")
    encoded = table.column(column).combine_chunks().dictionary_encode()
    folded = {text.casefold() for text in accepted}
    inside = np.array([text.casefold() in folded for text in encoded.dictionary.to_pylist()] + [False])
    index = np.asarray(encoded.indices.fill_null(len(inside) - 1).to_numpy(zero_copy_only=False))
    missing = index == len(inside) - 1
    keep = inside[index] if wanted else ~inside[index] & ~missing
    meaning = f"{column} is {'' if wanted else 'not '}{' or '.join(accepted)}"
    return Cut(name, meaning, keep, int(np.count_nonzero(missing)))


def _cut(name: str, meaning: str, value: NDArray[np.float64], keep: NDArray[np.bool_]) -> Cut:
    return Cut(name, meaning, keep, int(np.count_nonzero(np.isnan(value))))


def _values(table: pa.Table, name: str) -> NDArray[np.float64]:
    require_columns([name], table.column_names, "the table")
    return float_column(table.column(name))


def _band(table: pa.Table, band: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    absent = [name for name in (f"flux_{band}", f"flux_err_{band}") if name not in table.column_names]
    if absent:
        bands = [name[9:] for name in table.column_names if name.startswith("flux_err_")]
        raise BandError(f"a cut needs band {band!r}: the table has no {', '.join(absent)}; its bands are {bands}")
    return float_column(table.column(f"flux_{band}")), float_column(table.column(f"flux_err_{band}"))
