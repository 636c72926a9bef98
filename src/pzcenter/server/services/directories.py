"""Directories of products, such as HATS catalogues: many contents of the store under one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from pzcenter.errors import ConflictError, EmptyTableError, QuotaError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.product_files import MAX_FILES, check_quota, plain_name
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import Blob, FilePart, FileRole, ProductFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.store import StoredContent

__all__ = ["MAX_PARTS", "add_directory", "keep_parts"]

MAX_PARTS = 100_000
AT_ONCE = 500
MEDIA_TYPE = "application/x-directory"


def add_directory(
    services: Services,
    session: Session,
    principal: Principal,
    product_id: int | str,
    parts: Mapping[str, StoredContent],
    *,
    name: str,
    role: FileRole = FileRole.AUXILIARY,
) -> ProductFile:
    """Give a product a directory whose contents are in the store.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    parts : mapping of str to StoredContent
        By path below the directory, with slashes.
    name : str
    role : FileRole

    Returns
    -------
    ProductFile

    Raises
    ------
    ConflictError
        There is a main file already.
    EmptyTableError
        No parts.
    QuotaError
        More than 100,000 parts, or the owner keeps too much.
    """
    product = product_for(session, principal, product_id, Action.FILL if role == FileRole.MAIN else Action.EDIT)
    if role == FileRole.MAIN and product.main_file is not None:
        raise ConflictError(f"product {product.id} has a main file already: {product.main_file.name}")
    if len(product.files) >= MAX_FILES:
        raise QuotaError(f"product {product.id} has {MAX_FILES} files already")
    size = sum(content.size for content in parts.values())
    check_quota(services, session, product.owner_id, size)
    file = ProductFile(
        product_id=product.id, role=int(role), name=plain_name(name), media_type=MEDIA_TYPE, size=size,
        is_directory=True,
    )  # fmt: skip
    product.files.append(file)
    session.flush()
    keep_parts(session, file, parts)
    product.size += size
    product.revision += 1
    product.updated_at = now()
    record(session, principal, "file.add", ("product", product.id), file=file.name, role=int(role), parts=len(parts))
    return file


def keep_parts(session: Session, file: ProductFile, parts: Mapping[str, StoredContent]) -> None:
    """Rows of the contents of a directory.

    Parameters
    ----------
    session : Session
        One that writes.
    file : ProductFile
        That the database knows already.
    parts : mapping of str to StoredContent

    Raises
    ------
    EmptyTableError
        There are none.
    QuotaError
        There are too many.
    """
    if not parts:
        raise EmptyTableError(f"{file.name} is a directory without files")
    if len(parts) > MAX_PARTS:
        raise QuotaError(f"{file.name} has {len(parts)} files; {MAX_PARTS} are accepted")
    contents = {content.sha256: content for content in parts.values()}
    names = sorted(contents)
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        there = set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(some))))
        new = [vars(contents[name]) for name in some if name not in there]
        if new:
            session.execute(insert(Blob), new)
    rows = [
        {"file_id": file.id, "path": path, "sha256": content.sha256, "size": content.size}
        for path, content in sorted(parts.items())
    ]
    session.execute(insert(FilePart), rows)
    session.expire(file, ["parts"])
