"""What a release consists of, from the counts of its tracts: bands of each tract, depths, pixels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.flux_levels import DEPTH_SIGMA
from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.science.photometry import flux_to_mag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "MIN_PRESENT",
    "depth_map",
    "note_tracts_without_counts",
    "release_pixels",
    "tract_plan",
    "tracts_without_counts",
]

MIN_PRESENT = 0.1
"""Share of the objects of a tract that a band must measure to count as there."""
WITHOUT_COUNTS = b"pzcenter:tracts_without_counts"


def tract_plan(
    qa: Mapping[int, pa.Table],
    skymap: str,
    *,
    band_sets: Sequence[Sequence[str]] = ("ugrizy", "griz"),
    min_present: float = MIN_PRESENT,
) -> pa.Table:
    """One row for each tract: its objects, and the bands with which it is to be estimated.

    Parameters
    ----------
    qa : mapping of int to pa.Table
        ``bands`` of :class:`pzcenter.catalogs.ingest_qa.IngestQa` by tract.
    skymap : str
    band_sets : sequence of sequence of str
        Sets of bands for which there are models; the largest that a tract has in full is chosen, the first where
        several are as large. A tract that has none of them gets the bands that it has: its estimate then fails, and
        says why.
    min_present : float
        Share of objects that must be measured in a band.

    Returns
    -------
    pa.Table
        ``skymap, tract, n_obj, bands`` (separated by commas), ``id_min, id_max``, and for each band of any tract
        ``present_{b}`` (share of the objects) and ``depth_{b}`` (5 sigma, AB).
    """
    rows, every = [], dict[str, None]()
    for tract in sorted(qa):
        by_band = {row["band"]: row for row in qa[tract].to_pylist()}
        every.update(dict.fromkeys(by_band))
        first = next(iter(by_band.values()))
        share = {band: row["n_measured"] / max(row["n_obj"], 1) for band, row in by_band.items()}
        there = [band for band, part in share.items() if part >= min_present]
        fitting = [list(bands) for bands in band_sets if set(bands) <= set(there)]
        chosen = max(fitting, key=len) if fitting else there
        rows.append(
            {
                "skymap": skymap, "tract": tract, "n_obj": first["n_obj"], "bands": ",".join(chosen),
                "id_min": first["id_min"], "id_max": first["id_max"],
                **{f"present_{band}": part for band, part in share.items()},
                **{f"depth_{band}": row["depth"] for band, row in by_band.items()},
            }
        )  # fmt: skip
    fields = [
        ("skymap", pa.string()), ("tract", pa.int32()), ("n_obj", pa.int64()), ("bands", pa.string()),
        ("id_min", pa.int64()), ("id_max", pa.int64()),
        *((f"{kind}_{band}", pa.float64()) for kind in ("present", "depth") for band in every),
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def note_tracts_without_counts(plan: pa.Table, tracts: Sequence[int]) -> pa.Table:
    """Write into a plan which tracts have objects but are not in it, since nobody could count them."""
    if not tracts:
        return plan
    words = json.dumps(sorted(tracts)).encode()
    return plan.replace_schema_metadata({**(plan.schema.metadata or {}), WITHOUT_COUNTS: words})


def tracts_without_counts(plan: pa.Table) -> list[int]:
    """Tracts that have objects and are not in a plan."""
    found: list[int] = json.loads((plan.schema.metadata or {}).get(WITHOUT_COUNTS, b"[]"))
    return found


def depth_map(counts: Iterable[pa.Table], bands: Sequence[str], *, sigma: float = DEPTH_SIGMA) -> pa.Table:
    """Objects and depth of each band by HEALPix pixel.

    Parameters
    ----------
    counts : iterable of pa.Table
        One or more: ``sky`` of :class:`pzcenter.catalogs.ingest_qa.IngestQa`, of one order.
    bands : sequence of str
    sigma : float
        Signal to noise of the depth.

    Returns
    -------
    pa.Table
        ``pixel`` (increasing), ``n_obj``, ``depth_{b}``: magnitude, AB, of ``sigma`` times the mean flux error; NaN
        where nothing is measured.
    """
    tables = list(counts)
    pixel = np.concatenate([table.column("pixel").to_numpy() for table in tables])
    cells, inverse = np.unique(pixel, return_inverse=True)

    def summed(name: str) -> NDArray[np.float64]:
        parts = [
            table.column(name).to_numpy() if name in table.column_names else np.zeros(table.num_rows)
            for table in tables
        ]
        return np.asarray(np.bincount(inverse, weights=np.concatenate(parts), minlength=cells.size), dtype=np.float64)

    columns: dict[str, NDArray[np.generic]] = {
        "pixel": cells.astype(np.int64),
        "n_obj": summed("n_obj").astype(np.int64),
    }
    for band in bands:
        n_measured, total = summed(f"n_{band}"), summed(f"err_{band}")
        with np.errstate(divide="ignore", invalid="ignore"):
            columns[f"depth_{band}"] = flux_to_mag(sigma * total / n_measured)
    return pa.table(columns)


def release_pixels(depths: pa.Table, *, order: int, max_rows: int) -> pa.Table:
    """HEALPix pixels of a catalogue, none of more than a number of rows.

    Parameters
    ----------
    depths : pa.Table
        From :func:`depth_map`.
    order : int
        Of its pixels.
    max_rows : int

    Returns
    -------
    pa.Table
        ``order, pixel, n_rows``, along the sky.
    """
    sky = SkyCounts(order)
    sky.counts[depths.column("pixel").to_numpy()] = depths.column("n_obj").to_numpy()
    chosen = choose_pixels(sky, max_rows)
    return pa.table(
        {
            name: pa.array([row[index] for row in chosen], type=kind)
            for index, (name, kind) in enumerate([("order", pa.int32()), ("pixel", pa.int64()), ("n_rows", pa.int64())])
        }
    )
