"""What a mock answers to requests for lists of files."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pzcenter.client.mock.reply import Reply
from pzcenter.client.mock.state import now, product_of
from pzcenter.errors import PermissionDeniedError, UsageError

if TYPE_CHECKING:
    from pzcenter.client.mock.reply import Handler, Request

__all__ = ["MANIFEST_ROUTES"]

SECRET = "mock"  # noqa: S105 - of nothing


def _signed(told: dict[str, Any]) -> str:
    words = {name: value for name, value in told.items() if name not in {"signature", "good_until"}}
    return hashlib.sha256((SECRET + json.dumps(words, sort_keys=True)).encode()).hexdigest()


def make(request: Request) -> Reply:
    """List the files of products."""
    keys = request.body(("products",), needed=("products",))["products"]
    if not keys:
        raise UsageError("products: List should have at least 1 item")
    products = [product_of(request.state, request.user, str(key)) for key in keys]
    files = [
        {
            "product": product.uid, "path": f"{product.id}_{product.words['display_name'].lower()}/{file.name}",
            "size": len(file.content), "sha256": file.sha256, "content_url": f"files/{file.id}/content",
        }
        for product in products
        for file in product.files
    ]  # fmt: skip
    told: dict[str, Any] = {
        "format": "pzcenter-download-manifest", "made_at": now().isoformat(), "files": files, "elsewhere": [],
        "n_bytes": sum(each["size"] for each in files),
    }  # fmt: skip
    return Reply(body=told | {"signature": _signed(told), "good_until": "2999-01-01T00:00:00+00:00"})


def check(request: Request) -> Reply:
    """Whether this mock made a list."""
    words = ("format", "made_at", "files", "elsewhere", "n_bytes", "signature", "good_until")
    told = request.body(words, needed=words)
    if told["signature"] != _signed(told):
        raise PermissionDeniedError("this link is not good for this; ask for a new one")
    return Reply(body={"good": True})


MANIFEST_ROUTES: dict[tuple[str, str], Handler] = {("POST", "manifests"): make, ("POST", "manifests/check"): check}
"""By method and pattern of the path below the address of the interface."""
