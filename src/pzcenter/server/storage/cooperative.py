"""The Validation Cooperative: challenges, and what participants hand in."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Enum, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import Base, new_uid, now
from pzcenter.server.storage.products import Product
from pzcenter.server.storage.releases import Release

__all__ = ["Challenge", "ChallengeState", "Submission", "SubmissionState"]


class ChallengeState(StrEnum):
    """Stages of a challenge."""

    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"
    """Nothing more is taken; results stay."""


class SubmissionState(StrEnum):
    """Stages of a submission."""

    RECEIVED = "received"
    SCORED = "scored"
    REFUSED = "refused"


class Challenge(Base):
    """A challenge whose directory lies below the server's data; its truth never leaves it."""

    __tablename__ = "challenge"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column()
    description: Mapped[str] = mapped_column(Text, default="")
    release_id: Mapped[int | None] = mapped_column(ForeignKey("release.id"))
    state: Mapped[ChallengeState] = mapped_column(
        Enum(ChallengeState, native_enum=False, length=32), default=ChallengeState.DRAFT
    )
    created_by_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    closes_at: Mapped[datetime | None]

    release: Mapped[Release | None] = relationship(lazy="joined")


class Submission(Base):
    """What one participant handed in for a challenge."""

    __tablename__ = "submission"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenge.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column()
    method: Mapped[str] = mapped_column(default="")
    scenario: Mapped[str] = mapped_column(default="")
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    sha256: Mapped[str | None]
    state: Mapped[SubmissionState] = mapped_column(
        Enum(SubmissionState, native_enum=False, length=32), default=SubmissionState.RECEIVED
    )
    refusal: Mapped[str | None] = mapped_column(Text)
    scores: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    challenge: Mapped[Challenge] = relationship()
    user: Mapped[User] = relationship(lazy="joined")
    product: Mapped[Product | None] = relationship()
