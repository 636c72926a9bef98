"""Mend a fault of Python's ``zipfile`` that breaks quantum graphs.

Quantum graphs are zip files whose members are stored, not compressed, and are read here and there by seeking, several
members at a time. In Python 3.12.0 to 3.12.8 and 3.13.0 to 3.13.1 such a seek starts from where another member was
read last (CPython gh-127847): small graphs happen to work, large ones end in a bare ``EOFError``.
"""

from __future__ import annotations

import functools
import io
import logging
import os
import zipfile
from typing import Any

__all__ = ["mend_zip_reading", "zip_reading_is_faulty"]

_LOG = logging.getLogger(__name__)
_MEMBER_BYTES = 20_000


def zip_reading_is_faulty() -> bool:
    """Whether seeks in two stored members of one zip file disturb each other in this Python, found by trying."""
    members = {name: bytes(range(start, start + 200)) * (_MEMBER_BYTES // 200) for name, start in (("a", 0), ("b", 50))}
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(memory) as archive, archive.open("a") as first, archive.open("b") as second:
        first.read(10)
        second.read(10)
        first.seek(9_000)
        second.seek(12_345)
        try:
            seen = (first.read(10), second.read())
        except (EOFError, zipfile.BadZipFile):
            return True
    return seen != (members["a"][9_000:9_010], members["b"][12_345:])


def mend_zip_reading() -> bool:
    """Replace the faulty seek in this process, where there is one; again, and in a sound Python, nothing happens.

    Returns
    -------
    bool
        Whether it was replaced now.
    """
    if not zip_reading_is_faulty():
        return False
    zipfile.ZipExtFile.seek = _sound_seek(zipfile.ZipExtFile.seek)  # type: ignore[method-assign]
    _LOG.debug("mended seeks in zip files")
    return True


def _sound_seek(seek: Any) -> Any:
    """A seek that goes to the place counted from the start of the member, whoever read the file last."""

    @functools.wraps(seek)
    def sound(self: Any, offset: int, whence: int = os.SEEK_SET) -> int:
        stored = self._compress_type == zipfile.ZIP_STORED and self._decrypter is None
        if self.closed or not self._seekable or not stored or whence not in {os.SEEK_SET, os.SEEK_CUR, os.SEEK_END}:
            return int(seek(self, offset, whence))
        size = self._orig_file_size
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: size}[whence]
        place: int = max(0, min(start + offset, size))
        self._fileobj.seek(self._orig_compress_start + place)
        self._readbuffer, self._offset = b"", 0
        self._left = self._compress_left = size - place
        self._eof = self._left <= 0
        self._expected_crc = None  # a checksum of the whole member means nothing after a jump
        return place

    return sound
