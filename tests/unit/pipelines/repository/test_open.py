"""Opening repositories that are not there, are damaged, do not answer, or may only be read."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from pzcenter.errors import FileFormatError, NotFoundError, RegistryError, StorageError
from pzcenter.pipelines.repository import open as opening
from pzcenter.pipelines.repository.create import create_repository
from pzcenter.pipelines.repository.open import open_repository


def test_what_is_no_repository_is_not_found(tmp_path):
    (tmp_path / "file").write_text("x")
    for root in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(NotFoundError, match="not a repository"):
            open_repository(root)


def test_it_opens_by_its_configuration_file_too(library):
    assert open_repository(library / "butler.yaml").collections.query("s/*")


def test_a_broken_configuration_is_told_with_its_line(empty):
    (empty / "butler.yaml").write_text("datastore: [1\n")
    with pytest.raises(FileFormatError, match="line 1"):
        open_repository(empty)


@pytest.mark.parametrize(("content", "words"), [(b"garbage" * 1000, "not a database"), (b"", "no such table")])
def test_a_damaged_registry_is_told_at_once(empty, monkeypatch, content, words):
    monkeypatch.setattr(opening.time, "sleep", lambda _seconds: pytest.fail("no use in waiting"))
    (empty / "gen3.sqlite3").write_bytes(content)
    with pytest.raises(RegistryError, match=words):
        open_repository(empty)


class Comeback:
    """Stands for ``Butler.from_config`` of a registry that is away for some attempts."""

    def __init__(self, attempts, words):
        self.attempts, self.words, self.calls = attempts, words, 0

    def __call__(self, *_args, **_kwargs):
        self.calls += 1
        if self.calls <= self.attempts:
            raise OperationalError("connect", {}, Exception(self.words))
        return "butler"


def opened_with(monkeypatch, attempts, words="could not connect to server"):
    waited, comeback = [], Comeback(attempts, words)
    monkeypatch.setattr(opening.Butler, "from_config", comeback)
    monkeypatch.setattr(opening.time, "sleep", waited.append)
    return waited, comeback


def test_a_registry_that_comes_back_is_waited_for(library, monkeypatch):
    waited, comeback = opened_with(monkeypatch, 2)
    assert open_repository(library) == "butler"
    assert waited == [0.5, 2.0]
    assert comeback.calls == 3


def test_a_registry_that_stays_away_is_an_error_to_try_again(library, monkeypatch):
    waited, _ = opened_with(monkeypatch, 99)
    with pytest.raises(RegistryError, match="could not connect"):
        open_repository(library)
    assert waited == [0.5, 2.0, 5.0]


def test_a_wrong_password_is_not_tried_again(library, monkeypatch):
    waited, comeback = opened_with(monkeypatch, 99, 'FATAL: password authentication failed for user "pz"')
    with pytest.raises(RegistryError, match="LSST_DB_AUTH"):
        open_repository(library)
    assert not waited
    assert comeback.calls == 1


def test_who_may_only_read_can_read_and_is_told_so(not_ours):
    place, reading_only = not_ours
    root = place / "repo"
    create_repository(root)
    with reading_only(root):
        with open_repository(root) as butler:
            assert butler.get_dataset_type("object")
        with pytest.raises(StorageError, match="reading it is possible"):
            open_repository(root, writeable=True)


def test_reading_leaves_no_trace(repo):
    before = {path: path.stat().st_mtime_ns for path in repo.rglob("*")}
    with open_repository(repo) as butler:
        assert len(butler.query_datasets("object", collections="s/raw")) == 3
        with pytest.raises(TypeError):
            butler.put({}, "object_record", skymap="lsst_cells_v1", tract=9000, run="s/raw")
    assert {path: path.stat().st_mtime_ns for path in repo.rglob("*")} == before
