"""Tell a repository of object tables: by reference or as copies, again and again without harm.

A directory of one Parquet file per tract, a HATS catalogue (one tract per pixel file), or one file.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsst.daf.butler import CollectionType, DataCoordinate, DatasetRef, DatasetType, FileDataset

from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ChecksumError, ConfigError, NotFoundError
from pzcenter.pipelines.repository.dataset_types import PARTITION
from pzcenter.pipelines.repository.object_files import ID_NAMES, TractFile, hats_root, look_at_files
from pzcenter.pipelines.repository.open import named_failures, open_repository
from pzcenter.pipelines.repository.tiling import (
    HEALPIX_SKYMAP,
    RUBIN_SKYMAP,
    register_tracts,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["ID_NAMES", "IngestReport", "ingest_objects", "prepend_to_defaults"]

TRANSFERS = ("direct", "copy")
RELEASE_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
FORMATTER = "pzcenter.pipelines.repository.formatters.DeliveredParquetFormatter"


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
        catalogue or collection; or one Parquet file, which is split by its column ``tract`` where it is copied.
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
    ConfigError
        An argument is not accepted, or the objects of the release are in another tiling.
    """
    if transfer not in TRANSFERS:
        raise ConfigError(f"transfer {transfer!r} is not known; {', '.join(TRANSFERS)} are accepted")
    if RELEASE_NAME.fullmatch(release) is None:
        raise ConfigError(f"{release!r} cannot name a release; letters, digits and . _ + - are accepted")
    source = Path(source)
    if not source.exists():
        raise NotFoundError(f"{source} does not exist")
    with tempfile.TemporaryDirectory(prefix="pz-ingest-") as scratch:
        found, refused = look_at_files(
            source, split_into=Path(scratch) if transfer == "copy" else None, keep_going=keep_going, progress=progress
        )
        is_hats = hats_root(source) is not None
        chosen = skymap or (HEALPIX_SKYMAP if is_hats else RUBIN_SKYMAP)
        if is_hats and chosen != HEALPIX_SKYMAP:
            raise ConfigError(f"the pixels of a HATS catalogue are tracts of {HEALPIX_SKYMAP}, not of {chosen!r}")
        return _ingest(
            root, found, refused, release=release, skymap=chosen, dataset_type=dataset_type, transfer=transfer
        )


def _ingest(
    root: str | os.PathLike[str],
    found: Sequence[TractFile],
    refused: dict[str, str],
    *,
    release: str,
    skymap: str,
    dataset_type: str,
    transfer: str,
) -> IngestReport:
    run = f"{release}/raw"
    with named_failures(root), open_repository(root, writeable=True) as butler:
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
        others = {str(name) for name, _ in known} - {skymap}
        if others and found:
            raise ConfigError(
                f"the objects of {release} are in the tiling {', '.join(sorted(others))}, not {skymap!r}; with two "
                "tilings an object would be in the release twice"
            )
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


def _batches(files: Sequence[TractFile], size: int = 500) -> Iterator[Sequence[TractFile]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def _ingest_batch(
    butler: Any,
    files: Sequence[TractFile],
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
        datasets.append(FileDataset(path=str(each.path.resolve()), refs=[ref], formatter=FORMATTER))
        butler.put(each.record(), f"{dataset_type}_record", data_id, run=run)
    butler.ingest(*datasets, transfer=transfer)


def _require_same(file: TractFile, record: dict[str, Any]) -> None:
    stat = file.path.stat()
    if (stat.st_size, stat.st_mtime_ns) == (record["n_bytes"], record["mtime_ns"]):
        return
    if file.whole is not None and file_sha256(file.whole) == record.get("whole_sha256"):
        # Another version of Arrow may cut the same file into other bytes.
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
