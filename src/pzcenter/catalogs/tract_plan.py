"""What a release consists of, from the counts of its tracts: bands of each tract, depths, pixels, unique ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.tiling import SkyCounts, choose_pixels
from pzcenter.errors import DuplicateIdError
from pzcenter.science.photometry import AB_ZERO_POINT_NJY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["MIN_PRESENT", "depth_map", "release_pixels", "require_ids_once", "tract_plan"]

MIN_PRESENT = 0.1
"""Share of the objects of a tract that a band must measure to count as there."""

N_NAMED = 3


def tract_plan(
    qa: Mapping[int, pa.Table],
    skymap: str,
    *,
    band_sets: Sequence[str] = ("ugrizy", "griz"),
    min_present: float = MIN_PRESENT,
) -> pa.Table:
    """One row for each tract: its objects, and the bands with which it is to be estimated.

    Parameters
    ----------
    qa : mapping of int to pa.Table
        Table of :func:`pzcenter.catalogs.ingest_qa.ingest_qa` by tract.
    skymap : str
    band_sets : sequence of str
        Sets of one-letter bands for which there are models; the largest that a tract has in full is chosen. A tract
        that has none of them gets the bands that it has: its estimate then fails, and says why.
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
        fitting = [letters for letters in band_sets if set(letters) <= set(there)]
        chosen = max(fitting, key=len) if fitting else "".join(there)
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


def depth_map(counts: Iterable[pa.Table], bands: Sequence[str], *, sigma: float = 5.0) -> pa.Table:
    """Objects and depth of each band by HEALPix pixel.

    Parameters
    ----------
    counts : iterable of pa.Table
        From :func:`pzcenter.catalogs.ingest_qa.sky_counts`, of one order.
    bands : sequence of str
    sigma : float
        Signal to noise of the depth.

    Returns
    -------
    pa.Table
        ``pixel`` (increasing), ``n_obj``, ``depth_{b}``: magnitude, AB, of ``sigma`` times the mean flux error.
    """
    tables = list(counts)
    pixel = np.concatenate([table.column("pixel").to_numpy() for table in tables]) if tables else np.empty(0, np.int64)
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
            columns[f"depth_{band}"] = AB_ZERO_POINT_NJY - 2.5 * np.log10(sigma * total / n_measured)
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


def require_ids_once(plan: pa.Table, read_ids: Callable[[int], NDArray[np.int64]]) -> None:
    """Check that no object is in two tracts.

    Ids of Rubin hold the tract, so that the ranges of tracts do not overlap and nothing is read. Where ranges overlap,
    the ids of the overlap are read, one range of ids at a time.

    Parameters
    ----------
    plan : pa.Table
        From :func:`tract_plan`.
    read_ids : callable
        Gives the ids of a tract.

    Raises
    ------
    DuplicateIdError
        Ids that are in two tracts; some are named, with their tracts.
    """
    ranges = sorted(
        (row["id_min"], row["id_max"], row["tract"]) for row in plan.to_pylist() if row["id_min"] is not None
    )
    group: list[tuple[int, int, int]] = []
    end = -1
    for each in [*ranges, None]:
        if each is not None and (not group or each[0] <= end):
            group.append(each)
            end = max(end, each[1])
            continue
        if len(group) > 1:
            _require_once([tract for _, _, tract in group], read_ids)
        if each is not None:
            group, end = [each], each[1]


def _require_once(tracts: Sequence[int], read_ids: Callable[[int], NDArray[np.int64]]) -> None:
    """All ids of some tracts; 16 bytes for each, which is 16 GB for a thousand million."""
    parts = [(tract, read_ids(tract)) for tract in tracts]
    ids = np.concatenate([part for _, part in parts])
    owner = np.concatenate([np.full(part.size, tract, dtype=np.int32) for tract, part in parts])
    order = np.argsort(ids, kind="stable")
    ids, owner = ids[order], owner[order]
    same = np.flatnonzero(ids[1:] == ids[:-1])
    if same.size:
        named = ", ".join(f"{ids[at]} (tracts {owner[at]} and {owner[at + 1]})" for at in same[:N_NAMED])
        raise DuplicateIdError(
            f"{same.size} objects are in the release twice, such as {named}; each must be there once"
        )
