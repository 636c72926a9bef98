"""Sizes as people write them: ``200 GB``."""

from __future__ import annotations

import re

from pzcenter.errors import ConfigError

__all__ = ["bytes_of_text"]

UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_BY_LOWER = {name.lower(): factor for name, factor in UNITS.items()}


def bytes_of_text(text: int | str) -> int:
    """Number of bytes of a size.

    Parameters
    ----------
    text : int or str
        A number, or one with a unit: powers of ten (``kB MB GB TB PB``) or of two (``KiB MiB GiB TiB``).

    Returns
    -------
    int

    Raises
    ------
    ConfigError
        It is neither, or not positive.
    """
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", str(text))
    factor = None if match is None else _BY_LOWER.get(match[2].lower())
    if match is None or factor is None or (n_bytes := round(float(match[1].replace("_", "")) * factor)) <= 0:
        raise ConfigError(f"{text!r} is not a size; accepted is a number of bytes, or one with {', '.join(UNITS)[2:]}")
    return n_bytes
