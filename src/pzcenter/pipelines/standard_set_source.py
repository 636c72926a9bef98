"""Objects with redshifts that standard sets are drawn from: a simulated sky, or a training set."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pzcenter.catalogs import make_skinny, open_catalog
from pzcenter.errors import ConfigError, NotFoundError
from pzcenter.pipelines.sky import simulate_sky
from pzcenter.simulation import SimulationConfig
from pzcenter.training.product import open_product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.pipelines.standard_set_settings import SourceSettings

__all__ = ["SetSource", "read_set_source"]

TRUTH = "truth"


class SetSource:
    """Objects, and the redshifts that surveys would have.

    Parameters
    ----------
    table : pa.Table
        Skinny columns and ``z_spec``; all columns of a training set.
    surveys : pa.Table or None
        ``objectId``, ``z_spec``, ``survey``: of a simulation.
    inputs : list of Path
        What was read.
    """

    def __init__(self, table: pa.Table, surveys: pa.Table | None, inputs: list[Path]) -> None:
        self.table, self.surveys, self.inputs = table, surveys, inputs


def read_set_source(source: SourceSettings, base: Path, *, workers: int | None = None) -> SetSource:
    """Read, or first simulate, what standard sets are drawn from.

    Parameters
    ----------
    source : SourceSettings
    base : Path
        Directory that paths are relative to.
    workers : int, optional
        Processes of a simulation.

    Returns
    -------
    SetSource

    Raises
    ------
    NotFoundError
        There is no such directory.
    ConfigError
        Settings of the simulation are not accepted.
    """
    if source.training_set is not None:
        product = open_product(base / source.training_set, verify=True)
        return SetSource(product.table(), None, [product.table_path])
    if source.sky is not None:
        return _of_sky(base / source.sky)
    assert source.simulate is not None
    try:
        config = SimulationConfig.model_validate(source.simulate.settings)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(f"settings of the simulation: {'; '.join(faults)}") from error
    with tempfile.TemporaryDirectory(prefix="pz-sets-") as scratch:
        sky = Path(scratch) / "sky"
        simulate_sky(sky, n_obj=source.simulate.n_obj, seed=source.simulate.seed, config=config, workers=workers)
        made = _of_sky(sky)
    return SetSource(made.table, made.surveys, [])


def _of_sky(sky: Path) -> SetSource:
    objects, truth, surveys = sky / "object", sky / TRUTH, sky / "specz.parquet"
    absent = [path.name for path in (objects, truth, surveys) if not path.exists()]
    if absent:
        raise NotFoundError(f"{sky} is no simulated sky: it has no {', '.join(absent)}")
    with tempfile.TemporaryDirectory(prefix="pz-sets-") as scratch:
        skinny = Path(scratch) / "skinny"
        make_skinny(objects, skinny)
        catalog = open_catalog(skinny)
        table = pa.Table.from_batches(list(catalog.batches(catalog.column_names)))
        table = table.replace_schema_metadata(catalog.schema.metadata)
    known = pq.read_table(truth, columns=["objectId", "z_true"], partitioning=None)
    z_spec = _looked_up(
        np.asarray(table.column("objectId")), np.asarray(known.column("objectId")), np.asarray(known.column("z_true"))
    )
    inputs = [sky / "simulation.yaml"] if (sky / "simulation.yaml").is_file() else []
    return SetSource(table.append_column("z_spec", pa.array(z_spec)), _best_of_surveys(surveys), inputs)


def _best_of_surveys(path: Path) -> pa.Table:
    """One redshift of each object: the most secure, then that of the survey first by name."""
    table = pq.read_table(path, columns=["objectId", "z_spec", "survey", "quality"], partitioning=None)
    ids, quality = np.asarray(table.column("objectId")), np.asarray(table.column("quality"))
    survey = np.asarray(table.column("survey").to_pylist(), dtype=str)
    order = np.lexsort((survey, -quality.astype(np.int64), ids))
    first = np.concatenate(([True], np.diff(ids[order]) != 0)) if ids.size else np.zeros(0, dtype=bool)
    return table.take(pa.array(order[first]))


def _looked_up(ids: NDArray[np.int64], known: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    order = np.argsort(known, kind="stable")
    place = order[np.minimum(np.searchsorted(known[order], ids), known.size - 1)]
    return np.where(known[place] == ids, values[place], np.nan)
