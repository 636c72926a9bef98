"""Who looks at a page; noted with the request, so that every page and every error shows the right way on."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from pzcenter.server.http.requests import somebody_or_nobody
from pzcenter.server.services.principal import NOBODY, Principal

__all__ = ["note_visitor", "visitor_of"]


def note_visitor(request: Request, principal: Annotated[Principal, Depends(somebody_or_nobody)]) -> None:
    """Note who asks. A form is somebody's too, before its secret has been looked at; that decides nothing here."""
    request.state.visitor = getattr(request.state, "unproven", principal)


def visitor_of(request: Request) -> Principal:
    """Who asks, for what a page shows around its contents."""
    visitor: Principal = getattr(request.state, "visitor", NOBODY)
    return visitor
