"""What tus 1.0 says in headers: versions, metadata, checksums, numbers.

References
----------
tus.io, resumable upload protocol 1.0.0.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from pzcenter.errors import UsageError
from pzcenter.server.services.upload_writing import CHECKSUMS, PartChecksum

if TYPE_CHECKING:
    from fastapi import Request

    from pzcenter.server.services.uploads import UploadStatus

__all__ = [
    "EXTENSIONS", "OFFSET_TYPE", "VERSION", "checksum_of", "http_date", "metadata_of", "need_version", "number_of",
    "status_headers",
]  # fmt: skip

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination"
OFFSET_TYPE = "application/offset+octet-stream"
MAX_METADATA = 8192
DIGEST_BYTES = {"sha1": 20, "md5": 16, "sha256": 32}
KEY = re.compile(r"[!-+\--~]{1,64}", re.ASCII)
"""Without blanks and commas."""


def need_version(request: Request) -> None:
    """Refuse a client of another version of the protocol.

    Raises
    ------
    HTTPException
        Status 412.
    """
    if request.headers.get("tus-resumable") != VERSION:
        said = request.headers.get("tus-resumable", "nothing")[:40]
        raise HTTPException(412, f"Tus-Resumable: {said}; {VERSION} is spoken here", {"Tus-Version": VERSION})


def number_of(request: Request, name: str) -> int | None:
    """A header with a number of bytes; None when it is not there.

    Raises
    ------
    UsageError
        Not a whole number from 0.
    """
    text = request.headers.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UsageError(f"{name}: {text[:40]!r}; a number of bytes is expected")
    return int(text)


def metadata_of(request: Request) -> dict[str, str]:
    """Pairs of ``Upload-Metadata``.

    Raises
    ------
    UsageError
        A key twice, a value that is not base64 of UTF-8, or too much.
    """
    header = request.headers.get("upload-metadata", "")
    if len(header) > MAX_METADATA:
        raise UsageError(f"Upload-Metadata has {len(header)} letters; {MAX_METADATA} are accepted")
    found: dict[str, str] = {}
    for pair in filter(None, (each.strip() for each in header.split(","))):
        key, _, value = pair.partition(" ")
        if not KEY.fullmatch(key) or key in found:
            raise UsageError(f"Upload-Metadata: {key[:64]!r} is no key, or is there twice")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise UsageError(f"Upload-Metadata: the value of {key} is not base64 of a text in UTF-8") from error
        if "\x00" in found[key]:
            raise UsageError(f"Upload-Metadata: the value of {key} has a NUL")
    return found


def checksum_of(request: Request) -> PartChecksum | None:
    """What the bytes of this request must have; None when nothing is said.

    Raises
    ------
    UsageError
        An unknown algorithm, or no digest of it.
    """
    header = request.headers.get("upload-checksum")
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm not in CHECKSUMS or len(digest) != DIGEST_BYTES[algorithm]:
        raise UsageError(
            f"Upload-Checksum: {header[:80]!r}; accepted are {', '.join(CHECKSUMS)} and a digest in base64"
        )
    return PartChecksum(algorithm, digest)


def http_date(time: datetime) -> str:
    """A time as headers write it."""
    return format_datetime(time, usegmt=True)


def status_headers(status: UploadStatus) -> dict[str, str]:
    """Headers that tell how far an upload is."""
    told = {
        "Tus-Resumable": VERSION, "Upload-Offset": str(status.offset), "Cache-Control": "no-store",
        "Upload-Expires": http_date(status.expires_at),
    }  # fmt: skip
    if status.length is None:
        told["Upload-Defer-Length"] = "1"
    else:
        told["Upload-Length"] = str(status.length)
    if status.metadata:
        told["Upload-Metadata"] = status.metadata
    return told
