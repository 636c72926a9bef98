"""What the fast tier copies: a file of a slow disk or of an object store, with a key that changes when it changes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TierSource", "local_path", "local_source", "remote_source"]

BLOCK_BYTES = 1 << 22
MAX_NAME = 100


@dataclass(frozen=True)
class TierSource:
    """A file to be cached.

    Parameters
    ----------
    name : str
        For messages.
    key : str
        Of its entry.
    n_bytes : int
    blocks : callable
        Gives the content, in order.
    unchanged : callable
        Whether the file still is what it was when it was described.
    sha256 : str, optional
        What the content must have, where the caller knows it.
    """

    name: str
    key: str
    n_bytes: int
    blocks: Callable[[], Iterator[bytes]]
    unchanged: Callable[[], bool]
    sha256: str | None = None


def local_path(source: str | os.PathLike[str]) -> Path:
    """Path of a local file, also from a ``file://`` URI."""
    text = os.fspath(source)
    return Path(unquote(urlsplit(text).path)) if text.startswith("file:") else Path(text)


def local_source(path: Path, sha256: str | None = None) -> TierSource:
    """Describe a file that the file system shows.

    Raises
    ------
    OSError
        It cannot be looked at.
    """
    status = path.stat()

    def blocks() -> Iterator[bytes]:
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def unchanged() -> bool:
        now = path.stat()
        return (now.st_size, now.st_mtime_ns) == (status.st_size, status.st_mtime_ns)

    stamp = sha256 or f"{path.resolve()}\0{status.st_mtime_ns}"
    return TierSource(str(path), _key(stamp, status.st_size, path.name), status.st_size, blocks, unchanged, sha256)


def remote_source(uri: str) -> TierSource:
    """Describe a file of an object store.

    Raises
    ------
    OSError
        The store does not answer, or has no such file.
    """
    from pzcenter.pipelines.delivery.places import place_of

    folder, _, name = uri.rpartition("/")
    place = place_of(folder)
    found = place.stat(name)
    stamp = f"{uri}\0{found.mtime_ns}"
    return TierSource(
        uri, _key(stamp, found.n_bytes, name), found.n_bytes, lambda: place.blocks(name), lambda: True
    )  # fmt: skip


def _key(stamp: str, n_bytes: int, name: str) -> str:
    digest = hashlib.sha256(f"{stamp}\0{n_bytes}".encode()).hexdigest()
    return f"{digest[:40]}-{name[-MAX_NAME:]}"
