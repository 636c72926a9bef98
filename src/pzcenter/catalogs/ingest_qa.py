"""What a partition looks like as it was delivered: counts, depths, and whether the fluxes can be in their unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.tiling import MAX_TILE_ORDER
from pzcenter.errors import UnitError
from pzcenter.science.photometry import AB_ZERO_POINT_NJY
from pzcenter.science.sky import healpix_at_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["DEPTH_SIGMA", "PLAUSIBLE_MAG", "ingest_qa", "require_plausible_magnitudes", "sky_counts"]

DEPTH_SIGMA = 5.0
"""Signal to noise at which a depth is quoted."""

PLAUSIBLE_MAG = (12.0, 32.0)
"""Median magnitude, AB, of the well measured objects of a band that any galaxy survey may have. SDSS spectroscopic
galaxies are near 17, ten years of LSST near 26. nJy taken for uJy are wrong by 7.5 mag, for Jy by 22.5."""

MIN_JUDGED = 100


def ingest_qa(skinny: pa.Table, bands: Sequence[str]) -> pa.Table:
    """Look at the skinny rows of a partition.

    Parameters
    ----------
    skinny : pa.Table
        Skinny rows, without cuts.
    bands : sequence of str

    Returns
    -------
    pa.Table
        One row for each band: ``band``, ``n_obj``, ``n_measured`` (flux and error usable), ``n_detected`` (above
        5 sigma), ``median_mag`` of those (AB), ``depth`` (5 sigma, from the median error, AB), and, the same in each
        row, ``id_min``, ``id_max``, ``ra_min``, ``ra_max``, ``dec_min``, ``dec_max`` (degrees).
    """
    rows = []
    common = {"n_obj": skinny.num_rows, **_extremes(skinny)}
    for band in bands:
        flux, flux_err = (skinny.column(f"{kind}_{band}").to_numpy() for kind in ("flux", "flux_err"))
        measured = np.isfinite(flux) & np.isfinite(flux_err) & (flux_err > 0)
        detected = measured & (flux > DEPTH_SIGMA * np.where(measured, flux_err, np.inf))
        rows.append(
            {
                "band": band,
                **common,
                "n_measured": int(measured.sum()),
                "n_detected": int(detected.sum()),
                "median_mag": _magnitude(float(np.median(flux[detected])) if detected.any() else np.nan),
                "depth": _magnitude(DEPTH_SIGMA * float(np.median(flux_err[measured])) if measured.any() else np.nan),
            }
        )
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("band", pa.string()), ("n_obj", pa.int64()), ("n_measured", pa.int64()), ("n_detected", pa.int64()),
        ("median_mag", pa.float64()), ("depth", pa.float64()), ("id_min", pa.int64()), ("id_max", pa.int64()),
        ("ra_min", pa.float64()), ("ra_max", pa.float64()), ("dec_min", pa.float64()), ("dec_max", pa.float64()),
    ]
)  # fmt: skip


def _magnitude(flux: float) -> float | None:
    """Magnitude, AB, of a flux in nJy."""
    return AB_ZERO_POINT_NJY - 2.5 * float(np.log10(flux)) if np.isfinite(flux) and flux > 0 else None


def _extremes(skinny: pa.Table) -> dict[str, float | int | None]:
    found: dict[str, float | int | None] = {}
    for name, short in (("objectId", "id"), ("ra", "ra"), ("dec", "dec")):
        values = skinny.column(name).to_numpy() if name in skinny.column_names else np.empty(0)
        found[f"{short}_min"] = values.min().item() if values.size else None
        found[f"{short}_max"] = values.max().item() if values.size else None
    return found


def require_plausible_magnitudes(qa: pa.Table, where: str, mapping: str = "") -> None:
    """Refuse fluxes whose median magnitude no survey has: their unit is not the declared one.

    Parameters
    ----------
    qa : pa.Table
        From :func:`ingest_qa`.
    where, mapping : str
        Names of the table and the mapping, for the message.

    Raises
    ------
    UnitError
        The median magnitude of the detected objects of a band is out of :data:`PLAUSIBLE_MAG`.
    """
    low, high = PLAUSIBLE_MAG
    for row in qa.to_pylist():
        if row["n_detected"] >= MIN_JUDGED and not low <= row["median_mag"] <= high:
            raise UnitError(
                f"{where}: the median magnitude in {row['band']} is {row['median_mag']:.1f}; {low:g} to {high:g} is "
                f"plausible. Are the fluxes in the unit that the mapping {mapping or 'in use'!r} declares?"
            )


def sky_counts(skinny: pa.Table, bands: Sequence[str], order: int = MAX_TILE_ORDER) -> pa.Table:
    """Objects and depths of a partition by HEALPix pixel.

    Parameters
    ----------
    skinny : pa.Table
    bands : sequence of str
    order : int
        NESTED.

    Returns
    -------
    pa.Table
        ``pixel``, ``n_obj``, and for each band ``n_{b}`` (measured) and ``err_{b}``: sum of the flux errors, nJy.
    """
    pixel = healpix_at_order(skinny.column("_healpix_29").to_numpy(), order)
    cells, inverse, n_obj = np.unique(pixel, return_inverse=True, return_counts=True)
    columns: dict[str, NDArray[np.generic]] = {"pixel": cells.astype(np.int64), "n_obj": n_obj.astype(np.int64)}
    for band in bands:
        error = skinny.column(f"flux_err_{band}").to_numpy().astype(np.float64)
        known = np.isfinite(error)
        columns[f"n_{band}"] = np.bincount(inverse[known], minlength=cells.size).astype(np.int64)
        columns[f"err_{band}"] = np.bincount(inverse[known], weights=error[known], minlength=cells.size)
    return pa.table(columns)
