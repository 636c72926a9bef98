"""One tract of a simulated sky: the unit of work, and the columns of its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.science.photometry import flux_to_mag
from pzcenter.simulation.objects import STAR, detected_sources, measure
from pzcenter.simulation.sky import gather_groups, patch_number
from pzcenter.simulation.spectroscopy import QUALITY_SECURE, observe_redshifts
from pzcenter.simulation.tables import object_schema, spec_schema, table_of, truth_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pzcenter.simulation.model import SkyModel
    from pzcenter.simulation.objects import Measurement, Sources
    from pzcenter.simulation.sky import DustField, Footprint

__all__ = ["BLOCK_ROWS", "REPRESENTATIVE", "block_generator", "tract_blocks"]

BLOCK_ROWS = 65_536
"""Rows that are drawn from one stream of random numbers; also a row group of the files. Part of the format: another
number gives another sky."""

REPRESENTATIVE = "representative"
"""Survey name of the representative sample."""

TRACT_BIT, PATCH_BIT = 46, 39
"""An id holds the tract from this bit on, the patch from that, and the row in the tract below: numbers near 6e17."""

SPEC_ASTROMETRY_DEG = 0.1 / 3600.0
"""Standard deviation of the positions of a redshift survey in each direction."""

REPRESENTATIVE_Z_ERR = 1e-4
"""Error stated for the representative sample, of 1 + z; its redshifts are the true ones."""

SATURATED_MAG = 16.0
"""A star brighter than this in a band saturates its centre."""

INTERPOLATED_FRACTION, FAILED_DEBLEND_FRACTION = 0.01, 0.01
"""Share of measurements, or of blends, that carry these flags."""


def block_generator(seed: int, tract: int, block: int) -> np.random.Generator:
    """Random numbers of one block, which depend on nothing but these three.

    Parameters
    ----------
    seed : int
        Of the sky.
    tract, block : int
        Counted from 0.

    Returns
    -------
    Generator

    References
    ----------
    Salmon et al. 2011, SC '11, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, tract, block])))


def tract_blocks(
    model: SkyModel, footprint: Footprint, dust: DustField, *, seed: int, tract: int, n_obj: int
) -> Iterator[tuple[pa.Table, pa.Table, pa.Table, pa.Table]]:
    """Tables of one tract, a block of rows at a time.

    Parameters
    ----------
    model : SkyModel
    footprint : Footprint
    dust : DustField
    seed : int
    tract : int
        Counted from 0.
    n_obj : int
        Rows of the tract.

    Yields
    ------
    objects, truth, spec, representative : pyarrow.Table
    """
    for block, first in enumerate(range(0, n_obj, BLOCK_ROWS)):
        rng = block_generator(seed, tract, block)
        rows = np.arange(first, min(first + BLOCK_ROWS, n_obj))
        yield _block(model, footprint, dust, rng, tract=tract, rows=rows)


def _block(
    model: SkyModel,
    footprint: Footprint,
    dust: DustField,
    rng: np.random.Generator,
    *,
    tract: int,
    rows: NDArray[np.int64],
) -> tuple[pa.Table, pa.Table, pa.Table, pa.Table]:
    sources, i_noise = detected_sources(model, rng, rows.size)
    xy = gather_groups(
        rng,
        rng.random((rows.size, 2)),
        sources.z,
        fraction=model.config.cluster_fraction,
        distances=model.distances,
        degrees_across=footprint.degrees_across(tract),
    )
    place = footprint.place(tract, xy)
    ra, dec = footprint.coordinates(place)
    ebv = dust.ebv(ra, dec)
    measurement = measure(model, rng, sources, i_noise=i_noise, ebv=ebv)
    patch = patch_number(xy)
    number = footprint.tract_number(tract)
    object_id = (np.int64(number) << TRACT_BIT) | (patch << PATCH_BIT) | rows
    primary = rng.random(rows.size) >= model.config.not_primary_fraction
    objects = {
        "objectId": object_id,
        "coord_ra": ra,
        "coord_dec": dec,
        "tract": np.full(rows.size, number),
        "patch": patch,
        "ebv": ebv,
        "detect_isPrimary": primary,
        **_measured_columns(model, rng, sources, measurement, east=place[:, 0]),
    }
    positions = _Positions(object_id, ra, dec, place)
    spectra = _spectra(model, rng, sources, positions)
    representative = _representative(model, rng, sources, positions, eligible=primary)
    return (
        table_of(objects, object_schema(model.bands)),
        table_of(_truth_columns(model, sources, object_id), truth_schema()),
        spectra,
        representative,
    )


def _measured_columns(
    model: SkyModel, rng: np.random.Generator, sources: Sources, measurement: Measurement, *, east: NDArray[Any]
) -> dict[str, NDArray[Any] | pa.Array]:
    n_obj, config = sources.n_obj, model.config
    columns: dict[str, NDArray[Any] | pa.Array] = {
        "refBand": pa.DictionaryArray.from_arrays(np.zeros(n_obj, dtype=np.int8), ["i"]).cast(pa.string()),
        "refExtendedness": measurement.extendedness,
        "detect_isIsolated": ~measurement.from_blend,
        "detect_fromBlend": measurement.from_blend,
        "deblend_failed": measurement.from_blend & (rng.random(n_obj) < FAILED_DEBLEND_FRACTION),
    }
    four_band = east > 1.0 - config.four_band_fraction
    saturated_flux = 10.0 ** (0.4 * (31.4 - SATURATED_MAG))
    for k, band in enumerate(model.bands):
        u = rng.random((4, n_obj))
        absent = four_band if band in "uy" else np.zeros(n_obj, dtype=bool)
        # Half of the lost measurements are lost by both methods.
        lost = absent | (u[0] < 0.5 * config.missing_band_fraction)
        for name, own, value, error in (
            ("gaap", u[1], measurement.gaap[:, k], measurement.gaap_err[:, k]),
            ("cModel", u[2], measurement.cmodel[:, k], measurement.cmodel_err[:, k]),
        ):
            flux = f"{band}_{'gaap1p0Flux' if name == 'gaap' else 'cModelFlux'}"
            failed = lost | (own < 0.5 * config.missing_band_fraction)
            columns[flux] = np.where(failed, np.nan, value)
            columns[f"{flux}Err"] = np.where(failed, np.nan, error)
            columns[f"{band}_{'gaapFlux_flag' if name == 'gaap' else 'cModel_flag'}"] = failed
        columns[f"{band}_blendedness"] = np.where(absent, np.nan, measurement.blendedness[:, k])
        columns[f"{band}_pixelFlags_interpolatedCenter"] = u[3] > 1.0 - INTERPOLATED_FRACTION
        columns[f"{band}_pixelFlags_saturatedCenter"] = (sources.kind == STAR) & (sources.flux[:, k] > saturated_flux)
    return columns


def _truth_columns(
    model: SkyModel, sources: Sources, object_id: NDArray[np.int64]
) -> dict[str, NDArray[Any] | pa.Array]:
    return {
        "objectId": object_id,
        "z_true": sources.z,
        "is_star": sources.kind == STAR,
        "galaxy_class": sources.kind,
        "template_position": sources.position,
        "internal_ebv": sources.dust,
        "abs_mag_b": sources.magnitude,
        "half_light_radius": sources.half_light,
        **{f"flux_true_{band}": sources.flux[:, k] for k, band in enumerate(model.bands)},
    }


@dataclass(frozen=True, eq=False)
class _Positions:
    """Ids and positions of the objects of a block."""

    object_id: NDArray[np.int64]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    place: NDArray[np.float64]


def _spectra(model: SkyModel, rng: np.random.Generator, sources: Sources, positions: _Positions) -> pa.Table:
    mag = flux_to_mag(sources.flux)
    tables = []
    for survey in model.config.spec_surveys:
        row, z_spec, z_spec_err, quality = observe_redshifts(
            rng, survey, mag=mag, bands=model.bands, z=sources.z, place=positions.place
        )
        measured: dict[str, NDArray[Any]] = {"z_spec": z_spec, "z_spec_err": z_spec_err, "quality": quality}
        tables.append(_spec_table(rng, positions, row, survey=survey.name, measured=measured))
    return pa.concat_tables(tables) if tables else spec_schema().empty_table()


def _representative(
    model: SkyModel, rng: np.random.Generator, sources: Sources, positions: _Positions, *, eligible: NDArray[np.bool_]
) -> pa.Table:
    chosen = rng.random(sources.n_obj) < model.config.representative_fraction
    row = np.flatnonzero(chosen & eligible & np.isfinite(sources.z))
    measured: dict[str, NDArray[Any]] = {
        "z_spec": sources.z[row],
        "z_spec_err": REPRESENTATIVE_Z_ERR * (1.0 + sources.z[row]),
        "quality": np.full(row.size, QUALITY_SECURE, dtype=np.int8),
    }
    return _spec_table(rng, positions, row, survey=REPRESENTATIVE, measured=measured)


def _spec_table(
    rng: np.random.Generator,
    positions: _Positions,
    row: NDArray[np.int64],
    *,
    survey: str,
    measured: dict[str, NDArray[Any]],
) -> pa.Table:
    east, north = SPEC_ASTROMETRY_DEG * rng.standard_normal((2, row.size))
    ra, dec = positions.ra[row], positions.dec[row]
    columns = {
        "objectId": positions.object_id[row],
        "ra": (ra + east / np.maximum(np.cos(np.deg2rad(dec)), 1e-3)) % 360.0,
        "dec": np.clip(dec + north, -90.0, 90.0),
        "survey": pa.array([survey] * row.size, type=pa.string()),
        **measured,
    }
    return table_of(columns, spec_schema())
