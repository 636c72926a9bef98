"""What somebody gets who downloads a product: a file as it is, or an archive put together while it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from pzcenter.errors import ConflictError, NotFoundError
from pzcenter.server.services.access import product_for
from pzcenter.server.services.archives import Archive, Member, SingleContent
from pzcenter.server.services.product_files import file_for
from pzcenter.server.storage.products import FilePart, FileRole, Product, ProductFile, ProductLink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["METADATA_NAME", "Download", "file_download", "main_file_download", "product_download"]

METADATA_NAME = "product_metadata.yaml"


@dataclass(frozen=True)
class Download:
    """Bytes under a name; they can be read when the session is over.

    Attributes
    ----------
    filename : str
    content : Archive or SingleContent
    sha256 : str or None
        Of what is sent, where it is known without reading.
    """

    filename: str
    content: Archive | SingleContent
    sha256: str | None = None

    @property
    def size(self) -> int:
        """Bytes that are sent."""
        return self.content.size

    @property
    def signature(self) -> str:
        """Changes when the bytes do."""
        return self.content.signature


def product_download(session: Session, principal: Principal, product_id: int | str) -> Download:
    """All files of a product in one archive, with what is said of them in ``product_metadata.yaml``.

    Parameters
    ----------
    session : Session
    principal : Principal
    product_id : int or str

    Returns
    -------
    Download
        Files that are references are named in the metadata; their bytes stay where they are.
    """
    product = product_for(session, principal, product_id)
    members = [member for name, file in _names(product.files) for member in _members(session, file, name)]
    text = yaml.safe_dump(_metadata(session, product), sort_keys=False, allow_unicode=True).encode()
    members.append(Member.of_text(METADATA_NAME, text, product.updated_at))
    return Download(f"{product.internal_name or product.uid}.zip", Archive(members))


def main_file_download(session: Session, principal: Principal, product_id: int | str) -> Download:
    """The main file of a product; a directory as an archive.

    Parameters
    ----------
    session : Session
    principal : Principal
    product_id : int or str

    Returns
    -------
    Download

    Raises
    ------
    NotFoundError
        The product has no main file.
    ConflictError
        The main file is a reference.
    """
    product = product_for(session, principal, product_id)
    if product.main_file is None:
        raise NotFoundError(f"product {product.id} has no main file")
    return _of_file(session, product.main_file)


def file_download(session: Session, principal: Principal, file_id: int) -> Download:
    """One file of a product; a directory as an archive (see :func:`main_file_download`)."""
    return _of_file(session, file_for(session, principal, file_id))


def _of_file(session: Session, file: ProductFile) -> Download:
    if file.is_directory:
        return Download(f"{file.name}.zip", Archive(_members(session, file, file.name)))
    if file.sha256 is None:
        raise ConflictError(f"{file.name} is not kept here; its data are at {file.reference}")
    return Download(file.name, SingleContent(file.sha256, file.size), file.sha256)


def _members(session: Session, file: ProductFile, name: str) -> Iterator[Member]:
    if file.is_directory:
        parts = select(FilePart).where(FilePart.file_id == file.id).options(selectinload(FilePart.blob))
        for part in session.scalars(parts.order_by(FilePart.path)):
            path = f"{name}/{part.path}"
            yield Member(path, part.size, part.blob.crc32, file.created_at, sha256=part.sha256)
    elif file.blob is not None:
        yield Member(name, file.size, file.blob.crc32, file.created_at, sha256=file.sha256)


def _names(files: Iterable[ProductFile]) -> Iterator[tuple[str, ProductFile]]:
    """Names that do not collide in one directory, also where letter case does not count."""
    taken = {METADATA_NAME}
    for file in files:
        name, number = file.name, 1
        path = PurePosixPath(file.name)
        while name.lower() in taken:
            number += 1
            name = f"{path.stem}_{number}{path.suffix}"
        taken.add(name.lower())
        yield name, file


def _metadata(session: Session, product: Product) -> dict[str, Any]:
    """What a reader of the archive should know; no time of download, so that equal products give equal archives."""
    inputs = select(Product.internal_name).join(ProductLink, ProductLink.input_id == Product.id)
    inputs = inputs.where(ProductLink.product_id == product.id, ProductLink.role == "input").order_by(Product.id)
    return {
        "id": product.id, "uid": product.uid, "version": product.version, "internal_name": product.internal_name,
        "display_name": product.display_name, "product_type": product.product_type.name,
        "release": None if product.release is None else product.release.name, "owner": product.owner.username,
        "official_product": product.official, "pz_code": product.pz_code, "release_year": product.release_year,
        "description": product.description, "tags": [each.tag for each in product.tags], "licence": product.licence,
        "citation": product.citation, "doi": product.doi, "origin": product.origin, "status": str(product.state),
        "inputs": list(session.scalars(inputs)), "n_rows": product.n_rows, "created_at": product.created_at.isoformat(),
        "published_at": None if product.published_at is None else product.published_at.isoformat(),
        "files": [
            {"name": name, "role": FileRole(file.role).name.lower(), "size": file.size, "n_rows": file.n_rows,
             "sha256": file.sha256, "reference": file.reference}
            for name, file in _names(product.files)
        ],
        "columns": [
            {"name": column.name, "datatype": column.datatype, "unit": column.unit, "ucd": column.ucd,
             "alias": column.alias}
            for column in product.columns
        ],
    }  # fmt: skip
