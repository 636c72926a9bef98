"""A package under construction: beside its destination, continued where it was stopped, and there in one step."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from pzcenter.catalogs.manifest import FileRecord, Journal
from pzcenter.catalogs.storage import atomic_file, file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import ChecksumError, OutputExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pzcenter.pipelines.delivery.places import Place

__all__ = ["Staging", "open_staging"]

LINKED, COPIED, KEPT = "linked", "copied", "kept"


class Staging:
    """The files of a package that is being built.

    Parameters
    ----------
    workplace : Path
        Holds the files in ``payload`` and what is known of them in ``journal.jsonl``.
    links : bool
        Link files of the same file system in place of copying them.
    """

    def __init__(self, workplace: Path, *, links: bool) -> None:
        self.workplace = workplace
        self.root = workplace / "payload"
        self.links = links
        self.records: dict[str, FileRecord] = {}
        self.done = {LINKED: 0, COPIED: 0, KEPT: 0}
        self._journal = Journal(workplace / "journal.jsonl")
        self._known: dict[str, dict[str, Any]] = {}

    def begin(self, identity: dict[str, Any]) -> None:
        """Continue what an earlier build of the same began; throw away one of something else."""
        entries = self._journal.entries()
        wanted = json.loads(json.dumps(identity))
        if entries and entries[0].get("identity") == wanted:
            self._known = {entry["path"]: entry for entry in entries[1:] if "path" in entry}
            shutil.rmtree(self.workplace / ".tmp", ignore_errors=True)
            return
        shutil.rmtree(self.root, ignore_errors=True)
        self._journal.path.unlink(missing_ok=True)
        self._journal.append({"identity": wanted})

    def take(
        self, place: Place, path: str, target: str, *, expected: FileRecord | None = None, keep: bool = True
    ) -> FileRecord:
        """Link or copy one file and read it once to take its checksum.

        Parameters
        ----------
        place : Place
        path : str
            Below the place.
        target : str
            Below the package.
        expected : FileRecord, optional
            What the file must be.
        keep : bool
            Take the file that an earlier attempt brought.

        Returns
        -------
        FileRecord

        Raises
        ------
        ChecksumError
            The file is not what its manifest says.
        StorageError
            The file system refused.
        """
        record = self._kept(target) if keep else None
        if record is None:
            there = self.root / target
            with storage_errors(there):
                there.parent.mkdir(parents=True, exist_ok=True)
                how, sha256 = self._bring(place, path, there)
                status = there.stat()
            if expected is not None and (sha256, status.st_size) != (expected.sha256, expected.n_bytes):
                there.unlink()
                raise ChecksumError(
                    f"{place.uri}/{path} has {status.st_size} bytes and SHA-256 {sha256[:12]}..., and its manifest "
                    f"says {expected.n_bytes} bytes and {expected.sha256[:12]}..."
                )
            record = _record(there, target, sha256, expected)
            self._journal.append({**asdict(record), "mtime_ns": status.st_mtime_ns})
            self.done[how] += 1
        else:
            self.done[KEPT] += 1
        self.records[target] = record
        return record

    def write(self, target: str, text: str) -> None:
        """Write a text file of the package."""
        sink = write_text_atomically(self.root / target, text)
        self.records[target] = FileRecord(target, sink.sha256, sink.n_bytes)

    def add(self, target: str) -> None:
        """Take note of a file that was written into the package by others."""
        path = self.root / target
        self.records[target] = _record(path, target, file_sha256(path), None)

    def _kept(self, target: str) -> FileRecord | None:
        """Record of a file that an earlier attempt brought, unless it changed since."""
        entry, path = self._known.get(target), self.root / target
        if entry is None or not path.is_file():
            return None
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) != (entry["n_bytes"], entry["mtime_ns"]):
            return None
        return FileRecord(**{key: value for key, value in entry.items() if key != "mtime_ns"})

    def _bring(self, place: Place, path: str, there: Path) -> tuple[str, str]:
        if self.links and place.local is not None:
            there.unlink(missing_ok=True)
            try:
                os.link(place.local / path, there)
            except OSError:
                # Another file system, or one without links: copy.
                there.unlink(missing_ok=True)
            else:
                return LINKED, file_sha256(there)
        with atomic_file(there, temporary=self.workplace / ".tmp") as sink:
            for block in place.blocks(path):
                sink.write(block)
        return COPIED, sink.sha256


@contextmanager
def open_staging(destination: Path, *, links: bool, overwrite: bool) -> Iterator[Staging]:
    """Build a package that appears when the block ends without an error.

    Parameters
    ----------
    destination : Path
    links : bool
    overwrite : bool
        Replace a package that is there.

    Yields
    ------
    Staging

    Raises
    ------
    OutputExistsError
        Something is there, or another process is building it.
    StorageError
        The file system refused; what is done is kept for the next attempt.
    """
    workplace = destination.parent / f".{destination.name}.building"
    if destination.exists() and not overwrite:
        raise OutputExistsError(f"{destination} is already there; give another place, or overwrite it (--overwrite)")
    with storage_errors(destination):
        workplace.mkdir(parents=True, exist_ok=True)
        lock = os.open(workplace / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputExistsError(f"another process is building {destination}") from None
            staging = Staging(workplace, links=links)
            yield staging
            if destination.exists():
                old = workplace / "old"
                destination.rename(old)
            staging.root.rename(destination)
            _sync(destination.parent)
            shutil.rmtree(workplace)
        finally:
            os.close(lock)


def _record(path: Path, target: str, sha256: str, expected: FileRecord | None) -> FileRecord:
    n_bytes = path.stat().st_size
    if expected is not None:
        return FileRecord(target, sha256, n_bytes, expected.n_rows, expected.id_min, expected.id_max)
    n_rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
    return FileRecord(target, sha256, n_bytes, n_rows)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
