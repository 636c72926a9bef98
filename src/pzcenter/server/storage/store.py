"""The store of file contents: each under its SHA-256, written once, never changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from pzcenter.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["CHUNK", "FolderStore", "Store", "StoredContent", "checksums_of"]

CHUNK = 2**20
"""Bytes that are read at once."""


@dataclass(frozen=True)
class StoredContent:
    """A content in the store.

    Attributes
    ----------
    sha256 : str
        In hexadecimal digits; also its name.
    size : int
        Bytes.
    crc32 : int
    """

    sha256: str
    size: int
    crc32: int


class Store(Protocol):
    """What a store of contents can do. Implementations: a folder, a bucket of an object store."""

    def put(self, chunks: Iterable[bytes]) -> StoredContent:
        """Keep a content; on return it is safe on disk, and an equal one is kept once."""

    def put_file(self, path: Path) -> StoredContent:
        """Keep the content of a file and take the file away, without a copy where that is possible."""

    def read(self, sha256: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Bytes from ``start`` up to ``stop``, in pieces."""

    def size(self, sha256: str) -> int | None:
        """Bytes of a content; None when it is not there."""

    def local_path(self, sha256: str) -> Path | None:
        """File with this content on this machine, where there is one; never to be changed."""

    def remove(self, sha256: str) -> None:
        """Drop a content; nothing happens when it is not there."""

    def names(self) -> Iterator[str]:
        """All contents."""

    def touched_at(self, sha256: str) -> float | None:
        """When a content was last put here, seconds since 1970; None when it is not there."""

    def remove_old(self, sha256: str, before: float) -> bool:
        """Drop a content unless somebody has put it again since a time; whether it is gone."""


def checksums_of(path: Path) -> StoredContent:
    """Checksums and size of a file, read in pieces."""
    digest, crc, size = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            crc = zlib.crc32(piece, crc)
            size += len(piece)
    return StoredContent(digest.hexdigest(), size, crc)


class FolderStore:
    """A store in a folder: ``ab/cd/abcd…``.

    Parameters
    ----------
    root : Path
        Made when it is not there. Unfinished contents lie in ``root/incoming`` on the same file system.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)

    def put(self, chunks: Iterable[bytes]) -> StoredContent:
        """Keep a content (see :class:`Store`)."""
        part = self.incoming / uuid4().hex
        digest, crc, size = hashlib.sha256(), 0, 0
        try:
            with part.open("xb") as file:
                for piece in chunks:
                    file.write(piece)
                    digest.update(piece)
                    crc = zlib.crc32(piece, crc)
                    size += len(piece)
                file.flush()
                os.fsync(file.fileno())
            content = StoredContent(digest.hexdigest(), size, crc)
            self._move_in(part, content)
        except OSError as error:
            raise StorageError(f"the store in {self.root} did not take a file: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return content

    def put_file(self, path: Path) -> StoredContent:
        """Keep the content of a file and take the file away (see :class:`Store`)."""
        if path.stat().st_dev != self.root.stat().st_dev:
            with path.open("rb") as file:
                content = self.put(iter(lambda: file.read(CHUNK), b""))
            path.unlink()
            return content
        content = checksums_of(path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        try:
            self._move_in(path, content)
        except OSError as error:
            raise StorageError(f"the store in {self.root} did not take {path.name}: {error.strerror}") from error
        path.unlink(missing_ok=True)
        return content

    def read(self, sha256: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Bytes of a content (see :class:`Store`)."""
        path = self._path(sha256)
        if not path.is_file():
            raise NotFoundError(f"content {sha256} is not in the store")
        return _pieces(path, start, stop)

    def size(self, sha256: str) -> int | None:
        """Bytes of a content (see :class:`Store`)."""
        path = self._path(sha256)
        return path.stat().st_size if path.is_file() else None

    def local_path(self, sha256: str) -> Path | None:
        """File with a content (see :class:`Store`)."""
        path = self._path(sha256)
        return path if path.is_file() else None

    def remove(self, sha256: str) -> None:
        """Drop a content (see :class:`Store`)."""
        self._path(sha256).unlink(missing_ok=True)

    def touched_at(self, sha256: str) -> float | None:
        """When a content was last put here (see :class:`Store`)."""
        try:
            return self._path(sha256).stat().st_mtime
        except FileNotFoundError:
            return None

    def remove_old(self, sha256: str, before: float) -> bool:
        """Drop a content unless somebody has put it again (see :class:`Store`).

        It is moved aside first: who puts it from then on makes it anew, and who did before has left a newer time.
        """
        path, aside = self._path(sha256), self.incoming / f"{uuid4().hex}.removed"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return True
        if aside.stat().st_mtime >= before:
            aside.rename(path)
            return False
        aside.unlink()
        return True

    def names(self) -> Iterator[str]:
        """All contents (see :class:`Store`)."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")):
            yield path.name

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise NotFoundError(f"{sha256!r} is no SHA-256 in hexadecimal digits")
        return self.root / sha256[:2] / sha256[2:4] / sha256

    def _move_in(self, part: Path, content: StoredContent) -> None:
        path = self._path(content.sha256)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size == content.size:
                # The time says that somebody needs it; it fails when the content is being removed right now.
                os.utime(path)
                return
        path.parent.mkdir(parents=True, exist_ok=True)
        part.chmod(0o400)
        os.utime(part)
        part.replace(path)
        for folder in (path.parent, path.parent.parent):
            _sync(folder)


def _pieces(path: Path, start: int, stop: int | None) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = (path.stat().st_size if stop is None else stop) - start
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def _sync(folder: Path) -> None:
    """Have the names in a folder safe on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
