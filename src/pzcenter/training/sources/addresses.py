"""Which addresses may be visited: http and https on public machines.

A survey file may come from anyone. It must not make this machine read its own files, or ask services that only this
machine can see.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from pzcenter.errors import ConfigError, SourceUnavailableError

__all__ = ["check_url", "host_of", "is_public", "refuse_private_host"]

SCHEMES = ("http", "https")


def host_of(url: str) -> str:
    """Name of the machine in an address; the address itself when there is none."""
    return urlsplit(url).hostname or url


def check_url(url: str, *, allow_private: bool = False, resolve: bool = False) -> str:
    """Refuse an address that must not be visited.

    Parameters
    ----------
    url : str
    allow_private : bool
        Accept this machine and private networks.
    resolve : bool
        Look the name up and judge every address that it stands for.

    Returns
    -------
    str
        The same address.

    Raises
    ------
    ConfigError
        Not http(s), no host, a user name or password inside, or a private machine.
    TransientError
        The name cannot be looked up.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"address {url!r} cannot be read: {error}") from error
    if parts.scheme not in SCHEMES or not host:
        raise ConfigError(f"address {url!r} is refused; only http and https addresses with a host are fetched")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the address at {host} holds a user name or password; give a token to fetch() instead")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ConfigError(f"address {url!r} holds blanks or control characters")
    if not allow_private:
        refuse_private_host(host, resolve=resolve)
    return url


def refuse_private_host(host: str, *, resolve: bool) -> None:
    """Refuse this machine and private networks.

    Raises
    ------
    ConfigError
        The host is one of them.
    TransientError
        The name cannot be looked up.
    """
    if host == "localhost" or host.endswith(".localhost") or _private_literal(host):
        raise ConfigError(f"{host} is this machine or in a private network: refused")
    if not resolve:
        return
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise SourceUnavailableError(f"the name {host} cannot be looked up ({error}); is there a network?") from error
    private = sorted(address for address in found if not is_public(address))
    if private:
        raise ConfigError(f"{host} stands for {private[0]}, which is not a public address: refused")


def is_public(address: str) -> bool:
    """Whether an IP address, in numbers, belongs to the public internet."""
    found = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_global) and not found.is_multicast


def _private_literal(host: str) -> bool:
    try:
        return not is_public(host)
    except ValueError:
        # A bare number such as 2130706433 or 0x7f000001 is read as an address by the system's resolver.
        return host.replace(".", "").isdigit() or host.lower().startswith("0x")
