"""What the server notes for itself, such as when it last kept house; one row for each name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from pzcenter.server.storage.base import Base, now

__all__ = ["Note"]


class Note(Base):
    """One thing to remember."""

    __tablename__ = "note"

    name: Mapped[str] = mapped_column(primary_key=True)
    """Such as ``housekeeping``."""
    at: Mapped[datetime] = mapped_column(default=now)
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
