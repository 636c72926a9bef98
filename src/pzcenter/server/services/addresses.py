"""Data that stay where they are: looked at and read below directories, buckets and hosts that the admin allows."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from pzcenter.errors import NotFoundError, PermissionDeniedError, QuotaError, SourceUnavailableError, UsageError
from pzcenter.training.sources.addresses import is_public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.server.settings import ServerSettings

__all__ = ["BucketAddress", "DataAddress", "HttpsAddress", "LocalAddress", "address_of"]

CHUNK = 1 << 20
SECONDS = 20.0
MAX_ADDRESS = 2000
MAX_FILES = 100_000
Fixity = dict[str, Any]


class DataAddress(Protocol):
    """Data elsewhere."""

    text: str
    """How it is kept and told."""

    def look(self) -> Fixity:
        """Size, and what changes when the data do: ``size``, ``mtime``, ``etag``, ``n_files``, ``listing``."""

    def read(self) -> Iterator[bytes]:
        """All bytes, in pieces; of a single file only."""


def address_of(settings: ServerSettings, text: str) -> DataAddress:
    """Data that a text names, if they are where the admin allows.

    Parameters
    ----------
    settings : ServerSettings
        ``reference_roots`` and ``reference_hosts``.
    text : str
        A path or ``file://`` address, ``s3://bucket/key``, ``https://host/path``.

    Returns
    -------
    DataAddress

    Raises
    ------
    UsageError
        No address of these kinds.
    PermissionDeniedError
        Not below what is allowed.
    NotFoundError
        No such file or directory.
    """
    if not text or len(text) > MAX_ADDRESS or not text.isprintable():
        raise UsageError(f"an address has 1 to {MAX_ADDRESS} letters that can be printed")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"address {text[:80]!r} cannot be read: {error}") from error
    if parts.scheme == "https":
        if parts.username is not None or parts.password is not None or parts.fragment or "\\" in text or " " in text:
            raise UsageError("an https address without user name, password, blanks and '#' is expected")
        return HttpsAddress(_allowed_host(settings, parts.hostname), port or 443, parts.path or "/", parts.query)
    if parts.scheme == "s3":
        return BucketAddress(settings, text)
    if parts.scheme == "file" and not parts.netloc:
        return LocalAddress(settings, unquote(parts.path))
    if text.startswith("/"):
        return LocalAddress(settings, text)
    raise UsageError(f"address {text[:80]!r}: accepted are /path, file:///path, s3://bucket/key and https://host/path")


def _allowed_host(settings: ServerSettings, host: str | None) -> str:
    name = (host or "").rstrip(".").lower()
    if name not in {each.lower() for each in settings.reference_hosts}:
        raise PermissionDeniedError(
            f"data at {name[:80] or 'no host'} cannot be referred to; the admin has not allowed it"
        )
    return name


class LocalAddress:
    """A file or directory of this machine.

    Parameters
    ----------
    settings : ServerSettings
    text : str
    """

    def __init__(self, settings: ServerSettings, text: str) -> None:
        roots = [Path(each).resolve() for each in settings.reference_roots if "://" not in each]
        # Links are followed first: where they lead counts.
        path = Path(text).resolve()
        if not any(root == path or root in path.parents for root in roots):
            raise PermissionDeniedError(f"{text} cannot be referred to; the admin has not allowed it")
        if not path.is_file() and not path.is_dir():
            raise NotFoundError(f"no file or directory {text}")
        self.path, self.text, self._roots = path, str(path), roots

    def look(self) -> Fixity:
        """Size and time; of a directory those of all files."""
        if self.path.is_file():
            known = self.path.stat()
            return {"size": known.st_size, "mtime": known.st_mtime_ns / 1e9}
        listing, size, newest, n_files = hashlib.sha256(), 0, 0.0, 0
        for path in sorted(self.path.rglob("*")):
            if not path.is_file():
                continue
            if path.is_symlink() and not any(root in path.resolve().parents for root in self._roots):
                raise PermissionDeniedError(f"{path.name} in {self.text} is a link to elsewhere")
            known = path.stat()
            n_files += 1
            if n_files > MAX_FILES:
                raise QuotaError(f"{self.text} has more than {MAX_FILES} files")
            size, newest = size + known.st_size, max(newest, known.st_mtime_ns / 1e9)
            listing.update(f"{path.relative_to(self.path)}\0{known.st_size}\n".encode())
        return {"size": size, "mtime": newest, "n_files": n_files, "listing": listing.hexdigest()}

    def read(self) -> Iterator[bytes]:
        """All bytes."""
        with self.path.open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece


class BucketAddress:
    """A content of an object store, below one of the allowed prefixes.

    Parameters
    ----------
    settings : ServerSettings
    text : str
    """

    def __init__(self, settings: ServerSettings, text: str) -> None:
        roots = [each.rstrip("/") for each in settings.reference_roots if each.startswith("s3://")]
        parts = urlsplit(text)
        self._bucket, self._key = parts.netloc, text.removeprefix(f"s3://{parts.netloc}").lstrip("/")
        self.text = f"s3://{self._bucket}/{self._key}"
        if self._key.endswith("/") or not any(self.text.startswith(f"{root}/") for root in roots):
            raise PermissionDeniedError(f"{text[:200]} cannot be referred to; the admin has not allowed it")
        from pzcenter.server.storage.s3_store import make_client

        self._client = make_client(settings.s3_endpoint)

    def look(self) -> Fixity:
        """Size, time and ETag."""
        found = self._ask("head_object")
        return {
            "size": int(found["ContentLength"]), "mtime": found["LastModified"].timestamp(),
            "etag": str(found["ETag"]).strip('"'),
        }  # fmt: skip

    def read(self) -> Iterator[bytes]:
        """All bytes."""
        body = self._ask("get_object")["Body"]
        try:
            while piece := body.read(CHUNK):
                yield piece
        finally:
            body.close()

    def _ask(self, what: str) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            return getattr(self._client, what)(Bucket=self._bucket, Key=self._key)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}:
                raise NotFoundError(f"nothing at {self.text}") from error
            raise SourceUnavailableError(f"the object store does not give {self.text}: {code}") from error
        except BotoCoreError as error:
            raise SourceUnavailableError(f"the object store does not answer: {type(error).__name__}") from error


class HttpsAddress:
    """A file at an allowed host. Redirects are not followed, private machines are never asked.

    Parameters
    ----------
    host : str
    port : int
    path, query : str
    """

    def __init__(self, host: str, port: int, path: str, query: str) -> None:
        self._host, self._port = host, port
        self._target = quote(path, safe="/%:@!$&'()*+,;=~") + (f"?{quote(query, safe='=&%/:,;+@!~')}" if query else "")
        self.text = f"https://{host}{'' if port == 443 else f':{port}'}{self._target}"

    def look(self) -> Fixity:
        """Size, time and ETag, as far as the host tells."""
        connection, answer = self._ask("HEAD")
        connection.close()
        length = answer.getheader("Content-Length", "")
        return {
            "size": int(length) if length.isascii() and length.isdigit() else None,
            "last_modified": answer.getheader("Last-Modified"), "etag": answer.getheader("ETag"),
        }  # fmt: skip

    def read(self) -> Iterator[bytes]:
        """All bytes."""
        connection, answer = self._ask("GET")
        try:
            while piece := answer.read(CHUNK):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise SourceUnavailableError(f"{self._host} broke off: {type(error).__name__}") from error
        finally:
            connection.close()

    def _ask(self, method: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = open_https(self._host, self._port)
        try:
            connection.request(method, self._target, headers={"User-Agent": "pzcenter", "Accept-Encoding": "identity"})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise SourceUnavailableError(f"{self._host} does not answer: {type(error).__name__}") from error
        if answer.status == 200:
            return connection, answer
        connection.close()
        if answer.status in {404, 410}:
            raise NotFoundError(f"nothing at {self.text}")
        if answer.status >= 500 or answer.status == 429:
            raise SourceUnavailableError(f"{self._host} does not give {self.text}: status {answer.status}")
        raise UsageError(f"{self._host} does not give {self.text} itself: status {answer.status}")


def open_https(host: str, port: int) -> http.client.HTTPConnection:
    """A connection to a public machine: the address that was judged is the one that is used.

    Parameters
    ----------
    host : str
    port : int

    Returns
    -------
    http.client.HTTPConnection

    Raises
    ------
    PermissionDeniedError
        The name stands for this machine or a private network.
    SourceUnavailableError
        No such name, or no answer.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise SourceUnavailableError(f"the name {host} cannot be looked up: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not all(is_public(address) for address in addresses):
        raise PermissionDeniedError(f"{host} stands for a private address; it is never asked")
    try:
        line = socket.create_connection((addresses[0], port), timeout=SECONDS)
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS)
        connection.sock = ssl.create_default_context().wrap_socket(line, server_hostname=host)
    except OSError as error:
        raise SourceUnavailableError(f"{host} does not answer: {error}") from error
    return connection
