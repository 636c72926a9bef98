"""Many products at once: against a true server and against the mock."""

import asyncio
import json
from datetime import date

import pytest

from pzcenter.errors import NotFoundError, OutputExistsError, PermissionDeniedError, UsageError


@pytest.fixture
def two(world, tmp_path):
    """Numbers of two products of ada, seen by everybody with rights to dp1."""
    ada = world.client("ada")
    numbers = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.txt"
        path.write_text(name * 1000)
        made = ada.create_product(f"Many {name}", "other", release="dp1")
        ada.upload_file(made, path)
        ada.publish(made)
        numbers.append(made.id)
    return numbers


def files_below(root):
    return sorted(path.name for path in root.rglob("*.txt"))


def test_all_files_come_and_come_once(world, two, tmp_path):
    ben = world.client("ben")
    root = ben.mirror(two, tmp_path / "copies")
    assert files_below(root) == ["a.txt", "b.txt"]
    (first,) = root.rglob("a.txt")
    assert first.read_text() == "a" * 1000
    told = json.loads((root / "manifest.json").read_text())
    assert told["n_bytes"] == 2000 and told["signature"]
    first.unlink()
    (second,) = root.rglob("b.txt")
    before = second.stat().st_mtime_ns
    ben.mirror(None, root)
    assert first.is_file() and second.stat().st_mtime_ns == before, "what is there stays"
    second.write_text("changed")
    with pytest.raises(OutputExistsError):
        ben.mirror(None, root)
    ben.mirror(None, root, overwrite=True)
    assert second.read_text() == "b" * 1000


def test_rights_are_looked_at_when_a_file_is_fetched(world, two, tmp_path):
    ada, ben = world.client("ada"), world.client("ben")
    with pytest.raises(NotFoundError):
        world.client("out").mirror(two, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    root = ben.mirror(two, tmp_path / "copies")
    (first,) = root.rglob("a.txt")
    first.unlink()
    ada.share(two[0], embargo_until=date(2999, 1, 1))
    with pytest.raises(NotFoundError):
        ben.mirror(None, root)
    assert not first.exists()
    with pytest.raises(NotFoundError):
        ben.manifest(two)


def test_a_list_that_somebody_changed_is_refused(world, two, tmp_path):
    ben = world.client("ben")
    root = ben.mirror(two, tmp_path / "copies")
    path = root / "manifest.json"
    told = json.loads(path.read_text())
    told["files"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(told))
    with pytest.raises(PermissionDeniedError):
        ben.mirror(None, root)
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        ben.mirror(None, tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        ben.manifest([])


def test_async_does_the_same(world, two, tmp_path):
    async def go():
        async with world.async_client("ben") as ben:
            assert (await ben.manifest(two))["n_bytes"] == 2000
            return await ben.mirror(two, tmp_path / "copies")

    assert files_below(asyncio.run(go())) == ["a.txt", "b.txt"]


def test_it_goes_on_where_it_broke_off(mock, tmp_path):
    with mock.client("ada", state_directory=tmp_path / "state") as ada:
        path = tmp_path / "a.txt"
        path.write_text("0123456789")
        made = ada.create_product("One", "other")
        ada.upload_file(made, path)
        mock.fail(1, after_bytes=4, path="content")
        root = ada.mirror([made], tmp_path / "copies")
    assert next(root.rglob("a.txt")).read_text() == "0123456789"
