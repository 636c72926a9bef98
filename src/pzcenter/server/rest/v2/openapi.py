"""The description of the interface: who may call, and how errors look, the same for every operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pzcenter.server.rest.v2.answers import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["DESCRIPTION", "complete"]

DESCRIPTION = """
Host, find, share and download products of photometric redshifts.

Every request carries `Authorization: Bearer <token>`. Errors are problem details (RFC 9457) whose `code` never changes.
Lists are told in pages: `next_cursor`, and a `Link` header. A change of a product says with `If-Match` which state of
it you have read. Files are uploaded with the tus protocol, and downloaded with ranges.
"""
PROBLEMS = {
    "400": "Something in the request is not accepted.", "401": "Nobody is signed in, or the token is not good.",
    "403": "You may not do this.", "404": "It is not there, or not for you.",
    "409": "It does not fit the state of the thing.", "412": "It has been changed meanwhile.",
    "413": "Too large, or more than you may keep.", "422": "A value is not accepted.",
    "428": "If-Match is missing.", "429": "Too many requests; Retry-After says when to come again.",
    "503": "Try again later.",
}  # fmt: skip
METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
NOT_OURS = ("HTTPValidationError", "ValidationError")
"""Shapes of errors that FastAPI describes and we do not send."""


def complete(app: FastAPI) -> dict[str, Any]:
    """Description of an application, with errors and the way to sign in at every operation.

    Parameters
    ----------
    app : FastAPI

    Returns
    -------
    dict
        OpenAPI 3.1.
    """
    described = _plain(app)
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in NOT_OURS:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "description": "A token of yours."}}
    described["security"] = [{"token": []}]
    for operations in described["paths"].values():
        for method, operation in operations.items():
            if method in METHODS:
                _add_problems(operation)
    return described


def _plain(app: FastAPI) -> dict[str, Any]:
    from fastapi.openapi.utils import get_openapi

    return get_openapi(
        title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, servers=[{"url": "/api/v2"}]
    )


def _add_problems(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, words in PROBLEMS.items():
        responses[status] = {"description": words, "content": content}
