"""Whether a server can do its work now."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import PZCenterError
from pzcenter.server.storage.base import now
from pzcenter.server.storage.migrate import current_revision, head_revision
from pzcenter.server.storage.processes import Process, ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable

    from pzcenter.server.services.context import Services

__all__ = ["Health", "health_of"]

LEAST_FREE_BYTES = 2**30
STALL = timedelta(minutes=15)
PROBE = b"pz"


@dataclass(frozen=True)
class Health:
    """Findings by name; an empty text means that all is well.

    Attributes
    ----------
    findings : dict of str to str
    """

    findings: dict[str, str]

    @property
    def ready(self) -> bool:
        """All is well."""
        return not any(self.findings.values())


def health_of(services: Services) -> Health:
    """Try the database, the store, the disk; look for jobs that stand still.

    Parameters
    ----------
    services : Services

    Returns
    -------
    Health
    """
    checks: dict[str, Callable[[Services], str]] = {
        "database": _database, "tables": _tables, "store": _store, "disk": _disk, "jobs": _jobs,
    }  # fmt: skip
    findings = {}
    for name, check in checks.items():
        try:
            findings[name] = check(services)
        except (PZCenterError, OSError) as error:
            findings[name] = str(error)
    return Health(findings)


def _database(services: Services) -> str:
    services.database.check()
    return ""


def _tables(services: Services) -> str:
    there, wanted = current_revision(services.database), head_revision()
    return "" if there == wanted else f"at step {there}, expected {wanted}"


def _store(services: Services) -> str:
    content = services.store.put([PROBE])
    return "" if services.store.size(content.sha256) == len(PROBE) else "a content that was put is not there"


def _disk(services: Services) -> str:
    free = shutil.disk_usage(services.settings.data_dir).free
    return "" if free >= LEAST_FREE_BYTES else f"{free:,} bytes are free, less than {LEAST_FREE_BYTES:,}"


def _jobs(services: Services) -> str:
    with services.database.reading() as session:
        stalled = select(func.count()).where(
            Process.state == ProcessState.RUNNING, Process.heartbeat_at < now() - STALL
        )
        waiting = select(func.count()).where(
            Process.state.in_((ProcessState.PENDING, ProcessState.QUEUED)), Process.created_at < now() - STALL
        )
        running = session.scalar(select(func.count()).where(Process.state == ProcessState.RUNNING)) or 0
        n_stalled, n_waiting = session.scalar(stalled) or 0, session.scalar(waiting) or 0
    if n_stalled:
        return f"{n_stalled} jobs have said nothing for 15 minutes"
    return (
        f"{n_waiting} jobs wait for 15 minutes and none runs: is there a worker?" if n_waiting and not running else ""
    )
