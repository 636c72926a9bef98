"""Answers of a mock, in the shapes of the true server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.client.mock.state import PRODUCT_TYPES, allowed

if TYPE_CHECKING:
    from pzcenter.client.mock.state import MockFile, MockProduct, MockUser

__all__ = ["REQUIRED", "WORDS", "detail", "file_shape", "missing", "sharing", "summary", "token_shape", "types"]

WORDS: dict[str, Any] = {
    "display_name": "", "product_type": "other", "release": None, "description": "", "pz_code": None,
    "official": False, "release_year": None, "visibility": "release", "licence": None, "citation": None, "doi": None,
    "command": None, "tags": [],
}  # fmt: skip
"""What may be said of a product at its beginning, with what holds otherwise."""
REQUIRED = {"redshift_catalog": ("RA", "Dec", "z"), "training_set": ("z",), "object_catalog": ("RA", "Dec")}
DETAILS = ("description", "licence", "citation", "doi", "command")


def missing(product: MockProduct) -> list[str]:
    """Standard names that are needed to publish."""
    there = {column["alias"] for column in product.columns}
    return sorted(set(REQUIRED.get(product.words["product_type"], ())) - there)


def summary(product: MockProduct) -> dict[str, Any]:
    """A product in a list."""
    said = {name: value for name, value in product.words.items() if name not in DETAILS}
    return said | {
        "id": product.id, "uid": product.uid, "series": product.series, "version": product.version,
        "is_latest": product.is_latest, "internal_name": f"{product.id}_{said['display_name'].lower()}",
        "owner": {"username": product.owner, "name": product.owner}, "state": product.state,
        "embargo_until": _text(product.embargo_until), "n_rows": product.n_rows,
        "size": sum(len(file.content) for file in product.files), "created_at": _text(product.created_at),
        "updated_at": _text(product.updated_at), "published_at": _text(product.published_at),
        "revision": product.revision,
    }  # fmt: skip


def detail(product: MockProduct, user: MockUser) -> dict[str, Any]:
    """A product with all that its page shows."""
    return summary(product) | {name: product.words[name] for name in DETAILS} | {
        "origin": "Upload", "failure": product.failure, "report": None,
        "files": [file_shape(file) for file in product.files],
        "n_columns": len(product.columns), "missing_columns": missing(product), "may": allowed(user, product),
    }  # fmt: skip


def file_shape(file: MockFile) -> dict[str, Any]:
    """A file."""
    return {
        "id": file.id, "name": file.name, "role": file.role, "size": len(file.content), "n_rows": None,
        "media_type": None, "sha256": file.sha256, "is_directory": False, "reference": None,
        "created_at": _text(file.created_at), "content_url": f"files/{file.id}/content",
    }  # fmt: skip


def sharing(product: MockProduct) -> dict[str, Any]:
    """Who sees a product."""
    return {
        "visibility": product.words["visibility"], "groups": sorted(product.groups), "users": sorted(product.users),
        "embargo_until": _text(product.embargo_until), "revision": product.revision,
    }  # fmt: skip


def token_shape(token: dict[str, Any]) -> dict[str, Any]:
    """A token, without its secret."""
    return {name: value for name, value in token.items() if name not in {"revoked", "secret"}}


def types() -> list[dict[str, Any]]:
    """Kinds of products."""
    return [
        {"id": number, "name": name, "display_name": title, "description": ""}
        for name, (number, title) in PRODUCT_TYPES.items()
    ]


def _text(value: Any) -> str | None:
    return None if value is None else value.isoformat()
