"""Zip and tar archives of participants, unpacked with suspicion: member by member, by name, within limits."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import weakref
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from pzcenter.errors import FileFormatError

from .content import HEAD_BYTES, content_kind, is_pickle_name, is_pickled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ArchiveLimits", "ScratchDirectory", "Unpacked", "unpack"]

_COPY_BYTES = 1 << 20
_SMALL_BYTES = 1 << 26
_MAX_HEADER_BYTES = 1 << 20
_HEADER_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may be.

    Parameters
    ----------
    max_members : int
    max_bytes : int
        Of all members together, unpacked.
    max_ratio : float
        Bytes unpacked for each byte of the archive, beyond the first 64 MB. Densities pack to a tenth, seldom to a
        fiftieth.
    """

    max_members: int = 10_000
    max_bytes: int = 256 << 30
    max_ratio: float = 200.0


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive.

    Parameters
    ----------
    files : tuple of Path
        In the order of the archive.
    left_out : dict of str to str
        Members that were not written, with the reason.
    """

    files: tuple[Path, ...]
    left_out: dict[str, str]


class ScratchDirectory:
    """A new directory, removed when the last submission that needs it is gone, at the latest when the program ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="pz-submission-"))
        self.close = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


def unpack(path: Path, destination: Path, *, limits: ArchiveLimits | None = None) -> Unpacked:
    """Unpack the files of an archive below a directory.

    Parameters
    ----------
    path : Path
        Zip, or tar, also compressed.
    destination : Path
        Directory that exists.
    limits : ArchiveLimits, optional

    Returns
    -------
    Unpacked
        Pickles are left out, by content and by name, and are named.

    Raises
    ------
    FileFormatError
        A name that leads out of the directory, a link or device, two members of one name, an encrypted member, more
        than the limits allow, or damage. Nothing outside ``destination`` is ever written.
    """
    limits = limits or ArchiveLimits()
    budget = _Budget(path, limits)
    files: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    try:
        with _members(path) as members:
            for member in members:
                name = _safe_name(member.name, path)
                if name in files or name in left_out:
                    raise FileFormatError(f"{path} has two members of the name {name!r}")
                budget.open(member)
                reason = _refused(member)
                if reason:
                    left_out[name] = reason
                    budget.spend(member.size, member.name)
                else:
                    files[name] = _write(member, destination / name, budget)
    except _DAMAGED as error:
        raise FileFormatError(f"{path} cannot be unpacked; it is damaged, encrypted or cut short: {error}") from error
    return Unpacked(tuple(files.values()), left_out)


class _Budget:
    """Members and bytes that are left."""

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self.path, self.limits = path, limits
        self.n_members = self.n_bytes = 0
        self.packed = max(path.stat().st_size, 1)

    def open(self, member: _Member) -> None:
        """Count a member, and refuse what it says that it holds."""
        self.n_members += 1
        if self.n_members > self.limits.max_members:
            raise FileFormatError(f"{self.path} has more than {self.limits.max_members} members")
        self._check(self.n_bytes + member.size, member.name)

    def spend(self, n_bytes: int, name: str) -> None:
        """Count bytes that came out, whatever the member said."""
        self.n_bytes += n_bytes
        self._check(self.n_bytes, name)

    def _check(self, n_bytes: int, name: str) -> None:
        ratio = n_bytes / self.packed
        if n_bytes > self.limits.max_bytes or (n_bytes > _SMALL_BYTES and ratio > self.limits.max_ratio):
            raise FileFormatError(
                f"{self.path} unpacks to {n_bytes} bytes or more at {name!r}, {ratio:.0f} times its own size; "
                f"accepted are {self.limits.max_bytes} bytes and {self.limits.max_ratio:.0f} times"
            )


def _safe_name(name: str, path: Path) -> str:
    """Relative path of a member, without steps out of the directory."""
    parts = PurePosixPath(name).parts
    is_bad = (
        not parts
        or name.startswith("/")
        or "\\" in name
        or "\x00" in name
        or ".." in parts
        or re.match(r"[A-Za-z]:", name) is not None
        or len(name) > 1024
    )
    if is_bad:
        raise FileFormatError(f"{path}: the member name {name!r} leads out of the archive; accepted are relative paths")
    return str(PurePosixPath(*parts))


def _refused(member: _Member) -> str:
    """Why a member is not written; empty where it is."""
    if is_pickle_name(member.name):
        return "a Python pickle or model, which is never opened"
    source = member.open()
    if source is None:
        return "not a file"
    with source:
        return "a Python pickle, which is never opened" if is_pickled(source.read(HEAD_BYTES)) else ""


def _write(member: _Member, target: Path, budget: _Budget) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = member.open()
    assert source is not None
    with source, target.open("xb") as sink:
        while piece := source.read(_COPY_BYTES):
            budget.spend(len(piece), member.name)
            sink.write(piece)
    return target


@contextmanager
def _members(path: Path) -> Iterator[Iterator[_Member]]:
    if content_kind(path) == "zip":
        with zipfile.ZipFile(path) as archive:
            yield _zip_members(archive, path)
        return
    with tarfile.open(path, "r:*", tarinfo=_CarefulTarInfo) as archive:
        yield _tar_members(archive, path)


def _zip_members(archive: zipfile.ZipFile, path: Path) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = info.external_attr >> 28
        if kind not in (0, 0o10, 0o4):
            raise FileFormatError(f"{path}: the member {info.filename!r} is a link or a device; accepted are files")
        if info.flag_bits & 1:
            raise FileFormatError(f"{path}: the member {info.filename!r} is encrypted")
        if not info.is_dir():
            yield _Member(info.filename, info.file_size, _opener(archive.open, info))


class _CarefulTarInfo(tarfile.TarInfo):
    """Header of a tar member, which refuses to take in long names and attributes without end."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADER_TYPES and self.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes; accepted are {_MAX_HEADER_BYTES}")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


def _tar_members(archive: tarfile.TarFile, path: Path) -> Iterator[_Member]:
    for info in archive:
        if info.isdir():
            _safe_name(info.name, path)
            continue
        if not info.isreg():
            raise FileFormatError(f"{path}: the member {info.name!r} is a link or a device; accepted are files")
        yield _Member(info.name, info.size, _opener(archive.extractfile, info))


def _opener(read: Callable[[Any], IO[bytes] | None], info: Any) -> Callable[[], IO[bytes] | None]:
    return lambda: read(info)
