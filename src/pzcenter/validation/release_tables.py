"""The tables of a release from its sums: n(z), metrics by tract, and which tracts stand out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.errors import EngineError
from pzcenter.science.metrics.point import MAD_TO_SIGMA

from .evaluation import TOMOGRAPHIC_EDGES
from .release_sums import METRIC_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .release_sums import ReleaseSums

__all__ = ["QUANTITIES", "Quantity", "maps_table", "metrics_table", "nz_table", "rank_tracts"]


@dataclass(frozen=True)
class Quantity:
    """What tracts are compared in.

    Parameters
    ----------
    name : str
    words : str
        For people.
    floor : float
        Scatter between good tracts that is never called remarkable.
    both_sides : bool
        Whether low values are as remarkable as high ones.
    """

    name: str
    words: str
    floor: float
    both_sides: bool = False


QUANTITIES = (
    Quantity("share_no_estimate", "objects without an estimate", 0.005),
    Quantity("share_flagged", "flagged objects", 0.02),
    Quantity("median_z_best", "median z_best", 0.02, both_sides=True),
    Quantity("median_z_std", "median z_std", 0.01),
    Quantity("bias", "bias", 0.003, both_sides=True),
    Quantity("sigma_nmad", "scatter", 0.003),
    Quantity("outlier_fraction", "outliers", 0.01),
)

_TRACT_FIELDS = [
    ("tract", pa.int64()),
    ("n_obj", pa.int64()),
    ("n_estimate", pa.int64()),
    ("n_flagged", pa.int64()),
    ("median_z_best", pa.float32()),
    ("median_z_std", pa.float32()),
    ("n_truth", pa.int64()),
    *((name, pa.float32()) for name in METRIC_NAMES),
    ("deviation", pa.float32()),
    ("reason", pa.string()),
]


def nz_table(sums: ReleaseSums, method: str) -> pa.Table:
    """n(z) of all objects and of tomographic bins of ``z_best``: the mean of their p(z).

    Returns
    -------
    pa.Table
        ``method, sample, z_best_low, z_best_high, n_obj, z, nz``: one row per sample and redshift; the ends are null
        for all objects. ``nz`` has unit integral, and is NaN for a sample without objects.
    """
    tables = []
    ends: list[tuple[float | None, float | None]] = [(None, None), *pairwise(TOMOGRAPHIC_EDGES)]
    for (low, high), stacked, n_obj in zip(ends, sums.nz, sums.n_nz, strict=True):
        n_z = sums.z_grid.size
        columns = {
            "method": pa.array([method] * n_z),
            "sample": pa.array(["all" if low is None else f"{low:g} <= z_best < {high:g}"] * n_z),
            "z_best_low": pa.array([low] * n_z, pa.float64()),
            "z_best_high": pa.array([high] * n_z, pa.float64()),
            "n_obj": pa.array(np.full(n_z, int(n_obj))),
            "z": pa.array(sums.z_grid),
            "nz": pa.array(stacked / n_obj if n_obj else np.full(n_z, np.nan)),
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def maps_table(sums: ReleaseSums) -> pa.Table:
    """Maps of the release, checked against the number of objects.

    Raises
    ------
    EngineError
        The pixels do not hold all objects.
    """
    table = sums.maps.table()
    for name in ("n_obj", "n_estimate"):
        held, counted = int(np.sum(table.column(name).to_numpy())), sum(tract[name] for tract in sums.tracts)
        if held != counted:
            raise EngineError(f"the maps hold {held} objects as {name}, the tracts {counted}")
    return table


def metrics_table(sums: ReleaseSums, method: str) -> pa.Table:
    """Counts and metrics of the release and of each tract.

    Returns
    -------
    pa.Table
        The release first, without a tract; then the tracts, worst first (:func:`rank_tracts`).
    """
    release: dict[str, Any] = {
        **{name: sums.total(name) for name in ("n_obj", "n_estimate", "n_flagged", "n_truth")},
        **sums.medians(),
    }
    if release["n_truth"]:
        release |= sums.release_metrics()
    rows = [release, *rank_tracts(sums.tracts)]
    names = [name for name, _ in _TRACT_FIELDS]
    complete = [{name: row.get(name) for name in names} for row in rows]
    table = pa.Table.from_pylist(complete, schema=pa.schema(_TRACT_FIELDS))
    return table.add_column(0, "method", pa.array([method] * table.num_rows))


def rank_tracts(tracts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tracts, the one that stands out most first.

    Parameters
    ----------
    tracts : sequence of dict
        Counts and metrics, as :class:`~pzcenter.validation.release_sums.ReleaseSums` has them.

    Returns
    -------
    list of dict
        Each with ``deviation``, how far it is from the median tract in the quantity in which it is farthest, in
        robust standard deviations of the tracts, and ``reason``, that quantity and its value.
    """
    values = [_compared(tract) for tract in tracts]
    best: list[tuple[float, str]] = [(0.0, "")] * len(tracts)
    for quantity in QUANTITIES:
        column = np.array([np.nan if (v := value[quantity.name]) is None else v for value in values], dtype=np.float64)
        if not np.isfinite(column).any():
            continue
        centre = np.nanmedian(column)
        scale = max(MAD_TO_SIGMA * float(np.nanmedian(np.abs(column - centre))), quantity.floor)
        deviation = (column - centre) / scale
        if quantity.both_sides:
            deviation = np.abs(deviation)
        for index, how_far in enumerate(deviation):
            if how_far > best[index][0]:
                best[index] = float(how_far), f"{quantity.words} {column[index]:.3g}, typical {centre:.3g}"
    ranked = [
        {**tract, "deviation": how_far, "reason": reason} for tract, (how_far, reason) in zip(tracts, best, strict=True)
    ]
    return sorted(ranked, key=lambda tract: (-tract["deviation"], tract["tract"]))


def _compared(tract: dict[str, Any]) -> dict[str, Any]:
    n_obj = max(tract["n_obj"], 1)
    shares = {
        "share_no_estimate": 1.0 - tract["n_estimate"] / n_obj,
        "share_flagged": tract["n_flagged"] / n_obj,
    }
    return {**tract, **shares}
