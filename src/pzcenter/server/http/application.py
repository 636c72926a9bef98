"""An application of one interface: its services, its way of telling errors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pzcenter.errors import InternalError, NotFoundError, PZCenterError, RateLimitError, UsageError
from pzcenter.server.http.patterns import pattern_words
from pzcenter.server.http.status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request, Response

    from pzcenter.server.services.context import Services

    Tell = Callable[[Request, PZCenterError, int], Response]

__all__ = ["new_application"]

log = logging.getLogger(__name__)


def new_application(services: Services, tell: Tell, **words: Any) -> FastAPI:
    """An application without handlers yet.

    Parameters
    ----------
    services : Services
    tell : callable
        Makes the answer of an error: request, error, status.
    **words
        For FastAPI.

    Returns
    -------
    FastAPI
    """
    app = FastAPI(**words)
    app.state.services = services

    def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, PZCenterError)
        status = status_of(error)
        if status >= 500:
            log.error("failed", exc_info=error, extra={"path": request.url.path})
        answer = tell(request, error, status)
        if isinstance(error, RateLimitError):
            answer.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        if status == 401:
            answer.headers["WWW-Authenticate"] = "Token"
        return answer

    def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = "; ".join(
            f"{'.'.join(str(word) for word in each['loc'][1:]) or each['loc'][0]}: {_fault(each)}"
            for each in error.errors()
        )
        return tell(request, UsageError(faults), 422)

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known_as: PZCenterError = NotFoundError(error.detail) if error.status_code == 404 else UsageError(error.detail)
        answer = tell(request, known_as, error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    def unknown(request: Request, error: Exception) -> Response:
        log.error("failed", exc_info=error, extra={"path": request.url.path})
        return tell(request, InternalError("something went wrong here; it has been noted"), 500)

    app.add_exception_handler(PZCenterError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unknown)
    return app


def _fault(told: dict[str, Any]) -> str:
    """What is wrong with a value; of a pattern that words are known for, these."""
    words = pattern_words(str((told.get("ctx") or {}).get("pattern")))
    return str(told["msg"]) if words is None else f"{str(told.get('input'))[:80]!r}; {words}"
