"""The database as the services see it: sessions that read, sessions that write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from pzcenter.errors import RegistryError
from pzcenter.server.storage.engine import make_engine, session_factory
from pzcenter.server.storage.search_words import keep_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

__all__ = ["Database"]


class Database:
    """A database and its connections.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` or ``postgresql://...``.
    """

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self._sessions = session_factory(self.engine)
        keep_words(self._sessions)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Session that changes nothing: what it did is taken back at its end."""
        with self._sessions() as session:
            try:
                yield session
            except OperationalError as error:
                raise RegistryError(f"the database does not answer: {error.orig}") from error
            finally:
                # Rows that were read stay readable; what was changed by mistake is dropped with the connection.
                session.expunge_all()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Session whose changes hold together: all of them at its end, none after an error."""
        with self._sessions() as session:
            try:
                session.connection(execution_options={"sqlite_writes": True})
                yield session
                session.commit()
            except OperationalError as error:
                session.rollback()
                raise RegistryError(f"the database does not answer: {error.orig}") from error
            except BaseException:
                session.rollback()
                raise

    def check(self) -> None:
        """Ask the database for an answer.

        Raises
        ------
        RegistryError
            It gives none.
        """
        try:
            with self.reading() as session:
                session.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise RegistryError(f"the database does not answer: {error.orig}") from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
