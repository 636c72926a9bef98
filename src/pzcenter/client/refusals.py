"""Refusals of a server as the errors that it raised: same class, same code, same words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pzcenter.errors import (
    AuthenticationError,
    ChecksumError,
    ConflictError,
    InternalError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    PZCenterError,
    QuotaError,
    RateLimitError,
    SourceUnavailableError,
    UsageError,
    error_classes,
)

if TYPE_CHECKING:
    from pzcenter.client.exchange import Answer

__all__ = ["check", "error_of"]

BY_STATUS: dict[int, type[PZCenterError]] = {
    401: AuthenticationError, 403: PermissionDeniedError, 404: NotFoundError, 409: ConflictError,
    412: PreconditionError, 413: QuotaError, 460: ChecksumError,
    502: SourceUnavailableError, 503: SourceUnavailableError, 504: SourceUnavailableError,
}  # fmt: skip
MAX_WORDS = 500


def check(answer: Answer) -> Answer:
    """Let a good answer pass.

    Raises
    ------
    PZCenterError
        The one that the server raised.
    """
    if 300 <= answer.status < 400 and answer.status != 304:
        raise UsageError(f"the server leads elsewhere ({answer.headers.get('location', '?')}); use that address")
    if answer.status >= 400:
        raise error_of(answer)
    return answer


def error_of(answer: Answer) -> PZCenterError:
    """Error that a refusal stands for.

    Parameters
    ----------
    answer : Answer
        Of a status from 400 on: problem details, or whatever something on the way has answered.

    Returns
    -------
    PZCenterError
        ``status`` and ``request_id`` are noted with it.
    """
    told = _problem(answer)
    words = str(told.get("detail") or "") or f"the server answered with status {answer.status}"
    cls = error_classes().get(str(told.get("code")), UsageError)
    if cls is UsageError:
        cls = _by_status(answer.status)
    if issubclass(cls, RateLimitError) or answer.status == 429:
        after = answer.headers.get("retry-after", "")
        error: PZCenterError = RateLimitError(words, retry_after_s=float(after) if after.isdecimal() else 60.0)
    else:
        error = cls(words)
    if told.get("request_id"):
        error.add_note(f"request {told['request_id']}")
    return error


def _problem(answer: Answer) -> dict[str, object]:
    if "json" not in answer.headers.get("content-type", ""):
        return {}
    try:
        told = json.loads(answer.content)
    except ValueError:
        return {}
    return {"detail": str(told)[:MAX_WORDS]} if not isinstance(told, dict) else told


def _by_status(status: int) -> type[PZCenterError]:
    return BY_STATUS.get(status, InternalError if status >= 500 else UsageError)
