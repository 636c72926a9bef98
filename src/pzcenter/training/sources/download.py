"""Download one file: resumed where it broke off, checked against its announced version, limited in size."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pzcenter.errors import SourceUnavailableError, TransientError, UsageError
from pzcenter.training.sources.addresses import host_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse
    from pathlib import Path

    from pzcenter.training.sources.transport import Transport

__all__ = ["Downloaded", "download", "file_name_of"]

ATTEMPTS = 4
"""The first attempt and three resumptions; a later call resumes again."""


@dataclass(frozen=True)
class Downloaded:
    """One downloaded file.

    Parameters
    ----------
    path : Path or None
        None when the service said that the kept version is still right.
    etag : str
        What the service calls this version.
    url : str
        Where it came from after redirects.
    """

    path: Path | None
    etag: str
    url: str


def file_name_of(url: str, default: str = "file") -> str:
    """Last part of an address as a plain file name."""
    name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", name).lstrip(".")
    return plain[-120:] or default


def download(
    transport: Transport,
    url: str,
    directory: Path,
    *,
    name: str = "",
    known_etag: str = "",
    headers: Mapping[str, str] | None = None,
) -> Downloaded:
    """Download a file into a directory.

    Parameters
    ----------
    transport : Transport
    url : str
    directory : Path
        An unfinished file of an earlier call in it is taken up again, if the service still has the same version.
    name : str
        Of the file; the last part of the address by default.
    known_etag : str
        Version that is kept already: when the service still has it, nothing is sent.
    headers : mapping, optional

    Returns
    -------
    Downloaded

    Raises
    ------
    UsageError
        The file is larger than the limit.
    TransientError
        It broke off and could not be resumed; what arrived is kept for the next call.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / (name or file_name_of(url))
    for attempt in range(ATTEMPTS):
        before = _partial(target).stat().st_size if _partial(target).exists() else 0
        try:
            return _attempt(transport, url, target, known_etag, dict(headers or {}))
        except TransientError:
            grown = _partial(target).exists() and _partial(target).stat().st_size > before
            if attempt + 1 == ATTEMPTS or not grown:
                raise
    raise AssertionError("the last attempt returns or raises")


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _version_file(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")


def _attempt(transport: Transport, url: str, target: Path, known_etag: str, headers: dict[str, str]) -> Downloaded:
    resumed = _resume_headers(target, url)
    if known_etag and not resumed:
        resumed = {"If-None-Match": known_etag}
    with transport.open(url, headers={**headers, **resumed}) as response:
        if response.status == http.client.NOT_MODIFIED:
            return Downloaded(None, known_etag, url)
        etag = response.headers.get("ETag", "")
        offset = _offset(response, target, resumed)
        _receive(transport, response, url, target, offset)
        final = response.geturl()
    _partial(target).replace(target)
    _version_file(target).unlink(missing_ok=True)
    return Downloaded(target, etag, final)


def _resume_headers(target: Path, url: str) -> dict[str, str]:
    """Ask for the rest, provided that the file has not changed since."""
    try:
        told = json.loads(_version_file(target).read_text(encoding="utf-8"))
        size = _partial(target).stat().st_size
    except (OSError, ValueError):
        return {}
    if size == 0 or told.get("url") != url or not told.get("version"):
        return {}
    return {"Range": f"bytes={size}-", "If-Range": str(told["version"])}


def _offset(response: HTTPResponse, target: Path, asked: Mapping[str, str]) -> int:
    """Where in the file the answer begins: after what is there, or at 0 when all is sent anew."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    size = _partial(target).stat().st_size if _partial(target).exists() else 0
    if begins is None or int(begins.group(1)) != size or "Range" not in asked:
        _partial(target).unlink(missing_ok=True)
        raise SourceUnavailableError("the service sent another part of the file than was asked; try again")
    return size


def _receive(transport: Transport, response: HTTPResponse, url: str, target: Path, offset: int) -> None:
    limit = transport.limits.max_bytes
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and offset + int(announced) > limit:
        raise _too_large(url, offset + int(announced), limit)
    # A weak ETag names a meaning and not the bytes: it must not be used to join two parts.
    etag = response.headers.get("ETag", "")
    strong = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    _version_file(target).write_text(json.dumps({"url": url, "version": strong}), encoding="utf-8")
    size = offset
    with _partial(target).open("ab" if offset else "wb") as sink:
        for block in transport.blocks(response, url):
            size += len(block)
            if size > limit:
                raise _too_large(url, size, limit)
            sink.write(block)


def _too_large(url: str, size: int, limit: int) -> UsageError:
    return UsageError(
        f"the file at {host_of(url)} has {size} bytes or more, the limit is {limit}; raise max_bytes of Limits"
    )
