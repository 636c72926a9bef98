"""Every rule of who may do what with a product, in one place.

The rules stand twice: :func:`may` decides on one product, :func:`visible` selects in the database. A test holds them
against each other for every role, state, visibility and embargo.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import and_, false, or_, select, true

from pzcenter.errors import NotFoundError, PermissionDeniedError
from pzcenter.server.services.principal import Scope
from pzcenter.server.storage.products import Product, ProductGroup, ProductState, ProductUser, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = ["Action", "Reach", "may", "need", "product_for", "reach_of", "saw", "seen_by_its_release", "visible"]


class Action(StrEnum):
    """What somebody may want to do with a product."""

    SEE = "see"
    """Its page, files, columns, table; download it."""
    COMMENT = "comment"
    EDIT = "edit"
    """Name, description, tags, citation."""
    FILL = "fill"
    """Add and remove files and columns, publish: only before it is published."""
    SHARE = "share"
    """Visibility, groups, embargo."""
    DELETE = "delete"
    CURATE = "curate"
    """Call it official, or no longer."""


READING = {Action.SEE}
UNFINISHED = {ProductState.REGISTERING, ProductState.PROCESSING, ProductState.FAILED}


def today() -> date:
    """The day, UTC; embargoes end as it begins."""
    return datetime.now(UTC).date()


def may(principal: Principal, action: Action, product: Product) -> bool:
    """Whether somebody may do something with a product.

    Parameters
    ----------
    principal : Principal
    action : Action
    product : Product

    Returns
    -------
    bool
        No, unless a rule says yes.
    """
    scope = Scope.READ if action in READING else Scope.WRITE
    if not principal.signed_in or scope not in principal.scopes:
        return False
    if product.state is ProductState.DELETED:
        return False
    owner = product.owner_id == principal.user_id
    if action in {Action.SEE, Action.COMMENT}:
        return _sees(principal, product, owner=owner)
    if action is Action.CURATE:
        # A private product is called official by nobody who cannot see it.
        curates = principal.curates and product.state is ProductState.PUBLISHED
        return curates and _sees(principal, product, owner=owner)
    if action is Action.FILL:
        return product.state is ProductState.REGISTERING and (owner or principal.administers)
    # Official products belong to the coordination group: their owner alone can no longer change them.
    return principal.administers or (principal.curates if product.official else owner)


def _sees(principal: Principal, product: Product, *, owner: bool) -> bool:
    if owner or principal.administers:
        return True
    if product.state in UNFINISHED:
        return False
    if principal.curates:
        return product.visibility is not Visibility.PRIVATE
    shared = bool(principal.group_ids & {each.group_id for each in product.shared_groups}) or any(
        each.user_id == principal.user_id for each in product.shared_users
    )
    if product.visibility is Visibility.PRIVATE:
        return False
    if shared and _has_rights(principal, product):
        return True
    if product.visibility is Visibility.SHARED or (product.embargo_until and product.embargo_until > today()):
        return False
    return _has_rights(principal, product)


def saw(principal: Principal, product: Product) -> bool:
    """Whether somebody may know of a deleted product: one that was published and that they would see, were it there.

    Parameters
    ----------
    principal : Principal
    product : Product

    Returns
    -------
    bool
        No for products that are not deleted, or were never published.
    """
    if not principal.signed_in or Scope.READ not in principal.scopes:
        return False
    if product.state is not ProductState.DELETED or product.published_at is None:
        return False
    return _sees(principal, product, owner=product.owner_id == principal.user_id)


def _has_rights(principal: Principal, product: Product) -> bool:
    """To the release that the product belongs to: sharing does not go beyond data rights."""
    return product.release_id is None or product.release_id in principal.release_ids


def visible(principal: Principal) -> ColumnElement[bool]:
    """Condition on products: those that somebody may see.

    Parameters
    ----------
    principal : Principal

    Returns
    -------
    ColumnElement
        For a ``where`` over :class:`Product`.
    """
    if not principal.signed_in or Scope.READ not in principal.scopes:
        return false()
    alive = Product.state != ProductState.DELETED
    mine = Product.owner_id == principal.user_id
    if principal.administers:
        return alive
    published = Product.state == ProductState.PUBLISHED
    if principal.curates:
        return and_(alive, or_(mine, and_(published, Product.visibility != Visibility.PRIVATE)))
    rights = or_(Product.release_id.is_(None), Product.release_id.in_(principal.release_ids))
    with_groups = select(ProductGroup.product_id).where(ProductGroup.group_id.in_(principal.group_ids))
    with_me = select(ProductUser.product_id).where(ProductUser.user_id == principal.user_id)
    shared = or_(Product.id.in_(with_groups), Product.id.in_(with_me))
    free = or_(Product.embargo_until.is_(None), Product.embargo_until <= today())
    everybody = and_(Product.visibility == Visibility.RELEASE, free)
    public = and_(published, rights, Product.visibility != Visibility.PRIVATE, or_(everybody, shared))
    return and_(alive, or_(mine, public)) if principal.user_id is not None else and_(true(), public)


@dataclass(frozen=True)
class Reach:
    """How far something that is made of products may be seen: no wider than the narrowest of them.

    Attributes
    ----------
    release_ids : frozenset of int
        Releases that some of them belong to.
    is_open : bool
        Everybody with the rights to their releases sees all of them.
    embargo_until : date or None
        The latest.
    """

    release_ids: frozenset[int]
    is_open: bool
    embargo_until: date | None


def reach_of(products: Iterable[Product]) -> Reach:
    """How far what is made of some products may be seen.

    Parameters
    ----------
    products : iterable of Product

    Returns
    -------
    Reach
    """
    inputs = list(products)
    embargoes = [each.embargo_until for each in inputs if each.embargo_until and each.embargo_until > today()]
    published = all(each.state is ProductState.PUBLISHED for each in inputs)
    return Reach(
        frozenset(each.release_id for each in inputs if each.release_id is not None),
        is_open=published and not embargoes and all(each.visibility is Visibility.RELEASE for each in inputs),
        embargo_until=max(embargoes, default=None),
    )


def seen_by_its_release() -> ColumnElement[bool]:
    """Condition on products: those that everybody with rights to their release sees; for counts, never for rows."""
    free = or_(Product.embargo_until.is_(None), Product.embargo_until <= today())
    return and_(Product.state == ProductState.PUBLISHED, Product.visibility == Visibility.RELEASE, free)


def need(principal: Principal, action: Action, product: Product, *, asked: int | str | None = None) -> None:
    """Let nobody pass who may not.

    Parameters
    ----------
    principal : Principal
    action : Action
    product : Product
    asked : int or str, optional
        What the product was called: a refusal tells no other name of it.

    Raises
    ------
    AuthenticationError
        Nobody is signed in.
    NotFoundError
        Somebody who may not even know that the product is there.
    PermissionDeniedError
        Somebody who sees the product but may not do this.
    """
    principal.need(Scope.READ if action in READING else Scope.WRITE)
    if may(principal, action, product):
        return
    if not may(principal, Action.SEE, product):
        raise _not_found(principal, product.id if asked is None else asked)
    state = f"; it is {product.state}" if action is Action.FILL else ""
    raise PermissionDeniedError(f"you may not {action} product {product.id}{state}")


def product_for(session: Session, principal: Principal, product_id: int | str, action: Action = Action.SEE) -> Product:
    """A product, for somebody who may do something with it.

    Parameters
    ----------
    session : Session
    principal : Principal
    product_id : int or str
        Its number, or its public name.
    action : Action

    Returns
    -------
    Product

    Raises
    ------
    AuthenticationError, NotFoundError, PermissionDeniedError
        See :func:`need`.
    """
    principal.need(Scope.READ if action in READING else Scope.WRITE)
    product = _product(session, product_id)
    if product is None:
        raise _not_found(principal, product_id)
    need(principal, action, product, asked=product_id)
    return product


def _not_found(principal: Principal, asked: int | str) -> NotFoundError:
    """The same words whether it is not there or may not be known."""
    hint = "; your pages may show more than this token, which is not for admin" if principal.sees_less else ""
    return NotFoundError(f"no product {asked}{hint}")


def _product(session: Session, product_id: int | str) -> Product | None:
    """A product, read once in a session."""
    numbers: dict[str, int] = session.info.setdefault("numbers of products", {})
    number = product_id if isinstance(product_id, int) else numbers.get(product_id)
    if number is not None:
        return session.get(Product, number)
    product = session.scalar(select(Product).where(Product.uid == product_id))
    if product is not None:
        numbers[product.uid] = product.id
    return product
