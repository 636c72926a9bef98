"""Whether every byte in the store is still what it was, and mending what is not from a copy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from pzcenter.errors import NotFoundError, StorageError
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import NOBODY
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Blob, FilePart, ProductFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from pzcenter.server.services.context import Services
    from pzcenter.server.storage.store import Store

__all__ = ["FixityReport", "verify_store"]


@dataclass
class FixityReport:
    """What a check of the store found.

    Attributes
    ----------
    n_checked, n_bytes : int
    damaged : dict of str to list of int
        Contents that are not what they were, or gone, with the products that hold them.
    repaired : list of str
        Those of them that were put right from the copy.
    """

    n_checked: int = 0
    n_bytes: int = 0
    damaged: dict[str, list[int]] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Nothing is damaged that could not be put right."""
        return len(self.repaired) == len(self.damaged)


def verify_store(
    services: Services,
    *,
    copy: Store | None = None,
    older_than: timedelta | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FixityReport:
    """Read every content and compare its checksum.

    Parameters
    ----------
    services : Services
    copy : Store, optional
        Where damaged contents may be had again, such as those of a backup.
    older_than : timedelta, optional
        Only contents that were last checked longer ago; a scrub can so go on where it stopped.
    progress : callable, optional
        Called with contents done and all.

    Returns
    -------
    FixityReport
    """
    wanted = select(Blob.sha256, Blob.size).order_by(Blob.checked_at.asc(), Blob.sha256)
    if older_than is not None:
        wanted = wanted.where((Blob.checked_at.is_(None)) | (Blob.checked_at < now() - older_than))
    with services.database.reading() as session:
        blobs = [(row.sha256, row.size) for row in session.execute(wanted)]
    report = FixityReport()
    tell = progress or (lambda _done, _all: None)
    for place, (sha256, size) in enumerate(blobs):
        tell(place, len(blobs))
        good = _is_whole(services.store, sha256)
        report.n_checked += 1
        report.n_bytes += size
        if not good:
            report.damaged[sha256] = _products_with(services, sha256)
            if copy is not None and _repair(services.store, copy, sha256):
                report.repaired.append(sha256)
                good = True
        _note(services, sha256, damaged=not good, found=sha256 in report.damaged)
    tell(len(blobs), len(blobs))
    return report


def _is_whole(store: Store, sha256: str) -> bool:
    digest = hashlib.sha256()
    try:
        for piece in store.read(sha256):
            digest.update(piece)
    except (NotFoundError, StorageError, OSError):
        return False
    return digest.hexdigest() == sha256


def _repair(store: Store, copy: Store, sha256: str) -> bool:
    if not _is_whole(copy, sha256):
        return False
    store.remove(sha256)
    return store.put(copy.read(sha256)).sha256 == sha256


def _products_with(services: Services, sha256: str) -> list[int]:
    files = select(ProductFile.product_id).where(ProductFile.sha256 == sha256)
    parts = select(ProductFile.product_id).join(FilePart).where(FilePart.sha256 == sha256)
    with services.database.reading() as session:
        return sorted(set(session.scalars(files)) | set(session.scalars(parts)))


def _note(services: Services, sha256: str, *, damaged: bool, found: bool) -> None:
    with services.database.writing() as session:
        session.execute(update(Blob).where(Blob.sha256 == sha256).values(checked_at=now(), damaged=damaged))
        if found:
            record(session, NOBODY, "content.damaged" if damaged else "content.repaired", ("content", sha256))
