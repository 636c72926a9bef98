"""Values as people read them: sizes, counts, times, states."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pzcenter.server.storage.products import Product

__all__ = ["ago", "count", "day", "moment", "number", "seen_by", "size", "state_words"]

MISSING = "\N{EN DASH}"
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
STEPS = ((60, 1, "second"), (3600, 60, "minute"), (86_400, 3600, "hour"), (30 * 86_400, 86_400, "day"))
STATE_WORDS = {
    "registering": "draft", "processing": "being made", "published": "published", "failed": "failed",
    "deleted": "deleted", "release": "everybody with rights", "shared": "groups and people", "private": "only you",
}  # fmt: skip


def size(value: int | None) -> str:
    """Bytes in decimal units, three digits."""
    if value is None:
        return MISSING
    if value < 1000:
        return f"{value} {'byte' if value == 1 else 'bytes'}"
    power = min(int(math.log10(value)) // 3, len(UNITS) - 1)
    shown = value / 1000**power
    if shown >= 999.5 and power < len(UNITS) - 1:
        power, shown = power + 1, shown / 1000
    return f"{shown:.3g} {UNITS[power]}"


def count(value: int | None) -> str:
    """A whole number with commas."""
    return MISSING if value is None else f"{value:,}"


def number(value: Any) -> str:
    """A value of a table: numbers with up to seven digits, missing ones as a dash."""
    if value is None:
        return MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(value)
    return MISSING if math.isnan(value) else f"{value:.7g}"


def day(value: date | datetime | None) -> str:
    """Year, month, day."""
    return MISSING if value is None else f"{value:%Y-%m-%d}"


def moment(value: datetime | None) -> str:
    """Day and minute, UTC."""
    return MISSING if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago(value: datetime | None) -> str:
    """How long since a time; the day where it is more than a month."""
    if value is None:
        return "never"
    seconds = (datetime.now(UTC) - value).total_seconds()
    if seconds < 10:
        return "just now"
    for limit, unit, name in STEPS:
        if seconds < limit:
            n = int(seconds // unit)
            return f"{n} {name}{'' if n == 1 else 's'} ago"
    return day(value)


def state_words(value: object) -> str:
    """A state, or a visibility, in words of the page."""
    return STATE_WORDS.get(str(value), str(value))


def seen_by(product: Product) -> str:
    """Who sees a product once it is published, as far as its visibility says; without a release nobody needs rights."""
    if product.visibility == "release" and product.release_id is None:
        return "everybody with an account"
    return state_words(product.visibility)
