"""Products that have words in their name, code, tags or description, or in the name of their owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, func, intersect, select

from pzcenter.server.storage.products import Product
from pzcenter.server.storage.search_words import ProductWord, words_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

__all__ = ["text_conditions"]

RARE = 2000
"""Products with a word; so many are looked up by it."""
MAX_WORDS = 10
LAST = chr(0x10FFFF)


def text_conditions(session: Session, text: str) -> list[ColumnElement[bool]]:
    """Conditions on products for a search.

    Parameters
    ----------
    session : Session
    text : str
        Beginnings of words, without case; a product must have all of the first ten.

    Returns
    -------
    list of ColumnElement
        None of them when nothing is looked for; one that no product meets when the text has no letters or digits.
    """
    words = words_of(text)[:MAX_WORDS]
    if not words:
        return [false()] if text.strip() else []
    frequency = {word: _frequency(session, word) for word in words}
    rarest = min(words, key=frequency.__getitem__)
    others = [word for word in words if word != rarest]
    if frequency[rarest] <= RARE:
        # Few products: each is looked at for the other words.
        return [Product.id.in_(_products(rarest)), *map(_has, others)]
    if not others:
        # Many, and met soon enough when all products are gone through in the wanted order.
        return [_has(rarest)]
    return [Product.id.in_(intersect(*map(_products, words)))]


def _begins(word: str) -> ColumnElement[bool]:
    return and_(ProductWord.word >= word, ProductWord.word < word + LAST)


def _products(word: str) -> Any:
    return select(ProductWord.product_id).where(_begins(word))


def _has(word: str) -> ColumnElement[bool]:
    return select(1).where(ProductWord.product_id == Product.id, _begins(word)).exists()


def _frequency(session: Session, word: str) -> int:
    """Entries of a word, counted up to one more than ``RARE``."""
    some = _products(word).limit(RARE + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
