"""Files of a product: contents of the store with a name and a role."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services.access import Action, need, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Blob, FileRole, Product, ProductFile, ProductState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.store import StoredContent

__all__ = ["add_file", "check_quota", "file_for", "keep_blob", "plain_name", "remove_file"]

MAX_FILES = 1000
"""Of one product, besides the parts of directories."""


def plain_name(name: str) -> str:
    """Name of a file without directories and without letters that a disk or a header would not take.

    Raises
    ------
    UsageError
        Nothing is left.
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*\0').strip(" .")
    if not plain:
        raise UsageError(f"{name!r} is no name of a file")
    return plain[:255]


def keep_blob(session: Session, content: StoredContent) -> Blob:
    """Row of a content in the store, made when it is new."""
    blob = session.get(Blob, content.sha256)
    if blob is None:
        blob = Blob(sha256=content.sha256, size=content.size, crc32=content.crc32)
        session.add(blob)
        session.flush()
    blob.damaged = False
    return blob


def check_quota(services: Services, session: Session, user_id: int, more: int) -> None:
    """Refuse what would be more than a user may keep.

    Parameters
    ----------
    services : Services
    session : Session
    user_id : int
    more : int
        Bytes.

    Raises
    ------
    QuotaError
    """
    user = session.get_one(User, user_id)
    limit = services.settings.quota_bytes if user.quota_bytes is None else user.quota_bytes
    kept = select(func.coalesce(func.sum(Product.size), 0))
    kept = kept.where(Product.owner_id == user_id, Product.state != ProductState.DELETED)
    used = int(session.scalar(kept) or 0)
    if used + more > limit:
        raise QuotaError(f"you keep {used:,} bytes; {more:,} more would exceed your {limit:,}")


def add_file(
    services: Services,
    session: Session,
    principal: Principal,
    product_id: int | str,
    content: StoredContent,
    *,
    name: str,
    role: FileRole = FileRole.AUXILIARY,
    media_type: str | None = None,
) -> ProductFile:
    """Give a product a file whose content is in the store.

    The main file is given before publication; descriptions and auxiliary files may follow later.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    content : StoredContent
    name : str
        As the user calls it; directories in it are dropped.
    role : FileRole
    media_type : str, optional
        Guessed from the name otherwise.

    Returns
    -------
    ProductFile

    Raises
    ------
    ConflictError
        There is a main file already, or the product is published and this is its main file.
    QuotaError
        The owner keeps too much.
    """
    product = product_for(session, principal, product_id, Action.FILL if role == FileRole.MAIN else Action.EDIT)
    if role == FileRole.MAIN and product.main_file is not None:
        raise ConflictError(f"product {product.id} has a main file already: {product.main_file.name}")
    if len(product.files) >= MAX_FILES:
        raise QuotaError(f"product {product.id} has {MAX_FILES} files already; pack them into an archive")
    check_quota(services, session, product.owner_id, content.size)
    plain = plain_name(name)
    file = ProductFile(
        product=product, role=int(role), name=plain, media_type=media_type or mimetypes.guess_type(plain)[0],
        extension=PurePosixPath(plain).suffix.lower(), size=content.size, blob=keep_blob(session, content),
    )  # fmt: skip
    session.add(file)
    product.size += content.size
    product.revision += 1
    product.updated_at = now()
    session.flush()
    record(session, principal, "file.add", ("product", product.id), file=plain, role=int(role), sha256=content.sha256)
    return file


def file_for(session: Session, principal: Principal, file_id: int, action: Action = Action.SEE) -> ProductFile:
    """A file, for somebody who may do something with its product.

    Raises
    ------
    NotFoundError, PermissionDeniedError, AuthenticationError
    """
    file = session.get(ProductFile, file_id)
    if file is None:
        raise NotFoundError(f"no file {file_id}")
    need(principal, action, file.product)
    return file


def remove_file(session: Session, principal: Principal, file_id: int) -> None:
    """Take a file off a product. Without the main file that was not accepted, a failed product is a draft again.

    Raises
    ------
    PermissionDeniedError
        Not the asker's product, or the main file of a published one.
    """
    file = file_for(session, principal, file_id, Action.EDIT)
    product = file.product
    if file.role == FileRole.MAIN and product.state not in {ProductState.REGISTERING, ProductState.FAILED}:
        raise PermissionDeniedError("the main file of a published product stays; make a new version")
    product.files.remove(file)
    if file.reference is None:
        product.size -= file.size
    if file.role == FileRole.MAIN:
        product.columns, product.report, product.n_rows = [], None, None
        product.state, product.failure = ProductState.REGISTERING, None
    product.revision += 1
    product.updated_at = now()
    record(session, principal, "file.remove", ("product", product.id), file=file.name, role=file.role)
