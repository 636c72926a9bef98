"""How workers agree on jobs: claims, heartbeats, and what is taken up again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select, update

from pzcenter.server.services.jobs.control import end
from pzcenter.server.storage.base import now
from pzcenter.server.storage.processes import Process, ProcessState

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["MAX_ATTEMPTS", "STALE_SECONDS", "beat", "claim", "forgotten", "give_back"]

STALE_SECONDS = 60.0
"""A job whose heartbeat is that old has lost its worker."""
MAX_ATTEMPTS = 3
WAITING = (ProcessState.PENDING, ProcessState.QUEUED)
LOG_LETTERS = 20_000


def claim(services: Services, process_id: int) -> int | None:
    """Take a waiting process for this worker.

    Parameters
    ----------
    services : Services
    process_id : int

    Returns
    -------
    int or None
        Number of the attempt; None when somebody else has it, or it has ended.
    """
    with services.database.writing() as session:
        taken = session.execute(
            update(Process)
            .where(Process.id == process_id, Process.state.in_(WAITING))
            .values(
                state=ProcessState.RUNNING, attempts=Process.attempts + 1, heartbeat_at=now(), started_at=now(),
                progress_at=now(), stalled_at=None, progress={}, failure=None,
            )
        )  # fmt: skip
        if taken.rowcount != 1:  # type: ignore[attr-defined]
            return None
        return session.scalar(select(Process.attempts).where(Process.id == process_id))


def beat(services: Services, process_id: int, attempt: int, *, progress: dict[str, Any], log: str) -> bool:
    """Say that a process is alive, and where it is.

    Returns
    -------
    bool
        Whether to go on: not when somebody wants it stopped, or when it was given to another worker.
    """
    with services.database.writing() as session:
        process = session.get(Process, process_id)
        if process is None or process.attempts != attempt or process.state not in _ALIVE:
            return False
        process.heartbeat_at, said = now(), log[-LOG_LETTERS:]
        if (progress, said) != (process.progress, process.log):
            process.progress, process.log, process.progress_at, process.stalled_at = progress, said, now(), None
        return not process.stop_requested


def give_back(services: Services, process_id: int, attempt: int) -> None:
    """Leave a process to another worker, since this one ends; it does not count as an attempt."""
    with services.database.writing() as session:
        session.execute(
            update(Process)
            .where(Process.id == process_id, Process.attempts == attempt, Process.state == ProcessState.RUNNING)
            .values(state=ProcessState.QUEUED, attempts=attempt - 1, heartbeat_at=None, started_at=None)
        )


def forgotten(services: Services) -> list[int]:
    """Processes that nobody works on: back into the queue with them.

    Those whose worker is gone are tried again, a few times; those that somebody wanted stopped are stopped.

    Returns
    -------
    list of int
        Numbers to be put into the queue.
    """
    stale = now() - timedelta(seconds=STALE_SECONDS)
    again: list[int] = []
    with services.database.writing() as session:
        lost = or_(Process.heartbeat_at.is_(None), Process.heartbeat_at < stale)
        for process in session.scalars(select(Process).where(Process.state.in_(_ALIVE), lost)):
            if process.stop_requested:
                end(session, process, ProcessState.STOPPED, "stopped")
            elif process.attempts >= MAX_ATTEMPTS:
                end(session, process, ProcessState.FAILED, f"its worker was lost {process.attempts} times")
            else:
                process.state = ProcessState.QUEUED
                again.append(process.id)
        session.flush()
        dropped = or_(Process.created_at < stale, Process.attempts > 0, Process.state == ProcessState.QUEUED)
        waits = select(Process.id).where(Process.state.in_(WAITING), dropped)
        again += [number for number in session.scalars(waits) if number not in again]
    return again


_ALIVE = (ProcessState.RUNNING, ProcessState.STOPPING)
