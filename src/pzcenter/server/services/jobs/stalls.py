"""Jobs that stand still: alive, but without progress for a quarter of an hour."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import NOBODY
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Process, ProcessState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services

__all__ = ["STALL", "count_stalled", "mark_stalled", "stalled_jobs"]

log = logging.getLogger(__name__)

STALL = timedelta(minutes=15)
"""So long may a job say nothing new."""


def _stands_still(at: datetime) -> ColumnElement[bool]:
    last = func.coalesce(Process.progress_at, Process.started_at)
    return Process.state.in_((ProcessState.RUNNING, ProcessState.STOPPING)) & (last < at - STALL)


def count_stalled(session: Session, *, at: datetime | None = None) -> int:
    """How many jobs stand still.

    Parameters
    ----------
    session : Session
    at : datetime, optional
        Now.

    Returns
    -------
    int
    """
    return session.scalar(select(func.count()).select_from(Process).where(_stands_still(at or now()))) or 0


def stalled_jobs(session: Session, *, at: datetime | None = None) -> Sequence[Process]:
    """Jobs that stand still, the longest first."""
    last = func.coalesce(Process.progress_at, Process.started_at)
    return session.scalars(select(Process).where(_stands_still(at or now())).order_by(last)).all()


def mark_stalled(services: Services, *, at: datetime | None = None) -> list[int]:
    """Mark jobs that stand still, with a warning in the log and a line in the audit log; the first step takes it back.

    Parameters
    ----------
    services : Services
    at : datetime, optional
        Now.

    Returns
    -------
    list of int
        Numbers of those that were not marked before.
    """
    moment = at or now()
    with services.database.reading() as session:
        if not any(each.stalled_at is None for each in stalled_jobs(session, at=moment)):
            return []
    found: list[int] = []
    with services.database.writing() as session:
        for process in stalled_jobs(session, at=moment):
            if process.stalled_at is not None:
                continue
            process.stalled_at = moment
            found.append(process.id)
            stage = process.progress.get("stage")
            record(session, NOBODY, "process.stall", ("process", process.id), stage=stage)
            log.warning("a job stands still", extra={"process_id": process.id, "stage": stage})
    return found
