"""PostgreSQL and S3 for the tests of the server: the same as those of the production."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

_PLACE = Path(__file__).parents[1] / "production" / "servers.py"
_SPEC = importlib.util.spec_from_file_location("server_test_servers", _PLACE)
servers = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = servers
_SPEC.loader.exec_module(servers)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server."""
    if servers.postgres_programs() is None:
        pytest.skip("no PostgreSQL server here; on Debian: apt-get install postgresql")
    with servers.postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres, monkeypatch):
    """URL of an empty database, without its password, which is in the environment."""
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    return postgres.new_database()
