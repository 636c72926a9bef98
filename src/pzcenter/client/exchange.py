"""One exchange with a server after the other, told apart from how it is done: the same steps for sync and async.

A procedure is a generator: it yields what to do next (:class:`Send`, :class:`Sleep`), gets the answer, and returns its
result. Clients run the steps; :func:`answered` is the step that everything is made of: it tries again what may be
tried again, and turns refusals into errors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pzcenter.errors import SourceUnavailableError

__all__ = ["Answer", "BrokenExchangeError", "Retries", "Send", "Sink", "Sleep", "Steps", "answered", "pauses"]

T = TypeVar("T")
Sink = Callable[["Answer"], Callable[[bytes], None] | None]
"""Gets the head of an answer, gives what takes the bytes; None: they are kept in the answer."""

TRY_AGAIN = {429, 502, 503, 504}
NOTHING_DONE = {429, 503}
"""What was asked for has surely not begun."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds between two looks at something that is under way."""
SAFE_TWICE = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}


@dataclass(frozen=True)
class Send:
    """A request.

    Attributes
    ----------
    method : str
    url : str
        Below the address of the interface, or a whole one.
    query : list of (str, str)
    body : object
        To be sent as JSON.
    content : bytes or None
        To be sent as it is.
    headers : dict of str to str
    sink : Sink or None
        Takes the bytes of a long answer.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    sink: Sink | None = None


@dataclass(frozen=True)
class Sleep:
    """A pause, seconds."""

    seconds: float


def pauses(seconds: float) -> Iterator[Sleep]:
    """Growing pauses between looks at something that is under way, together no longer than a time.

    Parameters
    ----------
    seconds : float

    Yields
    ------
    Sleep
    """
    waited, pause = 0.0, FIRST_PAUSE
    while waited < seconds:
        pause = min(pause, seconds - waited)
        yield Sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE)


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes
    ----------
    status : int
    headers : dict of str to str
        Names in small letters.
    content : bytes
    """

    status: int
    headers: dict[str, str]
    content: bytes = b""


Steps = Generator[Send | Sleep, Answer | None, T]


class BrokenExchangeError(SourceUnavailableError):
    """The exchange broke off.

    Parameters
    ----------
    message : str
    reached : bool
        The request may have reached the server.
    """

    def __init__(self, message: str, *, reached: bool) -> None:
        super().__init__(message)
        self.reached = reached


@dataclass(frozen=True)
class Retries:
    """How often, and after how long, something is tried again.

    Attributes
    ----------
    attempts : int
        In all.
    first_s : float
        Pause after the first failure; it doubles each time, and is spread at random by half.
    most_s : float
    """

    attempts: int = 5
    first_s: float = 0.5
    most_s: float = 30.0

    def pause(self, n: int, retry_after: str | None = None) -> float:
        """Seconds to wait after the n-th failure (from 0 on), at least as long as the server asks for."""
        grown = min(self.most_s, self.first_s * 2.0**n)
        spread = grown * (0.5 + 0.5 * random.random())  # noqa: S311 - no secret
        asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        return max(spread, min(asked, 600.0))


def answered(send: Send, retries: Retries, *, twice: bool | None = None) -> Steps[Answer]:
    """Send a request until there is an answer that will not get better.

    Parameters
    ----------
    send : Send
    retries : Retries
    twice : bool, optional
        It does no harm if the server gets it twice; by default as its method says.

    Yields
    ------
    Send, Sleep

    Returns
    -------
    Answer
        Of any status.

    Raises
    ------
    BrokenExchangeError
        The server does not answer, as often as it was tried.
    """
    harmless = send.method in SAFE_TWICE if twice is None else twice
    for n in range(retries.attempts):
        last = n == retries.attempts - 1
        try:
            answer = yield send
        except BrokenExchangeError as error:
            if last or (error.reached and not harmless):
                raise
            yield Sleep(retries.pause(n))
            continue
        assert answer is not None
        if last or answer.status not in (TRY_AGAIN if harmless else NOTHING_DONE):
            return answer
        yield Sleep(retries.pause(n, answer.headers.get("retry-after")))
    raise AssertionError("no attempt was made")
