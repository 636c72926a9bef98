"""How requests go out: shared words of the sync and the async client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx2

import pzcenter
from pzcenter.client.exchange import Answer, BrokenExchangeError, Send
from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["API", "TIMEOUT", "base_of", "broken", "head_of", "headers_of", "request_words"]

API = "api/v2/"
TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
NOT_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
LOCAL = re.compile(r"http://(localhost|127\.\d+\.\d+\.\d+|\[::1\]|testserver|mock)(:\d+)?(/|$)")


def base_of(url: str, *, insecure: bool) -> str:
    """Address of the interface of a server.

    Parameters
    ----------
    url : str
        Of the server, such as ``https://pz.example.org``.
    insecure : bool
        Let a token travel without encryption.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        No http address, or one by which everybody on the way could read the token.
    """
    if not re.match(r"https?://[^/\s]+", url):
        raise ConfigError(f"{url!r} is no address of a server; expected https://...")
    if url.startswith("http://") and not LOCAL.match(url) and not insecure:
        raise ConfigError(f"{url}: a token would travel readable for everybody; use https, or say insecure=True")
    plain = re.sub(r"/+(api(/v[12])?/*)?$", "", url)
    return f"{plain}/{API}"


def headers_of(token: str | None) -> dict[str, str]:
    """Headers of every request."""
    told = {"User-Agent": f"pzcenter/{pzcenter.__version__}", "Accept": "application/json, */*;q=0.5"}
    return told if token is None else told | {"Authorization": f"Token {token}"}


def request_words(send: Send, base: str) -> dict[str, Any]:
    """Arguments of a request for httpx.

    Raises
    ------
    ConfigError
        The request would carry the token to another server.
    """
    url = httpx2.URL(base).join(send.url)
    home = httpx2.URL(base)
    if (url.scheme, url.host, url.port) != (home.scheme, home.host, home.port):
        raise ConfigError(f"{url} is not on the server {home.host}; the token is not sent there")
    words: dict[str, Any] = {"method": send.method, "url": url, "headers": send.headers}
    if send.query:
        words["params"] = list(send.query)
    if send.content is not None:
        words["content"] = send.content
    elif send.body is not None:
        words["json"] = send.body
    return words


def head_of(status: int, headers: Mapping[str, str]) -> Answer:
    """An answer whose bytes are still to come."""
    return Answer(status, {name.lower(): value for name, value in headers.items()})


def broken(error: httpx2.TransportError, base: str) -> BrokenExchangeError:
    """What a failure of the transport means."""
    words = str(error) or type(error).__name__
    return BrokenExchangeError(f"{base}: {words}", reached=not isinstance(error, NOT_REACHED))
