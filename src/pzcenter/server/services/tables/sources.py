"""Files of products on this machine's disk: a link to the store, or a copy where the store is elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pzcenter.errors import ConflictError, NotFoundError
from pzcenter.server.services.addresses import LocalAddress, address_of
from pzcenter.server.services.product_files import plain_name

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.storage.products import ProductFile

__all__ = ["VIEWS", "SourceFile", "local_view"]

MAX_FETCHED = 1 << 30
"""Bytes of data elsewhere that are brought here for a look."""
VIEWS = "views"
"""Directory below the data directory; its parts can be made again and are swept when they are old."""


@dataclass(frozen=True)
class SourceFile:
    """A file of a product, as far as reading it needs.

    Attributes
    ----------
    id, product_id : int
    name : str
    size : int
    sha256 : str or None
        None for directories and references.
    parts : tuple of (str, str)
        Path and SHA-256 of each file of a directory.
    reference : str or None
    dialect : dict or None
        Delimiter and header of a text table, where they are known.
    """

    id: int
    product_id: int
    name: str
    size: int
    sha256: str | None
    parts: tuple[tuple[str, str], ...] = ()
    reference: str | None = None
    dialect: dict[str, Any] | None = None

    @classmethod
    def of(cls, file: ProductFile) -> SourceFile:
        """Of a row."""
        parts = tuple((part.path, part.sha256) for part in file.parts) if file.is_directory else ()
        return cls(file.id, file.product_id, file.name, file.size, file.sha256, parts, file.reference, file.csv_dialect)

    @property
    def signature(self) -> str:
        """Name of the content: the SHA-256 of a file, or of the list of a directory."""
        if self.sha256 is not None:
            return self.sha256
        told = "\n".join(f"{path} {sha256}" for path, sha256 in sorted(self.parts))
        return hashlib.sha256(told.encode()).hexdigest()


def local_view(services: Services, source: SourceFile) -> Path:
    """Path of a file or directory under its own name on this machine; never to be changed.

    Parameters
    ----------
    services : Services
    source : SourceFile

    Returns
    -------
    Path

    Raises
    ------
    ConflictError
        The data are elsewhere, and too large to be brought here for a look.
    PermissionDeniedError
        The data are no longer where the admin allows.
    NotFoundError, StorageError
        The store does not have them.
    """
    if source.reference is not None:
        return _referred(services, source, source.reference)
    folder = services.settings.data_dir / VIEWS / source.signature
    target = folder / plain_name(source.name)
    if target.exists():
        with contextlib.suppress(OSError):
            os.utime(folder)
        return target
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{uuid4().hex}"
    try:
        if source.sha256 is not None:
            _bring(services, source.sha256, unfinished)
        else:
            for path, sha256 in source.parts:
                _bring(services, sha256, unfinished / path)
        _put(unfinished, target)
    finally:
        if unfinished.is_dir() and not unfinished.is_symlink():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)
    return target


def _referred(services: Services, source: SourceFile, text: str) -> Path:
    """Data of this machine as they are; others as a copy for a while."""
    address = address_of(services.settings, text)
    if isinstance(address, LocalAddress):
        return address.path
    fixity = address.look()
    size = fixity.get("size")
    if size is None or size > MAX_FETCHED:
        raise ConflictError(f"the data of {source.name} stay where they are; {size} bytes are too many for a look")
    key = hashlib.sha256(json.dumps([text, fixity], sort_keys=True).encode()).hexdigest()
    target = services.settings.data_dir / VIEWS / key / plain_name(source.name)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.parent / f".{uuid4().hex}"
    n_bytes = 0
    try:
        with unfinished.open("xb") as sink:
            for piece in address.read():
                n_bytes += len(piece)
                if n_bytes > size:
                    raise ConflictError(f"{source.name} changes while it is read: more than {size} bytes")
                sink.write(piece)
        _put(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def _bring(services: Services, sha256: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    local = services.store.local_path(sha256)
    if local is not None:
        target.symlink_to(local.absolute())
        return
    if services.store.size(sha256) is None:
        raise NotFoundError(f"content {sha256} is not in the store")
    with target.open("wb") as sink:
        for piece in services.store.read(sha256):
            sink.write(piece)


def _put(unfinished: Path, target: Path) -> None:
    """Give a view its name; another request may have been faster."""
    if target.is_symlink() and not target.exists():
        target.unlink(missing_ok=True)
    with contextlib.suppress(FileExistsError, OSError):
        unfinished.rename(target)
    if not target.exists():
        raise NotFoundError(f"the view of {target.name} could not be made")
