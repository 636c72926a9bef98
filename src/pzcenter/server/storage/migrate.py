"""Bring the tables of a database to the layout of this version, step by step."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from pzcenter.errors import ConflictError
from pzcenter.server.storage.tables import Base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sqlalchemy import Connection

    from pzcenter.server.storage.database import Database

__all__ = ["current_revision", "differences", "downgrade", "head_revision", "new_revision", "upgrade"]

LOCK = 0x505A
"""Of PostgreSQL: several workers begin at the same time, one of them migrates."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Go forward to a revision, all steps or none.

    Parameters
    ----------
    database : Database
    revision : str

    Raises
    ------
    ConflictError
        The database belongs to a newer version of PZ Center.
    """
    with _alembic(database) as (config, connection):
        there = MigrationContext.configure(connection).get_current_revision()
        if there is None and revision == "head":
            # Nobody was here before: what all steps together make (a test holds the two against each other).
            Base.metadata.create_all(connection)
            command.stamp(config, "head")
            return
        known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
        if there is not None and there not in known:
            raise ConflictError(
                f"the database is at step {there!r}, which this version of PZ Center does not know; "
                "it was used by a newer one: install that one, or restore a backup"
            )
        command.upgrade(config, revision)


def downgrade(database: Database, revision: str = "base") -> None:
    """Go back to a revision, all steps or none.

    Parameters
    ----------
    database : Database
    revision : str
    """
    with _alembic(database) as (config, _):
        command.downgrade(config, revision)


def current_revision(database: Database) -> str | None:
    """Step at which a database is; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """Last step that this version knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def differences(database: Database) -> list[Any]:
    """What a database has otherwise than the tables say; empty when all steps are there.

    Parameters
    ----------
    database : Database

    Returns
    -------
    list
        As Alembic tells it.
    """
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


def new_revision(database: Database, message: str, name: str) -> None:
    """Write the file of a new step from what the tables have and the database has not; for developers.

    Parameters
    ----------
    database : Database
        At the last step.
    message : str
        What changes, as a title.
    name : str
        Of the step, such as ``0002``.
    """
    with _alembic(database) as (config, _):
        command.revision(config, message, autogenerate=True, rev_id=name)


@contextmanager
def _alembic(database: Database) -> Iterator[tuple[Config, Connection]]:
    config = _config()
    with database.engine.connect() as connection:
        connection.execution_options(sqlite_writes=True)
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            config.attributes["connection"] = connection
            yield config, connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("pzcenter.server.storage") / "migrations"))
    config.set_main_option("file_template", "step_%%(rev)s")
    return config
