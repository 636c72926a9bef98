"""A whole catalogue, partition by partition: atomic commits, a journal, resume, and quarantine of what fails.

A destination looks like this; everything but the journal and the record of the run has the same bytes however the
run was cut into sessions and workers:

    pz/              core table, one file per partition (HATS where there are positions)
    pz_pdf/          packed densities, same partitions and rows
    pz_model.parquet, pz_flag.parquet, pz_quality.parquet
    model/           the model that was used
    journal.jsonl    one line per finished or failed partition
    provenance.json  inputs with checksums, model, configuration, versions, command
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

import pzcenter
from pzcenter.catalogs import (
    FileRecord,
    Journal,
    Manifest,
    data_path,
    finish_dataset,
    open_catalog,
    write_partition,
)
from pzcenter.catalogs.densities import ENCODING
from pzcenter.catalogs.manifest import MANIFEST_NAME
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import BandError, EmptyTableError, OutputExistsError, PartitionError, StorageError
from pzcenter.estimators import load_model, model_digest
from pzcenter.estimators.storage import read_manifest
from pzcenter.pipelines.extra_columns import ExtraSettings
from pzcenter.pipelines.partition import estimate_partition
from pzcenter.pipelines.pool import run_tasks
from pzcenter.pipelines.quality import model_facts, model_table, quality_row, table_of_rows
from pzcenter.schema import pz_flag_table

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from pzcenter.catalogs import Partition
    from pzcenter.estimators import Estimator

__all__ = ["RunReport", "is_finished", "run_estimate"]

JOURNAL_NAME = "journal.jsonl"
TABLES = ("pz", "pz_pdf")


@dataclass(frozen=True)
class RunReport:
    """What a run did.

    Parameters
    ----------
    destination : Path
    n_obj : int
        Objects in the finished partitions, those of earlier sessions of this run included.
    n_partition, n_resumed : int
        Partitions finished, and how many of them an earlier session had finished.
    failed : dict of str to str
        Reason by partition.
    cpu_s : float
        Processor time of all partitions, their reading and writing included.
    wall_s : float
        Of this session.
    peak_bytes : int
        Largest resident memory of any process.
    """

    destination: Path
    n_obj: int
    n_partition: int
    n_resumed: int
    failed: dict[str, str]
    cpu_s: float
    wall_s: float
    peak_bytes: int


@dataclass(frozen=True)
class PartitionDone:
    """One line of the journal: a partition whose files are in place.

    Parameters
    ----------
    partition : str
    files : dict of str to dict
        Record of the file of each table.
    quality : dict
        Row of ``pz_quality``.
    peak_bytes : int
    """

    partition: str
    files: dict[str, dict[str, Any]]
    quality: dict[str, Any]
    peak_bytes: int = 0
    error: str = field(default="", init=False)


def run_estimate(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    model: str | os.PathLike[str],
    *,
    workers: int = 1,
    overwrite: bool = False,
    resume_finished: bool = False,
    keep_going: bool = True,
    extras: ExtraSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RunReport:
    """Photo-z of every object of a skinny catalogue.

    A run that was interrupted, in whatever way, continues when it is called again with the same arguments: finished
    partitions stay, failed ones are tried again.

    Parameters
    ----------
    source : path
        Skinny catalogue made by :func:`pzcenter.catalogs.make_skinny`.
    destination : path
    model : path
        Directory of a saved model.
    workers : int
        Processes.
    overwrite : bool
        Start again, whatever is at the destination of an earlier run.
    resume_finished : bool
        Give the report of a run that is finished already, and do nothing, in place of an error.
    keep_going : bool
        Go on with the other partitions when one fails.
    extras : ExtraSettings, optional
        Columns besides those that every run has; none by default.
    progress : callable, optional
        Called with the objects done and the objects in all.

    Returns
    -------
    RunReport
        With no failed partition.

    Raises
    ------
    OutputExistsError
        The destination holds a finished run, another run, or something else.
    BandError
        The catalogue lacks bands of the model.
    EmptyTableError
        The catalogue has no rows.
    PartitionError
        Partitions failed. The others are finished and kept, and the journal tells the reasons.
    StorageError
        The disk refused.
    """
    begin = time.monotonic()
    source, destination, model = Path(source), Path(destination), Path(model)
    estimator = load_model(model)
    wanted = extras or ExtraSettings()
    _check_extras(source, wanted)
    partitions = _partitions(source, estimator)
    key = _run_key(source, model, wanted)
    journal = _open_run(destination, key, overwrite=overwrite, resume_finished=resume_finished)
    finished = _finished(journal, destination)
    n_resumed = len(finished)
    total = sum(partition.n_rows or 0 for partition in partitions)
    tell = progress or (lambda _done, _total: None)
    n_done = sum(int(done.quality["n_obj"]) for done in finished.values())
    tell(n_done, total)
    failed: dict[str, str] = {}
    todo = [partition for partition in partitions if partition.name not in finished]
    if workers > 1 and len(todo) > 1:
        _compile(estimator, todo[0])
    outcomes = run_tasks(
        todo,
        _estimate_and_write,
        workers=min(workers, max(len(todo), 1)),
        initializer=_prepare_worker,
        initargs=(str(model), str(destination), wanted),
    )
    try:
        for outcome in outcomes:
            name = outcome.task.name
            if isinstance(outcome.exception, StorageError):
                # The others would meet the same full disk.
                raise outcome.exception
            if outcome.result is None:
                failed[name] = outcome.error
                journal.append({"partition": name, "error": outcome.error})
                if not keep_going:
                    break
                continue
            finished[name] = outcome.result
            journal.append(asdict(outcome.result))
            n_done += int(outcome.result.quality["n_obj"])
            tell(n_done, total)
    finally:
        outcomes.close()
        for table in TABLES:
            shutil.rmtree(destination / table / ".tmp", ignore_errors=True)
    if failed:
        first = "; ".join(f"{name}: {reason}" for name, reason in list(failed.items())[:3])
        raise PartitionError(
            f"{len(failed)} of {len(partitions)} partitions failed ({first}). "
            f"The others are kept in {destination}; the same command tries only the failed ones again"
        )
    if not is_finished(destination):
        _finish(destination, estimator, model, [finished[partition.name] for partition in partitions], source)
    return RunReport(
        destination=destination,
        n_obj=n_done,
        n_partition=len(partitions),
        n_resumed=n_resumed,
        failed=failed,
        cpu_s=sum(float(done.quality["cpu_s"]) for done in finished.values()),
        wall_s=time.monotonic() - begin,
        peak_bytes=max([_peak_bytes(), *(done.peak_bytes for done in finished.values())]),
    )


def _compile(estimator: Estimator, partition: Partition) -> None:
    """Compile the kernels once, into their cache on disk, before every worker would do it by itself.

    What goes wrong here goes wrong again in a worker, where it is recorded with its partition.
    """
    with suppress(Exception):
        estimate_partition(pa.Table.from_batches([next(iter(partition.batches(batch_size=8)))]), estimator)


# ---- in the workers ------------------------------------------------------------------------------------------------

_WORKER: dict[str, Any] = {}


def _prepare_worker(model: str, destination: str, extras: ExtraSettings) -> None:
    """Load what all partitions share; once per process."""
    _WORKER.update(model=load_model(Path(model)), destination=Path(destination), extras=extras.load())


def _cpu_s() -> float:
    """Processor seconds of this process, and of the one in which a method runs that has its own."""
    return time.process_time() + float(getattr(_WORKER["model"], "cpu_s", 0.0))


def _estimate_and_write(partition: Partition) -> PartitionDone:
    """Read, estimate and commit one partition."""
    begin = _cpu_s()
    skinny = partition.read()
    product = estimate_partition(skinny, _WORKER["model"], extras=_WORKER["extras"])
    path = data_path(partition.name)
    files = {
        name: asdict(write_partition(getattr(product, name), _WORKER["destination"] / name, path)) for name in TABLES
    }
    quality = quality_row(partition.name, product.pz, skinny, _cpu_s() - begin)
    return PartitionDone(partition.name, files, quality, _peak_bytes())


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# ---- before and after ----------------------------------------------------------------------------------------------


def _partitions(source: Path, estimator: Estimator) -> tuple[Partition, ...]:
    catalog = open_catalog(source)
    catalog.require_rows()
    missing = [band for band in estimator.bands if f"flux_{band}" not in catalog.column_names]
    if missing:
        there = [name[len("flux_") :] for name in catalog.column_names if name.startswith("flux_")]
        bands = [band for band in there if not band.startswith("err_")]
        raise BandError(f"the model needs the bands {list(estimator.bands)}; {source} lacks {missing}, it has {bands}")
    partitions = catalog.partitions
    if not partitions:
        raise EmptyTableError(f"{source} has no partitions; at least 1 is needed")
    return partitions


def _check_extras(source: Path, extras: ExtraSettings) -> None:
    """Refuse what cannot make the extra columns before anything is written."""
    loaded = extras.load()
    if loaded is None or loaded.physical is None:
        return
    there = open_catalog(source).column_names
    missing = [band for band in loaded.physical.bands if f"flux_{band}" not in there]
    if missing:
        raise BandError(f"the physical model needs the bands {list(loaded.physical.bands)}; {source} lacks {missing}")


def _run_key(source: Path, model: Path, extras: ExtraSettings) -> str:
    """Identity of a run: what decides the bytes of its tables."""
    manifest = source / MANIFEST_NAME
    listing = [
        file_sha256(manifest) if manifest.is_file() else str(source.resolve()),
        model_digest(model),
        ENCODING,
        pzcenter.__version__,
        *([extras.key] if extras.key else []),
    ]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def is_finished(destination: Path) -> bool:
    """Whether there is a run whose tables are complete."""
    return all((destination / table / MANIFEST_NAME).is_file() for table in TABLES)


def _open_run(destination: Path, key: str, *, overwrite: bool, resume_finished: bool) -> Journal:
    """Journal of a new run, or of the same run to be continued."""
    journal = Journal(destination / JOURNAL_NAME)
    entries = journal.entries()
    if overwrite:
        for table in TABLES:
            shutil.rmtree(destination / table, ignore_errors=True)
        with suppress(FileNotFoundError):
            journal.path.unlink()
        entries = []
    elif is_finished(destination) and not resume_finished:
        raise OutputExistsError(
            f"{destination} holds a finished PZ table; name another place, or overwrite it (--overwrite)"
        )
    elif entries and entries[0].get("run") != key:
        raise OutputExistsError(
            f"{destination} holds a run of other input, model or version; "
            "name another place, or overwrite it (--overwrite)"
        )
    elif not entries and any((destination / table).exists() for table in TABLES):
        raise OutputExistsError(f"{destination} holds tables without a journal; name another place")
    if not entries:
        journal.append({"run": key, "pzcenter": pzcenter.__version__})
    return journal


def _finished(journal: Journal, destination: Path) -> dict[str, PartitionDone]:
    """Partitions of the journal whose files are there."""
    finished = {}
    for entry in journal.entries():
        if "files" not in entry:
            continue
        whole = all(
            (path := destination / table / record["path"]).is_file() and path.stat().st_size == record["n_bytes"]
            for table, record in entry["files"].items()
        )
        if whole:
            finished[entry["partition"]] = PartitionDone(
                entry["partition"], entry["files"], entry["quality"], entry.get("peak_bytes", 0)
            )
    return finished


def _finish(
    destination: Path, estimator: Estimator, model: Path, finished: Sequence[PartitionDone], source: Path
) -> dict[str, Manifest]:
    """Write what belongs to the whole run; the manifests last."""
    manifest = read_manifest(model)
    facts = model_facts(estimator, checksum=manifest.digest, model_version=manifest.packages.get("pzcenter"))
    quality = table_of_rows("pz_quality", [{**done.quality, **facts} for done in finished])
    write_partition(quality, destination, "pz_quality.parquet")
    models = model_table([quality], created=_model_time(model))
    write_partition(models, destination, "pz_model.parquet")
    write_partition(pz_flag_table(), destination, "pz_flag.parquet")
    manifests = {}
    for table in TABLES:
        root = destination / table
        records = [FileRecord(**done.files[table]) for done in finished]
        schema = open_catalog(root / records[0].path).schema
        manifests[table] = finish_dataset(root, records, table=table, schema=schema, name=_name(source, table))
    return manifests


def _name(source: Path, table: str) -> str:
    name = open_catalog(source).path.name
    return table if name in {"", "skinny"} else f"{name}_{table}"


def _model_time(model: Path) -> datetime:
    return datetime.fromtimestamp(int((model / "model.yaml").stat().st_mtime), tz=UTC)
