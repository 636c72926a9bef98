"""Run by Alembic: the connection is given by :mod:`pzcenter.server.storage.migrate`."""

from __future__ import annotations

from alembic import context

from pzcenter.server.storage.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    transaction_per_migration=False,
)
context.run_migrations()
