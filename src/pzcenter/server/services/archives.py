"""ZIP archives that are never on disk: put together while they are sent, from contents that the store holds.

Sizes and CRC-32 of all members are known, so the place of every byte is known before the first one is sent: the length
is exact, and any range of bytes can be sent alone. Members are stored, not compressed: Parquet, HDF5 and the like are
compressed already.

References
----------
PKWARE, APPNOTE.TXT - .ZIP File Format Specification, version 6.3.10; section numbers below.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pzcenter.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pzcenter.server.storage.store import Store

__all__ = ["Archive", "Member", "SingleContent"]

LIMIT_4 = 0xFFFFFFFF
LIMIT_2 = 0xFFFF
PLAIN, ZIP64 = 20, 45
"""Version needed to extract (4.4.3)."""
UTF8_NAMES = 1 << 11
"""Bit of the general purpose flags (4.4.4)."""
MADE_BY_UNIX = 3 << 8
"""Host system of the attributes (4.4.2)."""
READABLE = 0o100644 << 16
"""A regular file that its owner may write (4.4.15)."""


@dataclass(frozen=True)
class Member:
    """A file of an archive: a content of the store, or bytes given here.

    Attributes
    ----------
    name : str
        Path in the archive, with slashes.
    size : int
        Bytes.
    crc32 : int
    modified : datetime
    sha256 : str or None
        Content of the store; None: ``text`` holds the bytes.
    text : bytes
    """

    name: str
    size: int
    crc32: int
    modified: datetime
    sha256: str | None = None
    text: bytes = b""

    @classmethod
    def of_text(cls, name: str, text: bytes, modified: datetime) -> Member:
        """A member whose bytes are given here."""
        return cls(name, len(text), zlib.crc32(text), modified, text=text)


class Archive:
    """A ZIP archive as a sequence of pieces.

    Parameters
    ----------
    members : iterable of Member
    """

    media_type = "application/zip"

    def __init__(self, members: Iterable[Member]) -> None:
        self.members = tuple(members)
        headers = [_local_header(member) for member in self.members]
        directory, offset = [], 0
        for header, member in zip(headers, self.members, strict=True):
            directory.append(_directory_entry(member, offset))
            offset += len(header) + member.size
        index = b"".join(directory)
        self._headers = headers
        self._tail = index + _end(len(self.members), len(index), offset)
        self.size = offset + len(self._tail)

    @cached_property
    def signature(self) -> str:
        """SHA-256 of all that the archive is made of; equal for equal archives."""
        digest = hashlib.sha256()
        for header, member in zip(self._headers, self.members, strict=True):
            digest.update(header)
            digest.update((member.sha256 or hashlib.sha256(member.text).hexdigest()).encode())
        return digest.hexdigest()

    def check(self, store: Store) -> None:
        """Let nothing be sent that could not be sent to its end.

        Raises
        ------
        StorageError
            The store lacks a content, or a part of one.
        """
        for member in self.members:
            there = member.size if member.sha256 is None else store.size(member.sha256)
            if there != member.size:
                raise StorageError(f"the content of {member.name} is damaged here: {there} bytes of {member.size}")

    def read(self, store: Store, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Bytes from ``start`` up to ``stop``, in pieces.

        Parameters
        ----------
        store : Store
        start : int
        stop : int, optional

        Yields
        ------
        bytes
        """
        end = self.size if stop is None else min(stop, self.size)
        at = 0
        for header, member in zip(self._headers, self.members, strict=True):
            yield from _cut(header, start - at, end - at)
            at += len(header)
            first, last = max(0, start - at), min(member.size, end - at)
            if first < last:
                if member.sha256 is None:
                    yield member.text[first:last]
                else:
                    yield from store.read(member.sha256, start=first, stop=last)
            at += member.size
            if at >= end:
                return
        yield from _cut(self._tail, start - at, end - at)


@dataclass(frozen=True)
class SingleContent:
    """One content of the store, sent as it is."""

    sha256: str
    size: int
    media_type: str = "application/octet-stream"

    @property
    def signature(self) -> str:
        """Equal for equal contents."""
        return self.sha256


def _cut(piece: bytes, start: int, stop: int) -> Iterator[bytes]:
    part = piece[max(0, start) : max(0, stop)]
    if part:
        yield part


def _dos_time(at: datetime) -> tuple[int, int]:
    """Time and date of 4.4.6; they begin in 1980 and count two seconds."""
    if at.year < 1980:
        return 0, 1 << 5 | 1
    return at.hour << 11 | at.minute << 5 | at.second // 2, (at.year - 1980) << 9 | at.month << 5 | at.day


def _local_header(member: Member) -> bytes:
    """Section 4.3.7; sizes above 4 GiB in a Zip64 extra field (4.5.3)."""
    name, big = member.name.encode(), member.size >= LIMIT_4
    extra = struct.pack("<HHQQ", 1, 16, member.size, member.size) if big else b""
    size = LIMIT_4 if big else member.size
    return (
        struct.pack(
            "<4s5H3L2H", b"PK\3\4", ZIP64 if big else PLAIN, UTF8_NAMES, 0, *_dos_time(member.modified), member.crc32,
            size, size, len(name), len(extra),
        )
        + name
        + extra
    )  # fmt: skip


def _directory_entry(member: Member, offset: int) -> bytes:
    """Section 4.3.12."""
    name = member.name.encode()
    large = [number for number in (member.size, member.size) if number >= LIMIT_4]
    large += [offset] if offset >= LIMIT_4 else []
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, version = min(member.size, LIMIT_4), ZIP64 if large else PLAIN
    return (
        struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", MADE_BY_UNIX | version, version, UTF8_NAMES, 0, *_dos_time(member.modified),
            member.crc32, size, size, len(name), len(extra), 0, 0, 0, READABLE, min(offset, LIMIT_4),
        )
        + name
        + extra
    )  # fmt: skip


def _end(n_members: int, size: int, offset: int) -> bytes:
    """Sections 4.3.14 to 4.3.16."""
    short = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, min(n_members, LIMIT_2), min(n_members, LIMIT_2), min(size, LIMIT_4),
        min(offset, LIMIT_4), 0,
    )  # fmt: skip
    if n_members < LIMIT_2 and size < LIMIT_4 and offset < LIMIT_4:
        return short
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, MADE_BY_UNIX | ZIP64, ZIP64, 0, 0, n_members, n_members, size, offset
    )
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, offset + size, 1) + short
