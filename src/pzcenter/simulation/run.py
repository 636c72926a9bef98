"""Make a simulated sky and write it: tract after tract, or several at a time, always the same bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

import pzcenter
from pzcenter.catalogs.writers import parquet_options
from pzcenter.errors import ConfigError, OutputExistsError, StorageError
from pzcenter.simulation.config import SimulationConfig
from pzcenter.simulation.model import SkyModel, build_model
from pzcenter.simulation.objects import detected_density
from pzcenter.simulation.sky import MAX_TRACT, DustField, Footprint, draw_dust_field, lay_footprint
from pzcenter.simulation.tables import object_schema, spec_schema, truth_schema
from pzcenter.simulation.tract import REPRESENTATIVE, block_generator, tract_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SimulationReport", "simulate"]

Runner = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a function on each task and gives the results in the order of the tasks."""

OBJECT_FOLDER, TRUTH_FOLDER = "object", "truth"
SPEC_FILE, REPRESENTATIVE_FILE, RECORD_FILE = "specz.parquet", "specz_representative.parquet", "simulation.yaml"

SKY_STREAM = 2**32 - 1
"""Tract number of the random numbers that make the sky itself, which no tract has."""

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class SimulationReport:
    """What was made.

    Parameters
    ----------
    destination, object_path, truth_path, spec_path, representative_path : Path
    n_obj, n_star, n_tract : int
    area_deg2 : float
    n_spec : dict of str to int
        Redshifts of each survey.
    n_representative : int
        Redshifts of the representative sample.
    """

    destination: Path
    object_path: Path
    truth_path: Path
    spec_path: Path
    representative_path: Path
    n_obj: int
    n_star: int
    n_tract: int
    area_deg2: float
    n_spec: dict[str, int]
    n_representative: int


@dataclass(frozen=True)
class _Task:
    """Arguments of a worker; small, since it travels to another process."""

    folder: Path
    config: SimulationConfig
    footprint: Footprint
    dust: DustField
    seed: int
    tract: int
    n_obj: int


def simulate(
    destination: str | Path,
    *,
    n_obj: int,
    seed: int = 1,
    config: SimulationConfig | None = None,
    years: float | None = None,
    run: Runner = map,
    overwrite: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> SimulationReport:
    """Make an LSST-like sky with its truth and redshift surveys.

    The same ``n_obj``, ``seed`` and ``config`` give the same files byte for byte, whatever ``run``, with the same
    versions of the packages. Nothing is at ``destination`` before everything is. Memory does not grow with ``n_obj``.

    Parameters
    ----------
    destination : str or Path
        Folder to make; it must not exist or be empty.
    n_obj : int
        Objects, stars included.
    seed : int
        Zero or more.
    config : SimulationConfig, optional
    years : float, optional
        Years of survey, in place of that of ``config``.
    run : callable
        Makes the tracts: called with a function and its tasks, gives the results in the order of the tasks. The
        builtin ``map`` makes one after the other; :func:`pzcenter.pipelines.simulate_sky` uses several processes.
    overwrite : bool
        Whether a simulated sky that is there may be replaced; any other folder is left alone.
    progress : callable, optional
        Called with the fraction done and a word.

    Returns
    -------
    SimulationReport

    Raises
    ------
    ConfigError
        A number out of range, or a sky larger than the sphere.
    OutputExistsError
        The destination is not empty.
    StorageError
        The disk refuses.
    """
    settings = _settings(config, years)
    if n_obj < 1 or not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"n_obj must be 1 or more, seed from 0 to {MAX_SEED}; got {n_obj} and {seed}")
    destination = Path(destination)
    _refuse_existing(destination, overwrite=overwrite)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
        try:
            report = _write(staging, destination, settings, n_obj=n_obj, seed=seed, run=run, progress=progress)
            if destination.exists():
                shutil.rmtree(destination)
            staging.chmod(0o777 & ~_umask())
            staging.rename(destination)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"cannot write the simulated sky to {destination}: {error}") from error
    return report


def _settings(config: SimulationConfig | None, years: float | None) -> SimulationConfig:
    settings = config or SimulationConfig()
    if years is None:
        return settings
    try:
        return SimulationConfig.model_validate({**settings.model_dump(), "years": years})
    except ValueError as error:
        raise ConfigError(f"years: {years!r} is not accepted; {error}") from error


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refuse_existing(destination: Path, *, overwrite: bool) -> None:
    if not destination.exists():
        return
    if destination.is_dir() and (
        not any(destination.iterdir()) or (overwrite and (destination / RECORD_FILE).is_file())
    ):
        return
    hint = "it is not a simulated sky, so it is never replaced" if overwrite else "choose another or ask to overwrite"
    raise OutputExistsError(f"{destination} exists and is not empty: {hint}")


def _write(
    staging: Path,
    destination: Path,
    config: SimulationConfig,
    *,
    n_obj: int,
    seed: int,
    run: Runner,
    progress: Callable[[float, str], None] | None,
) -> SimulationReport:
    model = _model(config)
    rng = block_generator(seed, SKY_STREAM, 0)
    density = config.density or detected_density(model, np.random.Generator(np.random.Philox(0)))
    n_tract = min(-(-n_obj // config.rows_per_tract), MAX_TRACT)
    footprint = lay_footprint(ra=config.ra, dec=config.dec, area_deg2=n_obj / density / 3600.0, n_tract=n_tract)
    dust = draw_dust_field(rng, mean=config.ebv_mean)
    for folder in (OBJECT_FOLDER, TRUTH_FOLDER):
        (staging / folder).mkdir()
    tasks = [
        _Task(staging, config, footprint, dust, seed, tract, rows)
        for tract, rows in enumerate(_share(n_obj, footprint.n_tract))
        if rows > 0
    ]
    n_star, n_done = 0, 0
    n_spec = {survey.name: 0 for survey in config.spec_surveys}
    n_representative = 0
    with (
        _writer(staging / SPEC_FILE, spec_schema()) as spec_file,
        _writer(staging / REPRESENTATIVE_FILE, spec_schema()) as representative_file,
    ):
        for task, (stars, spec, representative) in zip(tasks, run(_write_tract, tasks), strict=True):
            n_star += stars
            n_done += task.n_obj
            for each in spec.column("survey").value_counts().to_pylist():
                n_spec[each["values"]] += each["counts"]
            n_representative += representative.num_rows
            spec_file.write_table(spec)
            representative_file.write_table(representative)
            if progress is not None:
                progress(n_done / n_obj, f"tract {footprint.tract_number(task.tract)}")
    report = SimulationReport(
        destination=destination,
        object_path=destination / OBJECT_FOLDER,
        truth_path=destination / TRUTH_FOLDER,
        spec_path=destination / SPEC_FILE,
        representative_path=destination / REPRESENTATIVE_FILE,
        n_obj=n_obj,
        n_star=n_star,
        n_tract=len(tasks),
        area_deg2=footprint.area_deg2,
        n_spec=n_spec,
        n_representative=n_representative,
    )
    (staging / RECORD_FILE).write_text(_record(report, config, seed=seed, density=density), encoding="utf-8")
    return report


@lru_cache(maxsize=2)
def _model(config: SimulationConfig) -> SkyModel:
    return build_model(config)


def _share(n_obj: int, n_tract: int) -> Iterator[int]:
    """Rows of each tract: equal areas hold equal numbers, to one."""
    each, left = divmod(n_obj, n_tract)
    return (each + (tract < left) for tract in range(n_tract))


def _write_tract(task: _Task) -> tuple[int, pa.Table, pa.Table]:
    """Write the tables of one tract; give back its number of stars and its redshifts."""
    model = _model(task.config)
    name = f"tract_{task.footprint.tract_number(task.tract)}.parquet"
    n_star = 0
    spectra: list[pa.Table] = []
    representatives: list[pa.Table] = []
    with (
        _writer(task.folder / OBJECT_FOLDER / name, object_schema(model.bands)) as object_file,
        _writer(task.folder / TRUTH_FOLDER / name, truth_schema()) as truth_file,
    ):
        for objects, truth, spec, representative in tract_blocks(
            model, task.footprint, task.dust, seed=task.seed, tract=task.tract, n_obj=task.n_obj
        ):
            object_file.write_table(objects)
            truth_file.write_table(truth)
            n_star += pc.sum(truth.column("is_star")).as_py()
            spectra.append(spec)
            representatives.append(representative)
    return n_star, pa.concat_tables(spectra).combine_chunks(), pa.concat_tables(representatives).combine_chunks()


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, **parquet_options(schema))


def _record(report: SimulationReport, config: SimulationConfig, *, seed: int, density: float) -> str:
    record = {
        "format": 1,
        "n_obj": report.n_obj,
        "seed": seed,
        "area_deg2": round(report.area_deg2, 6),
        "density_per_arcmin2": round(density, 4),
        "n_star": report.n_star,
        "n_tract": report.n_tract,
        "n_spec": report.n_spec,
        f"n_{REPRESENTATIVE}": report.n_representative,
        "config": config.model_dump(mode="json"),
        "versions": _versions(("numpy", "photerr", "pyarrow", "scipy")),
    }
    return yaml.safe_dump(record, sort_keys=False)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    from importlib.metadata import version

    return {"pzcenter": pzcenter.__version__, **{package: version(package) for package in packages}}
