"""Where a request comes from: the address of the client, behind proxies that are believed."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import Request

__all__ = ["address_of", "client_behind"]

UNKNOWN = "unknown"


def address_of(request: Request) -> str:
    """Address of the client that a request comes from.

    Parameters
    ----------
    request : Request

    Returns
    -------
    str
        Of the connection; behind the proxies of ``trusted_proxies``, what they say in ``X-Forwarded-For``.
    """
    near = UNKNOWN if request.client is None else request.client.host
    trusted = tuple(request.app.state.services.settings.trusted_proxies)
    return client_behind(near, request.headers.get("x-forwarded-for", ""), trusted)


def client_behind(near: str, forwarded: str, trusted: tuple[str, ...]) -> str:
    """The nearest address that no trusted proxy has.

    Parameters
    ----------
    near : str
        Other end of the connection.
    forwarded : str
        Header ``X-Forwarded-For``, the nearest proxy's entry last; anybody may have written the first ones.
    trusted : tuple of str
        Addresses and networks.

    Returns
    -------
    str
    """
    if not trusted or not _is_one_of(near, trusted):
        return near
    for entry in reversed(forwarded.split(",")):
        address = entry.strip()
        if not address:
            continue
        if not _is_one_of(address, trusted):
            return address[:64]
        near = address
    return near


@lru_cache(maxsize=4096)
def _is_one_of(address: str, networks: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(each, strict=False) for each in networks)
