"""A request as the handlers of a mock see it, and what they answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pzcenter.errors import PreconditionError, PreconditionMissingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx2

    from pzcenter.client.mock.state import MockProduct, MockUser, State

    Handler = Callable[["Request"], "Reply"]

__all__ = ["Reply", "Request"]


@dataclass(frozen=True)
class Reply:
    """An answer: JSON, or bytes."""

    status: int = 200
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A request, who asks, and the parts of its address."""

    state: State
    user: MockUser
    http: httpx2.Request
    parts: tuple[str, ...]

    @property
    def key(self) -> str:
        """First part of the address that is a name."""
        return self.parts[0]

    def body(self, accepted: Iterable[str], *, needed: Iterable[str] = ()) -> dict[str, Any]:
        """JSON object of the request.

        Raises
        ------
        UsageError
            No object, a key that is not known, or one that is missing.
        """
        try:
            told = json.loads(self.http.content or b"{}")
        except ValueError as error:
            raise UsageError(f"body: {error}") from error
        if not isinstance(told, dict):
            raise UsageError("body: an object is expected")
        unknown = set(told) - set(accepted)
        missing = set(needed) - set(told)
        if unknown or missing:
            faults = [f"{name}: Extra inputs are not permitted" for name in sorted(unknown)]
            raise UsageError("; ".join(faults + [f"{name}: Field required" for name in sorted(missing)]))
        return told

    def check_match(self, product: MockProduct, *, needed: bool = False) -> None:
        """Compare the revision that the author of a change has seen.

        Raises
        ------
        PreconditionMissingError, PreconditionError
        """
        seen = self.http.headers.get("if-match")
        if seen is None and needed:
            raise PreconditionMissingError("send If-Match with the ETag of the product as you read it (or *)")
        if seen not in {None, "*", f'"r{product.revision}"'}:
            raise PreconditionError(f"product {product.id} has been changed meanwhile; read it again")
