from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys

import pytest

from pzcenter.errors import ConfigError
from pzcenter.pipelines.delivery import fast_tier, tier_entries
from pzcenter.pipelines.delivery.fast_tier import FastTier, configured_tier, local_copy, prefetch
from pzcenter.pipelines.delivery.sizes import bytes_of_text

KB = 1000


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "slow"
    folder.mkdir()
    paths = [folder / f"{name}.parquet" for name in "abcdef"]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * KB)
    return paths


@pytest.fixture
def tier(tmp_path):
    made = FastTier(tmp_path / "fast", 3 * KB)
    yield made
    made.release()


def used(tier, path):
    """Read a file through the tier and forget it; whether it came from the fast disk."""
    with tier.reading(path) as found:
        assert found.read_bytes() == path.read_bytes()
        return found != path


class TestReading:
    def test_second_read_is_a_hit(self, tier, sources):
        first, second = tier.local_copy(sources[0]), tier.local_copy(sources[0])
        assert first == second != sources[0]
        assert first.read_bytes() == sources[0].read_bytes()
        done = tier.statistics()
        assert (done.misses, done.hits, done.bytes_copied, done.bytes_hit) == (1, 1, KB, KB)

    def test_name_keeps_the_suffix(self, tier, sources):
        assert tier.local_copy(sources[0]).name.endswith("-a.parquet")

    def test_file_uri(self, tier, sources):
        assert tier.local_copy(sources[0].as_uri()) == tier.local_copy(sources[0])

    def test_changed_source_is_read_anew(self, tier, sources):
        tier.local_copy(sources[0])
        sources[0].write_bytes(b"new" * 10)
        assert tier.local_copy(sources[0]).read_bytes() == b"new" * 10

    def test_source_that_is_not_there_is_for_the_reader(self, tier, tmp_path):
        assert tier.local_copy(tmp_path / "none") == tmp_path / "none"
        assert not tier.faults

    def test_empty_file(self, tier, tmp_path):
        (tmp_path / "empty").write_bytes(b"")
        assert tier.local_copy(tmp_path / "empty").read_bytes() == b""

    def test_checksum_of_the_copy(self, tier, sources, caplog):
        with caplog.at_level(logging.WARNING):
            assert tier.local_copy(sources[0], sha256="0" * 64) == sources[0]
        assert "SHA-256" in caplog.text

    def test_entry_of_the_wrong_length_is_not_used(self, tier, sources):
        entry = tier.local_copy(sources[0])
        tier.release()
        os.truncate(entry, 10)
        assert tier.local_copy(sources[0]).read_bytes() == sources[0].read_bytes()


class TestQuota:
    def test_longest_unused_goes_first(self, tier, sources):
        a, b, c, d = sources[:4]
        assert all(used(tier, path) for path in (a, b, c))
        assert used(tier, a)
        assert used(tier, d)
        assert tier.usage() == (3, 3 * KB)
        assert tier.statistics().evictions == 1
        before = tier.statistics().misses
        assert used(tier, a)
        assert tier.statistics().misses == before
        assert used(tier, b)
        assert tier.statistics().misses == before + 1

    def test_file_in_use_is_not_evicted(self, tier, sources):
        with tier.reading(sources[0]) as held, tier.reading(sources[1]), tier.reading(sources[2]):
            with tier.reading(sources[3]) as other:
                assert other == sources[3]
            assert held.read_bytes() == sources[0].read_bytes()
        assert tier.statistics().bypassed == 1
        assert "in use" in tier.faults[0]
        assert used(tier, sources[3])

    def test_paths_just_given_are_safe(self, tmp_path, sources):
        small = FastTier(tmp_path / "small", 2 * KB)
        given = [small.local_copy(path) for path in sources]
        assert [path.read_bytes() for path in given] == [path.read_bytes() for path in sources]
        small.release()

    def test_larger_than_the_quota(self, tmp_path, sources):
        small = FastTier(tmp_path / "small", 10)
        assert small.local_copy(sources[0]) == sources[0]
        assert small.statistics().bypassed == 1
        assert not (tmp_path / "small").exists()

    def test_copies_of_dead_processes_are_removed(self, tier, sources):
        leftover = tier.root / "unfinished" / "x.1.1"
        leftover.parent.mkdir(parents=True)
        leftover.write_bytes(b"x" * 3 * KB)
        assert used(tier, sources[0])
        assert not leftover.exists()

    def test_prefetch_stops_at_the_quota(self, tier, sources):
        assert tier.prefetch(sources) == 3
        assert tier.statistics().evictions == 0
        assert used(tier, sources[0])
        assert tier.statistics().hits == 1


class TestFaults:
    """The source is read, a warning recorded, and nothing unfinished stays."""

    def check(self, tier, sources, caplog, words):
        with caplog.at_level(logging.WARNING):
            assert tier.local_copy(sources[0]) == sources[0]
        assert words in caplog.text
        assert tier.statistics().failures + tier.statistics().bypassed == 1
        assert [path for path in tier.root.rglob("*.parquet*") if path.is_file()] == []

    def test_full_disk(self, tier, sources, caplog, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(tier_entries.os, "posix_fallocate", full)
        self.check(tier, sources, caplog, "read from its source")

    def test_full_disk_while_copying(self, tier, sources, caplog, monkeypatch):
        real = os.write

        def full(handle, data):
            if len(data) == KB:
                return real(handle, data[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(tier_entries.os, "write", full)
        self.check(tier, sources, caplog, "No space left")

    def test_full_disk_evicts_first(self, tier, sources, monkeypatch):
        used(tier, sources[0])
        real = os.posix_fallocate

        def full(handle, start, n_bytes):
            if tier.usage()[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(handle, start, n_bytes)

        monkeypatch.setattr(tier_entries.os, "posix_fallocate", full)
        assert used(tier, sources[1])
        assert tier.statistics().evictions == 1

    def test_broken_disk(self, tier, sources, caplog, monkeypatch):
        def broken(_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(tier_entries.os, "fsync", broken)
        self.check(tier, sources, caplog, "failed")

    def test_root_is_a_file(self, tmp_path, sources, caplog):
        (tmp_path / "fast").write_text("not a directory")
        with caplog.at_level(logging.WARNING):
            assert FastTier(tmp_path / "fast", KB).local_copy(sources[0]) == sources[0]
        assert "failed" in caplog.text

    def test_source_that_changes_while_it_is_copied(self, tier, sources, caplog, monkeypatch):
        real = os.write

        def change(handle, data):
            sources[0].write_bytes(b"changed")
            return real(handle, data)

        monkeypatch.setattr(tier_entries.os, "write", change)
        self.check(tier, sources, caplog, "changed while it was copied")

    def test_lock_that_is_never_given_back(self, tier, sources, caplog, monkeypatch):
        monkeypatch.setattr(tier_entries, "LOCK_PATIENCE_S", 0.05)
        with tier._entries._locked("room"):
            self.check(tier, sources, caplog, "kept its lock")


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def _no_tier(self, monkeypatch):
        monkeypatch.delenv("PZ_FAST_TIER", raising=False)
        monkeypatch.delenv("PZ_FAST_TIER_QUOTA", raising=False)
        monkeypatch.setattr(fast_tier, "_tiers", {})

    def test_none(self, sources):
        assert local_copy(sources[0]) == sources[0]
        assert local_copy(sources[0].as_uri()) == sources[0]
        assert configured_tier() is None
        assert prefetch(sources) == 0

    def test_named(self, tmp_path, sources, monkeypatch):
        monkeypatch.setenv("PZ_FAST_TIER", str(tmp_path / "fast"))
        monkeypatch.setenv("PZ_FAST_TIER_QUOTA", "2 kB")
        assert prefetch(sources) == 2
        assert local_copy(sources[0]).is_relative_to(tmp_path / "fast")
        assert configured_tier().quota_bytes == 2 * KB
        configured_tier().release()

    def test_quota_that_is_not_understood(self, tmp_path, monkeypatch, caplog):
        monkeypatch.setenv("PZ_FAST_TIER", str(tmp_path / "fast"))
        monkeypatch.setenv("PZ_FAST_TIER_QUOTA", "much")
        with caplog.at_level(logging.WARNING):
            assert configured_tier().quota_bytes == 20 * 10**9
        assert "much" in caplog.text


READ_MANY = """
import random, sys
from pathlib import Path
from pzcenter.pipelines.delivery.fast_tier import FastTier

root, folder, seed = sys.argv[1:]
tier, order, wrong = FastTier(root, 3000), random.Random(int(seed)), 0
paths = sorted(Path(folder).iterdir())
for _ in range(150):
    path = order.choice(paths)
    wrong += tier.local_copy(path).read_bytes() != path.read_bytes()
print(wrong, tier.statistics().failures)
"""


def test_several_processes_share_a_tier(tmp_path, sources):
    command = [sys.executable, "-c", READ_MANY, str(tmp_path / "fast"), str(sources[0].parent)]
    readers = [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in range(3)]
    assert [reader.communicate(timeout=120)[0].split() for reader in readers] == [["0", "0"]] * 3
    tier = FastTier(tmp_path / "fast", 3 * KB)
    assert tier.usage()[1] <= 3 * KB
    assert list((tmp_path / "fast" / "unfinished").iterdir()) == []


class TestSizes:
    @pytest.mark.parametrize(
        ("text", "n_bytes"), [(5, 5), ("5", 5), ("2 GB", 2 * 10**9), ("1.5TB", 15 * 10**11), ("1 GiB", 2**30)]
    )
    def test_understood(self, text, n_bytes):
        assert bytes_of_text(text) == n_bytes

    @pytest.mark.parametrize("text", ["", "much", "-1", "0", "3 XB", "1e400 B"])
    def test_not_understood(self, text):
        with pytest.raises(ConfigError, match="not a size"):
            bytes_of_text(text)
