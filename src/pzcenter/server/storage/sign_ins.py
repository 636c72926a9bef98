"""Sign-ins that began here and go on at an identity provider."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from pzcenter.server.storage.base import Base, now

__all__ = ["SignInAttempt"]


class SignInAttempt(Base):
    """One browser that was sent to an identity provider; used once, within minutes."""

    __tablename__ = "sign_in_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """SHA-256 of the secret that the browser's cookie holds."""
    state: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of what the provider must send back."""
    provider: Mapped[str] = mapped_column()
    nonce: Mapped[str] = mapped_column()
    verifier: Mapped[str] = mapped_column()
    """Of PKCE (RFC 7636)."""
    next_path: Mapped[str] = mapped_column(Text, default="/")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"))
    """Who links an identity to the own account; null: somebody signs in."""
    invitation: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """SHA-256 of the code of an invitation that the person came with."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
