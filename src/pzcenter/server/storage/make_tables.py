"""Make the tables of a new server, or bring those of an older one up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    """
    upgrade(database)
    with database.writing() as session:
        plant(session)
