"""The store of file contents in a bucket of an object store that speaks S3."""

from __future__ import annotations

import hashlib
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from pzcenter.errors import ConfigError, MissingDependencyError, NotFoundError, StorageError
from pzcenter.server.storage.store import CHUNK, StoredContent, checksums_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["S3Store", "make_client"]

PART_BYTES = 64 << 20
"""Larger contents go in parts of this size: 10,000 of them, which S3 accepts, are 640 GB."""
AT_ONCE = 4
FRESH_SECONDS = 6 * 3600.0
"""A content that was put again is given a new time unless its time is as young as this."""
COPY_BYTES = 5 * 10**9
"""More cannot be copied by one request."""
ABSENT = {"404", "NoSuchKey", "NotFound"}


def make_client(endpoint: str | None) -> Any:
    """Client of an object store; keys come from the environment or the files of the cloud's own tools.

    Parameters
    ----------
    endpoint : str or None
        Address of a service that is not Amazon's.

    Returns
    -------
    botocore client
    """
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingDependencyError("a store in S3 needs boto3: pip install 'pzcenter[server]'") from error
    config = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=10, read_timeout=60)
    return boto3.client("s3", endpoint_url=endpoint, config=config)


class S3Store:
    """A store in a bucket: ``prefix/ab/cd/abcd…``.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``.
    folder : Path
        Of this machine, where contents lie until their checksum, which is their name, is known.
    endpoint : str, optional
    client : botocore client, optional
        In place of one that is made.

    Raises
    ------
    ConfigError
        No bucket is named.
    """

    def __init__(self, url: str, *, folder: Path, endpoint: str | None = None, client: Any = None) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise ConfigError(f"store_url {url!r}: expected s3://bucket/prefix")
        self.bucket, prefix = parts.netloc, parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._folder = folder
        self._client = client if client is not None else make_client(endpoint)

    def put(self, chunks: Iterable[bytes]) -> StoredContent:
        """Keep a content (see :class:`~pzcenter.server.storage.store.Store`)."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / uuid4().hex
        digest, crc, size = hashlib.sha256(), 0, 0
        try:
            with part.open("xb") as file:
                for piece in chunks:
                    file.write(piece)
                    digest.update(piece)
                    crc = zlib.crc32(piece, crc)
                    size += len(piece)
            content = StoredContent(digest.hexdigest(), size, crc)
            self._send(part, content)
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(f"{self._folder} did not take a file: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)
        return content

    def put_file(self, path: Path) -> StoredContent:
        """Keep the content of a file and take the file away (see :class:`~pzcenter.server.storage.store.Store`)."""
        content = checksums_of(path)
        self._send(path, content)
        path.unlink(missing_ok=True)
        return content

    def _send(self, path: Path, content: StoredContent) -> None:
        from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped]

        if self.size(content.sha256) == content.size:
            self._touch(content)
            return
        parts = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=AT_ONCE
        )  # fmt: skip
        with self._telling("did not take a content"):
            self._client.upload_file(str(path), self.bucket, self._key(content.sha256), Config=parts)
        found = self.size(content.sha256)
        if found != content.size:
            raise StorageError(f"the object store has {found} bytes of {content.size} that were sent")

    def _touch(self, content: StoredContent) -> None:
        """Give a content a new time, so that nobody takes it for forgotten."""
        import time

        at = self.touched_at(content.sha256)
        if at is not None and time.time() - at < FRESH_SECONDS:
            return
        key = self._key(content.sha256)
        source = {"Bucket": self.bucket, "Key": key}
        with self._telling("did not renew a content"):
            if content.size < COPY_BYTES:
                self._client.copy_object(
                    Bucket=self.bucket, Key=key, CopySource=source, MetadataDirective="REPLACE"
                )  # fmt: skip
            else:
                self._client.copy(source, self.bucket, key, ExtraArgs={"MetadataDirective": "REPLACE"})

    def read(self, sha256: str, *, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Bytes of a content (see :class:`~pzcenter.server.storage.store.Store`)."""
        size = self.size(sha256)
        if size is None:
            raise NotFoundError(f"content {sha256} is not in the store")
        stop = size if stop is None else min(stop, size)
        return self._pieces(sha256, start, stop) if start < stop else iter(())

    def _pieces(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        with self._telling("did not send a content"):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=self._key(sha256), Range=f"bytes={start}-{stop - 1}"
            )  # fmt: skip
            body = answer["Body"]
            try:
                while piece := body.read(CHUNK):
                    yield piece
            finally:
                body.close()

    def size(self, sha256: str) -> int | None:
        """Bytes of a content (see :class:`~pzcenter.server.storage.store.Store`)."""
        found = self._head(sha256)
        return None if found is None else int(found["ContentLength"])

    def local_path(self, sha256: str) -> Path | None:  # noqa: ARG002 - the signature of all stores
        """None: contents are elsewhere."""
        return None

    def remove(self, sha256: str) -> None:
        """Drop a content (see :class:`~pzcenter.server.storage.store.Store`)."""
        with self._telling("did not drop a content"):
            self._client.delete_object(Bucket=self.bucket, Key=self._key(sha256))

    def touched_at(self, sha256: str) -> float | None:
        """When a content was last put here (see :class:`~pzcenter.server.storage.store.Store`)."""
        found = self._head(sha256)
        return None if found is None else float(found["LastModified"].timestamp())

    def remove_old(self, sha256: str, before: float) -> bool:
        """Drop a content unless it was put again (see :class:`~pzcenter.server.storage.store.Store`).

        S3 knows no way to look and drop at once: what is put again between the two is lost, a matter of milliseconds
        for contents that nobody has needed for a day.
        """
        at = self.touched_at(sha256)
        if at is not None and at >= before:
            return False
        self.remove(sha256)
        return True

    def names(self) -> Iterator[str]:
        """All contents (see :class:`~pzcenter.server.storage.store.Store`)."""
        with self._telling("did not list its contents"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix):
                for each in page.get("Contents", ()):
                    name = each["Key"].rpartition("/")[2]
                    if _is_name(name) and each["Key"] == self._key(name):
                        yield name

    def _head(self, sha256: str) -> dict[str, Any] | None:
        key = self._key(sha256)
        with self._telling("does not answer"):
            try:
                found: dict[str, Any] = self._client.head_object(Bucket=self.bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") in ABSENT:
                    return None
                raise
            return found

    def _key(self, sha256: str) -> str:
        if not _is_name(sha256):
            raise NotFoundError(f"{sha256!r} is no SHA-256 in hexadecimal digits")
        return f"{self._prefix}{sha256[:2]}/{sha256[2:4]}/{sha256}"

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Have faults of the object store be errors of ours, without keys and addresses."""
        from boto3.exceptions import Boto3Error  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # type: ignore[import-untyped]

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise StorageError(f"the object store {what}: {code}") from error
        except (Boto3Error, BotoCoreError, HTTPClientError) as error:
            raise StorageError(f"the object store {what}: {type(error).__name__}") from error


def _is_name(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
