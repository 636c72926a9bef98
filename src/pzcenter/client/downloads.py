"""Downloads that go on where they were broken off, and are checked before they get their name.

Bytes go to ``NAME.part`` beside the file; its ``NAME.part.json`` says which content they are of. A later call asks for
the rest, and only of the same content. The file has its name when every byte is there and its SHA-256 is right.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pzcenter.client.exchange import Answer, BrokenExchangeError, Retries, Send, Sleep, Steps, answered
from pzcenter.client.refusals import check
from pzcenter.errors import ChecksumError, InternalError, OutputExistsError, StorageError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Progress", "below", "download_steps", "safe_name"]

Progress = Callable[[int, int | None], None]
"""Told how many bytes are there, and of how many."""
CHUNK = 2**20


def safe_name(name: str) -> str:
    """Last part of a name that a server gave, without anything that leads elsewhere."""
    last = re.split(r"[/\\]", name)[-1].replace("\0", "").strip()
    return last if last not in {"", ".", ".."} else "download"


def below(root: Path, path: str) -> Path:
    """Where a file goes; nothing that a server says leads out of the directory.

    Raises
    ------
    InternalError
    """
    parts = path.split("/")
    if any(safe_name(part) != part for part in parts):
        raise InternalError(f"the server has a file {path!r}, which would lie outside {root}")
    return root.joinpath(*parts)


@dataclass
class _Part:
    """A file that is not complete yet.

    Attributes
    ----------
    path : Path
        Of the complete file.
    etag : str
        Of the content that the bytes are of.
    size : int or None
        Of the complete file, once it is known.
    digest : str or None
        SHA-256 that the server told.
    """

    path: Path
    progress: Progress | None
    etag: str = ""
    size: int | None = None
    digest: str | None = None
    file: BinaryIO | None = field(default=None, repr=False)

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".part.json")

    def begin(self) -> int:
        """Bytes that are there already, of a content that is known."""
        if not (self.part.is_file() and self.note.is_file()):
            return 0
        try:
            noted = json.loads(self.note.read_text())
            self.etag, self.digest = str(noted["etag"]), noted["sha256"]
        except (ValueError, KeyError, TypeError):
            return 0
        return self.part.stat().st_size if self.etag else 0

    def sink(self, answer: Answer) -> Callable[[bytes], None] | None:
        """Open the file for what comes: behind what is there, or anew."""
        if answer.status not in {200, 206}:
            return None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        at = _start_of(answer) if answer.status == 206 else 0
        self.size = _size_of(answer, at)
        self.etag = answer.headers.get("etag", "")
        self.digest = _digest_of(answer)
        self.note.write_text(json.dumps({"etag": self.etag, "sha256": self.digest}))
        file = self.part.open("r+b" if self.part.is_file() else "w+b")
        file.seek(at)
        file.truncate()
        self.file = file
        done = at

        def take(piece: bytes) -> None:
            nonlocal done
            file.write(piece)
            done += len(piece)
            if self.progress is not None:
                self.progress(done, self.size)

        return take

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def there(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def finish(self, sha256: str | None) -> Path:
        """Give the file its name, when it is what it should be."""
        wanted = sha256 or self.digest
        if wanted is not None and (there := _sha256_of(self.part)) != wanted:
            self.drop()
            raise ChecksumError(f"{self.path.name} came with SHA-256 {there}, not {wanted}; it was thrown away")
        with self.part.open("rb") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)
        self.note.unlink(missing_ok=True)
        return self.path

    def drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download_steps(
    url: str,
    path: Path,
    *,
    retries: Retries,
    sha256: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Steps[Path]:
    """Steps of a download.

    Parameters
    ----------
    url : str
    path : Path
        Of the file to make.
    retries : Retries
        Counted anew whenever something has come.
    sha256 : str, optional
        What it must be; what the server tells otherwise.
    overwrite : bool
        Replace a file of this name.
    progress : callable, optional

    Yields
    ------
    Send, Sleep

    Returns
    -------
    Path

    Raises
    ------
    OutputExistsError
        There is a file of this name whose content is another one.
    ChecksumError
        What came is not what it should be; it was thrown away.
    BrokenExchangeError
        The server does not answer; what has come is kept, and the same call goes on.
    StorageError
        The disk refused.
    """
    if path.exists() and not overwrite:
        if sha256 is not None and path.is_file() and _sha256_of(path) == sha256:
            return path
        raise OutputExistsError(f"{path} is there already; overwrite replaces it")
    part = _Part(path, progress)
    failures = 0
    while True:
        before = part.begin()
        ranged = {"Range": f"bytes={before}-", "If-Range": part.etag} if before else {}
        send = Send("GET", url, headers={"Accept-Encoding": "identity", **ranged}, sink=part.sink)
        try:
            answer = yield from answered(send, Retries(attempts=1))
        except BrokenExchangeError as error:
            failure: Exception = error
        except OSError as error:
            raise StorageError(f"{part.part}: {error.strerror or error}") from error
        else:
            if answer.status == 416:
                if before and answer.headers.get("content-range") == f"bytes */{before}":
                    return part.finish(sha256)
                part.drop()
                failure = ChecksumError(f"the server has no bytes of {path.name} behind {before:,}")
            elif answer.status in {429, 502, 503, 504}:
                failure = _refusal(answer)
            else:
                check(answer)
                if part.size is None or part.there() == part.size:
                    return part.finish(sha256)
                failure = BrokenExchangeError(f"{path.name} ended after {part.there():,} bytes", reached=True)
        finally:
            part.close()
        failures = 0 if part.there() > before else failures + 1
        if failures >= retries.attempts:
            raise failure
        yield Sleep(retries.pause(failures))


def _refusal(answer: Answer) -> Exception:
    try:
        check(answer)
    except Exception as error:  # noqa: BLE001 - it is raised by the caller, after the last attempt
        return error
    raise AssertionError(answer.status)


def _start_of(answer: Answer) -> int:
    found = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(found[1]) if found else 0


def _size_of(answer: Answer, at: int) -> int | None:
    length = answer.headers.get("content-length", "")
    return at + int(length) if length.isdecimal() else None


def _digest_of(answer: Answer) -> str | None:
    """SHA-256 of the whole content, as RFC 9530 tells it."""
    found = re.search(r"sha-256=:([A-Za-z0-9+/=]+):", answer.headers.get("repr-digest", ""))
    return base64.b64decode(found[1]).hex() if found else None


def _sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()
