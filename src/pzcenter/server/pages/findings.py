"""What the report of a product tells of its columns, in words of the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pzcenter.server.storage.products import Product

__all__ = ["Guess", "guesses_of", "warnings_of"]

MOST_WARNINGS = 50


@dataclass(frozen=True)
class Guess:
    """What a column is taken to mean.

    Attributes
    ----------
    alias : str
        Standard name; empty where the meaning has none, such as a magnitude.
    meaning : str
        In words.
    confidence : float
        0 to 1.
    words : str
        Why.
    """

    alias: str
    meaning: str
    confidence: float
    words: str


def guesses_of(product: Product) -> dict[str, Guess]:
    """Guesses by name of column; what is not understood is left out."""
    found: dict[str, Guess] = {}
    for each in _list((product.report or {}).get("columns")):
        guess = each.get("guess") if isinstance(each, dict) else None
        if not isinstance(guess, dict) or not isinstance(each.get("name"), str):
            continue
        alias, confidence = guess.get("alias"), guess.get("confidence")
        meaning = " ".join(str(guess[name]) for name in ("meaning", "band") if guess.get(name))
        found[each["name"]] = Guess(
            alias if isinstance(alias, str) else "", meaning,
            float(confidence) if isinstance(confidence, int | float) else 0.0, str(guess.get("reason") or ""),
        )  # fmt: skip
    return found


def warnings_of(product: Product) -> list[str]:
    """What was noticed in the main file."""
    found = _list((product.report or {}).get("warnings"))
    return [str(each.get("message", each) if isinstance(each, dict) else each) for each in found][:MOST_WARNINGS]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
