"""Reading the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.audit import AuditEvent

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["AuditQuery", "find_events"]


@dataclass(frozen=True)
class AuditQuery:
    """Which lines of the audit log; what is None is not asked for.

    Attributes
    ----------
    action : str or None
        Such as ``product.publish``, or ``product`` for all that begins so.
    username : str or None
        Who did it.
    subject_type, subject_id : str or None
        What it was done to.
    since, until : datetime or None
        ``until`` itself is left out.
    before : int or None
        Id of the last line seen.
    limit : int
    """

    action: str | None = None
    username: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 100


def find_events(session: Session, principal: Principal, query: AuditQuery) -> list[AuditEvent]:
    """Lines of the audit log, the newest first.

    Parameters
    ----------
    session : Session
    principal : Principal
        A coordinator or admin.
    query : AuditQuery

    Returns
    -------
    list of AuditEvent
    """
    principal.need_curator()
    found = select(AuditEvent).options(joinedload(AuditEvent.user)).order_by(AuditEvent.id.desc())
    if query.action is not None:
        begins = AuditEvent.action.startswith(f"{query.action}.", autoescape=True)
        found = found.where((AuditEvent.action == query.action) | begins)
    if query.username is not None:
        found = found.where(AuditEvent.user_id.in_(select(User.id).where(User.username == query.username)))
    if query.subject_type is not None:
        found = found.where(AuditEvent.subject_type == query.subject_type)
    if query.subject_id is not None:
        found = found.where(AuditEvent.subject_id == query.subject_id)
    if query.since is not None:
        found = found.where(AuditEvent.at >= query.since)
    if query.until is not None:
        found = found.where(AuditEvent.at < query.until)
    if query.before is not None:
        found = found.where(AuditEvent.id < query.before)
    return list(session.scalars(found.limit(query.limit)))
