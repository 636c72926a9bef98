"""Requests for help, and what was answered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Enum, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import Base, new_uid, now
from pzcenter.server.storage.cooperative import Challenge
from pzcenter.server.storage.products import Product

__all__ = ["Ticket", "TicketMessage", "TicketState"]


class TicketState(StrEnum):
    """Stages of a request for help."""

    OPEN = "open"
    """Its author waits for an answer."""
    ANSWERED = "answered"
    CLOSED = "closed"


class Ticket(Base):
    """A request for help, for its author and the coordinators."""

    __tablename__ = "ticket"
    __table_args__ = (Index("ix_ticket_state_id", "state", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    subject: Mapped[str] = mapped_column()
    state: Mapped[TicketState] = mapped_column(
        Enum(TicketState, native_enum=False, length=32), default=TicketState.OPEN
    )
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    challenge_id: Mapped[int | None] = mapped_column(ForeignKey("challenge.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)

    author: Mapped[User] = relationship(lazy="joined")
    product: Mapped[Product | None] = relationship()
    challenge: Mapped[Challenge | None] = relationship()
    messages: Mapped[list[TicketMessage]] = relationship(cascade="all, delete-orphan", order_by="TicketMessage.id")


class TicketMessage(Base):
    """One thing that was said about a request."""

    __tablename__ = "ticket_message"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)

    author: Mapped[User] = relationship(lazy="joined")
