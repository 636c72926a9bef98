"""Who asks, and with which words: dependencies of the handlers of the first interface."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Path, Request

from pzcenter.errors import PermissionDeniedError, QuotaError
from pzcenter.server.http.multipart import receive_form
from pzcenter.server.http.requests import SignedIn, services_of
from pzcenter.server.rest.v1.errors import FieldError
from pzcenter.server.services.principal import Principal, Scope

__all__ = [
    "MAX_NUMBER", "Number", "Reader", "Words", "Writer", "checked_text", "empty", "number_of", "query_words",
    "words_of",
]  # fmt: skip

MAX_NUMBER = 2**31 - 1
MAX_BODY = 2**20
MAX_FIELDS = 200


def _reader(principal: SignedIn) -> Principal:
    principal.need(Scope.READ)
    return principal


def _writer(request: Request, principal: SignedIn) -> Principal:
    """Somebody who may change something.

    The client asks for some changes with GET. A browser sends its cookie with every GET, also with one that another
    site made it send; so such changes need a token, or the session's secret.

    Raises
    ------
    PermissionDeniedError
        The token is only for reading, or a browser's GET carries no proof.
    """
    principal.need(Scope.WRITE)
    proof = request.headers.get("x-csrf-token")
    if request.method == "GET" and principal.token_id is None and proof != getattr(request.state, "csrf", object()):
        raise PermissionDeniedError("this changes something: send a token, use POST, or send X-CSRF-Token")
    return principal


Reader = Annotated[Principal, Depends(_reader)]
Writer = Annotated[Principal, Depends(_writer)]
Number = Annotated[int, Path(ge=0, le=MAX_NUMBER)]


def checked_text(name: str, value: str) -> str:
    """A text that a database takes.

    Raises
    ------
    FieldError
    """
    if "\0" in value or any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise FieldError(name, "Null characters and half characters are not allowed.")
    return value


def empty(value: object) -> bool:
    """Nothing was said: null in JSON, an empty text in a form."""
    return value is None or value == ""


def number_of(name: str, value: Any) -> int:
    """A number of a row, from a form or from JSON.

    Raises
    ------
    FieldError
    """
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text[:12]) > MAX_NUMBER:
        raise FieldError(name, "A valid integer is required.")
    return int(text)


async def words_of(request: Request, _principal: Writer) -> dict[str, Any]:
    """Body of a request, JSON or a form, as a dictionary; empty when there is none.

    It is read when it is known who asks.

    Raises
    ------
    FieldError
        It cannot be read as what it says it is.
    QuotaError
        It is too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        folder = services_of(request).settings.data_dir / "incoming"
        form = await receive_form(request, folder, max_bytes=MAX_BODY, max_files=0)
        return {name: checked_text(name, values[-1]) for name, values in form.fields.items()}
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise QuotaError(f"the request has more than {MAX_BODY:,} bytes")
    if not body.strip():
        return {}
    if kind == "application/json":
        return _json(bytes(body))
    if kind == "application/x-www-form-urlencoded":
        return _form(bytes(body))
    raise FieldError("detail", f'Unsupported media type "{kind[:100]}" in request.', bare=True)


def _json(body: bytes) -> dict[str, Any]:
    try:
        words = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FieldError("detail", f"JSON parse error - {error}", bare=True) from error
    if not isinstance(words, dict):
        raise FieldError("non_field_errors", f"Invalid data. Expected a dictionary, but got {type(words).__name__}.")
    for name, value in words.items():
        if isinstance(value, str):
            checked_text(name, value)
    return words


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise FieldError("detail", f"Form parse error - {error}", bare=True) from error
    return {name: checked_text(name, value) for name, value in pairs}


def query_words(request: Request) -> dict[str, str]:
    """Parameters of an address; the last one counts where one is there twice.

    Raises
    ------
    FieldError
    """
    return {name: checked_text(name, value) for name, value in request.query_params.items()}


Words = Annotated[dict[str, Any], Depends(words_of)]
