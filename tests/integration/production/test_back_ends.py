"""Repositories on PostgreSQL and S3."""

from __future__ import annotations

import contextlib
import hashlib

import psycopg2
import pytest

from pzcenter.pipelines.campaign.bps import BpsExecutor, BpsSettings
from pzcenter.pipelines.campaign.collect import collect
from pzcenter.pipelines.campaign.local_pool import LocalExecutor
from pzcenter.pipelines.repository.open import open_repository


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


@pytest.mark.slow
def test_toys_are_the_same_whoever_executes_and_wherever_they_lie(
    toy, tmp_path, monkeypatch, *, postgres, postgres_url, s3_uri
):
    monkeypatch.setenv("PYTHONPATH", str(toy.__file__).rsplit("/", 1)[0])
    small, large = tmp_path / "small", tmp_path / "large"
    toy.make_repository(small, {1: 1, 2: 2})
    toy.make_repository(large, {1: 1, 2: 2}, db=postgres_url, store=s3_uri)
    hashes = {}
    for root in (small, large):
        for kind in ("local", "bps"):
            run = f"toy/{kind}"
            graph = toy.make_graph(root, tmp_path / f"{root.name}-{kind}.qg", run=run)
            submit_root = tmp_path / f"{root.name}-submit"
            executor = LocalExecutor(root) if kind == "local" else BpsExecutor(BpsSettings(), root, submit_root)
            outcomes = executor.execute(graph, run)
            assert {outcome.state for outcome in outcomes} == {"done"}
            collected = collect(root, graph)
            assert not collected.failed
            hashes[root.name, kind] = _content(root, run)
    assert len(hashes["small", "local"]) == 3
    assert all(found == hashes["small", "local"] for found in hashes.values()), hashes
    # The jobs could write to the object store, and yet no key or password lies about.
    for path in tmp_path.rglob("*"):
        if path.is_file():
            found = path.read_bytes()
            assert b"secret-for-tests" not in found, path
            assert postgres.password.encode() not in found, path


def _content(root, run):
    """SHA-256 of the products of a run."""
    found = {}
    with open_repository(root) as butler:
        for name in ("doubled", "total"):
            for ref in butler.query_datasets(name, collections=run, find_first=False, explain=False):
                found[name, str(ref.dataId)] = hashlib.sha256(butler.getURI(ref).read()).hexdigest()
    return found
