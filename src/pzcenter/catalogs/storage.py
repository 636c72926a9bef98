"""Files that are there whole or not at all.

Everything is written under a temporary name in a directory beside the data and moved into place with one
``os.replace``, which POSIX makes atomic. Readers of a data set therefore never meet half a file, and a killed run
leaves nothing but temporary files, which the next run removes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pzcenter.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["HashingFile", "atomic_file", "atomic_path", "file_sha256", "storage_errors", "write_text_atomically"]

TEMPORARY_DIRECTORY = ".tmp"
REFUSALS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "the operation is not permitted",
    errno.EIO: "the device reported an input/output error",
}
HASH_BLOCK_BYTES = 1 << 22


class HashingFile:
    """A binary file open for writing that knows the SHA-256 and the length of what went through it.

    Parameters
    ----------
    path : Path
        Created, or emptied.
    hashed : bool
        Take the checksum.
    """

    def __init__(self, path: Path, *, hashed: bool = True) -> None:
        self._file = path.open("wb", buffering=0)
        self._sha256 = hashlib.sha256() if hashed else None
        self._n_bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        """Append all of ``data``."""
        view = memoryview(data).cast("B")
        if self._sha256 is not None:
            self._sha256.update(view)
        written = 0
        while written < len(view):
            written += self._file.write(view[written:]) or 0
        self._n_bytes += len(view)
        return len(view)

    def tell(self) -> int:
        """Bytes written so far."""
        return self._n_bytes

    def flush(self) -> None:
        """Nothing to do: there is no buffer."""

    def sync(self) -> None:
        """Make the content survive a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._file.closed

    def seekable(self) -> bool:
        """Say no: it is only appended to."""
        return False

    def readable(self) -> bool:
        """Say no: it is only written to."""
        return False

    def writable(self) -> bool:
        """Whether it is still open."""
        return not self.closed

    @property
    def sha256(self) -> str:
        """Checksum of all that was written, 64 hexadecimal digits; empty where none was taken."""
        return self._sha256.hexdigest() if self._sha256 is not None else ""

    @property
    def n_bytes(self) -> int:
        """Length of all that was written."""
        return self._n_bytes


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what a file system refuses into one clear error.

    Parameters
    ----------
    path : Path
        Named in the message.

    Raises
    ------
    StorageError
        No space, no quota, no permission, or a broken device.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        free = ""
        if error.errno == errno.ENOSPC:
            free = f" ({_free_bytes(path) / 1e6:.0f} MB are free)"
        raise StorageError(error.errno, f"cannot write {path}: {REFUSALS[error.errno]}{free}") from error


def _free_bytes(path: Path) -> int:
    for parent in path.absolute().parents:
        if parent.exists():
            return shutil.disk_usage(parent).free
    return 0


@contextmanager
def atomic_file(
    path: Path, *, temporary: Path | None = None, durable: bool = True, hashed: bool = True
) -> Iterator[HashingFile]:
    """Write a file that appears under its name only when the block ends without an error.

    Parameters
    ----------
    path : Path
        Final name; its directory is made where it is missing.
    temporary : Path, optional
        Directory for the unfinished file, on the same file system; ``.tmp`` beside ``path`` by default.
    durable : bool
        Wait until the content is on the device.
    hashed : bool
        Take the checksum.

    Yields
    ------
    HashingFile

    Raises
    ------
    StorageError
        The file system refused; nothing is left behind.
    """
    keep_directory = temporary is not None
    directory = temporary or path.parent / TEMPORARY_DIRECTORY
    unfinished = directory / f"{os.getpid()}-{path.name}"
    with storage_errors(path):
        directory.mkdir(parents=True, exist_ok=True)
        try:
            sink = HashingFile(unfinished, hashed=hashed)
            try:
                yield sink
                if durable:
                    sink.sync()
            finally:
                sink.close()
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        finally:
            if not keep_directory:
                remove_if_empty(directory)
        if durable:
            _sync_directory(path.parent)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path to a library that opens files itself; what it made appears under its name at the end.

    Parameters
    ----------
    path : Path
        Final name.

    Yields
    ------
    Path
        On the same file system; nothing is there yet.

    Raises
    ------
    StorageError
        The file system refused; nothing is left behind.
    """
    directory = path.parent / TEMPORARY_DIRECTORY
    unfinished = directory / f"{os.getpid()}-{path.name}"
    with storage_errors(path):
        directory.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
            remove_if_empty(directory)


def remove_if_empty(directory: Path) -> None:
    """Remove a directory unless something is in it."""
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
            raise


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text_atomically(path: Path, text: str) -> HashingFile:
    """Write a small text file, whole or not at all.

    Parameters
    ----------
    path : Path
    text : str

    Returns
    -------
    HashingFile
        Closed; it knows the checksum and the length.
    """
    with atomic_file(path) as sink:
        sink.write(text.encode())
    return sink


def file_sha256(path: Path) -> str:
    """Checksum of a file, read in blocks.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
