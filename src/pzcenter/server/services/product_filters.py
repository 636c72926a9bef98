"""Filters of products by the names that existing clients know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select

from pzcenter.errors import UsageError
from pzcenter.server.storage.accounts import User
from pzcenter.server.storage.products import Product, ProductState, ProductType
from pzcenter.server.storage.releases import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute

__all__ = ["FILTERS", "STATUS", "product_filter"]

STATUS = {
    ProductState.REGISTERING: 0, ProductState.PUBLISHED: 1, ProductState.DELETED: 2, ProductState.PROCESSING: 3,
    ProductState.FAILED: 9,
}  # fmt: skip
"""Numbers of the stages in the first interface."""
STATES = {number: state for state, number in STATUS.items()}
MAX_VALUES, MAX_LETTERS, MAX_ID = 200, 2000, 2**31 - 1


def product_filter(name: str, value: str) -> ColumnElement[bool]:
    """Condition of one filter.

    Parameters
    ----------
    name : str
        One of ``FILTERS``.
    value : str
        Several values are parted by commas where the name ends in ``__in`` (any of them), ``__or`` (any) or where
        words are looked for (all).

    Returns
    -------
    ColumnElement

    Raises
    ------
    UsageError
        The filter is not known, or the value is not accepted.
    """
    if name not in FILTERS:
        raise UsageError(f"no filter {name!r}; there are {', '.join(FILTERS)}")
    if len(value) > MAX_LETTERS:
        raise UsageError(f"{name}: {len(value)} letters; {MAX_LETTERS} are accepted")
    return FILTERS[name](value)


def _values(value: str) -> list[str]:
    words = [word.strip() for word in value.split(",") if word.strip()]
    if len(words) > MAX_VALUES:
        raise UsageError(f"{len(words)} values; {MAX_VALUES} are accepted")
    return words


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit()) or int(word) > MAX_ID:
        raise UsageError(f"Enter a number; got {word!r}.")
    return int(word)


def _truth(word: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if word.lower() not in known:
        raise UsageError(f"Select true or false; got {word!r}.")
    return known[word.lower()]


def _state(word: str) -> ProductState:
    number = _number(word)
    if number not in STATES:
        raise UsageError(f"Select one of {', '.join(map(str, STATES))}; got {word!r}.")
    return STATES[number]


def _equal(
    column: InstrumentedAttribute[Any], read: Callable[[str], Any] = str
) -> Callable[[str], ColumnElement[bool]]:
    return lambda value: column == read(value)


def _among(
    column: InstrumentedAttribute[Any], read: Callable[[str], Any] = str
) -> Callable[[str], ColumnElement[bool]]:
    return lambda value: column.in_([read(word) for word in _values(value)])


def _contains(condition: Callable[[str], ColumnElement[bool]], *, any_of: bool) -> Callable[[str], ColumnElement[bool]]:
    def made(value: str) -> ColumnElement[bool]:
        words = [condition(word) for word in _values(value)] or [condition("")]
        return or_(*words) if any_of else and_(*words)

    return made


def _named(number: InstrumentedAttribute[int], columns: Sequence[InstrumentedAttribute[Any]], word: str) -> Any:
    """Rows of a small table with a word in one of some columns."""
    return select(number).where(or_(*(column.icontains(word, autoescape=True) for column in columns)))


def _product_name(word: str) -> ColumnElement[bool]:
    return or_(
        Product.internal_name.icontains(word, autoescape=True), Product.display_name.icontains(word, autoescape=True)
    )


def _type_name(word: str) -> ColumnElement[bool]:
    return Product.product_type_id.in_(_named(ProductType.id, (ProductType.name, ProductType.display_name), word))


def _release_name(word: str) -> ColumnElement[bool]:
    return Product.release_id.in_(_named(Release.id, (Release.name, Release.display_name), word))


def _uploaded_by(word: str) -> ColumnElement[bool]:
    return Product.owner_id.in_(_named(User.id, (User.username, User.first_name, User.last_name), word))


def _release_is_null(value: str) -> ColumnElement[bool]:
    return Product.release_id.is_(None) if _truth(value) else Product.release_id.is_not(None)


FILTERS: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "internal_name": _equal(Product.internal_name),
    "internal_name__in": _among(Product.internal_name),
    "display_name": _equal(Product.display_name),
    "display_name__in": _among(Product.display_name),
    "release": _equal(Product.release_id, _number),
    "release__in": _among(Product.release_id, _number),
    "product_type": _equal(Product.product_type_id, _number),
    "product_type__in": _among(Product.product_type_id, _number),
    "official_product": _equal(Product.official, _truth),
    "official_product__in": _among(Product.official, _truth),
    "status": _equal(Product.state, _state),
    "status__in": _among(Product.state, _state),
    "user": _equal(Product.owner_id, _number),
    "user__in": _among(Product.owner_id, _number),
    "release__isnull": _release_is_null,
    "uploaded_by__or": _contains(_uploaded_by, any_of=True),
    "uploaded_by": _contains(_uploaded_by, any_of=False),
    "product_type_name__or": _contains(_type_name, any_of=True),
    "product_type_name": _contains(_type_name, any_of=False),
    "release_name__or": _contains(_release_name, any_of=True),
    "release_name": _contains(_release_name, any_of=False),
    "product_name__or": _contains(_product_name, any_of=True),
    "product_name": _contains(_product_name, any_of=False),
}
"""By name; each makes a condition of a value."""
