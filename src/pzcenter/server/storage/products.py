"""Products: what is hosted, in versions, with files, columns, tags and comments."""

from __future__ import annotations

from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pzcenter.server.storage.accounts import Group, User
from pzcenter.server.storage.base import Base, new_uid, now
from pzcenter.server.storage.releases import Release

__all__ = [
    "Blob", "Comment", "FilePart", "FileRole", "Product", "ProductColumn", "ProductFile", "ProductGroup",
    "ProductLink", "ProductState", "ProductTag", "ProductType", "ProductUser", "Visibility",
]  # fmt: skip


SEEN_BY = ("state", "visibility", "release_id", "embargo_until", "owner_id")


class ProductState(StrEnum):
    """Stages of a product."""

    REGISTERING = "registering"
    """Being put together; its owner alone sees it."""
    PROCESSING = "processing"
    """A job makes it."""
    PUBLISHED = "published"
    """Finished: its files and columns never change again."""
    FAILED = "failed"
    DELETED = "deleted"
    """Its files are gone; the row stays for the provenance of others."""


class Visibility(StrEnum):
    """Who else sees a published product."""

    RELEASE = "release"
    """Everybody with the rights of its release; without a release, everybody with an account."""
    SHARED = "shared"
    """The groups and users it is shared with."""
    PRIVATE = "private"
    """Nobody."""


class FileRole(IntEnum):
    """What a file is to its product; numbers of the first interface."""

    MAIN = 0
    DESCRIPTION = 1
    AUXILIARY = 2


class ProductType(Base):
    """A kind of product."""

    __tablename__ = "product_type"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column()
    order: Mapped[int] = mapped_column()
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class Product(Base):
    """One version of a product."""

    __tablename__ = "product"
    __table_args__ = (
        UniqueConstraint("series", "version"),
        Index("ix_product_state_created_at", "state", "created_at"),
        Index("ix_product_state_type", "state", "product_type_id", "created_at"),
        Index("ix_product_state_release", "state", "release_id", "created_at"),
        # With all that the rules of access look at, so that lists are ordered and counted without reading rows.
        Index("ix_product_by_time", "created_at", "id", *SEEN_BY),
        Index("ix_product_by_change", "updated_at", "id", *SEEN_BY),
        Index("ix_product_by_name", "display_name", "id", *SEEN_BY),
        Index("ix_product_seen", *SEEN_BY, "product_type_id", "official", "is_latest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(default=new_uid, unique=True)
    """Lasting public name of this version."""
    series: Mapped[str] = mapped_column(default=new_uid)
    """Common to all versions."""
    version: Mapped[int] = mapped_column(default=1)
    is_latest: Mapped[bool] = mapped_column(default=True)
    """The newest published version of its series, or the only one."""
    product_type_id: Mapped[int] = mapped_column(ForeignKey("product_type.id"))
    release_id: Mapped[int | None] = mapped_column(ForeignKey("release.id"))
    owner_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    internal_name: Mapped[str | None] = mapped_column(unique=True)
    display_name: Mapped[str] = mapped_column()
    description: Mapped[str] = mapped_column(Text, default="")
    """Markdown."""
    pz_code: Mapped[str | None]
    release_year: Mapped[int | None]
    official: Mapped[bool] = mapped_column(default=False)
    state: Mapped[ProductState] = mapped_column(
        Enum(ProductState, native_enum=False, length=32), default=ProductState.REGISTERING
    )
    visibility: Mapped[Visibility] = mapped_column(
        Enum(Visibility, native_enum=False, length=32), default=Visibility.RELEASE
    )
    embargo_until: Mapped[date | None]
    """Until then only the owner, those it is shared with, coordinators and admins see it."""
    licence: Mapped[str | None]
    citation: Mapped[str | None] = mapped_column(Text)
    doi: Mapped[str | None]
    command: Mapped[str | None] = mapped_column(Text)
    """What makes it again."""
    origin: Mapped[str] = mapped_column(default="Upload")
    n_rows: Mapped[int | None] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    report: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    """What was found in its main file: columns, ranges, warnings. Large, so it is read when it is asked for."""
    failure: Mapped[str | None] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=1)
    """Counts changes, for ETags."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    published_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    product_type: Mapped[ProductType] = relationship(lazy="joined")
    release: Mapped[Release | None] = relationship(lazy="joined")
    owner: Mapped[User] = relationship(lazy="joined")
    files: Mapped[list[ProductFile]] = relationship(
        back_populates="product", cascade="all, delete-orphan", order_by="ProductFile.role, ProductFile.id"
    )
    columns: Mapped[list[ProductColumn]] = relationship(
        back_populates="product", cascade="all, delete-orphan", order_by="ProductColumn.order"
    )
    tags: Mapped[list[ProductTag]] = relationship(cascade="all, delete-orphan", order_by="ProductTag.tag")
    shared_groups: Mapped[list[ProductGroup]] = relationship(cascade="all, delete-orphan")
    shared_users: Mapped[list[ProductUser]] = relationship(cascade="all, delete-orphan")

    @property
    def main_file(self) -> ProductFile | None:
        """The file that the product is about."""
        return next((file for file in self.files if file.role == FileRole.MAIN), None)


class ProductGroup(Base):
    """A group that a product is shared with."""

    __tablename__ = "product_group"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("user_group.id", ondelete="CASCADE"), primary_key=True, index=True)
    group: Mapped[Group] = relationship(lazy="joined")


class ProductUser(Base):
    """A user whom a product is shared with."""

    __tablename__ = "product_user"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    user: Mapped[User] = relationship(lazy="joined")


class Blob(Base):
    """A content in the store, under its checksum; equal contents are kept once."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    crc32: Mapped[int] = mapped_column(BigInteger)
    """For archives that are put together while they are sent."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    checked_at: Mapped[datetime | None]
    damaged: Mapped[bool] = mapped_column(default=False)


class ProductFile(Base):
    """A file of a product: a content, a directory of contents, or a reference to data elsewhere."""

    __tablename__ = "product_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), index=True)
    role: Mapped[int] = mapped_column(default=FileRole.AUXILIARY)
    name: Mapped[str] = mapped_column()
    media_type: Mapped[str | None]
    extension: Mapped[str] = mapped_column(default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    n_rows: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"), index=True)
    """Null for directories and references."""
    is_directory: Mapped[bool] = mapped_column(default=False)
    reference: Mapped[str | None] = mapped_column(Text)
    """Address of data that stay where they are."""
    fixity: Mapped[dict[str, Any] | None]
    """Size, time and checksum of a reference when it was registered."""
    csv_dialect: Mapped[dict[str, Any] | None]
    """Delimiter and header of a CSV file."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)

    product: Mapped[Product] = relationship(back_populates="files")
    blob: Mapped[Blob | None] = relationship()
    parts: Mapped[list[FilePart]] = relationship(cascade="all, delete-orphan", order_by="FilePart.path")


class FilePart(Base):
    """A file in a directory, such as one pixel of a HATS catalogue."""

    __tablename__ = "file_part"
    __table_args__ = (UniqueConstraint("file_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("product_file.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(Text)
    """Below the directory, with slashes."""
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)
    size: Mapped[int] = mapped_column(BigInteger)

    blob: Mapped[Blob] = relationship()


class ProductColumn(Base):
    """A column of the main file, and what it means."""

    __tablename__ = "product_column"
    __table_args__ = (UniqueConstraint("product_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column()
    order: Mapped[int] = mapped_column()
    datatype: Mapped[str | None]
    unit: Mapped[str | None]
    ucd: Mapped[str | None]
    alias: Mapped[str | None]
    """Standard name: ID, RA, Dec, z, z_err, z_flag, survey, or the owner's."""
    description: Mapped[str | None] = mapped_column(Text)
    statistics: Mapped[dict[str, Any] | None]

    product: Mapped[Product] = relationship(back_populates="columns")


class ProductTag(Base):
    """A word to find products by."""

    __tablename__ = "product_tag"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True, index=True)


class Comment(Base):
    """What somebody says of a product."""

    __tablename__ = "comment"

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="joined")


class ProductLink(Base):
    """An arrow of the provenance: a product that another was made from."""

    __tablename__ = "product_link"

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    input_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(default="input", server_default=text("'input'"))
