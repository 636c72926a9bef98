"""Files of products: told, downloaded whole or in part, taken off."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel

from pzcenter.errors import ConflictError, NotFoundError
from pzcenter.server.http.contents import content_answer
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import BYTES, FileAnswer
from pzcenter.server.rest.v2.fields import Identifier, ProductKey
from pzcenter.server.services.access import product_for
from pzcenter.server.services.product_files import file_for, remove_file
from pzcenter.server.storage.products import FilePart, ProductFile

__all__ = ["router"]

router = APIRouter(tags=["files"])
MAX_PARTS = 100_000


class PartAnswer(BaseModel):
    """A file in a directory."""

    id: int
    path: str
    size: int
    sha256: str
    content_url: str


@router.get("/products/{product_id}/files", operation_id="list_files")
def files(services: CurrentServices, principal: SignedIn, product_id: ProductKey) -> list[FileAnswer]:
    """Files of a product: the main one first."""
    with services.database.reading() as session:
        return [FileAnswer.of(file) for file in product_for(session, principal, product_id).files]


@router.get("/files/{file_id}", operation_id="get_file")
def read(services: CurrentServices, principal: SignedIn, file_id: Identifier) -> FileAnswer:
    """Name, role, size and checksum of a file."""
    with services.database.reading() as session:
        return FileAnswer.of(file_for(session, principal, file_id))


@router.head("/files/{file_id}/content", include_in_schema=False)
@router.get("/files/{file_id}/content", operation_id="download_file", response_class=Response, responses=BYTES)
def content(services: CurrentServices, principal: SignedIn, file_id: Identifier, request: Request) -> Response:
    """Bytes of a file; ``Range`` is served, ``ETag`` is the SHA-256, ``Repr-Digest`` too."""
    with services.database.reading() as session:
        file = file_for(session, principal, file_id)
        sha256 = _need_content(file)
        name, size, media_type = file.name, file.size, file.media_type
    return content_answer(request, services.store, sha256, name=name, size=size, media_type=media_type)


@router.get("/files/{file_id}/parts", operation_id="list_parts")
def parts(services: CurrentServices, principal: SignedIn, file_id: Identifier) -> list[PartAnswer]:
    """Files in a directory, such as the pixels of a HATS catalogue."""
    with services.database.reading() as session:
        file = file_for(session, principal, file_id)
        return [
            PartAnswer(
                id=part.id, path=part.path, size=part.size, sha256=part.sha256,
                content_url=f"files/{file.id}/parts/{part.id}/content",
            )
            for part in file.parts[:MAX_PARTS]
        ]  # fmt: skip


@router.head("/files/{file_id}/parts/{part_id}/content", include_in_schema=False)
@router.get(
    "/files/{file_id}/parts/{part_id}/content",
    operation_id="download_part",
    response_class=Response,
    responses=BYTES,
)
def part_content(
    services: CurrentServices, principal: SignedIn, file_id: Identifier, part_id: Identifier, request: Request
) -> Response:
    """Bytes of one file in a directory."""
    with services.database.reading() as session:
        file = file_for(session, principal, file_id)
        part = session.get(FilePart, part_id)
        if part is None or part.file_id != file.id:
            raise NotFoundError(f"file {file_id} has no part {part_id}")
        sha256, name, size = part.sha256, part.path.rpartition("/")[2], part.size
    return content_answer(request, services.store, sha256, name=name, size=size)


@router.delete("/files/{file_id}", status_code=status.HTTP_204_NO_CONTENT, operation_id="remove_file")
def remove(services: CurrentServices, principal: SignedIn, file_id: Identifier) -> None:
    """Take a file off a product; the main file of a published one stays."""
    with services.database.writing() as session:
        remove_file(session, principal, file_id)


def _need_content(file: ProductFile) -> str:
    if file.sha256 is None and file.reference is not None:
        raise ConflictError(f"the data of {file.name} stay where they are: {file.reference}")
    if file.sha256 is None:
        raise ConflictError(f"{file.name} is a directory; its files are at files/{file.id}/parts")
    return file.sha256
