"""Who did what: rows that are only ever added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import Base, now

__all__ = ["AuditEvent"]


class AuditEvent(Base):
    """One thing that somebody did, or tried."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_subject", "subject_type", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    token_id: Mapped[int | None]
    action: Mapped[str] = mapped_column(index=True)
    """Such as ``product.publish``."""
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    request_id: Mapped[str | None]

    user: Mapped[User | None] = relationship()
