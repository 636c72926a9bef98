"""Uploads: begun, looked up, given up, expired. Their bytes lie in ``uploads/<uid>.part`` of the data directory."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import ConflictError, NotFoundError, QuotaError, StorageError, UsageError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.context import NowAndThen
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.product_files import check_quota, plain_name
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import FileRole
from pzcenter.server.storage.uploads import Upload, UploadState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = [
    "MAX_UPLOADS", "NewUpload", "UploadBusyError", "UploadStatus", "create_upload", "drop_files", "expire_uploads",
    "list_uploads", "locked", "part_path", "remove_upload", "status_of_upload", "upload_for",
]  # fmt: skip

EXPIRY = NowAndThen(600.0)
"""When expired uploads are looked for, besides when the server is swept."""
FOLDER = "uploads"
MAX_UPLOADS = 200
"""Unfinished ones of one user."""
SPARE_BYTES = 256 << 20
"""Room that uploads leave on the disk."""


class UploadBusyError(ConflictError):
    """Another request is writing to this upload."""


@dataclass(frozen=True)
class NewUpload:
    """What is said of a file before its bytes come.

    Attributes
    ----------
    filename : str
    length : int or None
        Bytes; None: told later.
    media_type : str or None
    sha256 : str or None
        What the whole file must have.
    product_id : int, str or None
        Product that gets the file as soon as it is here.
    role : FileRole
    metadata : str
        As it was sent.
    """

    filename: str
    length: int | None
    media_type: str | None = None
    sha256: str | None = None
    product_id: int | str | None = None
    role: FileRole = FileRole.AUXILIARY
    metadata: str = ""


@dataclass(frozen=True)
class UploadStatus:
    """How far an upload is.

    Attributes
    ----------
    uid, filename : str
    offset : int
        Bytes that are safe on disk.
    length : int or None
    state : UploadState
    refusal : str or None
    sha256 : str or None
    product_id : int or None
    metadata : str
    expires_at : datetime
    """

    uid: str
    filename: str
    offset: int
    length: int | None
    state: UploadState
    refusal: str | None
    sha256: str | None
    product_id: int | None
    metadata: str
    expires_at: datetime


def status_of_upload(upload: Upload) -> UploadStatus:
    """Of a row."""
    return UploadStatus(
        upload.uid, upload.filename, upload.offset, upload.length, upload.state, upload.refusal, upload.sha256,
        upload.product_id, (upload.hashing or {}).get("metadata", ""), upload.expires_at,
    )  # fmt: skip


def create_upload(services: Services, principal: Principal, new: NewUpload) -> UploadStatus:
    """Begin an upload.

    Parameters
    ----------
    services : Services
    principal : Principal
    new : NewUpload

    Returns
    -------
    UploadStatus

    Raises
    ------
    QuotaError
        The file is larger than accepted, the user keeps too much, or has too many uploads under way.
    StorageError
        The disk has no room for it.
    NotFoundError, PermissionDeniedError, ConflictError
        The product cannot be given such a file.
    """
    user_id = principal.need(Scope.WRITE)
    if EXPIRY.due(services.settings.data_dir):
        expire_uploads(services)
    need_room(services, new.length)
    with services.database.writing() as session:
        waiting = [Upload.user_id == user_id, Upload.state.in_([UploadState.RECEIVING, UploadState.RECEIVED])]
        if (session.scalar(select(func.count()).where(*waiting)) or 0) >= MAX_UPLOADS:
            raise QuotaError(f"{MAX_UPLOADS} of your uploads are unfinished; finish some, or take them back")
        product_id = None
        if new.product_id is not None:
            action = Action.FILL if new.role == FileRole.MAIN else Action.EDIT
            product = product_for(session, principal, new.product_id, action)
            if new.role == FileRole.MAIN and product.main_file is not None:
                raise ConflictError(f"product {product.id} has a main file already: {product.main_file.name}")
            product_id = product.id
        promised = session.scalar(select(func.sum(func.coalesce(Upload.length, Upload.offset))).where(*waiting)) or 0
        check_quota(services, session, user_id, int(promised) + (new.length or 0))
        upload = Upload(
            user_id=user_id, filename=plain_name(new.filename), media_type=new.media_type, length=new.length,
            wanted_sha256=new.sha256, product_id=product_id, role=int(new.role), hashing={"metadata": new.metadata},
            expires_at=now() + timedelta(hours=services.settings.upload_hours),
        )  # fmt: skip
        session.add(upload)
        session.flush()
        record(session, principal, "upload.create", ("upload", upload.id), filename=upload.filename, length=new.length)
        _make_file(services, upload.uid)
        return status_of_upload(upload)


def need_room(services: Services, n_bytes: int | None) -> None:
    """Refuse what is too large, or has no room on the disk.

    Raises
    ------
    UsageError, QuotaError, StorageError
    """
    n_bytes = n_bytes or 0
    limit = services.settings.max_upload_bytes
    if n_bytes < 0:
        raise UsageError(f"a file of {n_bytes} bytes")
    if n_bytes > limit:
        raise QuotaError(f"a file of {n_bytes:,} bytes; {limit:,} are accepted")
    free = shutil.disk_usage(services.settings.data_dir).free
    if n_bytes + SPARE_BYTES > free:
        raise StorageError(f"the disk of the server has no room for {n_bytes:,} bytes")


def part_path(services: Services, uid: str) -> Path:
    """Where the bytes of an upload are."""
    return services.settings.data_dir / FOLDER / f"{uid}.part"


def _make_file(services: Services, uid: str) -> None:
    path = part_path(services, uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("xb").close()
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(services: Services, uid: str) -> Iterator[None]:
    """Hold an upload against all other requests, also of other processes; the lock ends with the process.

    Raises
    ------
    UploadBusyError
        Somebody holds it.
    """
    path = part_path(services, uid).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UploadBusyError(f"another request is writing to upload {uid}") from error
        yield


def upload_for(session: Session, principal: Principal, uid: str, *, alone: bool = False) -> Upload:
    """An upload, for its owner; ``alone`` has other transactions wait that ask for it likewise.

    Raises
    ------
    NotFoundError
        Not there, not the asker's, or expired.
    """
    user_id = principal.need(Scope.WRITE)
    wanted = select(Upload).where(Upload.uid == uid)
    upload = session.scalar(wanted.with_for_update(of=Upload) if alone else wanted)
    if upload is None or upload.user_id != user_id or upload.expires_at <= now():
        raise NotFoundError(f"no upload {uid}")
    return upload


def list_uploads(session: Session, principal: Principal) -> list[UploadStatus]:
    """Uploads of the asker that are in no product yet, the newest first."""
    user_id = principal.need(Scope.READ)
    wanted = select(Upload).where(
        Upload.user_id == user_id, Upload.state != UploadState.USED, Upload.expires_at > now()
    )
    return [status_of_upload(each) for each in session.scalars(wanted.order_by(Upload.id.desc()).limit(MAX_UPLOADS))]


def remove_upload(services: Services, principal: Principal, uid: str) -> None:
    """Give an upload up; its bytes are gone.

    Raises
    ------
    NotFoundError
        See :func:`upload_for`.
    UploadBusyError
        A request is writing to it.
    """
    with services.database.reading() as session:
        upload_for(session, principal, uid)
    with locked(services, uid):
        with services.database.writing() as session:
            upload = upload_for(session, principal, uid)
            record(session, principal, "upload.remove", ("upload", upload.id), filename=upload.filename)
            session.delete(upload)
        drop_files(services, uid)


def drop_files(services: Services, uid: str) -> None:
    """Remove the files of an upload."""
    path = part_path(services, uid)
    for each in (path, path.with_suffix(".moving"), path.with_suffix(".lock")):
        each.unlink(missing_ok=True)


def expire_uploads(services: Services) -> int:
    """Remove uploads whose time is over.

    Parameters
    ----------
    services : Services

    Returns
    -------
    int
        How many.
    """
    with services.database.reading() as session:
        uids = list(session.scalars(select(Upload.uid).where(Upload.expires_at <= now())))
    n_removed = 0
    for uid in uids:
        try:
            with locked(services, uid):
                with services.database.writing() as session:
                    upload = session.scalar(select(Upload).where(Upload.uid == uid, Upload.expires_at <= now()))
                    if upload is None:
                        continue
                    session.delete(upload)
                drop_files(services, uid)
                n_removed += 1
        except UploadBusyError:
            continue
    return n_removed
