"""Moving many files from one place to another: resumable, each checked against its checksum, faults put aside.

A file that arrives with another checksum than it should have goes into quarantine with the reason; the others go on,
and the next call tries it again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pzcenter.catalogs.manifest import MANIFEST_NAME, FileRecord, Journal
from pzcenter.catalogs.storage import file_sha256, storage_errors
from pzcenter.errors import FileFormatError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pzcenter.pipelines.delivery.places import FoundFile, Place

__all__ = ["MOVEMENTS", "MoveReport", "Quarantined", "Tally", "bring_files", "expected_checksums", "record_movement"]

log = logging.getLogger(__name__)

MOVEMENTS = "movements.jsonl"
CHECKSUM_FILES = ("manifest-sha256.txt", "SHA256SUMS", "sha256sums.txt", "SHA256SUMS.txt")


@dataclass(frozen=True)
class Quarantined:
    """A file that did not arrive as it should.

    Parameters
    ----------
    path, words : str
    """

    path: str
    words: str


@dataclass(frozen=True)
class MoveReport:
    """What a movement did.

    Parameters
    ----------
    what : str
        ``receive``, ``promote`` or ``send``.
    name, source, destination : str
    n_files : int
        Of the data set.
    n_new, n_known : int
        Moved by this call, and there before.
    bytes_moved : int
    seconds : float
    quarantined : tuple of Quarantined
        Empty when all went well.
    sha256 : str
        Of the manifest of the data set; empty while it is not complete.
    """

    what: str
    name: str
    source: str
    destination: str
    n_files: int
    n_new: int
    n_known: int
    bytes_moved: int
    seconds: float
    quarantined: tuple[Quarantined, ...] = ()
    sha256: str = ""

    @property
    def complete(self) -> bool:
        """Whether all files are there and as they should be."""
        return not self.quarantined and bool(self.sha256)

    @property
    def mb_per_s(self) -> float:
        """Throughput of this call, 10^6 bytes per second."""
        return self.bytes_moved / 1e6 / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "complete": self.complete, "mb_per_s": self.mb_per_s}


def record_movement(directory: Path, report: MoveReport) -> None:
    """Append a movement to ``movements.jsonl``."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    Journal(directory / MOVEMENTS).append({"at": at, **report.as_dict()})
    log.info(
        "%s %s: %d new files, %d known, %.1f MB/s, %d in quarantine",
        report.what, report.name, report.n_new, report.n_known, report.mb_per_s, len(report.quarantined),
    )  # fmt: skip


def expected_checksums(source: Place, given: str | None = None) -> dict[str, str]:
    """Checksums that the sender gives, by path: of lists in the place, and of manifests of our own.

    Parameters
    ----------
    source : Place
    given : str, optional
        Text of a list in the form of ``sha256sum``, which then is the only one.

    Returns
    -------
    dict of str to str
        Empty where the sender gives none.

    Raises
    ------
    FileFormatError
        A list is damaged.
    """
    if given is not None:
        return _sums(given, "the list of checksums")
    expected: dict[str, str] = {}
    paths = [file.path for file in source.files()]
    for path in paths:
        folder, _, name = path.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        if name in CHECKSUM_FILES:
            expected |= {prefix + key: value for key, value in _sums(source.read(path).decode(), path).items()}
        elif name == MANIFEST_NAME:
            expected |= {prefix + key: value for key, value in _manifest_sums(source.read(path), path).items()}
    return expected


def _sums(text: str, source: str) -> dict[str, str]:
    sums = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        sha256, _, name = line.partition(" ")
        if len(sha256) != 64 or not name.strip():
            raise FileFormatError(f"{source}: {line[:80]!r} is not a line of sha256sum")
        sums[name.strip().removeprefix("*").removeprefix("./")] = sha256.lower()
    return sums


def _manifest_sums(data: bytes, source: str) -> dict[str, str]:
    try:
        content = json.loads(data)
        if content.get("format") != "pzcenter-manifest":
            return {}
        return {entry["path"]: entry["sha256"] for entry in content["files"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{source} is damaged: {error}") from error


@dataclass
class Tally:
    """What was done with some files."""

    records: list[FileRecord] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    n_new: int = 0
    n_known: int = 0
    bytes_moved: int = 0


def bring_files(
    source: Place,
    files: Sequence[FoundFile],
    target: Path,
    *,
    expected: Mapping[str, str],
    quarantine: Path,
    journal: Journal,
    progress: Callable[[int, int], None] | None = None,
) -> Tally:
    """Copy files into a directory; what an earlier call brought is left where it is.

    Parameters
    ----------
    source : Place
    files : sequence of FoundFile
    target : Path
    expected : mapping of str to str
        Checksums by path; of other files that of the source's bytes is taken while copying.
    quarantine : Path
        Directory for what arrives damaged.
    journal : Journal
        What is there already.
    progress : callable, optional
        Called with the bytes that are done and all bytes.

    Returns
    -------
    Tally
    """
    known = {entry["path"]: entry for entry in journal.entries()}
    tally, total, done = Tally(), sum(file.n_bytes for file in files), 0
    for file in files:
        entry = known.get(file.path)
        if entry is not None and _is_there(target / file.path, file, entry, expected.get(file.path)):
            tally.n_known += 1
            tally.records.append(FileRecord(file.path, entry["sha256"], file.n_bytes))
        else:
            _bring(source, file, target / file.path, expected.get(file.path), quarantine, journal, tally)
        done += file.n_bytes
        if progress is not None:
            progress(done, total)
    there = {file.path for file in files}
    tally.quarantined += [Quarantined(path, "is missing at the source") for path in sorted(set(expected) - there)]
    return tally


def _is_there(path: Path, file: FoundFile, entry: Mapping[str, Any], sha256: str | None) -> bool:
    if (entry["n_bytes"], entry["source_mtime_ns"]) != (file.n_bytes, file.mtime_ns) or not path.is_file():
        return False
    status = path.stat()
    same = (status.st_size, status.st_mtime_ns) == (entry["n_bytes"], entry["mtime_ns"])
    return same and sha256 in (None, entry["sha256"])


def _bring(  # noqa: PLR0917 - one caller, in this order
    source: Place, file: FoundFile, path: Path, sha256: str | None, quarantine: Path, journal: Journal, tally: Tally
) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            found, n_moved = _continue(source, file, unfinished)
        except StorageError as error:
            # The part stays: the next call goes on from there.
            tally.quarantined.append(Quarantined(file.path, f"did not arrive: {error.strerror or error}"))
            return
        tally.bytes_moved += n_moved
        read_back = file_sha256(unfinished)
        fault = ""
        if unfinished.stat().st_size != file.n_bytes:
            fault = f"{unfinished.stat().st_size} bytes arrived of {file.n_bytes}"
        elif sha256 is not None and read_back != sha256:
            fault = f"SHA-256 {read_back[:12]}..., and the sender says {sha256[:12]}..."
        elif read_back != found:
            fault = f"SHA-256 {read_back[:12]}... on disk, and {found[:12]}... when it was read from the source"
        if fault:
            aside = quarantine / file.path
            aside.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(aside)
            path.unlink(missing_ok=True)
            tally.quarantined.append(Quarantined(file.path, fault))
            return
        unfinished.replace(path)
        (quarantine / file.path).unlink(missing_ok=True)
        status = path.stat()
        journal.append(
            {
                "path": file.path,
                "sha256": read_back,
                "n_bytes": file.n_bytes,
                "source_mtime_ns": file.mtime_ns,
                "mtime_ns": status.st_mtime_ns,
            }
        )
    tally.n_new += 1
    tally.records.append(FileRecord(file.path, read_back, file.n_bytes))


def _continue(source: Place, file: FoundFile, unfinished: Path) -> tuple[str, int]:
    """Copy what is missing of a file; checksum of the whole, and bytes that were moved now."""
    digest = hashlib.sha256()
    stamp = unfinished.with_name(f"{unfinished.name}.of")
    begun = f"{file.n_bytes} {file.mtime_ns}"
    start = 0
    if unfinished.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == begun:
        with unfinished.open("rb") as part:
            while block := part.read(1 << 22):
                digest.update(block)
                start += len(block)
    if start > file.n_bytes or not start:
        start, digest = 0, hashlib.sha256()
        stamp.write_text(begun, encoding="utf-8")
    n_moved = 0
    with unfinished.open("r+b" if start else "wb", buffering=0) as part:
        part.seek(start)
        for block in source.blocks(file.path, start):
            view = memoryview(block)
            while view:
                view = view[part.write(view) or 0 :]
            digest.update(block)
            n_moved += len(block)
        os.fsync(part.fileno())
    stamp.unlink(missing_ok=True)
    return digest.hexdigest(), n_moved
