"""Signed lists of files, for those who fetch many products."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v2.fields import MAX_ID, Body, Sha256, Text
from pzcenter.server.services.manifests import MAX_FILES, MAX_PRODUCTS, check_manifest, make_manifest

__all__ = ["router"]

router = APIRouter(tags=["manifests"])

Uid = Annotated[str, StringConstraints(pattern=r"^[2-9a-z]{12}$")]
Number = Annotated[int, Field(ge=1, le=MAX_ID)]


class ManifestBody(Body):
    """Products to be listed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"products": [17, "k3m9x2v7qa4t"]}]})

    products: Annotated[list[Number | Uid], Field(min_length=1, max_length=MAX_PRODUCTS)]


class FileOnList(Body):
    """A file on a list."""

    product: Uid
    path: Text
    size: Annotated[int, Field(ge=0, lt=2**63)]
    sha256: Sha256
    content_url: Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z0-9/]*$")]


class FileElsewhere(Body):
    """Data that a product refers to."""

    product: Uid
    name: Text
    reference: Text


class Manifest(Body):
    """A signed list of files."""

    format: Annotated[str, StringConstraints(max_length=100)]
    made_at: Annotated[str, StringConstraints(max_length=40)]
    files: Annotated[list[FileOnList], Field(max_length=MAX_FILES)]
    elsewhere: Annotated[list[FileElsewhere], Field(max_length=MAX_FILES)]
    n_bytes: Annotated[int, Field(ge=0, lt=2**63)]
    signature: Annotated[str, StringConstraints(max_length=200)]
    good_until: datetime


class CheckAnswer(BaseModel):
    """A list that this server made."""

    good: bool


@router.post("/manifests", operation_id="make_manifest")
def make(services: CurrentServices, principal: SignedIn, body: ManifestBody) -> Manifest:
    """List the files of many products, with sizes and SHA-256, signed. Rights are looked at again at each download."""
    with services.database.writing() as session:
        return Manifest.model_validate(make_manifest(services, session, principal, body.products))


@router.post("/manifests/check", operation_id="check_manifest")
def check(services: CurrentServices, principal: SignedIn, body: Manifest) -> CheckAnswer:
    """Whether this server made a list, word for word; 403 otherwise."""
    check_manifest(services, principal, body.model_dump())
    return CheckAnswer(good=True)
