"""Files of the pages that are the same for everybody; their addresses change with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

__all__ = ["Assets"]

YEAR = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """A folder of files that browsers may keep when they ask for the very content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        answer = await super().get_response(path, scope)
        if scope["query_string"] and answer.status_code == 200:
            answer.headers["Cache-Control"] = YEAR
        return answer
