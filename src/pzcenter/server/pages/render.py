"""Pages made from templates, all of which escape what they show."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import pzcenter
from pzcenter.server.http.requests import services_of
from pzcenter.server.pages import words as shown
from pzcenter.server.pages.visitor import visitor_of

if TYPE_CHECKING:
    from fastapi import Request

__all__ = ["STATIC", "THEMES", "THEME_COOKIE", "page"]

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
THEME_COOKIE = "pz_theme"
THEMES = ("auto", "light", "dark")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        name: getattr(shown, name)
        for name in ("ago", "count", "day", "moment", "number", "seen_by", "size", "state_words")
    }
    environment.globals["asset"] = _asset
    return environment


@cache
def _asset(name: str) -> str:
    """Address of a file of ours; it changes with the file, so that browsers may keep it for long."""
    return f"/static/{name}?{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


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
    theme = request.cookies.get(THEME_COOKIE, "auto")
    text = _environment().get_template(template).render(
        site_name=settings.site_name, site_contact=settings.site_contact, csrf=getattr(request.state, "csrf", ""),
        visitor=visitor_of(request), theme=theme if theme in THEMES else "auto", themes=THEMES,
        here=request.url.path, here_with_query=_here(request), version=pzcenter.__version__, **words,
    )  # fmt: skip
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
