"""Repositories on PostgreSQL and S3."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest


def test_the_database_server_wants_its_password(postgres, postgres_url, monkeypatch):
    with contextlib.closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    monkeypatch.delenv("PGPASSWORD")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(postgres_url)
    assert postgres.password not in postgres_url


def test_the_object_store_keeps_bytes(s3_uri):
    from lsst.resources import ResourcePath

    path = ResourcePath(s3_uri, forceDirectory=True).join("some/thing.bin")
    path.write(b"0123")
    assert path.exists()
    assert path.read() == b"0123"
    assert not ResourcePath(s3_uri, forceDirectory=True).join("else").exists()
