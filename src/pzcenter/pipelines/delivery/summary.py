"""Numbers of a PZ catalogue that go into its package: counts for the quality report, and known answers for checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.densities import grid_of
from pzcenter.schema import PZFlag
from pzcenter.science.sky import angular_separation

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["catalog_summary", "count_bits", "known_answers", "redshift_grid"]

Z_STEP, Z_END = 0.1, 20.0
RADIUS_ARCSEC = 600.0
N_BITS = 32


def catalog_summary(pz: Path) -> dict[str, Any]:
    """Counts of a core table, read once in batches.

    Parameters
    ----------
    pz : Path
        HATS catalogue.

    Returns
    -------
    dict
        ``n_obj``, ``n_estimate``, ``flags`` (count of each bit that is set anywhere), ``models`` (rows of each
        ``model_id``), ``z_best`` (mean, and counts in steps of 0.1).
    """
    n_obj = n_estimate = 0
    total = 0.0
    bits = np.zeros(N_BITS, dtype=np.int64)
    models: dict[int, int] = {}
    edges = np.linspace(0.0, Z_END, round(Z_END / Z_STEP) + 1)
    counts = np.zeros(edges.size - 1, dtype=np.int64)
    for batch in open_catalog(pz).batches(["z_best", "flags", "model_id"]):
        z_best = batch.column("z_best").to_numpy(zero_copy_only=False)
        known = z_best[np.isfinite(z_best)]
        n_obj, n_estimate, total = n_obj + batch.num_rows, n_estimate + known.size, total + float(known.sum())
        counts += np.histogram(known, edges)[0]
        bits += count_bits(batch.column("flags").to_numpy())
        for model, number in zip(*np.unique(batch.column("model_id").to_numpy(), return_counts=True), strict=True):
            models[int(model)] = models.get(int(model), 0) + int(number)
    names = {flag.bit_length() - 1: str(flag.name) for flag in PZFlag}
    last = int(np.flatnonzero(counts).max(initial=0)) + 1
    return {
        "n_obj": n_obj,
        "n_estimate": n_estimate,
        "flags": {names.get(bit, f"bit_{bit}"): int(bits[bit]) for bit in np.flatnonzero(bits).tolist()},
        "models": {str(model): number for model, number in sorted(models.items())},
        "z_best": {
            "mean": total / n_estimate if n_estimate else None,
            "step": Z_STEP,
            "counts": counts[:last].tolist(),
        },
    }


def count_bits(flags: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Number of rows that have each bit.

    Parameters
    ----------
    flags : ndarray, (n_obj,)

    Returns
    -------
    ndarray, (32,)
    """
    return np.array([np.count_nonzero(flags >> np.uint32(bit) & np.uint32(1)) for bit in range(N_BITS)], dtype=np.int64)


def known_answers(pz: Path) -> dict[str, Any]:
    """A place in the first partition, the number of rows around it, and one row.

    Parameters
    ----------
    pz : Path
        HATS catalogue.

    Returns
    -------
    dict
        ``ra, dec, radius, n_nearby, object_id, z_best`` (None where it is missing).
    """
    catalog = open_catalog(pz)
    rows = catalog.partitions[0].read(["objectId", "ra", "dec", "z_best"])
    middle = rows.num_rows // 2
    ra, dec = float(rows["ra"][middle].as_py()), float(rows["dec"][middle].as_py())
    n_nearby = 0
    for batch in catalog.batches(["ra", "dec"]):
        away = angular_separation(
            batch.column("ra").to_numpy(zero_copy_only=False),
            batch.column("dec").to_numpy(zero_copy_only=False),
            ra,
            dec,
        )
        n_nearby += int(np.count_nonzero(away * 3600.0 <= RADIUS_ARCSEC))
    z_best = rows["z_best"][middle].as_py()
    return {
        "ra": ra,
        "dec": dec,
        "radius": RADIUS_ARCSEC,
        "n_nearby": n_nearby,
        "object_id": int(rows["objectId"][middle].as_py()),
        "z_best": None if z_best is None or np.isnan(z_best) else float(z_best),
    }


def redshift_grid(pz_pdf: Path) -> tuple[float, float, int, str]:
    """First and last point of the grid of a table of densities, number of points, and encoding."""
    schema = open_catalog(pz_pdf).schema
    z_grid = grid_of(schema)
    encoding = (schema.metadata or {}).get(b"pz.encoding", b"").decode()
    return float(z_grid[0]), float(z_grid[-1]), int(z_grid.size), encoding
