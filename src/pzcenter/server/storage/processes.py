"""Jobs: what the server makes for its users in the background."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Enum, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import Base, new_uid, now
from pzcenter.server.storage.products import Product

__all__ = ["Pipeline", "Process", "ProcessInput", "ProcessState"]


class ProcessState(StrEnum):
    """Stages of a job; the words of the first interface."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self in {ProcessState.STOPPED, ProcessState.SUCCESSFUL, ProcessState.FAILED}


class Pipeline(Base):
    """Something that the server can make."""

    __tablename__ = "pipeline"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column()
    version: Mapped[str] = mapped_column()
    description: Mapped[str] = mapped_column(Text, default="")
    system_config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    accepted_types: Mapped[list[Any]] = mapped_column(default=list)
    """Ids of the types of product that may go in."""
    output_type_id: Mapped[int] = mapped_column(ForeignKey("product_type.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Process(Base):
    """One run of a pipeline."""

    __tablename__ = "process"
    __table_args__ = (Index("ix_process_state_heartbeat", "state", "heartbeat_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipeline.id"))
    pipeline_version: Mapped[str] = mapped_column(default="")
    owner_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    display_name: Mapped[str] = mapped_column()
    release_id: Mapped[int | None] = mapped_column(ForeignKey("release.id"))
    output_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    used_config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[ProcessState] = mapped_column(
        Enum(ProcessState, native_enum=False, length=32), default=ProcessState.PENDING
    )
    stop_requested: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Stage, done, all."""
    log: Mapped[str] = mapped_column(Text, default="")
    """Its last lines."""
    failure: Mapped[str | None] = mapped_column(Text)
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Versions of what made the result."""
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    progress_at: Mapped[datetime | None]
    """When it last came further, or said something new."""
    stalled_at: Mapped[datetime | None]
    """When it was found to stand still; null while it goes on."""
    ended_at: Mapped[datetime | None]

    pipeline: Mapped[Pipeline] = relationship(lazy="joined")
    owner: Mapped[User] = relationship(lazy="joined")
    output: Mapped[Product | None] = relationship()
    inputs: Mapped[list[ProcessInput]] = relationship(cascade="all, delete-orphan", order_by="ProcessInput.order")


class ProcessInput(Base):
    """A product that goes into a job."""

    __tablename__ = "process_input"

    process_id: Mapped[int] = mapped_column(ForeignKey("process.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True, index=True)
    order: Mapped[int] = mapped_column(default=0)

    product: Mapped[Product] = relationship()
