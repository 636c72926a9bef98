"""Uploads that go on where they were broken off (tus 1.0), with the checksum told beforehand.

The address of an upload under way is kept in a state file, by server, file and product; a later call for the same
bytes goes on with it, also after the program was killed.

References
----------
tus.io, resumable upload protocol 1.0.0: core protocol, creation.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from pzcenter.client.exchange import Answer, BrokenExchangeError, Retries, Send, Sleep, Steps, answered
from pzcenter.client.refusals import check, error_of
from pzcenter.errors import NotFoundError, StorageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pzcenter.client.downloads import Progress

__all__ = ["CHUNK", "UploadState", "sha256_of", "upload_steps"]

CHUNK = 8 * 2**20
"""Bytes of one request; what is lost at most when the line breaks."""
VERSION = {"Tus-Resumable": "1.0.0"}
OFFSET_TYPE = "application/offset+octet-stream"
GONE = {403, 404, 410}
CONFLICT = 409
AGAIN = {CONFLICT, 423, 429, 500, 502, 503, 504}
"""Answers after which the offset is asked for, and the rest sent again."""
UPLOADS = "uploads"


def sha256_of(path: Path, progress: Progress | None = None) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
            done += len(piece)
            if progress is not None:
                progress(done, size)
    return digest.hexdigest()


@dataclass(frozen=True)
class UploadState:
    """Where the addresses of uploads under way are kept.

    Attributes
    ----------
    directory : Path or None
        None: they are forgotten at the end of the program.
    """

    directory: Path | None

    def _path(self, key: str) -> Path | None:
        return None if self.directory is None else self.directory / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def get(self, key: str) -> str | None:
        """Address of an upload under way."""
        path = self._path(key)
        if path is None or not path.is_file():
            return None
        try:
            return str(json.loads(path.read_text())["url"])
        except (ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, url: str) -> None:
        """Note the address of an upload; for its owner alone."""
        path = self._path(key)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump({"url": url}, file)

    def forget(self, key: str) -> None:
        """The upload is done, or gone."""
        path = self._path(key)
        if path is not None:
            path.unlink(missing_ok=True)


def upload_steps(
    base: str,
    path: Path,
    *,
    words: dict[str, str],
    retries: Retries,
    state: UploadState,
    chunk: int = CHUNK,
    progress: Progress | None = None,
) -> Steps[dict[str, str]]:
    """Steps of an upload.

    Parameters
    ----------
    base : str
        Address of the interface, with a slash at its end.
    path : Path
    words : dict of str to str
        What the server should know of the file: product, role, ...; name and checksum are added.
    retries : Retries
        Counted anew whenever the server has got something.
    state : UploadState
    chunk : int
        Bytes of one request.
    progress : callable, optional

    Yields
    ------
    Send, Sleep

    Returns
    -------
    dict of str to str
        Headers of the last answer, and ``url``, the address of the upload.

    Raises
    ------
    UsageError
        The file has changed while it was sent.
    """
    size = path.stat().st_size
    metadata = {"filename": path.name, **words, "sha256": sha256_of(path)}
    key = json.dumps([base, size, metadata], sort_keys=True)
    url, offset = state.get(key), 0
    last = None
    if url is not None:
        there = yield from _offset(url, retries)
        url, offset = (None, 0) if there is None else (url, there)
    if url is None:
        last = yield from _create(base, size, metadata, retries)
        url = urljoin(base, last.headers["location"])
        state.keep(key, url)
    failures = 0
    if progress is not None:
        progress(offset, size)
    with path.open("rb") as file:
        while offset < size:
            piece = _piece(file, offset, min(chunk, size - offset), path)
            try:
                last = yield from answered(_patch(url, offset, piece), Retries(attempts=1))
            except BrokenExchangeError as error:
                failure: Exception = error
                last = None
            else:
                if last.status == 204:
                    failures, offset = 0, int(last.headers.get("upload-offset", offset + len(piece)))
                    if progress is not None:
                        progress(offset, size)
                    continue
                failure = error_of(last)
                if last.status not in AGAIN:
                    state.forget(key)
                    raise failure
            failures += 1
            if failures >= retries.attempts:
                raise failure
            yield Sleep(retries.pause(failures, None if last is None else last.headers.get("retry-after")))
            conflict = last is not None and last.status == CONFLICT
            try:
                there = yield from _offset(url, retries)
            except UsageError:
                there = None
            if there is None or (conflict and there in {offset, offset + len(piece)}):
                # A conflict that is not about the offset stays one; the server has said why.
                state.forget(key)
                raise failure if conflict else NotFoundError(f"the upload of {path.name} is gone; upload it anew")
            failures, offset = (0 if there > offset else failures), there
    state.forget(key)
    return {**({} if last is None else last.headers), "url": url}


def _create(base: str, size: int, metadata: dict[str, str], retries: Retries) -> Steps[Answer]:
    encoded = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())
    headers = {**VERSION, "Upload-Length": str(size), "Upload-Metadata": encoded}
    # A second upload by the same words does no harm: the first one is dropped by the server in time.
    send = Send("POST", urljoin(base, UPLOADS), headers=headers, content=b"")
    answer = check((yield from answered(send, retries, twice=True)))
    if "location" not in answer.headers:
        raise StorageError("the server made an upload and did not say where")
    return answer


def _patch(url: str, offset: int, piece: bytes) -> Send:
    headers = {**VERSION, "Upload-Offset": str(offset), "Content-Type": OFFSET_TYPE}
    return Send("PATCH", url, headers=headers, content=piece)


def _offset(url: str, retries: Retries) -> Steps[int | None]:
    """Bytes that the server has; None: the upload is gone."""
    answer = yield from answered(Send("HEAD", url, headers=VERSION), retries)
    if answer.status in GONE:
        return None
    return int(check(answer).headers["upload-offset"])


def _piece(file: Any, offset: int, n: int, path: Path) -> bytes:
    file.seek(offset)
    piece = file.read(n)
    if len(piece) != n:
        raise UsageError(f"{path} has become shorter while it was sent")
    return bytes(piece)
