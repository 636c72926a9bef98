"""Servers that this user knows: names, addresses, tokens; in a file that nobody else may read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pzcenter.errors import AuthenticationError, ConfigError, NotFoundError

__all__ = ["DEFAULT_NAME", "TOKEN_VARIABLE", "URL_VARIABLE", "KnownServer", "KnownServers", "config_dir", "state_dir"]

DEFAULT_NAME = "default"
TOKEN_VARIABLE = "PZ_SERVER_TOKEN"  # noqa: S105 - the name of a variable
URL_VARIABLE = "PZ_SERVER_URL"
FILE_NAME = "servers.json"


def config_dir() -> Path:
    """Directory of the user's settings: ``$XDG_CONFIG_HOME/pzcenter``, or ``~/.config/pzcenter``."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pzcenter"


def state_dir() -> Path:
    """Directory of what is under way: ``$XDG_STATE_HOME/pzcenter``, or ``~/.local/state/pzcenter``."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "pzcenter"


@dataclass(frozen=True)
class KnownServer:
    """A server and the token for it.

    Attributes
    ----------
    url : str
    token : str
    """

    url: str
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"KnownServer({self.url!r})"


class KnownServers:
    """The file of servers.

    Parameters
    ----------
    path : Path, optional
        ``servers.json`` in the user's settings otherwise.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = config_dir() / FILE_NAME if path is None else path

    def all(self) -> dict[str, KnownServer]:
        """Servers by name.

        Raises
        ------
        ConfigError
            The file cannot be read.
        """
        if not self.path.is_file():
            return {}
        try:
            told: dict[str, Any] = json.loads(self.path.read_text())
            return {name: KnownServer(str(each["url"]), str(each["token"])) for name, each in told.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{self.path} is damaged; remove it and sign in again") from error

    def get(self, name: str | None = None) -> KnownServer:
        """A server by name; by default that of the environment, or the one that was signed in to as default.

        Raises
        ------
        NotFoundError
            No server of this name.
        AuthenticationError
            Nothing is known of any server.
        """
        url, token = os.environ.get(URL_VARIABLE), os.environ.get(TOKEN_VARIABLE)
        if name is None and url and token:
            return KnownServer(url, token)
        there = self.all()
        wanted = name or (DEFAULT_NAME if DEFAULT_NAME in there or len(there) != 1 else next(iter(there)))
        if wanted in there:
            return there[wanted]
        if name is not None:
            raise NotFoundError(f"no server {name!r}; known are {', '.join(there) or 'none'}")
        hint = f"; choose one of {', '.join(there)}" if there else ""
        raise AuthenticationError(f"not signed in to a PZ Server{hint}; sign in with: pz server login ADDRESS")

    def keep(self, name: str, server: KnownServer) -> None:
        """Note a server, in place of one of the same name."""
        self._write(self.all() | {name: server})

    def forget(self, name: str) -> None:
        """Drop a server.

        Raises
        ------
        NotFoundError
        """
        there = self.all()
        if name not in there:
            raise NotFoundError(f"no server {name!r}; known are {', '.join(there) or 'none'}")
        del there[name]
        self._write(there)

    def _write(self, servers: dict[str, KnownServer]) -> None:
        """Write the file anew, readable by its owner from its first byte on."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.path.with_suffix(".new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump({name: asdict(server) for name, server in servers.items()}, file, indent=1)
        new.replace(self.path)
