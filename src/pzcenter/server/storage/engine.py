"""Connections to the database: SQLite on a laptop, PostgreSQL at a site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["BUSY_SECONDS", "make_engine", "session_factory"]

BUSY_SECONDS = 30
"""A writer waits that long for another one on SQLite."""


def make_engine(url: str) -> Engine:
    """Engine of a database.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://...``.

    Returns
    -------
    Engine
        On SQLite with a write-ahead log (readers do not wait for the writer), foreign keys, and every commit on disk.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions of an engine; rows stay readable after a commit."""
    return sessionmaker(engine, expire_on_commit=False)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # SQLAlchemy begins transactions, not the driver, which would begin too late for a consistent read.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A session that will write says so (execution option), and waits at its start instead of failing later.
    writes = connection.get_execution_options().get("sqlite_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
