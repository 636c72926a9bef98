"""Uploads to a mock (tus 1.0)."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from typing import TYPE_CHECKING, Any

from pzcenter.client.mock import shapes
from pzcenter.client.mock.reply import Reply
from pzcenter.client.mock.state import MockFile, MockUpload, new_uid, product_of
from pzcenter.errors import ChecksumError, ConflictError, NotFoundError, UsageError

if TYPE_CHECKING:
    from pzcenter.client.mock.reply import Request

__all__ = ["create_upload", "told_offset", "write_upload"]

VERSION = {"Tus-Resumable": "1.0.0"}
STANDARD = {"ra": "RA", "dec": "Dec", "z": "z", "redshift": "z", "id": "ID"}
"""Names of columns whose meaning is guessed."""


def create_upload(request: Request) -> Reply:
    """Begin an upload."""
    words = {}
    for pair in request.http.headers.get("upload-metadata", "").split(","):
        name, _, value = pair.strip().partition(" ")
        words[name] = base64.b64decode(value).decode()
    product_of(request.state, request.user, words["product"], "fill" if words["role"] == "main" else "edit")
    uid = new_uid()
    upload = MockUpload(request.user.username, int(request.http.headers["upload-length"]), words)
    request.state.uploads[uid] = upload
    if upload.length == 0:
        _finish(request, upload)
    return Reply(201, headers={**VERSION, "Location": f"/api/v2/uploads/{uid}", "Upload-Offset": "0"})


def _upload(request: Request) -> MockUpload:
    upload = request.state.uploads.get(request.key)
    if upload is None or upload.owner != request.user.username:
        raise NotFoundError(f"no upload {request.key}")
    return upload


def told_offset(request: Request) -> Reply:
    """How many bytes are there."""
    upload = _upload(request)
    told = {"Upload-Offset": str(len(upload.content)), "Upload-Length": str(upload.length)}
    return Reply(200, headers={**VERSION, **told, "Cache-Control": "no-store"})


def write_upload(request: Request) -> Reply:
    """Take the next bytes; the last ones make a file of the product."""
    upload = _upload(request)
    offset = int(request.http.headers["upload-offset"])
    if offset != len(upload.content):
        raise ConflictError(f"the offset is {len(upload.content)}, not {offset}")
    if offset + len(request.http.content) > upload.length:
        raise UsageError(f"more than the {upload.length} bytes that were told")
    upload.content += request.http.content
    if len(upload.content) == upload.length:
        _finish(request, upload)
    return Reply(204, headers={**VERSION, "Upload-Offset": str(len(upload.content))})


def _finish(request: Request, upload: MockUpload) -> None:
    content = bytes(upload.content)
    if hashlib.sha256(content).hexdigest() != upload.words.get("sha256", hashlib.sha256(content).hexdigest()):
        raise ChecksumError("what came is not what was told")
    role = upload.words["role"]
    product = product_of(request.state, request.user, upload.words["product"], "fill" if role == "main" else "edit")
    if role == "main" and product.main_file is not None:
        raise ConflictError(f"product {product.id} has a main file already: {product.main_file.name}")
    file = MockFile(next(request.state.numbers), upload.words["filename"], role, content)
    product.files.append(file)
    product.files.sort(key=lambda each: (each.role != "main", each.id))
    if role == "main" and file.name.endswith(".csv"):
        rows = list(csv.reader(io.StringIO(content.decode())))
        product.columns = [_column(order, name) for order, name in enumerate(rows[0] if rows else [])]
        product.n_rows = max(len(rows) - 1, 0)
        if not product.n_rows and product.words["product_type"] in shapes.REQUIRED:
            product.state, product.failure = "failed", f"{file.name} has no rows"
    product.touch()


def _column(order: int, name: str) -> dict[str, Any]:
    return {
        "id": order + 1, "name": name, "order": order, "datatype": None, "unit": None, "ucd": None,
        "alias": STANDARD.get(name.lower()), "description": None, "statistics": None,
    }  # fmt: skip
