"""Reading over http and https with limits: no other scheme, no private machine, also not after a redirect."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.error import HTTPError, URLError

import pzcenter
from pzcenter.errors import (
    ConfigError,
    NotFoundError,
    PZCenterError,
    SourceUnavailableError,
    UsageError,
)
from pzcenter.training.sources.addresses import check_url, host_of, is_public
from pzcenter.training.sources.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO

__all__ = ["WHAT_TO_DO", "Transport", "unreachable"]

JSON_BYTES = 16 << 20
BLOCK_BYTES = 1 << 20
WHAT_TO_DO = (
    "try again later, take another source of the survey, or download the file by hand and give it as "
    "{connector: file, path: ...}"
)


def unreachable(url: str, reason: object) -> SourceUnavailableError:
    """The error for a service that does not answer: which host, why, and what to do."""
    return SourceUnavailableError(f"{host_of(url)} could not be reached or broke off ({reason}); {WHAT_TO_DO}")


class Transport:
    """Opens addresses.

    Parameters
    ----------
    limits : Limits
    allow_private : bool
        Accept this machine and private networks.
    """

    def __init__(self, limits: Limits | None = None, *, allow_private: bool = False) -> None:
        self.limits = limits or Limits()
        self.allow_private = allow_private
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _PublicHTTPHandler(allow_private=allow_private),
            _PublicHTTPSHandler(allow_private=allow_private),
            _CheckedRedirects(allow_private=allow_private),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ):
            self._opener.add_handler(handler)

    @contextmanager
    def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Iterator[HTTPResponse]:
        """Open an address for reading.

        Parameters
        ----------
        url : str
        headers : mapping, optional
        method : str

        Yields
        ------
        HTTPResponse
            Status 200, 206 or 304, or another success.

        Raises
        ------
        ConfigError
            The address, or one it leads to, must not be visited.
        NotFoundError
            Status 404 or 410.
        UsageError
            Another refusal.
        TransientError
            No connection, silence, or status 408, 425, 429 or 5xx.
        """
        check_url(url, allow_private=self.allow_private)
        sent = {"User-Agent": f"pzcenter/{pzcenter.__version__}", **(headers or {})}
        asked = urllib.request.Request(url, headers=sent, method=method)  # noqa: S310 - check_url allows http(s) alone
        try:
            response = cast("HTTPResponse", self._opener.open(asked, timeout=self.limits.read_timeout_s))
        except HTTPError as error:
            if error.code != http.client.NOT_MODIFIED:
                error.close()
                raise _refused(url, error) from error
            response = cast("HTTPResponse", error)
        except PZCenterError:
            raise
        except (URLError, OSError, http.client.HTTPException) as error:
            if isinstance(cause := getattr(error, "reason", None), PZCenterError):
                raise cause from error
            raise unreachable(url, cause or error) from error
        with response:
            yield response

    def blocks(self, response: HTTPResponse, url: str) -> Iterator[bytes]:
        """The body in blocks.

        Raises
        ------
        TransientError
            The service broke off, fell silent, or took longer than the limit in all.
        """
        end = time.monotonic() + self.limits.total_s
        announced = response.headers.get("Content-Length")
        received = 0
        while True:
            try:
                block = response.read(BLOCK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(url, error) from error
            received += len(block)
            if not block:
                break
            yield block
            if time.monotonic() > end:
                raise unreachable(url, f"longer than {self.limits.total_s:g} s")
        if announced is not None and announced.isdigit() and received < int(announced):
            raise unreachable(url, f"{received} of {announced} bytes arrived")

    def json(self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
        """A small JSON document.

        Raises
        ------
        UsageError
            It is not JSON, or larger than a description can be; and as :meth:`open`.
        """
        with self.open(url, headers={"Accept": "application/json", **(headers or {})}, method=method) as response:
            body = b""
            for block in self.blocks(response, url):
                body += block
                if len(body) > JSON_BYTES:
                    raise UsageError(f"{host_of(url)} sent more than {JSON_BYTES} bytes where a description was asked")
        try:
            return json.loads(body)
        except ValueError as error:
            raise UsageError(f"{host_of(url)} did not answer in JSON; is this the address of the service?") from error


def _refused(url: str, error: HTTPError) -> PZCenterError:
    host, code = host_of(url), error.code
    if code in {404, 410}:
        return NotFoundError(f"{host} has nothing at {url} (status {code}); the file may have moved")
    if code in {401, 403, 407}:
        return UsageError(f"{host} refuses {url} (status {code}); a token may be needed or wrong")
    if code in {408, 425, 429} or code >= 500:
        return unreachable(url, f"status {code}")
    return UsageError(f"{host} refuses {url} (status {code})")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows only to where one might have gone in the first place; a token never goes to another host."""

    max_redirections = 5

    def __init__(self, *, allow_private: bool) -> None:
        self.allow_private = allow_private

    def redirect_request(  # noqa: PLR0917 - the signature of the standard library
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        check_url(newurl, allow_private=self.allow_private)
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise ConfigError(f"{host_of(req.full_url)} leads from https to {newurl}: refused")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and host_of(newurl) != host_of(req.full_url):
            following.remove_header("Authorization")
        return following


class _PublicHTTPHandler(urllib.request.HTTPHandler):
    """Looks at the machine that really answered, so that a name cannot stand for a private one."""

    def __init__(self, *, allow_private: bool) -> None:
        super().__init__()
        self.allow_private = allow_private

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        by_proxy = req.has_proxy()
        kind = http.client.HTTPConnection if self.allow_private or by_proxy else _PublicHTTPConnection
        if by_proxy and not self.allow_private:
            check_url(req.full_url, resolve=False)
        return self.do_open(kind, req)


class _PublicHTTPSHandler(urllib.request.HTTPSHandler):
    def __init__(self, *, allow_private: bool) -> None:
        super().__init__()
        self.allow_private = allow_private

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        by_proxy = bool(getattr(req, "_tunnel_host", None))
        kind = http.client.HTTPSConnection if self.allow_private or by_proxy else _PublicHTTPSConnection
        return self.do_open(kind, req)


class _PublicHTTPConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _refuse_private_peer(self)


class _PublicHTTPSConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _refuse_private_peer(self)


def _refuse_private_peer(connection: http.client.HTTPConnection) -> None:
    """Close a connection that led to a private machine, before anything was asked of it."""
    peer = str(connection.sock.getpeername()[0])
    if not is_public(peer):
        connection.close()
        raise ConfigError(f"{connection.host} stands for {peer}, which is not a public address: refused")
