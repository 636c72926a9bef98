"""Pages made from templates, all of which escape what they show."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pzcenter.server.http.requests import services_of

if TYPE_CHECKING:
    from fastapi import Request

__all__ = ["page"]

TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def page(request: Request, template: str, *, status: int = 200, **words: Any) -> HTMLResponse:
    """A page that nobody but the asker may keep.

    Parameters
    ----------
    request : Request
    template : str
        Name of a file among the templates.
    status : int
    **words
        What the template shows.

    Returns
    -------
    HTMLResponse
    """
    settings = services_of(request).settings
    shared = {
        "site_name": settings.site_name, "site_contact": settings.site_contact,
        "csrf": getattr(request.state, "csrf", ""),
    }  # fmt: skip
    text = _environment().get_template(template).render(**shared, **words)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
