"""Data releases, and who has rights to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Enum, ForeignKey, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from pzcenter.server.storage.base import Base, now

__all__ = ["Release", "ReleaseRight", "ReleaseState"]


class ReleaseState(StrEnum):
    """Stages of a release."""

    DRAFT = "draft"
    """Coordinators and admins only."""
    OPEN = "open"
    """Those with rights."""
    RETIRED = "retired"
    """As open, but nothing new is added."""


class Release(Base):
    """A data release, such as DP1."""

    __tablename__ = "release"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[ReleaseState] = mapped_column(
        Enum(ReleaseState, native_enum=False, length=32), default=ReleaseState.OPEN
    )
    is_public: Mapped[bool] = mapped_column(default=False)
    """Everybody with an account has rights to it."""
    public_extract: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Everybody, without an account too, sees counts and a coarse histogram of its official products."""
    indexing_column: Mapped[str] = mapped_column(default="objectId")
    object_catalog: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What its object catalogue offers: fluxes, dereddening (as the first interface tells it)."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class ReleaseRight(Base):
    """A user or a group who may see a release."""

    __tablename__ = "release_right"
    __table_args__ = (UniqueConstraint("release_id", "user_id", "group_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("user_group.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str | None]
    """Identity provider that claims it, and may take it back at the next sign-in; null: given by an admin."""
