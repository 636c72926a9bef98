"""Tell a repository of object tables: by reference or as copies, again and again without harm.

A directory of one Parquet file per tract, a HATS catalogue (one tract per pixel file), or one file.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from lsst.daf.butler import CollectionType, DataCoordinate, DatasetRef, DatasetType, FileDataset

from pzcenter.catalogs.hats_layout import pixel_of_path
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import (
    ChecksumError,
    ColumnError,
    ConfigError,
    DataIdError,
    EmptyTableError,
    FileFormatError,
    NotFoundError,
    PZCenterError,
)
from pzcenter.pipelines.repository.dataset_types import PARTITION
from pzcenter.pipelines.repository.open import open_repository
from pzcenter.pipelines.repository.tiling import (
    HEALPIX_SKYMAP,
    RUBIN_SKYMAP,
    bounding_region,
    nuniq,
    pixel_region,
    register_tracts,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["IngestReport", "ingest_objects"]

TRACT_IN_NAME = re.compile(r"(?:tract|^)[_=-]?(\d+)", re.IGNORECASE)
ID_NAMES, RA_NAMES, DEC_NAMES = ("objectId", "object_id", "id"), ("coord_ra", "ra"), ("coord_dec", "dec")
HATS_MARKS = ("hats.properties", "properties")
TRANSFERS = ("direct", "copy")


@dataclass(frozen=True)
class IngestReport:
    """What became known to a repository.

    Parameters
    ----------
    run : str
        Collection.
    skymap : str
    n_new, n_known : int
        Files.
    n_obj : int
        Rows of all these files.
    tracts : tuple of int
    refused : dict of str to str
        Reason by file, where the ingestion was to go on.
    """

    run: str
    skymap: str
    n_new: int
    n_known: int
    n_obj: int
    tracts: tuple[int, ...]
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _TractFile:
    """A file that holds the objects of one tract."""

    path: Path
    tract: int
    n_rows: int
    region: Any

    def record(self) -> dict[str, Any]:
        stat = self.path.stat()
        return {
            "uri": self.path.resolve().as_uri(),
            "sha256": file_sha256(self.path),
            "n_bytes": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "n_rows": self.n_rows,
        }


def ingest_objects(
    root: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    release: str,
    skymap: str | None = None,
    dataset_type: str = "object",
    transfer: str = "direct",
    keep_going: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """Make object tables datasets of a repository.

    Calling it again with the same files changes nothing; files that came since are added.

    Parameters
    ----------
    root : path or URI
        Repository.
    source : path
        Directory of Parquet files, one for each tract, whose number is in the column ``tract`` or in the name; a HATS
        catalogue; or one Parquet file, which is split by its column ``tract`` where ``transfer`` is ``"copy"``.
    release : str
        First part of the names of collections.
    skymap : str, optional
        Name of the tiling; ``lsst_cells_v1``, or ``healpix_nuniq`` for HATS.
    dataset_type : str
    transfer : str
        ``"direct"``: the files stay where they are; ``"copy"``.
    keep_going : bool
        Report files that are refused, in place of an error before anything is ingested.
    progress : callable, optional
        Called with the files looked at and all files.

    Returns
    -------
    IngestReport

    Raises
    ------
    NotFoundError, EmptyTableError
        No repository, no source, no files in it, no rows.
    FileFormatError, ColumnError, DataIdError
        A file cannot be read, lacks ids or positions, or its tract cannot be told; it is named.
    ChecksumError
        A file that is known already has changed.
    """
    if transfer not in TRANSFERS:
        raise ConfigError(f"transfer {transfer!r} is not known; {', '.join(TRANSFERS)} are accepted")
    source = Path(source)
    if not source.exists():
        raise NotFoundError(f"{source} does not exist")
    with tempfile.TemporaryDirectory(prefix="pz-ingest-") as scratch:
        is_hats = source.is_dir() and any((source / name).is_file() for name in HATS_MARKS)
        if source.is_file() and transfer == "copy":
            paths = _split(source, Path(scratch))
        else:
            paths = [source] if source.is_file() else _data_files(source)
        chosen = skymap or (HEALPIX_SKYMAP if is_hats else RUBIN_SKYMAP)
        found, refused = _look(paths, is_hats=is_hats, keep_going=keep_going, progress=progress)
        return _ingest(
            root, found, refused, release=release, skymap=chosen, dataset_type=dataset_type, transfer=transfer
        )


def _data_files(source: Path) -> list[Path]:
    paths = sorted(
        path
        for path in source.rglob("*")
        if path.suffix in {".parquet", ".parq"} and not path.name.startswith(("_", ".")) and path.is_file()
    )
    if not paths:
        raise NotFoundError(f"{source} holds no Parquet files")
    return paths


def _look(
    paths: Sequence[Path], *, is_hats: bool, keep_going: bool, progress: Callable[[int, int], None] | None
) -> tuple[list[_TractFile], dict[str, str]]:
    """Footer, ids and positions of each file; what is wrong with it is known before anything is ingested."""
    found: dict[int, _TractFile] = {}
    refused: dict[str, str] = {}
    for number, path in enumerate(paths):
        try:
            each = _examine(path, is_hats=is_hats)
            if each.tract in found:
                raise DataIdError(f"{path} and {found[each.tract].path} are both of tract {each.tract}")
            found[each.tract] = each
        except PZCenterError as error:
            if not keep_going:
                raise
            refused[str(path)] = str(error)
        if progress is not None:
            progress(number + 1, len(paths))
    return list(found.values()), refused


def _examine(path: Path, *, is_hats: bool) -> _TractFile:
    try:
        names = pq.read_schema(path).names
        columns = [_first(names, choices, path) for choices in (ID_NAMES, RA_NAMES, DEC_NAMES)]
        wanted = [*columns, *(["tract"] if "tract" in names else [])]
        table = pq.read_table(path, columns=wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise FileFormatError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if table.num_rows == 0:
        raise EmptyTableError(f"{path} has no rows")
    if is_hats:
        pixel = pixel_of_path(path.as_posix())
        if pixel is None:
            raise DataIdError(f"{path} is not named by a HEALPix pixel, as the files of a HATS catalogue are")
        return _TractFile(path, nuniq(*pixel), table.num_rows, pixel_region(*pixel))
    ra, dec = (np.asarray(table.column(name).to_numpy(), dtype=np.float64) for name in columns[1:])
    return _TractFile(path, _tract_of(path, table), table.num_rows, bounding_region(ra, dec))


def _first(names: Sequence[str], choices: Sequence[str], path: Path) -> str:
    for choice in choices:
        if choice in names:
            return choice
    raise ColumnError(f"{path} has none of the columns {list(choices)}; it has {list(names)[:20]}")


def _tract_of(path: Path, table: pa.Table) -> int:
    if "tract" in table.column_names:
        extremes = pc.min_max(table.column("tract")).as_py()
        if extremes["min"] is not None:
            if extremes["min"] != extremes["max"]:
                raise DataIdError(
                    f"{path} holds objects of the tracts {extremes['min']} to {extremes['max']}; one file for each "
                    "tract is accepted, or one file that is copied, which splits it (--transfer copy)"
                )
            return int(extremes["min"])
    match = TRACT_IN_NAME.search(path.stem)
    if match is None:
        raise DataIdError(
            f"{path} has no column 'tract', and its name does not tell the tract, as tract_1234.parquet does"
        )
    return int(match[1])


def _split(path: Path, scratch: Path) -> list[Path]:
    """Files of one tract each, in bounded memory."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileFormatError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    if "tract" not in file.schema_arrow.names:
        return [path]
    writers: dict[int, pq.ParquetWriter] = {}
    try:
        for batch in file.iter_batches():
            tract = batch.column("tract")
            for value in pc.unique(tract).to_pylist():
                if value is None:
                    raise DataIdError(f"{path} has rows without a tract")
                if value not in writers:
                    writers[value] = pq.ParquetWriter(scratch / f"tract_{value}.parquet", file.schema_arrow)
                writers[value].write_batch(batch.filter(pc.equal(tract, value)))
    finally:
        for writer in writers.values():
            writer.close()
    return sorted(scratch.glob("tract_*.parquet"))


def _ingest(
    root: str | os.PathLike[str],
    found: Sequence[_TractFile],
    refused: dict[str, str],
    *,
    release: str,
    skymap: str,
    dataset_type: str,
    transfer: str,
) -> IngestReport:
    run = f"{release}/raw"
    with open_repository(root, writeable=True) as butler:
        kinds = {
            name: DatasetType(name, PARTITION, storage, universe=butler.dimensions)
            for name, storage in ((dataset_type, "ArrowTable"), (f"{dataset_type}_record", "StructuredDataDict"))
        }
        for kind in kinds.values():
            butler.registry.registerDatasetType(kind)
        butler.collections.register(run)
        known = {
            (ref.dataId["skymap"], ref.dataId["tract"]): ref
            for ref in butler.query_datasets(f"{dataset_type}_record", collections=run, explain=False, limit=None)
        }
        new = []
        for each in found:
            ref = known.get((skymap, each.tract))
            if ref is None:
                new.append(each)
            else:
                _require_same(each, butler.get(ref))
        register_tracts(butler, skymap, {each.tract: each.region for each in new})
        for batch in _batches(new):
            with butler.transaction():
                _ingest_batch(
                    butler, batch, kinds=kinds, dataset_type=dataset_type, run=run, skymap=skymap, transfer=transfer
                )
        prepend_to_defaults(butler, release, run)
    return IngestReport(
        run=run,
        skymap=skymap,
        n_new=len(new),
        n_known=len(found) - len(new),
        n_obj=sum(each.n_rows for each in found),
        tracts=tuple(sorted(each.tract for each in found)),
        refused=refused,
    )


def _batches(files: Sequence[_TractFile], size: int = 500) -> Iterator[Sequence[_TractFile]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def _ingest_batch(
    butler: Any,
    files: Sequence[_TractFile],
    *,
    kinds: dict[str, Any],
    dataset_type: str,
    run: str,
    skymap: str,
    transfer: str,
) -> None:
    datasets = []
    for each in files:
        data_id = DataCoordinate.standardize(skymap=skymap, tract=each.tract, universe=butler.dimensions)
        ref = DatasetRef(kinds[dataset_type], data_id, run=run)
        formatter = "lsst.daf.butler.formatters.parquet.ParquetFormatter"
        datasets.append(FileDataset(path=str(each.path.resolve()), refs=[ref], formatter=formatter))
        butler.put(each.record(), f"{dataset_type}_record", data_id, run=run)
    butler.ingest(*datasets, transfer=transfer)


def _require_same(file: _TractFile, record: dict[str, Any]) -> None:
    stat = file.path.stat()
    if (stat.st_size, stat.st_mtime_ns) == (record["n_bytes"], record["mtime_ns"]):
        return
    if (found := file_sha256(file.path)) != record["sha256"]:
        raise ChecksumError(
            f"{file.path} of tract {file.tract} has changed since it was ingested: SHA-256 {found[:12]}..., not "
            f"{record['sha256'][:12]}...; ingest changed objects as another release"
        )


def prepend_to_defaults(butler: Any, release: str, run: str) -> None:
    """Put a collection at the head of the chain that campaigns of a release begin from."""
    chain = f"{release}/defaults"
    butler.collections.register(chain, CollectionType.CHAINED)
    if run not in butler.collections.get_info(chain).children:
        butler.collections.prepend_chain(chain, run)
