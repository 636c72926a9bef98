"""Tables go forward and back, and are then what the code says."""

import pytest
from sqlalchemy import inspect, text

from pzcenter.errors import ConflictError
from pzcenter.server.storage.database import Database
from pzcenter.server.storage.migrate import current_revision, differences, downgrade, head_revision, upgrade
from pzcenter.server.storage.tables import Base


def test_there_and_back(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 't.sqlite3'}")
    try:
        upgrade(database, head_revision())
        assert current_revision(database) == head_revision()
        assert differences(database) == []
        assert set(inspect(database.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
        upgrade(database)
        downgrade(database)
        assert inspect(database.engine).get_table_names() == ["alembic_version"]
        assert current_revision(database) is None
        upgrade(database)
        assert differences(database) == []
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(ConflictError, match="'9999'"):
            upgrade(database)
    finally:
        database.close()
