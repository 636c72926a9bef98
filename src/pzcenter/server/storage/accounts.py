"""Who comes: users, the identities they sign in with, groups, sessions, tokens, invitations."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Enum, ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.base import Base, new_uid, now

__all__ = [
    "Group", "GroupSource", "Identity", "Invitation", "Membership", "Role", "Token", "User", "UserState", "WebSession",
]  # fmt: skip


class Role(StrEnum):
    """What a user may do beyond the own products."""

    USER = "user"
    COORDINATOR = "coordinator"
    """Of the PZ Coordination Group: curates official products, approves people."""
    ADMIN = "admin"


class UserState(StrEnum):
    """Whether a user may come in."""

    PENDING = "pending"
    """Waits for approval."""
    ACTIVE = "active"
    DISABLED = "disabled"


class GroupSource(StrEnum):
    """Who says who is in a group."""

    LOCAL = "local"
    PROVIDER = "provider"
    """The identity provider, at every sign-in."""


class User(Base):
    """A person, or a program with an account of its own."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    first_name: Mapped[str] = mapped_column(default="")
    last_name: Mapped[str] = mapped_column(default="")
    display_name: Mapped[str] = mapped_column(default="")
    email: Mapped[str | None]
    role: Mapped[Role] = mapped_column(Enum(Role, native_enum=False, length=32), default=Role.USER)
    state: Mapped[UserState] = mapped_column(Enum(UserState, native_enum=False, length=32), default=UserState.PENDING)
    password_hash: Mapped[str | None] = mapped_column(Text)
    """Argon2id; null for those who sign in elsewhere."""
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """In place of the server's."""
    statement: Mapped[str | None] = mapped_column(Text)
    """What somebody who waits for approval wrote."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime | None]

    identities: Mapped[list[Identity]] = relationship(back_populates="user", cascade="all, delete-orphan")
    memberships: Mapped[list[Membership]] = relationship(back_populates="user", cascade="all, delete-orphan")

    @property
    def name(self) -> str:
        """How the user is shown."""
        return self.display_name or f"{self.first_name} {self.last_name}".strip() or self.username


class Identity(Base):
    """A user's account at an identity provider; one user may have several."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column()
    subject: Mapped[str] = mapped_column()
    claims: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """As of the last sign-in: releases and groups."""
    seen_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship(back_populates="identities")


class Group(Base):
    """People who share products."""

    __tablename__ = "user_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(Text, default="")
    source: Mapped[GroupSource] = mapped_column(
        Enum(GroupSource, native_enum=False, length=32), default=GroupSource.LOCAL
    )
    created_at: Mapped[datetime] = mapped_column(default=now)

    memberships: Mapped[list[Membership]] = relationship(back_populates="group", cascade="all, delete-orphan")


class Membership(Base):
    """A user in a group."""

    __tablename__ = "membership"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True, index=True)
    manager: Mapped[bool] = mapped_column(default=False)
    """May take people in and put them out."""

    user: Mapped[User] = relationship(back_populates="memberships")
    group: Mapped[Group] = relationship(back_populates="memberships")


class Token(Base):
    """What a program shows instead of a password; only its hash is kept."""

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column()
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """SHA-256 of a random secret of 160 bits, which needs no slow hash."""
    hint: Mapped[str] = mapped_column()
    """Its first letters, to tell one from the other."""
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class WebSession(Base):
    """A browser that is signed in."""

    __tablename__ = "web_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column()
    """What a form must send back."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    user: Mapped[User] = relationship()


class Invitation(Base):
    """A way in for one person, made by a coordinator."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    email: Mapped[str | None]
    role: Mapped[Role] = mapped_column(Enum(Role, native_enum=False, length=32), default=Role.USER)
    groups: Mapped[list[str]] = mapped_column(default=list)
    releases: Mapped[list[str]] = mapped_column(default=list)
    created_by_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
