"""What one tract adds to the sums of its release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pzcenter.catalogs.align_pdf import align_pdf
from pzcenter.catalogs.densities import ENCODING, codes_of, grid_of
from pzcenter.errors import DuplicateIdError
from pzcenter.schema import PZFlag
from pzcenter.science import metrics
from pzcenter.science.metrics.point import ABSOLUTE_OUTLIER
from pzcenter.science.packing import get_encoding

from .evaluation import TOMOGRAPHIC_EDGES
from .release_maps import MAP_ORDER
from .release_sums import BEST_EDGES, ERROR_EDGES, METRIC_NAMES, N_PIT, ReleaseSums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["sum_tract"]

_BLOCK = 8192


def sum_tract(
    pz: pa.Table,
    pz_pdf: pa.Table,
    truth: pa.Table | None = None,
    *,
    tract: int,
    map_order: int = MAP_ORDER,
) -> ReleaseSums:
    """Sums of one tract.

    Parameters
    ----------
    pz : pa.Table
        Core table, one row per object.
    pz_pdf : pa.Table
        Densities of these objects, in any order; some may be absent.
    truth : pa.Table, optional
        Columns ``objectId`` and ``z_spec``, for some of the objects; others are left out.
    tract : int
    map_order : int
        HEALPix order of the maps.

    Returns
    -------
    ReleaseSums
        With the counts and metrics of the tract in ``tracts``.

    Raises
    ------
    DuplicateIdError
        An object is twice in one of the tables.
    SchemaError
        The densities are of objects that are not in ``pz``, or have no grid.
    """
    pdf = align_pdf(pz, pz_pdf)
    sums = ReleaseSums.empty(grid_of(pdf.schema), map_order)
    z_best, z_std = (np.asarray(pz.column(name).to_numpy(), dtype=np.float64) for name in ("z_best", "z_std"))
    flags = np.asarray(pz.column("flags").to_numpy())
    sums.maps.count(pz.column("_healpix_29").to_numpy(), z_best, z_std, flags)
    known_best = np.clip(z_best[np.isfinite(z_best)], 0.0, np.nextafter(BEST_EDGES[-1], 0.0))
    sums.best_counts += np.histogram(known_best, bins=BEST_EDGES)[0]
    edges = np.asarray(TOMOGRAPHIC_EDGES)
    tomographic = np.where((z_best >= edges[0]) & (z_best < edges[-1]), np.digitize(z_best, edges), 0)
    for rows, density in _densities(pdf, sums.z_grid):
        known = np.isfinite(density).all(axis=1)
        sums.nz[0] += density[known].sum(axis=0, dtype=np.float64)
        sums.n_nz[0] += np.count_nonzero(known)
        for index in range(1, edges.size):
            chosen = known & (tomographic[rows] == index)
            sums.nz[index] += density[chosen].sum(axis=0, dtype=np.float64)
            sums.n_nz[index] += np.count_nonzero(chosen)
    tract_metrics = _count_truth(sums, pz, pdf, truth, z_best) if truth is not None else dict.fromkeys(METRIC_NAMES)
    counts = {
        "n_obj": pz.num_rows,
        "n_estimate": int(np.count_nonzero((flags & int(PZFlag.no_estimate)) == 0)),
        "n_flagged": int(np.count_nonzero(flags)),
    }
    sums.totals[: len(counts)] = list(counts.values())
    sums.tracts = [
        {
            "tract": tract,
            **counts,
            "median_z_best": _median(z_best),
            "median_z_std": _median(z_std),
            "n_truth": sums.total("n_truth"),
            **tract_metrics,
        }
    ]
    return sums


def _count_truth(
    sums: ReleaseSums, pz: pa.Table, pdf: pa.Table, truth: pa.Table, z_best: NDArray[np.float64]
) -> dict[str, float | None]:
    """Count the errors of objects with known redshift; metrics of the tract."""
    rows, z_spec = _known_redshifts(pz, truth)
    usable = np.isfinite(z_best[rows])
    rows, z_spec = rows[usable], z_spec[usable]
    if not rows.size:
        return dict.fromkeys(METRIC_NAMES)
    error = (z_best[rows] - z_spec) / (1.0 + z_spec)
    inside = np.clip(error, ERROR_EDGES[0], np.nextafter(ERROR_EDGES[-1], 0.0))
    sums.error_counts += np.histogram(inside, bins=ERROR_EDGES)[0]
    n_outlier = int(np.count_nonzero(np.abs(error) > ABSOLUTE_OUTLIER))
    crps = 0.0
    order = np.argsort(rows, kind="stable")
    rows, z_spec = rows[order], z_spec[order]
    for part, density in _densities(pdf.take(pa.array(rows)), sums.z_grid):
        pit = metrics.pit(density, sums.z_grid, z_spec[part])
        sums.pit_counts += np.histogram(pit[np.isfinite(pit)], bins=N_PIT, range=(0.0, 1.0))[0]
        crps += float(np.nansum(metrics.crps_each(density, sums.z_grid, z_spec[part])))
    sums.totals[3:] = rows.size, n_outlier, crps
    z_phot = z_best[rows]
    found = {name: float(getattr(metrics, name)(z_phot, z_spec)) for name in METRIC_NAMES[:3]}
    return {**found, "crps": crps / rows.size}


def _known_redshifts(pz: pa.Table, truth: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of ``pz`` with known redshift, and the redshifts."""
    ids = np.asarray(pz.column("objectId").to_numpy())
    known_ids = np.asarray(truth.column("objectId").to_numpy())
    z_spec = np.asarray(truth.column("z_spec").to_numpy(), dtype=np.float64)
    if np.unique(known_ids).size != known_ids.size:
        raise DuplicateIdError("an object has more than one known redshift")
    order = np.argsort(ids, kind="stable")
    place = np.minimum(np.searchsorted(ids, known_ids, sorter=order), max(ids.size - 1, 0))
    found = (ids[order[place]] == known_ids) if ids.size else np.zeros(known_ids.size, dtype=bool)
    found &= np.isfinite(z_spec)
    return order[place[found]], z_spec[found]


def _densities(pdf: pa.Table, z_grid: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Rows and unpacked p(z), a block at a time."""
    packing = get_encoding(ENCODING)
    code, row_max = codes_of(pdf.column("pdf_code")), pdf.column("pdf_max").to_numpy()
    for start in range(0, pdf.num_rows, _BLOCK):
        rows = slice(start, min(start + _BLOCK, pdf.num_rows))
        yield rows, packing.unpack(code[rows], row_max[rows], z_grid)


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
