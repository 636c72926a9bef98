"""Runs made elsewhere, carried over and merged: export from one repository, import into another.

The import is a union. A dataset that is there already, with the same content, is left alone, so that importing again
does nothing; one that is there with another content is a conflict, and then nothing is imported at all. Metadata and
logs of tasks, which tell of times and machines, never conflict: those that are there stay.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tarfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from lsst.daf.butler import CollectionType, DatasetType, MissingCollectionError
from lsst.daf.butler.registry import ConflictingDefinitionError

from pzcenter.catalogs.storage import HASH_BLOCK_BYTES, file_sha256, storage_errors
from pzcenter.errors import ConfigError, EmptyTableError, MergeConflictError, NotFoundError, OutputExistsError
from pzcenter.pipelines.campaign.bundle_files import (
    CONTENTS_NAME,
    EXPORT_NAME,
    Contents,
    opened_bundle,
    read_bundle,
    write_contents,
)
from pzcenter.pipelines.repository.open import open_repository

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ExportReport", "ImportedRun", "MergeReport", "export_run", "import_run", "imported_runs"]

DIARIES = re.compile(r"(_metadata|_log)$|^(packages|run_provenance)$")
"""Dataset types that tell how something was made, when and where; two sites never write the same."""

_IMPORTED = re.compile(r"^imported: run '(?P<old>.*)' of bundle (?P<digest>[0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class ExportReport:
    """A bundle as written.

    Parameters
    ----------
    path : str
    runs : tuple of str
    n_datasets, n_files, n_bytes : int
    digest : str
        SHA-256 of its list of files: two bundles with the same digest are the same.
    """

    path: str
    runs: tuple[str, ...]
    n_datasets: int
    n_files: int
    n_bytes: int
    digest: str


@dataclass(frozen=True)
class MergeReport:
    """What an import did.

    Parameters
    ----------
    runs : dict of str to str
        Name here by name there.
    n_new, n_known, n_kept : int
        Datasets that were added; that were here with the same content; metadata and logs that were here and stay.
    n_by_type : dict of str to int
        Added datasets of each type.
    digest : str
        Of the bundle.
    """

    runs: dict[str, str]
    n_new: int
    n_known: int
    n_kept: int
    n_by_type: dict[str, int]
    digest: str


@dataclass(frozen=True)
class ImportedRun:
    """A run that came from elsewhere: its name here, its name there, and the digest of the bundle."""

    run: str
    original: str
    digest: str


def export_run(root: str | os.PathLike[str], run: str | Iterable[str], bundle: str | os.PathLike[str]) -> ExportReport:
    """Write all that is in a run as a bundle.

    Parameters
    ----------
    root : path or URI
        Of the repository.
    run : str or iterable of str
        Runs; a chain stands for those of its runs that are named below it, as the runs of a campaign are.
    bundle : path
        Directory to make, or file ``*.tar``.

    Returns
    -------
    ExportReport

    Raises
    ------
    NotFoundError
        No such collection.
    EmptyTableError
        There is nothing in it.
    OutputExistsError
        The bundle is there already.
    """
    target = Path(bundle)
    if target.exists():
        raise OutputExistsError(f"{target} is already there; name another, or remove it")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    directory = unfinished / "bundle"
    with open_repository(root) as butler, storage_errors(target):
        runs, chains = _runs_to_export(butler, [run] if isinstance(run, str) else list(run))
        refs = [ref for ref in _refs_of(butler, runs) if butler.stored(ref)]
        if not refs:
            raise EmptyTableError(f"nothing to export: no files in {', '.join(runs)}")
        try:
            directory.mkdir(parents=True)
            with butler.export(directory=str(directory), filename=EXPORT_NAME, format="yaml", transfer="copy") as out:
                out.saveDatasets(refs)
                for name in (*runs, *chains):
                    out.saveCollection(name)
            contents = write_contents(directory, tuple(runs), len(refs))
            digest = file_sha256(directory / CONTENTS_NAME)
            (_packed(directory) if target.suffix == ".tar" else directory).rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    n_bytes = sum(entry.n_bytes for entry in contents.files.values())
    return ExportReport(str(target), tuple(runs), len(refs), len(contents.files), n_bytes, digest)


def import_run(
    root: str | os.PathLike[str], bundle: str | os.PathLike[str], *, names: Mapping[str, str] | None = None
) -> MergeReport:
    """Merge a bundle into a repository.

    Parameters
    ----------
    root : path or URI
        Of the repository.
    bundle : path
        Directory or ``*.tar``.
    names : mapping of str to str, optional
        New name by name in the bundle, of runs and of chains. What is renamed gets new dataset ids, which follow from
        the old ones, and remembers its old name: :func:`imported_runs`.

    Returns
    -------
    MergeReport

    Raises
    ------
    MergeConflictError
        Datasets, dataset types or dimension records are there with another content. Nothing was imported.
    ChecksumError, FileFormatError
        The bundle is damaged, or is none. Nothing was imported.
    ConfigError
        A name to be changed is not in the bundle.
    """
    with opened_bundle(Path(bundle)) as directory, open_repository(root, writeable=True) as butler:
        contents, items, digest = read_bundle(directory)
        chains = {item["name"] for item in items if item["type"] == "collection"} - set(contents.runs)
        unknown = set(names or {}) - set(contents.runs) - chains
        if unknown:
            raise ConfigError(
                f"no collection {sorted(unknown)} in the bundle; it has {sorted({*contents.runs, *chains})}"
            )
        items = [_renamed(item, names or {}) for item in items]
        merge = _Merge(butler, contents)
        merge.look(items)
        if merge.conflicts:
            shown = "\n  ".join(merge.conflicts[:20])
            more = f"\n  and {len(merge.conflicts) - 20} more" if len(merge.conflicts) > 20 else ""
            raise MergeConflictError(
                f"{len(merge.conflicts)} conflicts, nothing was imported; import under another name "
                f"(names={{old: new}}) to keep both:\n  {shown}{more}"
            )
        runs = {run: (names or {}).get(run, run) for run in contents.runs}
        if merge.new:
            document = {"description": "Butler Data Repository Export", **_versions(directory), "data": merge.new}
            try:
                butler.import_(
                    directory=str(directory), filename=io.StringIO(yaml.dump(document)), format="yaml", transfer="copy"
                )
            except ConflictingDefinitionError as error:
                raise MergeConflictError(f"nothing was imported: {error}") from error
        for item in items:
            if item["type"] == "collection" and item["collection_type"] == "CHAINED":
                _extend_chain(butler, item)
        for original, run in runs.items():
            _remember(butler, run, original, digest)
    return MergeReport(runs, sum(merge.n_by_type.values()), merge.n_known, merge.n_kept, merge.n_by_type, digest)


def imported_runs(root: str | os.PathLike[str]) -> list[ImportedRun]:
    """Runs of a repository that came from elsewhere, with the names they had there."""
    found: list[ImportedRun] = []
    with open_repository(root) as butler:
        for run in sorted(butler.registry.queryCollections(collectionTypes=CollectionType.RUN)):
            text = butler.registry.getCollectionDocumentation(run) or ""
            found.extend(ImportedRun(run, match["old"], match["digest"]) for match in _IMPORTED.finditer(text))
    return found


@dataclass
class _Merge:
    """Compare a bundle with a repository: what is new, what is known, what conflicts."""

    butler: Any
    contents: Contents
    new: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    n_known: int = 0
    n_kept: int = 0
    n_by_type: dict[str, int] = field(default_factory=dict)

    def look(self, items: list[dict[str, Any]]) -> None:
        """Go through the items of the export."""
        for item in items:
            if item["type"] == "dimension":
                self._look_at_records(item)
                self.new.append(item)
            elif item["type"] == "dataset_type":
                self._look_at_type(item)
                self.new.append(item)
            elif item["type"] == "dataset":
                self._look_at_datasets(item)
            elif item["type"] != "collection" or item["collection_type"] == "RUN":
                self.new.append(item)

    def _look_at_records(self, item: dict[str, Any]) -> None:
        element = self.butler.dimensions[item["element"]]
        with self.butler.query() as query:
            there = {record.dataId: record for record in query.dimension_records(element.name)}
        for words in item["records"]:
            record = element.RecordClass(**words)
            other = there.get(record.dataId)
            if other is not None and other.toDict() != record.toDict():
                differing = [name for name, value in record.toDict().items() if other.toDict()[name] != value]
                where = dict(record.dataId.required)
                self.conflicts.append(f"{element.name} {where}: another {', '.join(differing)}")

    def _look_at_type(self, item: dict[str, Any]) -> None:
        theirs = DatasetType(
            item["name"], item["dimensions"], item["storage_class"],
            universe=self.butler.dimensions, isCalibration=item.get("is_calibration", False),
        )  # fmt: skip
        ours = {one.name: one for one in self.butler.registry.queryDatasetTypes(item["name"])}.get(item["name"])
        if ours is not None and ours != theirs:
            self.conflicts.append(f"dataset type {item['name']}: there {theirs}, here {ours}")

    def _look_at_datasets(self, item: dict[str, Any]) -> None:
        name, run = item["dataset_type"], item["run"]
        there = self._there(name, run)
        kept = []
        for record in item["records"]:
            ids = [tuple(sorted(data_id.items())) for data_id in record["data_id"]]
            others = [there[one] for one in ids if one in there]
            if not others:
                kept.append(record)
            elif DIARIES.search(name):
                self.n_kept += len(others)
            else:
                self._compare(name, run, record, others)
        if kept:
            self.new.append({**item, "records": kept})
            self.n_by_type[name] = self.n_by_type.get(name, 0) + sum(len(record["data_id"]) for record in kept)

    def _there(self, name: str, run: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        registry = self.butler.registry
        if not list(registry.queryDatasetTypes(name)) or run not in registry.queryCollections():
            return {}
        refs = self.butler.query_datasets(name, collections=run, find_first=False, explain=False, limit=None)
        return {tuple(sorted((str(key), value) for key, value in ref.dataId.required.items())): ref for ref in refs}

    def _compare(self, name: str, run: str, record: dict[str, Any], others: list[Any]) -> None:
        theirs = self.contents.files[record["path"]].sha256
        for ref in others:
            where = f"{name} {dict(ref.dataId.required)} in run {run}"
            if not self.butler.stored(ref):
                self.conflicts.append(f"{where}: here it is registered and its file is missing")
                continue
            ours = _sha256(self.butler.getURI(ref))
            if ours == theirs:
                self.n_known += 1
            else:
                self.conflicts.append(f"{where}: SHA-256 {theirs[:12]} there, {ours[:12]} here")


def _runs_to_export(butler: Any, names: list[str]) -> tuple[list[str], list[str]]:
    runs: list[str] = []
    chains: list[str] = []
    for name in names:
        try:
            kind = butler.registry.getCollectionType(name)
        except MissingCollectionError as error:
            raise NotFoundError(f"no collection {name!r} in the repository") from error
        if kind is CollectionType.RUN:
            runs.append(name)
            continue
        below = butler.registry.queryCollections(name, collectionTypes=CollectionType.RUN, flattenChains=True)
        runs.extend(run for run in below if run.startswith(f"{name}/"))
        if kind is CollectionType.CHAINED and set(butler.registry.getCollectionChain(name)) <= set(runs):
            chains.append(name)
    if not runs:
        raise EmptyTableError(f"nothing to export: no runs below {', '.join(names)}")
    return list(dict.fromkeys(runs)), chains


def _refs_of(butler: Any, runs: list[str]) -> list[Any]:
    found = []
    for kind in butler.registry.queryDatasetTypes():
        if not kind.isComponent():
            found.extend(butler.query_datasets(kind, collections=runs, find_first=False, explain=False, limit=None))
    return sorted(found)


def _renamed(item: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """One item of an export under new names."""
    if item["type"] == "collection":
        children = [names.get(child, child) for child in item.get("children", ())]
        return {**item, "name": names.get(item["name"], item["name"]), **({"children": children} if children else {})}
    if item["type"] != "dataset" or item["run"] not in names:
        return item
    run = names[item["run"]]
    records = [
        {**record, "dataset_id": [uuid.uuid5(dataset_id, run) for dataset_id in record["dataset_id"]]}
        for record in item["records"]
    ]
    return {**item, "run": run, "records": records}


def _versions(directory: Path) -> dict[str, Any]:
    document = yaml.safe_load((directory / EXPORT_NAME).read_text(encoding="utf-8"))
    return {key: value for key, value in document.items() if key not in {"data", "description"}}


def _extend_chain(butler: Any, item: Mapping[str, Any]) -> None:
    """Make the chain, or put in front of it what it lacks."""
    name = item["name"]
    there = list(butler.registry.getCollectionChain(name)) if name in butler.registry.queryCollections() else []
    butler.registry.registerCollection(name, CollectionType.CHAINED)
    missing = [child for child in item["children"] if child not in there]
    if missing:
        butler.registry.setCollectionChain(name, [*missing, *there])


def _remember(butler: Any, run: str, original: str, digest: str) -> None:
    line = f"imported: run '{original}' of bundle {digest}"
    before = butler.registry.getCollectionDocumentation(run) or ""
    if line not in before.splitlines():
        butler.registry.setCollectionDocumentation(run, "\n".join([*before.splitlines(), line]))


def _packed(directory: Path) -> Path:
    """A tar of a directory, the same bytes for the same files."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mode = 0o644
        return member

    path = directory.with_name("bundle.tar")
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(path for path in directory.rglob("*") if path.is_file()):
            archive.add(file, file.relative_to(directory).as_posix(), recursive=False, filter=plain)
    return path


def _sha256(place: Any) -> str:
    """SHA-256 of a local path or of a URI."""
    digest = hashlib.sha256()
    with place.open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
