"""The entries of the fast tier on its disk: whole or not at all, within a quota, the longest unused evicted first.

Every process that uses the directory follows the same rules. An entry that somebody reads has a shared lock
(``flock``) on the file itself. Making room, and giving an entry its name, happen under one lock for the whole tier;
copying under one of a few locks chosen by the key, so that two processes do not copy the same file.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.pipelines.delivery.tier_sources import TierSource

__all__ = ["NoRoomError", "TierEntries"]

N_COPY_LOCKS = 256
LOCK_PATIENCE_S = 60.0
"""Longest wait for another process; whoever waits longer reads the source."""
FULL = (errno.ENOSPC, errno.EDQUOT)
MODE = 0o664


class NoRoomError(Exception):
    """The file does not fit, whatever is evicted."""


class TierEntries:
    """The files in the directory of a fast tier.

    Parameters
    ----------
    root : Path
        Made when the first entry is.
    quota_bytes : int
        Most bytes of all entries together, those being copied included.
    """

    def __init__(self, root: Path, quota_bytes: int) -> None:
        self.root = root
        self.quota_bytes = quota_bytes

    def find(self, source: TierSource) -> tuple[Path, int] | None:
        """Path of an entry and a handle that keeps it from eviction until it is closed; None where there is none."""
        path = self._path(source.key)
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            _lock(handle, fcntl.LOCK_SH)
            status = os.fstat(handle)
            # It may have been evicted between opening and locking.
            if status.st_size == source.n_bytes and _is_at(path, status):
                os.utime(handle)
                return path, handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None

    @contextmanager
    def copying(self, source: TierSource) -> Iterator[None]:
        """Keep other processes from copying the same file at the same time."""
        with self._locked(f"copy-{int(source.key[:4], 16) % N_COPY_LOCKS:02x}"):
            yield

    def add(self, source: TierSource) -> tuple[Path, int, int]:
        """Copy a file.

        Returns
        -------
        path : Path
        handle : int
            Keeps the entry from eviction until it is closed.
        n_evicted : int

        Raises
        ------
        NoRoomError
            The quota does not allow it.
        OSError
            The disk is full or broken, or the source changed while it was copied.
        """
        unfinished = self.root / "unfinished" / f"{source.key}.{os.getpid()}.{threading.get_ident()}"
        path = self._path(source.key)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, n_evicted = self._reserve(unfinished, source.n_bytes)
        try:
            _fill(handle, source)
            os.fsync(handle)
            with self._locked("room"):
                # Changing a lock lets go of it for a moment; nobody evicts meanwhile.
                _lock(handle, fcntl.LOCK_SH)
                os.utime(handle)
                unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            os.close(handle)
            raise
        return path, handle, n_evicted

    def usage(self) -> tuple[int, int]:
        """Number and total size of the entries."""
        entries = list(self._entries())
        return len(entries), sum(status.st_size for _, status in entries)

    def _path(self, key: str) -> Path:
        return self.root / "entries" / key[:2] / key

    def _reserve(self, unfinished: Path, n_bytes: int) -> tuple[int, int]:
        """Make room and take it: a locked file of the right length, which counts towards the quota."""
        if n_bytes > self.quota_bytes:
            raise NoRoomError(f"its {n_bytes} bytes are more than the quota of {self.quota_bytes} bytes")
        with self._locked("room"):
            entries = sorted(self._entries(), key=lambda entry: entry[1].st_mtime_ns, reverse=True)
            used = sum(status.st_size for _, status in entries) + self._bytes_unfinished()
            n_evicted = 0
            handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, MODE)
            try:
                _lock(handle, fcntl.LOCK_EX)
                while used + n_bytes > self.quota_bytes or not _take_blocks(handle, n_bytes):
                    if not entries:
                        raise NoRoomError(
                            f"{used} bytes of the fast tier are in use, of a quota of {self.quota_bytes} bytes"
                        )
                    path, status = entries.pop()
                    if _evict(path):
                        used -= status.st_size
                        n_evicted += 1
            except BaseException:
                unfinished.unlink(missing_ok=True)
                os.close(handle)
                raise
            return handle, n_evicted

    def _bytes_unfinished(self) -> int:
        """Bytes of the copies in progress; what dead processes left is removed."""
        return sum(_size(path) for path in _files(self.root / "unfinished") if not _evict(path))

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder in _scan(self.root / "entries"):
            for path in _files(Path(folder.path)):
                try:
                    yield path, path.stat()
                except FileNotFoundError:
                    continue

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        directory = self.root / "locks"
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / name, os.O_RDWR | os.O_CREAT, MODE)
        try:
            _lock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _lock(handle: int, kind: int) -> None:
    until, pause = time.monotonic() + LOCK_PATIENCE_S, 0.001
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise OSError(errno.ETIMEDOUT, f"another process kept its lock for {LOCK_PATIENCE_S:g} s") from None
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        else:
            return


def _evict(path: Path) -> bool:
    """Remove a file unless somebody holds it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _take_blocks(handle: int, n_bytes: int) -> bool:
    """Allocate the blocks now; False where the disk has no more."""
    if not n_bytes or not hasattr(os, "posix_fallocate"):
        return True
    try:
        os.posix_fallocate(handle, 0, n_bytes)
    except OSError as error:
        if error.errno not in FULL:
            raise
        return False
    return True


def _fill(handle: int, source: TierSource) -> None:
    digest = None if source.sha256 is None else hashlib.sha256()
    n_bytes = 0
    for block in source.blocks():
        n_bytes += len(block)
        if digest is not None:
            digest.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(handle, view) :]
    if n_bytes != source.n_bytes or not source.unchanged():
        raise OSError(f"{source.name} changed while it was copied")
    if digest is not None and digest.hexdigest() != source.sha256:
        raise OSError(f"the copy has SHA-256 {digest.hexdigest()[:12]}..., not {str(source.sha256)[:12]}...")


def _is_at(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), status)
    except FileNotFoundError:
        return False


def _files(directory: Path) -> list[Path]:
    return [Path(entry.path) for entry in _scan(directory) if entry.is_file()]


def _scan(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
