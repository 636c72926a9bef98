"""What the server notes for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.server.storage.base import now
from pzcenter.server.storage.notes import Note

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["HOUSEKEEPING", "keep_note", "note_of"]

HOUSEKEEPING = "housekeeping"


def keep_note(session: Session, name: str, value: dict[str, Any]) -> None:
    """Note something, in place of what was noted under this name.

    Parameters
    ----------
    session : Session
        One that writes.
    name : str
    value : dict
        JSON.
    """
    session.merge(Note(name=name, at=now(), value=value))


def note_of(session: Session, name: str) -> Note | None:
    """What was noted under a name, and when."""
    return session.get(Note, name)
