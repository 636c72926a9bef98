"""Make the tables of a new server, or bring those of an older one up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from pzcenter.errors import RegistryError
from pzcenter.server.storage.migrate import upgrade
from pzcenter.server.storage.seeds import plant

if TYPE_CHECKING:
    from pzcenter.server.storage.database import Database

__all__ = ["make_tables"]


def make_tables(database: Database) -> None:
    """Have all tables and the rows that every server begins with.

    Parameters
    ----------
    database : Database

    Raises
    ------
    RegistryError
        The database cannot be reached, or cannot be written to.
    """
    try:
        upgrade(database)
    except OperationalError as error:
        raise RegistryError(f"the database does not answer: {error.orig}") from error
    with database.writing() as session:
        plant(session)
