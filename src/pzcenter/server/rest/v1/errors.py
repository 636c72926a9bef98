"""Errors in the shapes that the first interface's clients know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

from pzcenter.errors import FileFormatError, UsageError

if TYPE_CHECKING:
    from fastapi import Request

    from pzcenter.errors import PZCenterError

__all__ = ["FieldError", "broken_rule", "tell"]

RULES = {"Release": "release", "Pz Code": "pz_code"}
"""Field that a broken rule of a type of products is about, by the first words of the message."""


class FieldError(UsageError):
    """A field of a request that is not accepted.

    Parameters
    ----------
    field : str
    message : str
    bare : bool
        The message stands alone, not in a list.
    """

    def __init__(self, field: str, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.body = {field: message if bare else [message]}


def broken_rule(error: UsageError) -> UsageError:
    """An error of the services with the field that it is about, where its words name one."""
    fields = [field for start, field in RULES.items() if str(error).startswith(start)]
    # The first sentence is what programs of the first interface know.
    first, mark, _ = str(error).partition(". ")
    return FieldError(fields[0], f"{first}." if mark else first) if fields else error


def tell(_request: Request, error: PZCenterError, status: int) -> JSONResponse:
    """Answer with an error.

    Parameters
    ----------
    error : PZCenterError
    status : int

    Returns
    -------
    JSONResponse
        ``{"field": ["message"]}``, ``{"error": "message"}`` for files that cannot be read, ``{"detail": "message"}``.
    """
    if isinstance(error, FieldError):
        return JSONResponse(error.body, status)
    if status == 422 and type(error) is UsageError:
        # A number in the path that no row can have.
        return JSONResponse({"detail": "Not found."}, 404)
    if isinstance(error, FileFormatError):
        return JSONResponse({"error": str(error)}, status)
    return JSONResponse({"detail": str(error)}, status)
