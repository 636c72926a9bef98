"""Scrubbing: read stored bytes again and again, find what rotted, and mend it from a copy.

A scrub of at most some bytes reads first what was read the longest ago, so that repeated calls go round everything.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.catalogs.manifest import MANIFEST_NAME, Journal, Manifest
from pzcenter.catalogs.storage import atomic_file, file_sha256
from pzcenter.errors import NotFoundError
from pzcenter.pipelines.delivery.places import place_of
from pzcenter.pipelines.delivery.tiers import MANIFESTS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from pzcenter.catalogs.manifest import FileRecord

__all__ = ["ScrubReport", "scrub"]

JOURNAL = "scrub.jsonl"


@dataclass(frozen=True)
class ScrubReport:
    """What a scrub found.

    Parameters
    ----------
    path : str
    n_files, n_bytes : int
        Read by this call.
    n_files_all : int
        In all data sets.
    repaired, damaged : tuple of str
        Files that were mended from the copy, and those that could not be.
    oldest : str
        UTC time of the longest ago that any file was read; empty while some never were.
    seconds : float
    """

    path: str
    n_files: int
    n_bytes: int
    n_files_all: int
    repaired: tuple[str, ...]
    damaged: tuple[str, ...]
    oldest: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all that was read is sound now."""
        return not self.damaged

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "ok": self.ok}


def scrub(
    tier1: str | os.PathLike[str],
    *,
    copy: str | os.PathLike[str] | None = None,
    max_bytes: int | None = None,
) -> ScrubReport:
    """Read the data sets of Tier 1 and compare every byte with its checksum.

    Parameters
    ----------
    tier1 : path
        Archive that :func:`~pzcenter.pipelines.delivery.tiers.promote` filled.
    copy : path or str, optional
        Second copy with the same paths, directory or ``s3://`` URI: what is damaged is replaced from it, when the copy
        has the right checksum.
    max_bytes : int, optional
        Stop before more than these are read, but after at least one file.

    Returns
    -------
    ScrubReport

    Raises
    ------
    NotFoundError
        There are no registered data sets.
    """
    begun = time.monotonic()
    root = Path(tier1)
    files = dict(_registered(root))
    if not files:
        raise NotFoundError(f"{root} has no registered data sets; 'pz deliver promote' makes some")
    journal = Journal(root / JOURNAL)
    read_at: dict[str, str] = {}
    for entry in journal.entries():
        read_at |= dict.fromkeys(entry["paths"], entry["at"])
    repaired, damaged, paths, n_bytes = list[str](), list[str](), list[str](), 0
    for path in sorted(files, key=lambda path: (read_at.get(path, ""), path)):
        record = files[path]
        if max_bytes is not None and paths and n_bytes + record.n_bytes > max_bytes:
            break
        paths.append(path)
        n_bytes += record.n_bytes
        if not _is_sound(root / path, record):
            (repaired if copy is not None and _repair(root, path, record, copy) else damaged).append(path)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    sound = [path for path in paths if path not in damaged]
    journal.append({"at": at, "paths": sound, "n_bytes": n_bytes, "repaired": repaired, "damaged": damaged})
    read_at |= dict.fromkeys(sound, at)
    return ScrubReport(
        path=str(root),
        n_files=len(paths),
        n_bytes=n_bytes,
        n_files_all=len(files),
        repaired=tuple(repaired),
        damaged=tuple(damaged),
        oldest=min(read_at.get(path, "") for path in files),
        seconds=time.monotonic() - begun,
    )


def _registered(root: Path) -> Iterator[tuple[str, FileRecord]]:
    """All files of all data sets, by path below Tier 1."""
    for folder in sorted((root / MANIFESTS).glob(f"*/{MANIFEST_NAME}")):
        for record in Manifest.read(folder.parent).files:
            yield f"{folder.parent.name}/{record.path}", record


def _is_sound(path: Path, record: FileRecord) -> bool:
    try:
        return file_sha256(path) == record.sha256
    except OSError:
        # A file that cannot be read is damaged too.
        return False


def _repair(root: Path, path: str, record: FileRecord, copy: str | os.PathLike[str]) -> bool:
    place = place_of(copy)
    if not place.has(path) or place.sha256(path) != record.sha256:
        return False
    target = root / path
    with _writable(target.parent), atomic_file(target, temporary=root / ".incoming") as sink:
        for block in place.blocks(path):
            sink.write(block)
    target.chmod(0o444)
    return _is_sound(target, record)


@contextmanager
def _writable(directory: Path) -> Iterator[None]:
    """Open a read-only directory for one exchange."""
    mode = directory.stat().st_mode
    directory.chmod(mode | 0o200)
    try:
        yield
    finally:
        directory.chmod(mode)
