"""Rows as the JSON that the first interface's clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pzcenter.server.services.access import Action, may
from pzcenter.server.services.product_filters import STATUS
from pzcenter.server.storage.processes import Process
from pzcenter.server.storage.products import FileRole, ProductState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal
    from pzcenter.server.storage.accounts import User
    from pzcenter.server.storage.processes import Pipeline
    from pzcenter.server.storage.products import Product, ProductColumn, ProductFile, ProductType
    from pzcenter.server.storage.releases import Release

__all__ = [
    "STATUS_NAMES", "column_json", "file_json", "main_file_json", "pipeline_json", "product_json", "products_json",
    "release_json", "time_text", "type_json", "user_json",
]  # fmt: skip

STATUS_NAMES = {
    ProductState.REGISTERING: "Registering", ProductState.PUBLISHED: "Published", ProductState.DELETED: "Deleted",
    ProductState.PROCESSING: "Processing", ProductState.FAILED: "Failed",
}  # fmt: skip
ROLE_NAMES = {FileRole.MAIN: "Main", FileRole.DESCRIPTION: "Description", FileRole.AUXILIARY: "Auxiliary"}
MANY_IDS = 500
"""Asked for at once; databases limit the values of one question."""


def time_text(at: datetime | None) -> str | None:
    """A time as ``2026-11-20T22:17:28.130166Z``."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def products_json(session: Session, principal: Principal, products: Sequence[Product]) -> list[dict[str, Any]]:
    """Products, each with the process that made it."""
    ids = [product.id for product in products]
    processes: dict[int | None, Process] = {}
    for start in range(0, len(ids), MANY_IDS):
        made = select(Process).where(Process.output_id.in_(ids[start : start + MANY_IDS]))
        processes |= {process.output_id: process for process in session.scalars(made)}
    return [_product(principal, product, processes.get(product.id)) for product in products]


def product_json(session: Session, principal: Principal, product: Product) -> dict[str, Any]:
    """One product, with the process that made it."""
    return products_json(session, principal, [product])[0]


def _product(principal: Principal, product: Product, process: Process | None) -> dict[str, Any]:
    kind, release = product.product_type, product.release
    return {
        "id": product.id,
        "release": product.release_id,
        "release_name": None if release is None else release.display_name or release.name,
        "product_type": product.product_type_id,
        "product_type_name": kind.display_name,
        "product_type_internal_name": kind.name,
        "uploaded_by": product.owner.username,
        "is_owner": product.owner_id == principal.user_id,
        "origin": product.origin,
        "process_status": None if process is None else str(process.state),
        "process_id": None if process is None else process.id,
        "product_status": STATUS_NAMES[product.state],
        "can_delete": may(principal, Action.DELETE, product),
        "can_update": may(principal, Action.EDIT, product),
        "internal_name": product.internal_name,
        "display_name": product.display_name,
        "official_product": product.official,
        "pz_code": product.pz_code,
        "description": product.description,
        "created_at": time_text(product.created_at),
        "updated_at": time_text(product.updated_at),
        "status": STATUS[product.state],
        "release_year": product.release_year,
    }


def main_file_json(product: Product) -> dict[str, Any]:
    """The main file with its columns; empty when there is none, which clients take for that."""
    file = product.main_file
    if file is None:
        return {}
    told: dict[str, Any] = {
        "name": file.name, "type": file.media_type, "extension": file.extension, "size": file.size,
        "n_rows": product.n_rows if file.n_rows is None else file.n_rows, "is_directory": file.is_directory,
    }  # fmt: skip
    dialect = file.csv_dialect or {}
    has_header = bool(dialect.get("has_header", True))
    if any(column.alias for column in product.columns):
        # Of a table without names the client takes these for the names of all columns, so all of them must be there.
        shown = [column for column in product.columns if column.alias or not has_header]
        told["associated_columns"] = [
            {"column_name": column.name, "ucd": column.ucd, "alias": column.alias} for column in shown
        ]
    if file.extension == ".csv":
        told |= {"delimiter": dialect.get("delimiter", ","), "has_header": has_header}
        told["columns"] = [column.name for column in product.columns]
    return told


def file_json(services: Services, principal: Principal, file: ProductFile) -> dict[str, Any]:
    """A file, with the address below which the rules of access let its bytes through."""
    filling = file.role == FileRole.MAIN
    return {
        "id": file.id,
        "product": file.product_id,
        "file": f"{services.settings.base_url}/api/product-files/{file.id}/download/",
        "can_delete": may(principal, Action.FILL if filling else Action.EDIT, file.product),
        "role_name": ROLE_NAMES[FileRole(file.role)],
        "role": file.role,
        "name": file.name,
        "type": file.media_type,
        "n_rows": file.n_rows,
        "size": file.size,
        "extension": file.extension,
        "is_directory": file.is_directory,
        "created": time_text(file.created_at),
        "updated": time_text(file.updated_at),
    }


def column_json(column: ProductColumn) -> dict[str, Any]:
    """A column."""
    return {
        "id": column.id, "product": column.product_id, "column_name": column.name, "ucd": column.ucd,
        "order": column.order, "alias": column.alias,
    }  # fmt: skip


def type_json(kind: ProductType) -> dict[str, Any]:
    """A product type."""
    return {
        "id": kind.id, "name": kind.name, "display_name": kind.display_name, "order": kind.order,
        "description": kind.description, "created_at": time_text(kind.created_at),
    }  # fmt: skip


def release_json(release: Release, group_ids: Iterable[int] = ()) -> dict[str, Any]:
    """A release, with the groups that have rights to it."""
    offers = release.object_catalog
    return {
        "id": release.id, "name": release.name, "display_name": release.display_name or release.name,
        "description": release.description, "created_at": time_text(release.created_at),
        "indexing_column": release.indexing_column, "has_mag_hats": bool(offers.get("has_mag_hats", False)),
        "has_flux_hats": bool(offers.get("has_flux_hats", True)), "dereddening": offers.get("dereddening"),
        "fluxes": offers.get("fluxes"), "access_groups": sorted(group_ids), "is_public": release.is_public,
    }  # fmt: skip


def user_json(user: User) -> dict[str, Any]:
    """A user, without number and address."""
    return {
        "username": user.username, "first_name": user.first_name, "last_name": user.last_name,
        "display_name": user.name,
    }  # fmt: skip


def pipeline_json(pipeline: Pipeline) -> dict[str, Any]:
    """A pipeline."""
    return {
        "id": pipeline.id, "name": pipeline.name, "display_name": pipeline.display_name, "version": pipeline.version,
        "description": pipeline.description, "created_at": time_text(pipeline.created_at),
        "system_config": pipeline.system_config, "output_product_type": pipeline.output_type_id,
        "product_types_accepted": pipeline.accepted_types,
    }  # fmt: skip
