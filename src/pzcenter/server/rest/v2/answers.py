"""What programs get: each answer as a model, made from the rows of the database."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from pzcenter.server.services.access import Action, may
from pzcenter.server.services.principal import Principal
from pzcenter.server.services.products import missing_columns
from pzcenter.server.storage.products import (
    Comment,
    FileRole,
    Product,
    ProductColumn,
    ProductFile,
    ProductState,
    ProductType,
    Visibility,
)

__all__ = [
    "BYTES", "ColumnAnswer", "CommentAnswer", "FileAnswer", "Page", "PersonAnswer", "Problem", "ProductAnswer",
    "ProductSummary", "ProductTypeAnswer", "SharingAnswer",
]  # fmt: skip

Item = TypeVar("Item")
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "All bytes."},
    206: {"content": {"application/octet-stream": {}}, "description": "The range that was asked for."},
    304: {"description": "As it was."},
    416: {"description": "There is no such range."},
}
"""Answers of a download."""


class Problem(BaseModel):
    """Why a request was refused (RFC 9457); programs compare the code."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/docs/errors#not_found", "title": "NotFoundError", "status": 404,
                    "detail": "no product 17", "code": "not_found", "request_id": "9f2c61d0a7b34e58",
                }
            ]
        }
    )  # fmt: skip

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None


class Page(BaseModel, Generic[Item]):
    """Part of a list; ``Link: <...>; rel="next"`` leads to the next part."""

    items: list[Item]
    next_cursor: str | None = Field(description="For the parameter cursor; null at the end.")
    total: int | None = Field(default=None, description="Of all parts, when with_total was asked for.")


class PersonAnswer(BaseModel):
    """Somebody, as others see them."""

    username: str
    name: str


class ProductTypeAnswer(BaseModel):
    """A kind of product."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    display_name: str
    description: str

    @classmethod
    def of(cls, kind: ProductType) -> ProductTypeAnswer:
        """Of a row."""
        return cls.model_validate(kind)


class FileAnswer(BaseModel):
    """A file of a product."""

    id: int
    name: str
    role: str = Field(description="main, description or auxiliary.")
    size: int = Field(description="Bytes.")
    n_rows: int | None
    media_type: str | None
    sha256: str | None = Field(description="Null for directories and references.")
    is_directory: bool
    reference: str | None = Field(description="Address of data that stay where they are.")
    created_at: datetime
    content_url: str | None = Field(description="Where its bytes are, relative to the address of the interface.")

    @classmethod
    def of(cls, file: ProductFile) -> FileAnswer:
        """Of a row."""
        return cls(
            id=file.id, name=file.name, role=FileRole(file.role).name.lower(), size=file.size, n_rows=file.n_rows,
            media_type=file.media_type, sha256=file.sha256, is_directory=file.is_directory,
            reference=file.reference, created_at=file.created_at,
            content_url=None if file.sha256 is None else f"files/{file.id}/content",
        )  # fmt: skip


class ColumnAnswer(BaseModel):
    """A column of the main file, and what it means."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    order: int
    datatype: str | None
    unit: str | None
    ucd: str | None
    alias: str | None
    description: str | None
    statistics: dict[str, Any] | None

    @classmethod
    def of(cls, column: ProductColumn) -> ColumnAnswer:
        """Of a row."""
        return cls.model_validate(column)


class CommentAnswer(BaseModel):
    """What somebody said of a product."""

    id: int
    author: PersonAnswer
    text: str
    created_at: datetime

    @classmethod
    def of(cls, comment: Comment) -> CommentAnswer:
        """Of a row."""
        author = PersonAnswer(username=comment.user.username, name=comment.user.name)
        return cls(id=comment.id, author=author, text=comment.text, created_at=comment.created_at)


class SharingAnswer(BaseModel):
    """Who sees a product."""

    visibility: Visibility
    groups: list[str]
    users: list[str]
    embargo_until: date | None
    revision: int

    @classmethod
    def of(cls, product: Product) -> SharingAnswer:
        """Of a row."""
        return cls(
            visibility=product.visibility, groups=sorted(each.group.name for each in product.shared_groups),
            users=sorted(each.user.username for each in product.shared_users), embargo_until=product.embargo_until,
            revision=product.revision,
        )  # fmt: skip


class ProductSummary(BaseModel):
    """A product in a list."""

    id: int
    uid: str = Field(description="Lasting public name of this version.")
    series: str = Field(description="Common to all versions.")
    version: int
    is_latest: bool
    display_name: str
    internal_name: str | None
    product_type: str
    release: str | None
    owner: PersonAnswer
    official: bool
    state: ProductState
    visibility: Visibility
    embargo_until: date | None
    pz_code: str | None
    release_year: int | None
    n_rows: int | None
    size: int = Field(description="Bytes of all files.")
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    revision: int

    @classmethod
    def fields_of(cls, product: Product) -> dict[str, Any]:
        """Values of a row."""
        direct = {name: getattr(product, name) for name in ProductSummary.model_fields if name not in INDIRECT}
        return direct | {
            "product_type": product.product_type.name,
            "release": None if product.release is None else product.release.name,
            "owner": PersonAnswer(username=product.owner.username, name=product.owner.name),
            "tags": [each.tag for each in product.tags],
        }

    @classmethod
    def of(cls, product: Product) -> ProductSummary:
        """Of a row."""
        return cls(**cls.fields_of(product))


INDIRECT = {"product_type", "release", "owner", "tags"}
WORDS = ("description", "licence", "citation", "doi", "command", "origin", "failure", "report")


class ProductAnswer(ProductSummary):
    """A product, with all that its page shows."""

    description: str = Field(description="Markdown.")
    licence: str | None
    citation: str | None
    doi: str | None
    command: str | None
    origin: str
    failure: str | None
    report: dict[str, Any] | None = Field(description="What was found in its main file.")
    files: list[FileAnswer]
    n_columns: int
    missing_columns: list[str] = Field(description="Standard names that are needed to publish it.")
    may: list[str] = Field(description="What the asker may do: see, comment, edit, fill, share, delete, curate.")

    @classmethod
    def seen_by(cls, principal: Principal, product: Product) -> ProductAnswer:
        """Of a row, for somebody."""
        return cls(
            **cls.fields_of(product), **{name: getattr(product, name) for name in WORDS},
            files=[FileAnswer.of(file) for file in product.files], n_columns=len(product.columns),
            missing_columns=missing_columns(product),
            may=[action.value for action in Action if may(principal, action, product)],
        )  # fmt: skip
