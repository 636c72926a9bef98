"""From an upload to a file of a product: bytes into the store, the promise checked, the product given its file."""

from __future__ import annotations

import logging
import os
import shutil
from typing import TYPE_CHECKING

from pzcenter.errors import ChecksumError, ConflictError, PZCenterError, StorageError, UsageError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.product_files import add_file
from pzcenter.server.services.uploads import (
    UploadStatus,
    drop_files,
    locked,
    part_path,
    status_of_upload,
    upload_for,
)
from pzcenter.server.storage.products import FileRole, ProductFile, ProductState
from pzcenter.server.storage.store import StoredContent
from pzcenter.server.storage.uploads import Upload, UploadState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["finish_upload", "give_to_product", "received", "register_new_main_file"]

log = logging.getLogger(__name__)


def finish_upload(services: Services, principal: Principal, status: UploadStatus) -> UploadStatus:
    """Do what is to be done once every byte is here; nothing when it has been done, or when bytes are missing.

    Parameters
    ----------
    services : Services
    principal : Principal
    status : UploadStatus

    Returns
    -------
    UploadStatus
        In a product when one was named at the beginning, else received.

    Raises
    ------
    ChecksumError
        The bytes are not those that were promised; they are dropped.
    ConflictError, QuotaError, NotFoundError, PermissionDeniedError
        The product cannot be given the file; the upload stays, for another product.
    UploadBusyError
        Another request does this right now.
    """
    if status.state is UploadState.RECEIVING and status.length is not None and status.offset >= status.length:
        status = received(services, principal, status.uid)
    if status.state is UploadState.RECEIVED and status.product_id is not None:
        give_to_product(services, principal, status.uid)
        with services.database.reading() as session:
            status = status_of_upload(upload_for(session, principal, status.uid))
    return status


def received(services: Services, principal: Principal, uid: str) -> UploadStatus:
    """Move the bytes of a complete upload into the store, and check them.

    Parameters
    ----------
    services : Services
        No session is open while the bytes are read.
    principal : Principal
    uid : str

    Returns
    -------
    UploadStatus

    Raises
    ------
    ChecksumError
        Not what was promised.
    ConflictError
        Bytes are missing.
    """
    with locked(services, uid):
        with services.database.reading() as session:
            upload = upload_for(session, principal, uid)
            status, wanted = status_of_upload(upload), upload.wanted_sha256
        if status.state is not UploadState.RECEIVING:
            return status
        if status.length is None or status.offset < status.length:
            raise ConflictError(
                f"{status.offset} of {status.length or 'unknown'} bytes are here; send the others first"
            )
        content = _into_store(services, uid)
        right = wanted is None or wanted == content.sha256
        with services.database.writing() as session:
            upload = upload_for(session, principal, uid)
            upload.sha256 = content.sha256
            upload.state = UploadState.RECEIVED if right else UploadState.REFUSED
            if not right:
                upload.refusal = f"the SHA-256 is {content.sha256}, {wanted} was promised"
            _note_crc(upload, content.crc32)
            record(session, principal, "upload.receive", ("upload", upload.id), sha256=content.sha256, good=right)
            status = status_of_upload(upload)
        drop_files(services, uid)
    if not right:
        raise ChecksumError(f"{status.filename}: {status.refusal}; the upload is dropped")
    return status


def _into_store(services: Services, uid: str) -> StoredContent:
    """Put a second name of the bytes into the store: the first one stays until the database knows of it."""
    path = part_path(services, uid)
    moving = path.with_suffix(".moving")
    moving.unlink(missing_ok=True)
    try:
        try:
            os.link(path, moving)
        except OSError:
            shutil.copyfile(path, moving)
        return services.store.put_file(moving)
    except FileNotFoundError as error:
        raise StorageError(f"the bytes of upload {uid} are no longer here; begin it anew") from error
    finally:
        moving.unlink(missing_ok=True)


def _note_crc(upload: Upload, crc32: int) -> None:
    upload.hashing = (upload.hashing or {}) | {"crc32": crc32}


def give_to_product(
    services: Services,
    principal: Principal,
    uid: str,
    *,
    product_id: int | str | None = None,
    role: FileRole | None = None,
    name: str | None = None,
) -> int:
    """Make a received upload a file of a product; a main file is read at once.

    Parameters
    ----------
    services : Services
    principal : Principal
    uid : str
    product_id : int or str, optional
        The one named at the beginning when not given.
    role : FileRole, optional
        As named at the beginning when not given.
    name : str, optional
        In place of the file's.

    Returns
    -------
    int
        Number of the file. A main file that is no table though one is needed leaves a failed product, which says why.

    Raises
    ------
    UsageError
        No product is named.
    ConflictError
        The upload is not complete, or is in a product already; or the product has a main file.
    QuotaError, NotFoundError, PermissionDeniedError
        See :func:`pzcenter.server.services.product_files.add_file`.
    """
    with services.database.writing() as session:
        upload = upload_for(session, principal, uid, alone=True)
        target = upload.product_id if product_id is None else product_id
        if target is None:
            raise UsageError("say which product is to have the file")
        part = FileRole(upload.role) if role is None else role
        if upload.state is UploadState.USED:
            return _given(session, principal, upload, target)
        if upload.state is not UploadState.RECEIVED:
            raise ConflictError(f"the upload is {upload.state}; a received one is needed")
        content = StoredContent(str(upload.sha256), upload.offset, int((upload.hashing or {})["crc32"]))
        if services.store.size(content.sha256) != content.size:
            raise StorageError(f"the bytes of upload {uid} are no longer here; begin it anew")
        file = add_file(
            services, session, principal, target, content, name=name or upload.filename, role=part,
            media_type=upload.media_type,
        )  # fmt: skip
        upload.state, upload.product_id, upload.role = UploadState.USED, file.product_id, int(part)
        upload.hashing = (upload.hashing or {}) | {"file_id": file.id}
        file_id, number = file.id, file.product_id
    if part == FileRole.MAIN:
        register_new_main_file(services, principal, number)
    return file_id


def _given(session: Session, principal: Principal, upload: Upload, target: int | str) -> int:
    """The file that an upload became, when the answer to the first request was lost."""
    number = (upload.hashing or {}).get("file_id")
    product = product_for(session, principal, target, Action.SEE)
    if number is None or upload.product_id != product.id or session.get(ProductFile, number) is None:
        raise ConflictError("the upload is in a product already")
    return int(number)


def register_new_main_file(services: Services, principal: Principal, product_id: int | str) -> None:
    """Read a new main file, and have sure guesses say what columns mean; a product says what is wrong with it.

    Parameters
    ----------
    services : Services
    principal : Principal
    product_id : int or str

    Raises
    ------
    PZCenterError
        Something else than the file itself is wrong.
    """
    # Reading tables is heavy to import, and not every process is asked for it.
    from pzcenter.server.services.registry import register_main_file
    from pzcenter.server.services.upload_report import accept_guesses

    try:
        register_main_file(services, principal, product_id)
        with services.database.writing() as session:
            if (product_for(session, principal, product_id).report or {}).get("guesses"):
                accept_guesses(session, principal, product_id)
    except PZCenterError as error:
        with services.database.reading() as session:
            failed = product_for(session, principal, product_id, Action.SEE).state is ProductState.FAILED
        if not failed:
            raise
        log.info("main file refused", extra={"product": product_id, "code": error.code})
