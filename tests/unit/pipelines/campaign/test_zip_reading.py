"""Seeks in stored members of a zip file, also under a Python whose zipfile has the fault."""

from __future__ import annotations

import io
import os
import random
import zipfile

import pytest

from pzcenter.pipelines.campaign.zip_reading import mend_zip_reading, zip_reading_is_faulty


def faulty_seek(self, offset, whence=os.SEEK_SET):
    """The essence of the fault: a jump ahead that starts where the shared file was left by whoever read last."""
    place = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self._orig_file_size}.get(whence, 0) + offset
    ahead = place - self.tell()
    if self._compress_type == zipfile.ZIP_STORED and ahead > len(self._readbuffer) - self._offset:
        ahead -= len(self._readbuffer) - self._offset
        self._fileobj._file.seek(ahead, os.SEEK_CUR)
        self._fileobj._pos = self._fileobj._file.tell()
        self._left -= ahead
        self._expected_crc = None
        self._readbuffer, self._offset = b"", 0
        return place
    return sound_seek(self, offset, whence)


sound_seek = zipfile.ZipExtFile.seek


@pytest.fixture(params=["this Python", "faulty"])
def mended(request, monkeypatch):
    """A process in which the fault was, or was not, and was looked for and mended."""
    monkeypatch.setattr(zipfile.ZipExtFile, "seek", faulty_seek if request.param == "faulty" else sound_seek)
    if request.param == "faulty":
        assert zip_reading_is_faulty()
        assert mend_zip_reading()
    else:
        mend_zip_reading()


@pytest.mark.usefixtures("mended")
def test_interleaved_seeks_read_what_was_written():
    rng = random.Random(5)
    members = {name: rng.randbytes(60_000) for name in "abc"}
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(memory) as archive:
        streams = {name: archive.open(name) for name in members}
        for _ in range(400):
            name = rng.choice("abc")
            stream, content = streams[name], members[name]
            start, length = rng.randrange(len(content) + 1), rng.choice([1, 100, 5_000])
            whence = rng.choice([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END])
            zero = {os.SEEK_SET: 0, os.SEEK_CUR: stream.tell(), os.SEEK_END: len(content)}[whence]
            assert stream.seek(start - zero, whence) == start
            assert stream.read(length) == content[start : start + length]
        for stream in streams.values():
            stream.close()


@pytest.mark.usefixtures("mended")
def test_places_outside_are_brought_inside_and_compressed_members_still_work():
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("stored", b"0123456789")
        archive.writestr("packed", b"0123456789" * 1000, compress_type=zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(memory) as archive, archive.open("stored") as stored, archive.open("packed") as packed:
        assert stored.seek(99) == 10
        assert stored.read() == b""
        assert stored.seek(-99, os.SEEK_CUR) == 0
        assert stored.read() == b"0123456789"
        packed.seek(5_003)
        assert packed.read(4) == b"3456"
        with pytest.raises(ValueError, match="whence"):
            stored.seek(0, 7)
    with pytest.raises(ValueError, match="closed"):
        stored.seek(0)


@pytest.mark.usefixtures("mended")
def test_mending_again_changes_nothing():
    before = zipfile.ZipExtFile.seek
    assert not mend_zip_reading()
    assert zipfile.ZipExtFile.seek is before
