"""What a server tells of accounts and rights to those who look after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - read_as looks at the types when it runs

__all__ = ["Account", "Right", "User"]


@dataclass(frozen=True)
class Account:
    """What coordinators and admins see of an account."""

    role: str = "user"
    state: str = "active"
    email: str | None = None
    quota_bytes: int | None = None
    """In place of the server's."""
    statement: str | None = None
    """What somebody who asked for the account wrote."""
    created_at: datetime | None = None
    last_seen_at: datetime | None = None


@dataclass(frozen=True)
class User:
    """Somebody with an account; ``account`` is for coordinators and admins, and None for others."""

    username: str
    name: str = ""
    account: Account | None = None


@dataclass(frozen=True)
class Right:
    """A right of a user or a group to a release."""

    kind: str
    """``user`` or ``group``."""
    name: str
    issuer: str | None = None
    """Identity provider that says so, and alone can take it back; None: given here."""
