"""Backups: one directory with everything, from which a server can be made again, on another machine or database."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

import pzcenter
from pzcenter.errors import NotFoundError, OutputExistsError
from pzcenter.server.privacy import close_to_others
from pzcenter.server.services.operation.dump import dump_table, tables_in_order
from pzcenter.server.storage.migrate import current_revision
from pzcenter.server.storage.products import Blob
from pzcenter.server.storage.store import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pzcenter.server.services.context import Services

__all__ = ["BACKUP_NAME", "BackupReport", "back_up"]

BACKUP_NAME = "backup.json"
"""Written last: a directory without it is no backup."""


@dataclass(frozen=True)
class BackupReport:
    """What a backup holds.

    Attributes
    ----------
    n_rows : dict of str to int
        By table.
    n_contents, n_new, n_bytes : int
        Contents in all, those copied this time, and the bytes of these.
    damaged : tuple of str
        Contents whose bytes are no longer what they were; not copied.
    """

    n_rows: dict[str, int]
    n_contents: int
    n_new: int
    n_bytes: int
    damaged: tuple[str, ...]


def back_up(services: Services, target: Path, *, progress: Callable[[int, int], None] | None = None) -> BackupReport:
    """Copy everything that a server keeps; it may go on working meanwhile.

    The tables are read in one transaction, and contents are never changed, so that both fit. Contents that an earlier
    backup in the same directory has are not copied again.

    Parameters
    ----------
    services : Services
    target : Path
        New, empty, or an earlier backup of this server.
    progress : callable, optional
        Called with contents done and all.

    Returns
    -------
    BackupReport

    Raises
    ------
    OutputExistsError
        The directory holds something else.
    """
    if target.exists() and any(target.iterdir()) and not (target / "tables").is_dir():
        raise OutputExistsError(f"{target} holds something that is no backup")
    (target / "tables").mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    (target / BACKUP_NAME).unlink(missing_ok=True)
    n_rows: dict[str, int] = {}
    with services.database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
        with connection.begin():
            for table in tables_in_order():
                part = target / "tables" / f".{table.name}.part"
                n_rows[table.name] = dump_table(connection, table, part)
                part.replace(target / "tables" / f"{table.name}.jsonl.gz")
            names = [(row.sha256, row.size) for row in connection.execute(select(Blob.sha256, Blob.size))]
    copied = _copy_contents(services, target, names, progress or (lambda _done, _all: None))
    report = BackupReport(n_rows, len(names), *copied)
    _copy_files(services, target)
    facts = {
        "written": datetime.now(UTC).isoformat(), "pzcenter": pzcenter.__version__,
        "revision": current_revision(services.database), "n_rows": n_rows, "n_contents": len(names),
        "tables": {path.name: _sha256(path) for path in sorted((target / "tables").glob("*.gz"))},
        "damaged": list(report.damaged),
    }  # fmt: skip
    _write(target / BACKUP_NAME, facts)
    return report


def _copy_contents(
    services: Services, target: Path, names: list[tuple[str, int]], progress: Callable[[int, int], None]
) -> tuple[int, int, tuple[str, ...]]:
    copy = FolderStore(target / "contents")
    n_new = n_bytes = 0
    damaged: list[str] = []
    for place, (sha256, size) in enumerate(sorted(names)):
        progress(place, len(names))
        if copy.size(sha256) == size:
            continue
        try:
            made = copy.put(services.store.read(sha256))
        except NotFoundError:
            damaged.append(sha256)
            continue
        if made.sha256 != sha256:
            copy.remove(made.sha256)
            damaged.append(sha256)
            continue
        n_new += 1
        n_bytes += made.size
    progress(len(names), len(names))
    return n_new, n_bytes, tuple(damaged)


def _copy_files(services: Services, target: Path) -> None:
    """Settings, keys and challenges: what lies beside the tables and contents."""
    place = target / "files"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    for path in sorted(services.settings.data_dir.iterdir()):
        if path.name in {"store", "uploads", "jobs"} or path.name.startswith(("server.sqlite3", "queue.sqlite3")):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, place / path.name, symlinks=True)
        elif path.is_file():
            shutil.copy2(path, place / path.name)
    # Copies have the rights of what they were made from.
    close_to_others(place)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, facts: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
