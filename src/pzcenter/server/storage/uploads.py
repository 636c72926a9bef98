"""Uploads under way, and archives to download."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Enum, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import Base, new_uid, now

__all__ = ["Upload", "UploadState"]


class UploadState(StrEnum):
    """Stages of an upload."""

    RECEIVING = "receiving"
    RECEIVED = "received"
    """Every byte is here, its checksum is as promised; not yet in a product."""
    USED = "used"
    REFUSED = "refused"


class Upload(Base):
    """One file on its way in (tus protocol 1.0)."""

    __tablename__ = "upload"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column()
    media_type: Mapped[str | None]
    length: Mapped[int | None] = mapped_column(BigInteger)
    """Null until the client tells it."""
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes that are safe on disk."""
    wanted_sha256: Mapped[str | None]
    sha256: Mapped[str | None]
    hashing: Mapped[dict[str, Any] | None]
    """What else the protocol needs: ``metadata`` as it was sent, ``unverified_from`` while a part is checked."""
    state: Mapped[UploadState] = mapped_column(
        Enum(UploadState, native_enum=False, length=32), default=UploadState.RECEIVING
    )
    refusal: Mapped[str | None]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id", ondelete="SET NULL"))
    role: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    user: Mapped[User] = relationship()
