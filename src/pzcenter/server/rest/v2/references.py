"""Files of products that stay where they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, status
from pydantic import BaseModel, Field

from pzcenter.errors import UsageError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.answers import FileAnswer
from pzcenter.server.rest.v2.fields import Body, Identifier, ProductKey, Sha256, ShortText, Word
from pzcenter.server.services.product_files import file_for
from pzcenter.server.storage.products import FileRole

__all__ = ["router"]

router = APIRouter(tags=["files"])
ROLES = {role.name.lower(): role for role in FileRole}


class ReferenceBody(Body):
    """Data that stay where they are."""

    address: Annotated[str, Field(min_length=1, max_length=2000, examples=["https://archive.example.org/z.parquet"])]
    role: Word = Field(default="main", description="main, description or auxiliary.")
    name: ShortText | None = Field(default=None, min_length=1)
    sha256: Sha256 | None = Field(default=None, description="What the data must have.")


class CheckAnswer(BaseModel):
    """Whether data elsewhere are what they were."""

    same: bool
    changes: list[str]
    was: dict[str, Any]
    found: dict[str, Any]


@router.post("/products/{product_id}/references", status_code=status.HTTP_201_CREATED, operation_id="add_reference")
def add(services: CurrentServices, principal: SignedIn, product_id: ProductKey, body: ReferenceBody) -> FileAnswer:
    """Give a product a file that stays where it is, at a place that the admin allows; a main file is read at once."""
    from pzcenter.server.services.references import add_reference
    from pzcenter.server.services.upload_finish import register_new_main_file

    if body.role not in ROLES:
        raise UsageError(f"role {body.role!r}; accepted are {', '.join(ROLES)}")
    role = ROLES[body.role]
    file_id = add_reference(
        services, principal, product_id, body.address, role=role, name=body.name, sha256=body.sha256
    )
    if role == FileRole.MAIN:
        register_new_main_file(services, principal, product_id)
    with services.database.reading() as session:
        return FileAnswer.of(file_for(session, principal, file_id))


@router.post("/files/{file_id}/check", operation_id="check_reference")
def check(services: CurrentServices, principal: SignedIn, file_id: Identifier) -> CheckAnswer:
    """Look whether data elsewhere have changed; for those who may change the product."""
    from pzcenter.server.services.references import check_reference

    found = check_reference(services, principal, file_id)
    return CheckAnswer(same=found.same, changes=list(found.changes), was=found.was, found=found.found)
