"""The address that a server listens at: taken before anything else, so that one in use is told at once."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import uvicorn

from pzcenter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TellingServer", "bind"]


def bind(host: str, port: int) -> socket.socket:
    """Take an address of this machine.

    Parameters
    ----------
    host : str
    port : int
        0: any that is free.

    Returns
    -------
    socket
        That does not listen yet: nobody is kept waiting by a server that has not begun.

    Raises
    ------
    ConfigError
        It is in use, or not to be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(f"--host {host!r} is no address: {error.strerror}") from error
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise ConfigError(_words(error, host, port)) from error
    taken.set_inheritable(True)
    return taken


def _words(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use, perhaps by this server itself; end that program, or choose --port N"
    if error.errno == errno.EACCES:
        return f"port {port} is for the system alone; choose one from 1024 on with --port N, and put a proxy in front"
    return f"cannot listen at {host}, port {port}: {error.strerror}"


class TellingServer(uvicorn.Server):
    """A service that says when it listens.

    Parameters
    ----------
    config : uvicorn.Config
    tell : callable
        Called once, when requests are answered.
    """

    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._tell()
