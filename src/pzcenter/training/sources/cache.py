"""What was fetched, kept by its checksum, so that it can be read again without the network.

A kept file lies in ``{cache}/{sha256[:2]}/{sha256}/``. For each request there is one JSON file in ``{cache}/index/``:
the request and all its versions, oldest first. A changed answer is a new version beside the old one.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.catalogs.storage import file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import ChecksumError, FileFormatError, NotFoundError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.training.sources.request import SourceRequest

__all__ = ["CACHE_VARIABLE", "SourceCache", "Version", "default_cache_dir"]

CACHE_VARIABLE = "PZ_CACHE"


def default_cache_dir() -> Path:
    """Directory of the kept sources.

    Returns
    -------
    Path
        ``$PZ_CACHE/sources``, or ``pzcenter/sources`` below ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if base := os.environ.get(CACHE_VARIABLE):
        return Path(base).expanduser() / "sources"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pzcenter" / "sources"


@dataclass(frozen=True)
class Version:
    """One kept answer to a request.

    Parameters
    ----------
    sha256 : str
        Of the kept file.
    file : str
        Its name; an absolute path for a file that stays where the user has it.
    retrieved : str
        Time (UTC, ISO 8601).
    url : str
        Where it came from.
    n_bytes : int
    n_rows : int or None
        None where the format does not say.
    etag : str
        What the service calls this version.
    notes : list of str
    """

    sha256: str
    file: str
    retrieved: str
    url: str
    n_bytes: int
    n_rows: int | None = None
    etag: str = ""
    notes: list[str] = field(default_factory=list)


class SourceCache:
    """The kept answers below one directory.

    Parameters
    ----------
    directory : path, optional
        :func:`default_cache_dir` by default.
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        self.directory = Path(directory).expanduser() if directory is not None else default_cache_dir()

    def versions(self, request: SourceRequest) -> list[Version]:
        """All kept versions of a request, oldest first; empty when it was never fetched.

        Raises
        ------
        FileFormatError
            The index entry is damaged.
        """
        path = self._index(request)
        if not path.exists():
            return []
        try:
            return [Version(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["versions"]]
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"the index entry {path} is damaged ({error}); remove it and fetch again") from error

    def path_of(self, version: Version, *, verify: bool = True) -> Path:
        """File of a version.

        Parameters
        ----------
        version : Version
        verify : bool
            Compare the checksum.

        Raises
        ------
        NotFoundError
            It is gone.
        ChecksumError
            It was changed.
        """
        path = Path(version.file)
        path = path if path.is_absolute() else self._place(version.sha256) / path.name
        if not path.is_file():
            raise NotFoundError(f"the kept file {path} is gone; fetch again with refresh=True")
        if verify and (path.stat().st_size != version.n_bytes or file_sha256(path) != version.sha256):
            raise ChecksumError(f"{path} is not what was fetched on {version.retrieved}; fetch again with refresh=True")
        return path

    def keep(self, path: Path, sha256: str) -> Path:
        """Move a file to its place; nothing happens when the same content is there already."""
        target = self._place(sha256) / path.name
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            for there in sorted(target.parent.iterdir()):
                if file_sha256(there) == sha256:
                    path.unlink()
                    return there
                there.unlink()  # damaged since it was kept
            path.replace(target)
        return target

    def record(self, request: SourceRequest, versions: list[Version]) -> None:
        """Write the index entry, whole or not at all."""
        entry: dict[str, Any] = {"request": request.as_dict(), "versions": [asdict(version) for version in versions]}
        write_text_atomically(self._index(request), json.dumps(entry, indent=1, sort_keys=True) + "\n")

    @contextmanager
    def working_directory(self, request: SourceRequest) -> Iterator[Path]:
        """Directory for unfinished files of a request, used by one process at a time.

        Yields
        ------
        Path
            Kept when the fetch fails, so that it can be resumed; removed when it is done.

        Raises
        ------
        TransientError
            Another process is fetching the same.
        """
        directory = self.directory / "unfinished" / request.key
        with storage_errors(directory):
            directory.mkdir(parents=True, exist_ok=True)
        lock = (directory.parent / f"{request.key}.lock").open("w")
        try:
            _lock(lock, request)
            yield directory
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            lock.close()

    def _place(self, sha256: str) -> Path:
        return self.directory / sha256[:2] / sha256

    def _index(self, request: SourceRequest) -> Path:
        return self.directory / "index" / f"{request.key}.json"


def _lock(file: Any, request: SourceRequest) -> None:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise TransientError(f"another process is fetching the same from {request.connector!r}; wait for it") from error
