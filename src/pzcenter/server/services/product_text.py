"""Products that have words in their name, code, tags or description, or whose owner has them in the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, false, func, or_, select

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product
from pzcenter.server.storage.search_words import ProductWord, words_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

__all__ = ["text_conditions"]

RARE = 2000
"""Products with a word; so many are looked up by it, more are met soon enough when all are gone through."""
MAX_WORDS, MAX_OWNERS = 10, 2000
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
    return [_condition(session, word) for word in words]


def _condition(session: Session, word: str) -> ColumnElement[bool]:
    begins = and_(ProductWord.word >= word, ProductWord.word < word + LAST)
    owners = _owners(session, word)
    rare = list(session.scalars(select(ProductWord.product_id).where(begins).limit(RARE + 1)))
    if len(rare) <= RARE:
        with_word: ColumnElement[bool] = Product.id.in_(sorted(set(rare)))
    else:
        with_word = select(1).where(ProductWord.product_id == Product.id, begins).exists()
    return or_(with_word, Product.owner_id.in_(owners)) if owners else with_word


def _owners(session: Session, word: str) -> list[int]:
    columns = (User.username, User.first_name, User.last_name, User.display_name)
    found: Select[tuple[int]] = select(User.id).where(
        or_(*(func.lower(each).contains(word, autoescape=True) for each in columns))
    )
    return list(session.scalars(found.limit(MAX_OWNERS)))
