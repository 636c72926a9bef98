"""Directories of files, here or in an object store, through one small set of functions.

An object store is reached by Arrow's own S3 client: ``s3://bucket/prefix``. Keys come from the environment
(``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``) or the files of the AWS tools; ``S3_ENDPOINT_URL``, as Rubin's
middleware has it, or ``AWS_ENDPOINT_URL`` name a server other than Amazon's.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from pzcenter.errors import ConfigError, NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FoundFile", "Place", "place_of"]

BLOCK_BYTES = 1 << 22
ENDPOINTS = ("S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class FoundFile:
    """A file of a place.

    Parameters
    ----------
    path : str
        Below the place, with ``/``.
    n_bytes : int
    mtime_ns : int
        0 where it is not known.
    """

    path: str
    n_bytes: int
    mtime_ns: int


class Place:
    """A directory, or a prefix of a bucket.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    root : str
        Path in it.
    uri : str
        For messages.
    """

    def __init__(self, system: pafs.FileSystem, root: str, uri: str) -> None:
        self._system = system
        self._root = root.rstrip("/")
        self.uri = uri

    @property
    def local(self) -> Path | None:
        """Path of the directory, where it is one of this machine."""
        return Path(self._root or "/") if isinstance(self._system, pafs.LocalFileSystem) else None

    def files(self) -> list[FoundFile]:
        """All files below the place, sorted by path; hidden files and directories (``.name``) are left out.

        Raises
        ------
        NotFoundError
            There is no such place, or nothing in it.
        StorageError
            The store does not answer.
        """
        selector = pafs.FileSelector(self._root, recursive=True, allow_not_found=True)
        infos = self._call(self._system.get_file_info, selector)
        start = len(self._root) + 1
        found = [_found(info, info.path[start:]) for info in infos if info.type == pafs.FileType.File]
        shown = [file for file in found if not any(part.startswith(".") for part in file.path.split("/"))]
        if not shown:
            raise NotFoundError(f"there are no files in {self.uri}")
        return sorted(shown, key=lambda file: file.path)

    def stat(self, path: str) -> FoundFile:
        """Describe one file.

        Raises
        ------
        NotFoundError
            There is none.
        StorageError
            The store does not answer.
        """
        info = self._call(self._system.get_file_info, self._at(path))
        if info.type != pafs.FileType.File:
            raise NotFoundError(f"there is no file {path} in {self.uri}")
        return _found(info, path)

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return bool(self._call(self._system.get_file_info, self._at(path)).type == pafs.FileType.File)

    def blocks(self, path: str, start: int = 0) -> Iterator[bytes]:
        """Content of a file from a byte on, in pieces of a few MB."""
        with self._call(self._system.open_input_file, self._at(path)) as file:
            self._call(file.seek, start)
            while block := self._call(file.read, BLOCK_BYTES):
                yield block

    def read(self, path: str) -> bytes:
        """Whole content of a small file."""
        return b"".join(self.blocks(path))

    def sha256(self, path: str) -> str:
        """Checksum of what is read back from the place, 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for block in self.blocks(path):
            digest.update(block)
        return digest.hexdigest()

    def write(self, path: str, blocks: Iterator[bytes]) -> None:
        """Write a file of an object store, which appears when it is whole."""
        with self._call(self._system.open_output_stream, self._at(path)) as file:
            for block in blocks:
                self._call(file.write, block)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _call(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (FileNotFoundError, StorageError):
            raise
        except (OSError, pa.ArrowException) as error:
            number = error.errno if isinstance(error, OSError) else None
            raise StorageError(number or 5, f"{self.uri}: {error}") from error


def place_of(uri: str | os.PathLike[str]) -> Place:
    """Open a place.

    Parameters
    ----------
    uri : path or str
        Local directory, ``file://`` or ``s3://`` URI.

    Returns
    -------
    Place

    Raises
    ------
    ConfigError
        Another kind of URI.
    """
    text = os.fspath(uri)
    parts = urlsplit(text)
    if parts.scheme in ("", "file"):
        path = unquote(parts.path) if parts.scheme else text
        return Place(pafs.LocalFileSystem(), str(Path(path).absolute()), text)
    if parts.scheme != "s3":
        raise ConfigError(f"{text!r}: places of kind {parts.scheme!r} are not known; accepted are paths and s3:// URIs")
    return Place(_s3(), f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/"), text)


def _s3() -> pafs.FileSystem:
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    options: dict[str, Any] = {}
    if endpoint:
        parts = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
        options |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        options["region"] = region
    elif endpoint:
        options["region"] = "us-east-1"
    return pafs.S3FileSystem(**options)


def _found(info: pafs.FileInfo, path: str) -> FoundFile:
    return FoundFile(path, int(info.size), int(info.mtime_ns or 0))
