"""A PZ table against known redshifts: the numbers, the figures and the report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.densities import codes_of, grid_of
from pzcenter.science.photometry import flux_to_mag
from pzcenter.validation import PdfChunk, collect_sample, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pzcenter.pipelines.truth import KnownRedshifts
    from pzcenter.validation import MetricTable, ValidationSample

__all__ = ["pdf_chunks", "validate_run"]

POINTS = ("z_best", "z_mode", "z_median", "z_mean")


def validate_run(
    destination: Path,
    skinny: Path,
    *,
    truth: KnownRedshifts | None = None,
    mag_band: str = "i",
    mag_max: float = np.inf,
) -> tuple[ValidationSample, MetricTable]:
    """Hold a finished run against known redshifts.

    Parameters
    ----------
    destination : Path
        Of the run.
    skinny : Path
        Its input.
    truth : KnownRedshifts, optional
        By default the column ``z_spec`` of the skinny table.
    mag_band : str
        Band whose magnitude the results are binned in.
    mag_max : float
        Only objects brighter than this in that band, AB; an object without a magnitude counts as faint.

    Returns
    -------
    ValidationSample
    MetricTable
    """
    chunks = pdf_chunks(destination, skinny, truth=truth, mag_band=mag_band, mag_max=mag_max)
    sample = collect_sample(chunks, mag_band=mag_band)
    if sample.mag is not None and not np.isfinite(sample.mag).any():
        sample = replace(sample, mag=None)
    return sample, evaluate(sample)


def pdf_chunks(
    destination: Path,
    skinny: Path,
    *,
    truth: KnownRedshifts | None = None,
    mag_band: str = "i",
    mag_max: float = np.inf,
) -> Iterator[PdfChunk]:
    """Packed densities and point estimates of the objects with a known redshift, partition by partition."""
    parts = {name: _partitions(destination / name) for name in ("pz", "pz_pdf")}
    grid = grid_of(open_catalog(destination / "pz_pdf").schema)
    for partition in open_catalog(skinny).partitions:
        names = [f"flux_{mag_band}", *(["z_spec"] if truth is None else [])]
        photometry = partition.read([name for name in ("objectId", *names) if name in _columns(skinny)])
        ids = photometry.column("objectId").to_numpy()
        z = photometry.column("z_spec").to_numpy() if truth is None else truth.of(ids)
        mag = _magnitude(photometry, mag_band)
        wanted = np.isfinite(z)
        if mag is not None and np.isfinite(mag_max):
            wanted &= mag < mag_max
        rows = np.flatnonzero(wanted)
        if rows.size == 0:
            continue
        pz = parts["pz"][partition.name].read(["flags", *POINTS, *_positions(destination / "pz")]).take(rows)
        pdf = parts["pz_pdf"][partition.name].read(["pdf_code", "pdf_max"]).take(rows)
        yield PdfChunk(
            pdf=codes_of(pdf.column("pdf_code")),
            pdf_max=pdf.column("pdf_max").to_numpy(),
            z_grid=grid,
            z_spec=z[rows],
            points={name: pz.column(name).to_numpy() for name in POINTS},
            object_id=ids[rows],
            mag=None if mag is None else mag[rows],
            flags=pz.column("flags").to_numpy().astype(np.uint32),
            ra=pz.column("ra").to_numpy() if "ra" in pz.column_names else None,
            dec=pz.column("dec").to_numpy() if "dec" in pz.column_names else None,
        )


def _partitions(path: Path) -> dict[str, Any]:
    return {partition.name: partition for partition in open_catalog(path).partitions}


def _columns(path: Path) -> list[str]:
    return open_catalog(path).column_names


def _positions(path: Path) -> list[str]:
    return [name for name in ("ra", "dec") if name in _columns(path)]


def _magnitude(photometry: Any, band: str) -> NDArray[np.float64] | None:
    if f"flux_{band}" not in photometry.column_names:
        return None
    flux = photometry.column(f"flux_{band}").to_numpy().astype(np.float64)
    return np.asarray(flux_to_mag(flux))
