"""Bytes of an upload to disk: nothing is acknowledged before it is safe there.

The length of the file on disk says how far an upload is; the database follows it and is never ahead. While a part with
a checksum of its own comes in, the database holds where it began, so that a part that was never checked is cut off
after a crash.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from io import FileIO
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ChecksumError, ConflictError, QuotaError, StorageError, UsageError
from pzcenter.server.services.uploads import (
    UploadBusyError,
    UploadStatus,
    locked,
    need_room,
    part_path,
    status_of_upload,
    upload_for,
)
from pzcenter.server.storage.base import now
from pzcenter.server.storage.uploads import Upload, UploadState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["CHECKSUMS", "PartChecksum", "UploadWriter", "settled"]

CHECKSUMS = ("sha1", "md5", "sha256")
"""Of one part (tus 1.0 asks for SHA-1)."""
SYNC_BYTES = 64 << 20
"""So many bytes are brought to disk at a time, lest the end of a large part takes long."""


@dataclass(frozen=True)
class PartChecksum:
    """What the bytes of one request must have.

    Attributes
    ----------
    algorithm : str
        One of ``CHECKSUMS``.
    digest : bytes
    """

    algorithm: str
    digest: bytes


def settled(services: Services, principal: Principal, uid: str) -> UploadStatus:
    """How far an upload is, after whatever may have happened to the server.

    Parameters
    ----------
    services : Services
    principal : Principal
    uid : str

    Returns
    -------
    UploadStatus
        With the bytes that are safe; those of a request that is still writing count when they are.

    Raises
    ------
    NotFoundError
        See :func:`pzcenter.server.services.uploads.upload_for`.
    """
    with services.database.reading() as session:
        status = status_of_upload(upload_for(session, principal, uid))
    if status.state is not UploadState.RECEIVING:
        return status
    try:
        with locked(services, uid):
            return _settle(services, principal, uid)
    except UploadBusyError:
        return status


def _settle(services: Services, principal: Principal, uid: str) -> UploadStatus:
    """Bring file and database together; the caller holds the lock."""
    with services.database.reading() as session:
        upload = upload_for(session, principal, uid)
        begun = (upload.hashing or {}).get("unverified_from")
        status = status_of_upload(upload)
    if status.state is not UploadState.RECEIVING:
        return status
    path = part_path(services, uid)
    try:
        with path.open("r+b") as file:
            if begun is not None:
                file.truncate(min(int(begun), path.stat().st_size))
            os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise StorageError(f"the bytes of upload {uid} are no longer here; begin it anew") from error
    if size == status.offset and begun is None:
        return status
    with services.database.writing() as session:
        upload = upload_for(session, principal, uid)
        upload.offset = size
        _note(upload, None)
        return status_of_upload(upload)


def _note(upload: Upload, unverified_from: int | None) -> None:
    rest = {key: value for key, value in (upload.hashing or {}).items() if key != "unverified_from"}
    upload.hashing = rest if unverified_from is None else rest | {"unverified_from": unverified_from}


class UploadWriter:
    """Takes the bytes of one request: :meth:`begin`, :meth:`write`, then :meth:`end`, or :meth:`close` if it broke off.

    Parameters
    ----------
    services : Services
    principal : Principal
    uid : str
    offset : int
        Where the client goes on.
    length : int, optional
        Of the whole file, where it was not told before.
    announced : int, optional
        Bytes that this request is about to send.
    checksum : PartChecksum, optional
    """

    def __init__(
        self,
        services: Services,
        principal: Principal,
        uid: str,
        *,
        offset: int,
        length: int | None = None,
        announced: int | None = None,
        checksum: PartChecksum | None = None,
    ) -> None:
        self._services, self._principal, self._uid = services, principal, uid
        self._offset, self._length, self._announced, self._checksum = offset, length, announced, checksum
        self._digest: Any = None if checksum is None else hashlib.new(checksum.algorithm, usedforsecurity=False)
        self._held = ExitStack()
        self._position = self._synced = offset
        self._ended = False

    def begin(self) -> None:
        """Take the lock, and see that the bytes fit.

        Raises
        ------
        UploadBusyError
            Another request is writing.
        ConflictError
            Another offset, or an upload that was refused.
        QuotaError
            More bytes than were promised or are accepted.
        """
        try:
            self._held.enter_context(locked(self._services, self._uid))
            self._begin()
        except BaseException:
            self._held.close()
            raise

    def _begin(self) -> None:
        status = _settle(self._services, self._principal, self._uid)
        if status.state is UploadState.REFUSED:
            raise ConflictError(f"the upload was refused: {status.refusal}")
        if self._offset != status.offset:
            raise ConflictError(f"the offset of the upload is {status.offset}, not {self._offset}")
        known = self._check_length(status)
        accepted = self._services.settings.max_upload_bytes if known is None else known
        self._stop = accepted
        if self._announced is not None:
            self._check_size(self._offset + self._announced)
        if status.state is not UploadState.RECEIVING:
            self._stop = self._offset
            self._file: FileIO | None = None
            return
        need_room(self._services, self._announced)
        with self._services.database.writing() as session:
            upload = self._row(session)
            upload.length = known
            if self._checksum is not None:
                _note(upload, self._offset)
        # Without a buffer: after a full disk it is known how much is there.
        self._file = self._held.enter_context(part_path(self._services, self._uid).open("r+b", buffering=0))
        self._file.seek(self._offset)

    def _check_length(self, status: UploadStatus) -> int | None:
        if self._length is None or self._length == status.length:
            return status.length
        if status.length is not None:
            raise ConflictError(f"the length of the upload is {status.length}, not {self._length}")
        if self._length < status.offset:
            raise UsageError(f"a length of {self._length} bytes; {status.offset} are here already")
        need_room(self._services, self._length)
        return self._length

    def _check_size(self, position: int) -> None:
        if position > self._stop:
            raise QuotaError(f"more than the {self._stop:,} bytes that the upload may have")

    def write(self, piece: bytes) -> None:
        """Write some bytes.

        Raises
        ------
        QuotaError
            More than were promised.
        StorageError
            The disk does not take them.
        """
        if not piece:
            return
        self._check_size(self._position + len(piece))
        assert self._file is not None
        try:
            left = memoryview(piece)
            while left:
                n_bytes = self._file.write(left)
                self._position += n_bytes
                left = left[n_bytes:]
            if self._position - self._synced >= SYNC_BYTES:
                self._sync()
        except OSError as error:
            raise StorageError(f"the disk did not take the file: {error.strerror}") from error
        if self._digest is not None:
            self._digest.update(piece)

    def end(self) -> UploadStatus:
        """All bytes of the request are here: check them, and have them safe.

        Returns
        -------
        UploadStatus

        Raises
        ------
        ChecksumError
            The bytes are not those that were meant; they are dropped.
        """
        wrong = self._checksum is not None and self._digest.digest() != self._checksum.digest
        try:
            status = self._settle(keep=not wrong)
        finally:
            self._held.close()
        if wrong:
            assert self._checksum is not None
            raise ChecksumError(f"the {self._checksum.algorithm} of these bytes is {self._digest.hexdigest()}")
        return status

    def close(self) -> None:
        """Let go; bytes of a request that broke off stay, unless they were to be checked."""
        try:
            if not self._ended:
                self._settle(keep=self._checksum is None)
        finally:
            self._held.close()

    def _settle(self, *, keep: bool) -> UploadStatus:
        self._ended = True
        if self._file is not None:
            if not keep:
                self._file.truncate(self._offset)
                self._position = self._offset
            self._sync()
        with self._services.database.writing() as session:
            upload = self._row(session)
            if self._file is not None:
                upload.offset = self._position
                upload.expires_at = now() + timedelta(hours=self._services.settings.upload_hours)
                _note(upload, None)
            return status_of_upload(upload)

    def _sync(self) -> None:
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            # What did not reach the disk must not be counted by a later look at the length of the file.
            os.ftruncate(self._file.fileno(), self._synced)
            self._position = self._synced
            raise StorageError(f"the disk did not take the file: {error.strerror}") from error
        self._synced = self._position

    def _row(self, session: Session) -> Upload:
        return upload_for(session, self._principal, self._uid)
