"""What a run would do, and what it would cost, without writing anything."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.catalogs import is_skinny, open_catalog
from pzcenter.estimators import get_estimator
from pzcenter.estimators.protocol import checked_config
from pzcenter.pipelines.partition import BLOCK
from pzcenter.pipelines.prepare import check_bands, check_model, refuse_unusable, survey_settings
from pzcenter.schema import Photometry, detect_mapping, load_mapping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator

__all__ = ["EstimatePlan", "plan_estimate"]

SKINNY_ROWS_PER_S = 100_000.0
"""Of the skinny table, in one process."""
SKINNY_BYTES, POINT_BYTES, PDF_BYTES_PER_POINT = 60.0, 70.0, 0.28
"""On disk, compressed, per object (and per grid point): those of the ten-year sky of ``pz demo``."""


@dataclass(frozen=True)
class EstimatePlan:
    """What a run would do.

    Parameters
    ----------
    source, format : str
    n_rows : int or None
        None where only reading everything would tell.
    n_partitions : int or None
    mapping : str or None
        None for a skinny table.
    bands : tuple of str
        That the model would use.
    cuts : tuple of str
    model : str
        Name of the method, and how it came about.
    z_grid : tuple of float, float, int
        First and last point, number of points.
    workers : int
    objects_per_s : float
        In one process, measured on made-up objects.
    wall_s, n_bytes : float or None
        Expected time and size on disk; None where the number of rows is not known.
    has_redshifts : bool
        Whether there will be quality numbers.
    """

    source: str
    format: str
    n_rows: int | None
    n_partitions: int | None
    mapping: str | None
    bands: tuple[str, ...]
    cuts: tuple[str, ...]
    model: str
    z_grid: tuple[float, float, int]
    workers: int
    objects_per_s: float
    wall_s: float | None
    n_bytes: float | None
    has_redshifts: bool


def plan_estimate(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = "template",
    mapping: str | None = None,
    config: Mapping[str, Any] | None = None,
    z_grid: NDArray[np.float64] | None = None,
    cuts: Sequence[str] | None = None,
    truth: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    rows_per_partition: int = 150_000,
    overwrite: bool = False,
) -> EstimatePlan:
    """Say what :func:`pzcenter.pipelines.estimate_catalog` would do with these arguments.

    Parameters
    ----------
    source, destination, model, mapping, config, z_grid, cuts, truth, workers, rows_per_partition, overwrite
        As there.

    Returns
    -------
    EstimatePlan

    Raises
    ------
    PZCenterError
        As there, for what can be known without reading the rows.
    """
    refuse_unusable(Path(destination), overwrite=overwrite)
    catalog = open_catalog(source)
    made_of = None
    if is_skinny(source):
        has_redshifts = "z_spec" in catalog.column_names
    else:
        made_of = detect_mapping(catalog.column_names) if mapping is None else load_mapping(mapping)
        made_of = made_of.present_in([*catalog.column_names, made_of.object_id])
        has_redshifts = made_of.z_spec is not None
    chosen = check_model(model, config=config, z_grid=z_grid)
    if chosen is None:
        estimator = get_estimator(str(model))
        config = survey_settings(source, str(model), config, mapping=mapping)
        chosen = estimator.default(config=checked_config(estimator.Config, config), z_grid=z_grid)
    check_bands(source, chosen.bands, mapping=mapping)
    n_rows = catalog.n_rows
    rate = _measure(chosen)
    n_worker = workers or os.cpu_count() or 1
    if made_of is None:
        n_partitions: int | None = len(catalog.partitions)
    else:
        n_partitions = None if n_rows is None else math.ceil(n_rows / rows_per_partition)
    n_z = chosen.z_grid.size
    bytes_per_object = POINT_BYTES + PDF_BYTES_PER_POINT * n_z + (SKINNY_BYTES if made_of else 0.0)
    wall_s = None
    if n_rows is not None:
        used = min(n_worker, n_partitions or n_worker)
        wall_s = n_rows / (rate * used) + (n_rows / SKINNY_ROWS_PER_S if made_of else 0.0)
    training = "" if chosen.training is None else f", trained on {chosen.training.n_obj} objects"
    conditions = (made_of.cuts if cuts is None else cuts) if made_of else ()
    return EstimatePlan(
        source=str(source),
        format=catalog.format,
        n_rows=n_rows,
        n_partitions=n_partitions,
        mapping=made_of.name if made_of else None,
        bands=chosen.bands,
        cuts=tuple(str(cut) for cut in conditions),
        model=f"{chosen.name}{training}",
        z_grid=(float(chosen.z_grid[0]), float(chosen.z_grid[-1]), n_z),
        workers=n_worker,
        objects_per_s=rate,
        wall_s=wall_s,
        n_bytes=None if n_rows is None else n_rows * bytes_per_object,
        has_redshifts=truth is not None or has_redshifts,
    )


def _measure(model: Estimator) -> float:
    """Objects per second of a model, on faint objects of all colours; the first call compiles."""
    rng = np.random.default_rng(0)
    flux = (1000.0 * rng.lognormal(0.0, 0.7, (2 * BLOCK, len(model.bands)))).astype(np.float32)
    photometry = Photometry(flux=flux, flux_err=np.full_like(flux, 50.0), bands=model.bands)
    model.estimate(photometry.select(slice(0, 2)))
    begin = time.perf_counter()
    model.estimate(photometry)
    return photometry.n_obj / max(time.perf_counter() - begin, 1e-9)
