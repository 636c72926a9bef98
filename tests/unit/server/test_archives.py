"""Archives that are put together while they are sent: real ZIP files, byte for byte, in any range."""

import io
import struct
import zipfile
import zlib
from datetime import UTC, datetime

import pytest

from pzcenter.errors import StorageError
from pzcenter.server.services.archives import Archive, Member, SingleContent
from pzcenter.server.storage.store import FolderStore

AT = datetime(2026, 5, 4, 3, 2, 2, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


def kept(store, name, text, at=AT):
    content = store.put([text])
    return Member(name, content.size, content.crc32, at, sha256=content.sha256)


@pytest.fixture
def archive(store):
    members = [kept(store, "a.csv", b"z\n0.5\n"), kept(store, "hats/Nördlich=1/x.parquet", bytes(range(256)) * 20)]
    return Archive([*members, Member.of_text("meta.yaml", b"id: 1\n", AT), kept(store, "empty", b"")])


def test_it_is_a_zip_file(store, archive):
    text = b"".join(archive.read(store))
    assert len(text) == archive.size
    with zipfile.ZipFile(io.BytesIO(text)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["a.csv", "hats/Nördlich=1/x.parquet", "meta.yaml", "empty"]
        assert opened.read("a.csv") == b"z\n0.5\n"
        assert opened.read("meta.yaml") == b"id: 1\n"
        assert opened.getinfo("a.csv").date_time == (2026, 5, 4, 3, 2, 2)


def test_every_range_is_a_part_of_the_whole(store, archive):
    text = b"".join(archive.read(store))
    cuts = [0, 1, 29, 30, 35, 36, 41, 42, 43, 100, 5000, archive.size - 23, archive.size - 1, archive.size]
    for start in cuts:
        for stop in cuts:
            assert b"".join(archive.read(store, start, stop)) == text[start:stop], (start, stop)


def test_the_signature_follows_names_times_and_contents(store, archive):
    assert Archive(archive.members).signature == archive.signature
    others = [archive.members[:3], [kept(store, "b.csv", b"z\n0.5\n"), *archive.members[1:]]]
    others += [[kept(store, "a.csv", b"z\n0.6\n"), *archive.members[1:]]]
    others += [[kept(store, "a.csv", b"z\n0.5\n", AT.replace(year=1970)), *archive.members[1:]]]
    assert len({Archive(each).signature for each in others} | {archive.signature}) == 5


class Zeros:
    """A store whose contents are zeros, and cost nothing."""

    def read(self, sha256, *, start=0, stop=None):
        while start < stop:
            size = min(2**24, stop - start)
            yield bytes(size)
            start += size


def test_files_beyond_4_gib_get_zip64():
    big = Member("big", 5 * 2**30, 123, AT, sha256="0" * 64)
    archive = Archive([big, Member.of_text("after", b"text", AT)])
    tail = b"".join(archive.read(Zeros(), 5 * 2**30, archive.size))
    head = b"".join(archive.read(Zeros(), 0, 100))
    assert struct.unpack("<HHQQ", head[33:53]) == (1, 16, 5 * 2**30, 5 * 2**30)

    class Sparse(io.RawIOBase):
        """Head and tail of the archive; zeros between."""

        at = 0

        def seek(self, offset, whence=0):
            self.at = offset + (0, self.at, archive.size)[whence]
            return self.at

        def tell(self):
            return self.at

        def seekable(self):
            return True

        def read(self, size=-1):
            stop = archive.size if size < 0 else min(archive.size, self.at + size)
            text = b"".join(archive.read(Zeros(), self.at, stop))
            self.at = stop
            return text

    with zipfile.ZipFile(Sparse()) as opened:
        assert opened.getinfo("big").file_size == 5 * 2**30
        assert opened.getinfo("after").header_offset > 5 * 2**30
        assert opened.read("after") == b"text"
    assert b"after" in tail


def test_more_members_than_65535():
    members = [Member.of_text(f"{number}", b"", AT) for number in range(70_000)]
    archive = Archive(members)
    text = b"".join(archive.read(Zeros()))
    assert len(text) == archive.size
    with zipfile.ZipFile(io.BytesIO(text)) as opened:
        assert len(opened.namelist()) == 70_000


def test_a_lost_content_is_noticed_before_anything_is_sent(store, archive):
    archive.check(store)
    store.remove(archive.members[0].sha256)
    with pytest.raises(StorageError, match=r"a\.csv is damaged"):
        archive.check(store)


def test_a_text_has_its_checksum():
    assert Member.of_text("x", b"abc", AT).crc32 == zlib.crc32(b"abc")
    assert SingleContent("a", 3).signature == "a"
