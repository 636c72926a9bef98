"""Challenges by the client: against a true server and against its mock."""

import asyncio
import hashlib

import pytest

from pzcenter.client.answers import Submission
from pzcenter.errors import (
    ChecksumError,
    ConflictError,
    InternalError,
    NotFoundError,
    OutputExistsError,
    PermissionDeniedError,
    TransientError,
    UsageError,
)

FILES = {"README.md": b"Rules.", "one/training.parquet": b"train", "one/test.parquet": b"test"}


@pytest.fixture
def mocked(mock):
    """A mock with a challenge that is open."""
    mock.challenge("first", FILES, scenarios=("one", "two"), title="First")
    with mock.client("coord") as coord:
        assert coord.add_challenge("first", release="dp1").state == "draft"
        assert coord.set_challenge_state("first", "open").state == "open"
    return mock


def test_nothing_there(world):
    """The true server and the mock refuse alike."""
    ada = world.client("ada")
    assert ada.challenges() == []
    for call in (ada.challenge, ada.leaderboard, ada.submissions, ada.download_challenge):
        with pytest.raises(NotFoundError):
            call("nothing")
    with pytest.raises(PermissionDeniedError):
        ada.add_challenge("nothing")
    with pytest.raises(NotFoundError):
        world.client("coord").add_challenge("nothing")
    with pytest.raises(UsageError):
        world.client("coord").set_challenge_state("nothing", "lost")


def test_a_challenge_is_seen_by_those_who_may(mocked):
    with mocked.client("ada") as ada, mocked.client("out") as out:
        assert [each.name for each in ada.challenges()] == ["first"]
        assert out.challenges() == []
        told = ada.challenge("first")
        assert told.scenarios == ["one", "two"]
        assert told.checksums["README.md"] == hashlib.sha256(b"Rules.").hexdigest()


def test_download_is_checked_and_goes_on(mocked, tmp_path):
    with mocked.client("ada") as ada:
        mocked.fail(1, after_bytes=2, path="training")
        root = ada.download_challenge("first", tmp_path)
        assert {path: (root / path).read_bytes() for path in FILES} == FILES
        assert ada.download_challenge("first", tmp_path) == root
        (root / "README.md").write_text("changed")
        with pytest.raises(OutputExistsError):
            ada.download_challenge("first", tmp_path)
        ada.download_challenge("first", tmp_path, overwrite=True)
        assert (root / "README.md").read_bytes() == b"Rules."


@pytest.mark.parametrize("path", ["../out.txt", "a/../../../out.txt", "/out.txt", "a\\b", "a//b", "."])
def test_files_stay_below_the_directory(mock, tmp_path, path):
    mock.challenge("bad", {path: b"x"})
    with mock.client("coord") as coord:
        coord.add_challenge("bad")
        with pytest.raises(InternalError, match="outside"):
            coord.download_challenge("bad", tmp_path / "here")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_thrown_away(mocked, tmp_path, monkeypatch):
    with mocked.client("ada") as ada:
        told = ada.challenge("first")
        told.checksums["README.md"] = "0" * 64
        monkeypatch.setattr("pzcenter.client.challenge_steps.challenge", lambda *_: _given(told))
        with pytest.raises(ChecksumError):
            ada.download_challenge("first", tmp_path)
    assert not (tmp_path / "first" / "README.md").exists()


def _given(value):
    return value
    yield


def test_results_are_handed_in_and_scored(mocked, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("object_id,z_best\n1,0.5\n")
    with mocked.client("ada", state_directory=tmp_path / "state") as ada, mocked.client("ben") as ben:
        other = ada.create_product("Two", "validation_results", visibility="private")
        ada.upload_file(other, path)
        sent = ada.submit("first", {"one": path, "two": other}, method="mine", name="Try", technical={"train_s": 2})
        assert sent.waits and sent.scenario == "one, two"
        assert ada.submit("first", {"one": other.id, "two": other}, method="mine").uid == sent.uid
        assert ada.wait_for_scores("first", sent).state == "scored"
        assert {line.submission_id for line in ada.leaderboard("first")} == {sent.submission_id}
        assert ben.submissions("first") == []
        assert ada.product(sent.product_id).visibility == "private"
        with pytest.raises(UsageError, match="no scenario three"):
            ada.submit("first", {"three": path}, method="mine")
        with pytest.raises(UsageError, match="nothing to hand in"):
            ada.submit("first", {}, method="mine")
        with pytest.raises(NotFoundError, match="no file"):
            ada.submit("first", {"one": tmp_path / "none"}, method="mine")
        with pytest.raises(NotFoundError):
            ben.submit("first", {"one": other.id}, method="stolen")
        with pytest.raises(NotFoundError):
            ada.wait_for_scores("first", "somebody")
    with mocked.client("coord") as coord:
        coord.set_challenge_state("first", "closed")
        assert len(coord.submissions("first")) == 1
    with mocked.client("ada") as ada, pytest.raises(ConflictError):
        ada.submit("first", {"one": other.id}, method="late")


def test_waiting_ends(mocked, monkeypatch):
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setattr("pzcenter.client.challenge_steps.submissions", lambda *_: _given([Submission("u")]))
    with mocked.client("ada") as ada, pytest.raises(TransientError, match="no scores after 12 s"):
        ada.wait_for_scores("first", "u", seconds=12)
    assert waited == [1.0, 2.0, 4.0, 5.0]


def test_async_does_the_same(mocked, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("object_id,z_best\n1,0.5\n")

    async def go():
        async with mocked.async_client("ada", state_directory=tmp_path / "state") as ada:
            assert [each.name for each in await ada.challenges()] == ["first"]
            assert (await ada.challenge("first")).title == "First"
            root = await ada.download_challenge("first", tmp_path)
            sent = await ada.submit("first", {"one": path}, method="mine")
            assert (await ada.wait_for_scores("first", sent)).state == "scored"
            assert len(await ada.submissions("first")) == len(await ada.leaderboard("first")) == 1
            with pytest.raises(PermissionDeniedError):
                await ada.set_challenge_state("first", "closed")
            with pytest.raises(PermissionDeniedError):
                await ada.add_challenge("second")
            return (root / "README.md").read_bytes()

    assert asyncio.run(go()) == b"Rules."
