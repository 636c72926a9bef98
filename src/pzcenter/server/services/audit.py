"""The audit log: who did what."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pzcenter.server.storage.audit import AuditEvent

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["record"]

log = logging.getLogger(__name__)


def record(
    session: Session, principal: Principal, action: str, subject: tuple[str, object] | None = None, **detail: Any
) -> None:
    """Add a line to the audit log, in the same transaction as what it tells.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    action : str
        Such as ``product.publish``.
    subject : (str, object), optional
        Kind of the thing and its id.
    **detail
        What else to know; JSON, no secrets.
    """
    kind, number = subject or (None, None)
    session.add(
        AuditEvent(
            user_id=principal.user_id, token_id=principal.token_id, action=action, subject_type=kind,
            subject_id=None if number is None else str(number), detail=detail, request_id=principal.request_id,
        )
    )  # fmt: skip
    log.info(action, extra={"user": principal.username, "subject": f"{kind} {number}"})
