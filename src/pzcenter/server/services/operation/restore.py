"""A server made again from a backup."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ChecksumError, NotFoundError, OutputExistsError
from pzcenter.server.privacy import close_to_others
from pzcenter.server.services.operation.backup import BACKUP_NAME, _sha256
from pzcenter.server.services.operation.dump import load_table, reset_numbers, tables_in_order
from pzcenter.server.storage.migrate import current_revision, upgrade
from pzcenter.server.storage.store import FolderStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pzcenter.server.services.context import Services

__all__ = ["restore", "restore_files"]


def restore_files(source: Path, data_dir: Path) -> None:
    """Put settings and keys of a backup into the directory of a new server, without those that are there.

    Parameters
    ----------
    source : Path
        A backup.
    data_dir : Path
    """
    _facts(source)
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    close_to_others(data_dir)
    for path in sorted((source / "files").iterdir()):
        target = data_dir / path.name
        if target.exists():
            continue
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True)
        else:
            shutil.copy2(path, target)
        close_to_others(target)


def restore(services: Services, source: Path, *, progress: Callable[[int, int], None] | None = None) -> dict[str, int]:
    """Fill an empty database and store from a backup.

    The database may be of another kind than the one of the backup. All rows come in one transaction.

    Parameters
    ----------
    services : Services
    source : Path
    progress : callable, optional
        Called with contents done and all.

    Returns
    -------
    dict of str to int
        Rows of each table.

    Raises
    ------
    NotFoundError
        No complete backup.
    OutputExistsError
        The database is not empty.
    ChecksumError
        The backup is damaged.
    """
    facts = _facts(source)
    for name, sha256 in facts["tables"].items():
        if _sha256(source / "tables" / name) != sha256:
            raise ChecksumError(f"{source / 'tables' / name} is not what the backup recorded")
    if current_revision(services.database) is not None:
        raise OutputExistsError("the database has tables already; a backup goes into an empty one")
    tell = progress or (lambda _done, _all: None)
    contents = FolderStore(source / "contents")
    names = list(contents.names())
    for place, sha256 in enumerate(names):
        tell(place, len(names))
        if services.store.size(sha256) is None and services.store.put(contents.read(sha256)).sha256 != sha256:
            raise ChecksumError(f"content {sha256} of the backup is damaged")
    tell(len(names), len(names))
    upgrade(services.database, facts["revision"])
    with services.database.engine.connect() as connection:
        connection.execution_options(sqlite_writes=True)
        with connection.begin():
            rows = {
                table.name: load_table(connection, table, source / "tables" / f"{table.name}.jsonl.gz")
                for table in tables_in_order()
                if f"{table.name}.jsonl.gz" in facts["tables"]
            }
            reset_numbers(connection)
    upgrade(services.database)
    return rows


def _facts(source: Path) -> dict[str, Any]:
    path = source / BACKUP_NAME
    if not path.is_file():
        raise NotFoundError(f"{source} is no complete backup: {BACKUP_NAME} is missing")
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts
