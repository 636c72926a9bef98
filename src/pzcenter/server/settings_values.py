"""Values of settings that need a second look: amounts with units, addresses, directories."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["accepted_database", "accepted_proxy", "accepted_root", "bytes_of"]

UNITS = {"": 1, "B": 1} | {
    f"{prefix}{rest}": base ** (place + 1)
    for rest, base in (("B", 1000), ("iB", 1024))
    for place, prefix in enumerate("KMGTP")
}
AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
DATABASES = {"postgresql", "sqlite"}


def bytes_of(value: object) -> object:
    """Bytes of an amount such as ``10 GB`` (10¹⁰) or ``10 GiB`` (10·2³⁰); what is no text is left as it is.

    Raises
    ------
    ValueError
        No amount, or an unknown unit.
    """
    if not isinstance(value, str):
        return value
    found = AMOUNT.fullmatch(value)
    unit = found and found[2].replace("k", "K")
    if found is None or unit not in UNITS:
        raise ValueError(f"{value!r} is no amount; accepted are bytes, and such as 500 MB, 10 GB, 10 GiB, 1.5 TB")
    return round(float(found[1]) * UNITS[unit]) if "." in found[1] else int(found[1]) * UNITS[unit]


def accepted_database(url: str) -> str:
    """Address of a database, checked for its kind.

    Raises
    ------
    ValueError
        Neither SQLite nor PostgreSQL. The address is not told, since it may hold a password.
    """
    kind = urlsplit(url).scheme
    if kind.partition("+")[0] not in DATABASES:
        raise ValueError(f"a database of kind {kind!r}; accepted are postgresql://USER@HOST/NAME and sqlite:///PATH")
    return url


def accepted_proxy(address: str) -> str:
    """Address or network of a proxy.

    Raises
    ------
    ValueError
        Neither, or a network that everybody is in: anybody could say to be somebody else.
    """
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        raise ValueError(f"{address!r} is neither an address nor a network such as 10.1.0.0/16") from None
    if network.prefixlen == 0:
        raise ValueError(f"{address!r} is everybody; name the proxies")
    return address


def accepted_root(place: str) -> str:
    """Directory, or place in a bucket, below which products may refer to data.

    Raises
    ------
    ValueError
        No absolute path, or one below which everything lies.
    """
    if "://" in place:
        if not place.startswith("s3://") or not urlsplit(place).netloc:
            raise ValueError(f"{place!r}; accepted are directories and s3://bucket/prefix")
        return place
    path = Path(place)
    if not path.is_absolute():
        raise ValueError(f"{place!r} is no absolute path")
    if path.resolve() == Path(path.anchor):
        raise ValueError(f"{place!r} holds all files of this machine, those of the server too; name directories")
    return place
