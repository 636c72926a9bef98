"""Files of products that are references: data that stay where they are, and whether they are still the same."""

from __future__ import annotations

import hashlib
import mimetypes
import time
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pzcenter.errors import ChecksumError, ConflictError, QuotaError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.addresses import DataAddress, LocalAddress, address_of
from pzcenter.server.services.audit import record
from pzcenter.server.services.product_files import MAX_FILES, file_for, plain_name
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import FileRole, ProductFile

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["HASHED_BYTES", "ReferenceCheck", "add_reference", "check_reference"]

HASHED_BYTES = 1 << 30
"""Larger data are known by size, time and ETag alone."""
HASHING_SECONDS = 60.0
COMPARED = ("size", "mtime", "last_modified", "etag", "n_files", "listing", "sha256")


@dataclass(frozen=True)
class ReferenceCheck:
    """Whether data elsewhere are still the same.

    Attributes
    ----------
    same : bool
    changes : tuple of str
        What is different, in words.
    was, found : dict
        Fixity at registration and now.
    """

    same: bool
    changes: tuple[str, ...]
    was: dict[str, Any]
    found: dict[str, Any]


def add_reference(
    services: Services,
    principal: Principal,
    product_id: int | str,
    address: str,
    *,
    role: FileRole = FileRole.MAIN,
    name: str | None = None,
    sha256: str | None = None,
) -> int:
    """Give a product a file that stays where it is.

    Parameters
    ----------
    services : Services
        No session is open while the data are looked at.
    principal : Principal
    product_id : int or str
    address : str
        See :func:`pzcenter.server.services.addresses.address_of`.
    role : FileRole
    name : str, optional
        The last part of the address otherwise.
    sha256 : str, optional
        What the data must have.

    Returns
    -------
    int
        Number of the file. Its size does not count against what the owner may keep.

    Raises
    ------
    ChecksumError
        The data are not those that were meant.
    ConflictError
        There is a main file already, or data whose checksum was told are too large for one.
    PermissionDeniedError, NotFoundError, UsageError, SourceUnavailableError
        The address is not allowed, not there, or does not answer; or the product is not the asker's.
    """
    action = Action.FILL if role == FileRole.MAIN else Action.EDIT
    with services.database.reading() as session:
        product_for(session, principal, product_id, action)
    found = address_of(services.settings, address)
    fixity = _fixity(found)
    if sha256 is not None and fixity["sha256"] != sha256:
        if fixity["sha256"] is None:
            raise ConflictError(f"{found.text} is too large here for its SHA-256; leave it out")
        raise ChecksumError(f"{found.text} has the SHA-256 {fixity['sha256']}, {sha256} was told")
    plain = plain_name(name or PurePosixPath(unquote(urlsplit(found.text).path)).name or "data")
    with services.database.writing() as session:
        product = product_for(session, principal, product_id, action)
        if role == FileRole.MAIN and product.main_file is not None:
            raise ConflictError(f"product {product.id} has a main file already: {product.main_file.name}")
        if len(product.files) >= MAX_FILES:
            raise QuotaError(f"product {product.id} has {MAX_FILES} files already")
        file = ProductFile(
            product_id=product.id, role=int(role), name=plain, media_type=mimetypes.guess_type(plain)[0],
            extension=PurePosixPath(plain).suffix.lower(), size=fixity["size"] or 0, reference=found.text,
            fixity=fixity, is_directory=isinstance(found, LocalAddress) and found.path.is_dir(),
        )  # fmt: skip
        product.files.append(file)
        product.revision += 1
        product.updated_at = now()
        session.flush()
        record(session, principal, "file.refer", ("product", product.id), file=plain, address=found.text)
        return file.id


def check_reference(services: Services, principal: Principal, file_id: int) -> ReferenceCheck:
    """Look whether data elsewhere are still what they were when they were registered.

    Parameters
    ----------
    services : Services
        No session is open while the data are looked at.
    principal : Principal
        Who may change the product.
    file_id : int

    Returns
    -------
    ReferenceCheck

    Raises
    ------
    ConflictError
        The file is kept here.
    PermissionDeniedError, NotFoundError, SourceUnavailableError
        See :func:`add_reference`; data that are gone are not found.
    """
    with services.database.reading() as session:
        file = file_for(session, principal, file_id, Action.EDIT)
        if file.reference is None:
            raise ConflictError(f"{file.name} is kept here; it is checked with all contents of the server")
        address, was = file.reference, dict(file.fixity or {})
    found = _fixity(address_of(services.settings, address), hashed=was.get("sha256") is not None)
    changes = tuple(
        f"{word} was {was[word]} and is {found[word]}"
        for word in COMPARED
        if was.get(word) is not None and found.get(word) is not None and was[word] != found[word]
    )
    # Equal bytes are the same, whatever else has changed.
    same = found["sha256"] == was["sha256"] if found["sha256"] and was.get("sha256") else not changes
    with services.database.writing() as session:
        record(session, principal, "file.check", ("file", file_id), same=same, changes=list(changes))
    return ReferenceCheck(same, changes, was, found)


def _fixity(address: DataAddress, *, hashed: bool = True) -> dict[str, Any]:
    fixity = address.look()
    known = fixity.get("size")
    whole = known is not None and known <= HASHED_BYTES and "n_files" not in fixity
    fixity["sha256"] = _sha256(address) if hashed and whole else None
    fixity["looked_at"] = now().isoformat()
    return fixity


def _sha256(address: DataAddress) -> str | None:
    """Of all bytes; None when they do not come in time, or are more than was told."""
    digest, n_bytes, end = hashlib.sha256(), 0, time.monotonic() + HASHING_SECONDS
    for piece in address.read():
        digest.update(piece)
        n_bytes += len(piece)
        if n_bytes > HASHED_BYTES or time.monotonic() > end:
            return None
    return digest.hexdigest()
