"""A server in memory: people, products, files; and failures on demand."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from pzcenter.client.async_client import AsyncPZClient
from pzcenter.client.exchange import Retries
from pzcenter.client.mock.challenges import CHALLENGE_ROUTES, MockChallenge
from pzcenter.client.mock.handlers import ROUTES
from pzcenter.client.mock.jobs import JOB_ROUTES
from pzcenter.client.mock.manifests import MANIFEST_ROUTES
from pzcenter.client.mock.people import PEOPLE_ROUTES
from pzcenter.client.mock.reply import Request
from pzcenter.client.mock.state import MockUser, State, new_uid, now
from pzcenter.client.sync_client import PZClient
from pzcenter.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    PZCenterError,
    RateLimitError,
    TransientError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pzcenter.client.mock.reply import Reply

__all__ = ["MockServer"]

_ALL_ROUTES = ROUTES | CHALLENGE_ROUTES | JOB_ROUTES | MANIFEST_ROUTES | PEOPLE_ROUTES
STATUS = {
    "authentication": 401, "permission": 403, "not_found": 404, "conflict": 409, "precondition": 412,
    "precondition_required": 428, "quota": 413, "rate_limit": 429, "column": 422, "checksum": 460,
}  # fmt: skip
URL = "http://mock"
QUICK = Retries(first_s=0.0, most_s=0.0)


@dataclass
class _Failure:
    """Something that goes wrong instead of the next answers."""

    n: int
    status: int | None
    method: str | None
    path: str
    after_bytes: int | None = None


@dataclass
class MockServer:
    """A PZ Server in memory, which answers as the true one does.

    Attributes
    ----------
    releases : tuple of str
        Data releases that there are.
    groups : tuple of str
    state : State
        All that it keeps; tests may look into it.
    requests : list of (str, str)
        Method and path of all requests so far.
    """

    releases: tuple[str, ...] = ("dp1", "dp2")
    groups: tuple[str, ...] = ("team",)
    state: State = field(default_factory=State)
    requests: list[tuple[str, str]] = field(default_factory=list)
    _failures: list[_Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make what there is from the beginning."""
        self.state.releases |= set(self.releases)
        self.state.groups |= set(self.groups)

    def user(
        self, username: str, *, role: str = "user", releases: Iterable[str] = ("dp1",), groups: Iterable[str] = ()
    ) -> MockUser:
        """Somebody, made when not there yet.

        Parameters
        ----------
        username : str
        role : str
            ``user``, ``coordinator`` or ``admin``.
        releases, groups : iterable of str
            What a new user has rights to, and is in.

        Returns
        -------
        MockUser
        """
        if username not in self.state.users:
            self.state.users[username] = MockUser(username, role, set(groups), set(releases))
        return self.state.users[username]

    def challenge(
        self, name: str, files: Mapping[str, bytes], *, scenarios: Iterable[str] = ("one",), title: str = ""
    ) -> MockChallenge:
        """A challenge that was made on the server; a coordinator has to add it.

        Parameters
        ----------
        name : str
        files : mapping of str to bytes
            For participants, by path.
        scenarios : iterable of str
        title : str

        Returns
        -------
        MockChallenge
        """
        made = MockChallenge(name, tuple(scenarios), title, dict(files))
        self.state.challenges[name] = made
        return made

    def token(self, username: str, *, scopes: Iterable[str] = ("read", "write", "admin")) -> str:
        """A new token of somebody.

        Returns
        -------
        str
            Its secret.
        """
        secret = secrets.token_hex(20)
        token = {"id": new_uid(), "name": "test", "hint": secret[:4], "scopes": sorted(scopes), "revoked": False}
        self.user(username).tokens[secret] = token | {
            "created_at": now().isoformat(), "expires_at": "2999-01-01T00:00:00+00:00", "last_used_at": None,
            "expired": False,
        }  # fmt: skip
        return secret

    def client(
        self, username: str | None = None, *, scopes: Iterable[str] = ("read", "write", "admin"), **words: Any
    ) -> PZClient:
        """Client of somebody; of nobody without a name.

        Parameters
        ----------
        username : str, optional
        scopes : iterable of str
        **words
            For the client; by default it does not wait before it tries again.
        """
        return PZClient(URL, self._token(username, scopes), transport=self.transport(), **({"retries": QUICK} | words))

    def async_client(
        self, username: str | None = None, *, scopes: Iterable[str] = ("read", "write", "admin"), **words: Any
    ) -> AsyncPZClient:
        """Async client of somebody (see :meth:`client`)."""
        words = {"retries": QUICK} | words
        return AsyncPZClient(URL, self._token(username, scopes), transport=self.transport(), **words)

    def _token(self, username: str | None, scopes: Iterable[str]) -> str | None:
        return None if username is None else self.token(username, scopes=scopes)

    def transport(self) -> httpx2.MockTransport:
        """In place of the network, for sync and async clients."""
        return httpx2.MockTransport(self._answer)

    def fail(
        self,
        n: int = 1,
        *,
        status: int | None = 503,
        method: str | None = None,
        path: str = "",
        after_bytes: int | None = None,
    ) -> None:
        """Let the next requests fail.

        Parameters
        ----------
        n : int
            How many.
        status : int or None
            Of the answer; None: the connection breaks.
        method : str, optional
            Only requests of this method.
        path : str
            Only requests whose path this pattern is found in.
        after_bytes : int, optional
            The answer breaks off after so many bytes, in place of a status.
        """
        self._failures.append(_Failure(n, status, method, path, after_bytes))

    def _next_failure(self, method: str, path: str) -> _Failure | None:
        for failure in self._failures:
            if failure.n > 0 and failure.method in {None, method} and re.search(failure.path, path):
                failure.n -= 1
                return failure
        return None

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = re.sub(r"^/api/v2/", "", request.url.path)
        self.requests.append((request.method, path))
        failure = self._next_failure(request.method, path)
        if failure is not None and failure.after_bytes is None:
            if failure.status is None:
                raise httpx2.ReadError("the mock broke the connection", request=request)
            return httpx2.Response(failure.status, text="the mock failed as it was told", request=request)
        try:
            answer = _response(self._reply(request, path), request)
        except PZCenterError as error:
            answer = _problem(error)
        if failure is not None and failure.after_bytes is not None:
            return _broken_off(answer, failure.after_bytes)
        return answer

    def _reply(self, request: httpx2.Request, path: str) -> Reply:
        secret = request.headers.get("authorization", "").partition(" ")[2]
        if not secret:
            raise AuthenticationError("Authentication credentials were not provided.")
        user, scopes = self.state.user_of(secret)
        methods = set()
        for (method, pattern), handler in _ALL_ROUTES.items():
            found = re.fullmatch(pattern, path)
            if found is None:
                continue
            methods.add(method)
            if method == request.method:
                needed = "read" if method in {"GET", "HEAD"} else "write"
                if needed not in scopes:
                    held = ", ".join(sorted(scopes))
                    raise PermissionDeniedError(f"this token is for {held}; {needed} is needed")
                return handler(Request(self.state, user, request, found.groups()))
        raise UsageError("Method Not Allowed") if methods else NotFoundError("Not Found")


def _response(reply: Reply, request: httpx2.Request) -> httpx2.Response:
    headers = dict(reply.headers)
    content = reply.content
    if content is None:
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        headers.setdefault("Content-Type", "application/json")
    headers["Content-Length"] = str(len(content))
    return httpx2.Response(reply.status, headers=headers, content=b"" if request.method == "HEAD" else content)


def _problem(error: PZCenterError) -> httpx2.Response:
    status = STATUS.get(error.code, 503 if isinstance(error, TransientError) else 400)
    body = {
        "type": f"/docs/errors#{error.code}", "title": type(error).__name__, "status": status, "detail": str(error),
        "code": error.code, "request_id": "mock",
    }  # fmt: skip
    headers = {"Content-Type": "application/problem+json"}
    if isinstance(error, RateLimitError):
        headers["Retry-After"] = str(round(error.retry_after_s))
    return httpx2.Response(status, headers=headers, content=json.dumps(body).encode())


class _BrokenStream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Bytes of an answer that ends too early."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Any:
        yield self.content
        raise httpx2.ReadError("the mock broke the connection")

    async def __aiter__(self) -> Any:
        yield self.content
        raise httpx2.ReadError("the mock broke the connection")


def _broken_off(answer: httpx2.Response, n: int) -> httpx2.Response:
    return httpx2.Response(answer.status_code, headers=answer.headers, stream=_BrokenStream(answer.content[:n]))
