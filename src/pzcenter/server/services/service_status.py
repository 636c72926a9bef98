"""How the service is, for those who use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

import pzcenter
from pzcenter.server.services.jobs.stalls import count_stalled
from pzcenter.server.services.notes import HOUSEKEEPING, note_of
from pzcenter.server.services.operation import health_of
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Process, ProcessState

if TYPE_CHECKING:
    from datetime import datetime

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["ServiceStatus", "service_status"]


@dataclass(frozen=True)
class ServiceStatus:
    """How the service is.

    Attributes
    ----------
    ready : bool
        All checks are well.
    checks : dict of str to str
        ``well`` or ``not well``; admins are told what is wrong.
    jobs_waiting, jobs_running, jobs_stalled : int
        Stalled ones run, and have made no progress for a quarter of an hour.
    waiting_since : datetime or None
        Of the job that waits longest.
    last_sweep : datetime or None
        When it was last cleared up.
    version : str
    asked_at : datetime
    """

    ready: bool
    checks: dict[str, str]
    jobs_waiting: int
    jobs_running: int
    jobs_stalled: int
    waiting_since: datetime | None
    last_sweep: datetime | None
    version: str
    asked_at: datetime


def service_status(services: Services, principal: Principal) -> ServiceStatus:
    """Look at the service.

    Parameters
    ----------
    services : Services
    principal : Principal
        Somebody who is signed in.

    Returns
    -------
    ServiceStatus
    """
    principal.need(Scope.READ)
    health = health_of(services)
    checks = {
        name: "well" if not words else (words if principal.administers else "not well")
        for name, words in health.findings.items()
    }
    with services.database.reading() as session:
        waits = Process.state.in_((ProcessState.PENDING, ProcessState.QUEUED))
        n_waiting, since = session.execute(select(func.count(), func.min(Process.created_at)).where(waits)).one()
        running = select(func.count()).where(Process.state.in_((ProcessState.RUNNING, ProcessState.STOPPING)))
        swept = note_of(session, HOUSEKEEPING)
        return ServiceStatus(
            ready=health.ready, checks=checks, jobs_waiting=n_waiting, jobs_running=session.scalar(running) or 0,
            jobs_stalled=count_stalled(session), waiting_since=since,
            last_sweep=None if swept is None else swept.at, version=pzcenter.__version__, asked_at=now(),
        )  # fmt: skip
