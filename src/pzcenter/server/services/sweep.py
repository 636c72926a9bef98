"""Clearing up: contents that nothing refers to, uploads whose time is over, remains of what broke off."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select

from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import NOBODY
from pzcenter.server.services.tables.sources import VIEWS
from pzcenter.server.services.unpacking import FOLDER as UNPACKING
from pzcenter.server.services.uploads import FOLDER as UPLOADS
from pzcenter.server.services.uploads import expire_uploads
from pzcenter.server.storage.products import Blob, FilePart, ProductFile
from pzcenter.server.storage.uploads import Upload, UploadState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services

__all__ = ["KEEP_HOURS", "SweepReport", "sweep"]

KEEP_HOURS = 24.0
"""Nothing younger is removed: an upload or a transaction may be about to use it."""
AT_ONCE = 500


@dataclass
class SweepReport:
    """What was cleared up.

    Attributes
    ----------
    n_contents, n_bytes : int
        Contents that nothing referred to.
    n_uploads : int
        Expired.
    n_remains : int
        Files and directories that broke off, and views that nobody has looked at lately.
    """

    n_contents: int = 0
    n_bytes: int = 0
    n_uploads: int = 0
    n_remains: int = 0


def sweep(services: Services, *, keep_hours: float = KEEP_HOURS) -> SweepReport:
    """Clear up. May run at any time, also while the server serves, and several at once.

    Parameters
    ----------
    services : Services
    keep_hours : float
        Nothing younger is removed.

    Returns
    -------
    SweepReport
    """
    before = time.time() - keep_hours * 3600
    report = SweepReport(n_uploads=expire_uploads(services))
    report.n_remains = _clear_remains(services, before)
    names = services.store.names()
    while some := list(islice(names, AT_ONCE)):
        for sha256 in _forgotten(services, some):
            touched, size = services.store.touched_at(sha256), services.store.size(sha256)
            if touched is not None and touched < before and _drop(services, sha256, before):
                report.n_contents += 1
                report.n_bytes += size or 0
    return report


def _forgotten(services: Services, names: list[str]) -> list[str]:
    """Of these contents those that nothing refers to."""
    with services.database.reading() as session:
        needed = set(session.scalars(select(ProductFile.sha256).where(ProductFile.sha256.in_(names))))
        needed |= set(session.scalars(select(FilePart.sha256).where(FilePart.sha256.in_(names))))
        waiting = select(Upload.sha256).where(Upload.sha256.in_(names), Upload.state == UploadState.RECEIVED)
        needed |= set(session.scalars(waiting))
    return [name for name in names if name not in needed]


def _drop(services: Services, sha256: str, before: float) -> bool:
    """Remove a content, first from the database, which refuses where somebody refers to it after all."""
    with services.database.writing() as session:
        if _is_needed(session, sha256):
            return False
        session.execute(delete(Blob).where(Blob.sha256 == sha256))
        if not services.store.remove_old(sha256, before):
            session.rollback()
            return False
        record(session, NOBODY, "content.sweep", ("content", sha256))
        return True


def _is_needed(session: Session, sha256: str) -> bool:
    waiting = exists().where(Upload.sha256 == sha256, Upload.state == UploadState.RECEIVED)
    files, parts = exists().where(ProductFile.sha256 == sha256), exists().where(FilePart.sha256 == sha256)
    return bool(session.scalar(select(files | parts | waiting)))


def _clear_remains(services: Services, before: float) -> int:
    """Remove what is old in the directories of things under way."""
    data = services.settings.data_dir
    old = [path for name in (VIEWS, UNPACKING, "incoming") for path in _older(data / name, before)]
    incoming = getattr(services.store, "incoming", None)
    if incoming is not None:
        old += _older(incoming, before)
    with services.database.reading() as session:
        old += [
            path
            for path in _older(data / UPLOADS, before)
            if session.scalar(select(Upload.id).where(Upload.uid == path.stem)) is None
        ]
    for path in old:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(old)


def _older(folder: Path, before: float) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        try:
            if path.lstat().st_mtime < before:
                yield path
        except FileNotFoundError:
            continue
