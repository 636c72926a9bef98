"""How much one user, or one address, may ask for in a while, and what a user may keep here."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from pzcenter.errors import RateLimitError
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product, ProductState

if TYPE_CHECKING:
    from collections.abc import Hashable

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = [
    "Usage", "forgive_sign_in", "limit_anonymous", "limit_help", "limit_requests", "limit_sign_in", "network_of",
    "usage_of",
]  # fmt: skip

NAMES_OF_ONE_ADDRESS = 5
"""An address may try that many times as often as one name from it: many people share the address of an institute."""
HELP_PER_MINUTE = 10
"""Messages of one person to the help desk."""
ADDRESSES_OF_ONE_NAME = 10
"""A name may be tried from elsewhere that many times as often: who guesses from many places is slowed down too."""


@dataclass(frozen=True)
class Usage:
    """What a user keeps here, and may keep.

    Attributes
    ----------
    bytes_used, bytes_limit : int
    products_used, products_limit : int
    requests_per_minute : int
    """

    bytes_used: int
    bytes_limit: int
    products_used: int
    products_limit: int
    requests_per_minute: int


def usage_of(services: Services, session: Session, principal: Principal) -> Usage:
    """What somebody keeps here, and may keep.

    Parameters
    ----------
    services : Services
    session : Session
    principal : Principal

    Returns
    -------
    Usage
    """
    user = session.get_one(User, principal.need(Scope.READ))
    kept = select(func.coalesce(func.sum(Product.size), 0), func.count(Product.id))
    row = session.execute(kept.where(Product.owner_id == user.id, Product.state != ProductState.DELETED)).one()
    settings = services.settings
    return Usage(
        bytes_used=int(row[0]), bytes_limit=settings.quota_bytes if user.quota_bytes is None else user.quota_bytes,
        products_used=int(row[1]), products_limit=settings.max_products,
        requests_per_minute=settings.requests_per_minute,
    )  # fmt: skip


def limit_requests(services: Services, principal: Principal, address: str) -> None:
    """Count one request of somebody; of nobody, by the address.

    Parameters
    ----------
    services : Services
    principal : Principal
    address : str
        Of the client.

    Raises
    ------
    RateLimitError
        More than the settings allow.
    """
    key = ("request", principal.user_id) if principal.signed_in else ("address", network_of(address))
    _take(services, key, services.settings.requests_per_minute, "requests")


def limit_help(services: Services, principal: Principal) -> None:
    """Count one message of somebody to the help desk.

    Raises
    ------
    RateLimitError
    """
    _take(services, ("help", principal.user_id), HELP_PER_MINUTE, "messages to the help desk")


def limit_anonymous(services: Services, what: str, address: str, *, per_minute: float) -> None:
    """Count something that people without an account may do, such as registering.

    Raises
    ------
    RateLimitError
    """
    _take(services, (what, network_of(address)), per_minute, what)


def limit_sign_in(services: Services, username: str, address: str) -> None:
    """Count one attempt to sign in, before the password is looked at.

    Three buckets: of the name from this address, of the address, and of the name from addresses that it never came
    in from. So nobody who guesses can lock the person out who signs in from the usual place.

    Parameters
    ----------
    services : Services
    username : str
        As it was typed.
    address : str

    Raises
    ------
    RateLimitError
    """
    rate = services.settings.sign_ins_per_minute
    name, network = username.strip().lower()[:64], network_of(address)
    _take(services, ("sign-in", name, network), rate, "attempts to sign in")
    _take(services, ("sign-in from", network), rate * NAMES_OF_ONE_ADDRESS, "attempts to sign in")
    if not services.came_in_from.has((name, network)):
        _take(services, ("sign-in as", name), rate * ADDRESSES_OF_ONE_NAME, "attempts to sign in")


def forgive_sign_in(services: Services, username: str, address: str) -> None:
    """Forget the attempts of somebody who signed in."""
    name, network = username.strip().lower()[:64], network_of(address)
    services.buckets.fill(("sign-in", name, network))
    services.came_in_from.add((name, network))


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, the /64 of an IPv6 address (one household has as many as it likes).

    Parameters
    ----------
    address : str

    Returns
    -------
    str
        The text itself where it is no address.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _take(services: Services, key: Hashable, per_minute: float, what: str) -> None:
    wait = services.buckets.take(key, per_minute=per_minute)
    if wait > 0:
        seconds = math.ceil(wait)
        raise RateLimitError(
            f"too many {what}: {per_minute:g} a minute are accepted; come again in {seconds} s", retry_after_s=seconds
        )
