"""Words of products, so that a search need not read every description.

Whoever changes a product, its tags or the name of its owner by a session changes its words too, in the same
transaction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, String, delete, event, insert, inspect, select
from sqlalchemy.orm import Mapped, mapped_column

from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.base import Base
from pzcenter.server.storage.products import Product, ProductTag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session, UOWTransaction, sessionmaker

__all__ = ["MAX_WORD", "ProductWord", "index_words", "keep_words", "words_of"]

MAX_WORD = 64
MAX_WORDS = 2000
"""Different ones of one product."""
WORD = re.compile(r"[^\W_]+")
WORDY = ("display_name", "pz_code", "description", "tags", "owner_id")
NAMES = ("username", "first_name", "last_name", "display_name")
"""Of the owner."""
AT_ONCE = 500
"""Products that are indexed together."""


class ProductWord(Base):
    """A word that a product can be found by: of its name, code, tags or description, or of its owner's name."""

    __tablename__ = "product_word"
    __table_args__ = (
        Index("ix_product_word_word_product_id", "word", "product_id"),
        {"sqlite_with_rowid": False},
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"), primary_key=True)
    # Compared by code points on every database, so that a beginning of a word is a range.
    word: Mapped[str] = mapped_column(
        String(MAX_WORD).with_variant(String(MAX_WORD, collation="C"), "postgresql"), primary_key=True
    )


def words_of(*texts: str | None) -> list[str]:
    """Words of texts: letters and digits without case, each once, sorted.

    Parameters
    ----------
    *texts : str or None

    Returns
    -------
    list of str
        At most ``MAX_WORDS`` of at most ``MAX_WORD`` letters.
    """
    found = {word[:MAX_WORD] for text in texts if text for word in WORD.findall(text.lower())}
    return sorted(found)[:MAX_WORDS]


def index_words(connection: Connection, product_ids: Iterable[int]) -> None:
    """Find the words of products anew.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes.
    product_ids : iterable of int
    """
    wanted = sorted(set(product_ids))
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        connection.execute(delete(ProductWord).where(ProductWord.product_id.in_(some)))
        texts: dict[int, list[str | None]] = {}
        columns = (Product.display_name, Product.pz_code, Product.description)
        for number, *said in connection.execute(select(Product.id, *columns).where(Product.id.in_(some))):
            texts[number] = list(said)
        owners = select(Product.id, *(getattr(User, name) for name in NAMES)).join(User, User.id == Product.owner_id)
        for number, *names in connection.execute(owners.where(Product.id.in_(some))):
            texts[number] += names
        tags = select(ProductTag.product_id, ProductTag.tag).where(ProductTag.product_id.in_(some))
        for number, tag in connection.execute(tags).tuples():
            texts.setdefault(number, []).append(tag)
        rows = [{"product_id": number, "word": word} for number, said in texts.items() for word in words_of(*said)]
        if rows:
            connection.execute(insert(ProductWord), rows)


def keep_words(sessions: sessionmaker[Session]) -> None:
    """Have the words of products follow whatever sessions write.

    Parameters
    ----------
    sessions : sessionmaker
    """
    event.listen(sessions, "after_flush", _after_flush)


def _after_flush(session: Session, _context: UOWTransaction) -> None:
    changed: set[int] = set()
    for row in (*session.new, *session.dirty):
        if isinstance(row, Product) and (row in session.new or _changed(row, WORDY)):
            changed.add(row.id)
        elif isinstance(row, User) and row not in session.new and _changed(row, NAMES):
            changed.update(session.connection().scalars(select(Product.id).where(Product.owner_id == row.id)))
        elif isinstance(row, ProductTag):
            changed.add(row.product_id)
    changed |= {row.product_id for row in session.deleted if isinstance(row, ProductTag)}
    if changed:
        index_words(session.connection(), changed)


def _changed(row: Base, names: Sequence[str]) -> bool:
    state: Any = inspect(row)
    return any(state.attrs[name].history.has_changes() for name in names)
