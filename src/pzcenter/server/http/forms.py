"""Forms that browsers send: each carries a secret that only a page of this server could give it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request

from pzcenter.errors import AuthenticationError, PermissionDeniedError
from pzcenter.server.http.requests import services_of, somebody_or_nobody
from pzcenter.server.services.principal import Principal

if TYPE_CHECKING:
    from fastapi import Response

__all__ = ["FORM_COOKIE", "FormSender", "check_form", "form_secret", "give_form_secret", "local_path"]

FORM_COOKIE = "pz_form"
LONGEST_PATH = 2000
STALE = "this form is too old, or does not come from this server; load the page again"


def form_sender(
    request: Request,
    principal: Annotated[Principal, Depends(somebody_or_nobody)],
    csrf: Annotated[str, Form()] = "",
) -> Principal:
    """Who sends a form, somebody who is signed in; its field ``csrf`` must hold the secret of the session.

    Raises
    ------
    AuthenticationError
        Nobody is signed in.
    PermissionDeniedError
        The field is missing or wrong.
    """
    if principal.signed_in:
        return principal
    unproven: Principal | None = getattr(request.state, "unproven", None)
    if unproven is None:
        raise AuthenticationError("please sign in")
    if not secrets.compare_digest(csrf.encode(), str(request.state.csrf).encode()):
        raise PermissionDeniedError(STALE)
    return unproven


FormSender = Annotated[Principal, Depends(form_sender)]


def form_secret(request: Request) -> str:
    """Secret for the forms of somebody who is not signed in yet: the one the browser has, or a new one."""
    return request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)


def give_form_secret(request: Request, response: Response, secret: str) -> None:
    """Have the browser keep the secret of its forms."""
    response.set_cookie(
        FORM_COOKIE, secret, max_age=3600, httponly=True, samesite="lax", path="/",
        secure=services_of(request).settings.secure_cookies,
    )  # fmt: skip


def check_form(request: Request, csrf: str) -> None:
    """Refuse a form of somebody not signed in that no page of this server made.

    The field must hold what the cookie holds, and a browser that says where the form comes from must name this host.

    Parameters
    ----------
    request : Request
    csrf : str
        Field of the form.

    Raises
    ------
    PermissionDeniedError
    """
    kept = request.cookies.get(FORM_COOKIE, "")
    if not kept or not secrets.compare_digest(kept.encode(), csrf.encode()):
        raise PermissionDeniedError(STALE)
    origin = request.headers.get("origin")
    ours = {request.headers.get("host", ""), urlsplit(services_of(request).settings.base_url).netloc}
    if origin is not None and urlsplit(origin).netloc not in ours:
        raise PermissionDeniedError(STALE)


def local_path(wish: str) -> str:
    """A path of this server to go on to, or the front page where a wish leads elsewhere.

    Parameters
    ----------
    wish : str
        What came as ``next``.

    Returns
    -------
    str
        Begins with exactly one slash.
    """
    plain = wish.startswith("/") and not wish.startswith("//") and len(wish) <= LONGEST_PATH
    # Browsers read a backslash as a slash, and drop tabs and line ends.
    if not plain or "\\" in wish or not wish.isprintable() or " " in wish:
        return "/"
    return wish
