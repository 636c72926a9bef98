"""The life of a product: made, filled, published, changed in words, followed by a new version, deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.product_words import checked_doi, plain_line
from pzcenter.server.storage.accounts import Group, User
from pzcenter.server.storage.base import now
from pzcenter.server.storage.products import (
    Product,
    ProductGroup,
    ProductLink,
    ProductState,
    ProductTag,
    ProductType,
    ProductUser,
    Visibility,
)
from pzcenter.server.storage.releases import Release, ReleaseState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from sqlalchemy.orm import Session

    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = [
    "REQUIRED_COLUMNS", "NewProduct", "create_product", "delete_product", "edit_product", "missing_columns",
    "new_version", "publish_product", "set_official", "share_product", "unfit_columns",
]  # fmt: skip

WITHOUT_RELEASE = {"redshift_catalog"}
"""Types that belong to no release."""
WHY_WITHOUT_RELEASE = (
    "Spectroscopic redshifts belong to no data release: leave it out. Once it is published, everybody with an account "
    "sees the product; where that is too wide, share it with groups or people, or keep it private."
)
WITHOUT_CODE = {"redshift_catalog", "training_set", "training_results"}
"""Types that no photo-z code made."""
REQUIRED_COLUMNS = {"redshift_catalog": ("RA", "Dec", "z"), "training_set": ("z",), "object_catalog": ("RA", "Dec")}
"""Standard names that a column must have before a product of this type is published."""
NUMBERS = ("int", "uint", "float", "double", "half", "decimal")
"""How the types of columns of numbers begin."""
WORDS = ("display_name", "description", "pz_code", "release_year", "licence", "citation", "doi", "command")
"""What may be changed after publication."""
MAX_NAME, MAX_TEXT, MAX_TAGS = 255, 100_000, 50


@dataclass(frozen=True)
class NewProduct:
    """What somebody says of a product to be made.

    Attributes
    ----------
    display_name : str
    product_type : str
        Internal name, such as ``training_set``.
    release : str or None
    description : str
        Markdown.
    pz_code : str or None
    official : bool
        For coordinators.
    release_year : int or None
    visibility : Visibility
    licence, citation, doi, command : str or None
    tags : tuple of str
    origin : str
    """

    display_name: str
    product_type: str
    release: str | None = None
    description: str = ""
    pz_code: str | None = None
    official: bool = False
    release_year: int | None = None
    visibility: Visibility = Visibility.RELEASE
    licence: str | None = None
    citation: str | None = None
    doi: str | None = None
    command: str | None = None
    tags: tuple[str, ...] = field(default=())
    origin: str = "Upload"


def internal_name(product_id: int, display_name: str) -> str:
    """Name of a product for programs and files: its number and its name in plain letters."""
    plain = re.sub(r"[^a-z0-9_]", "", display_name.lower().replace(" ", "_"))
    return f"{product_id}_{plain}"[:MAX_NAME]


def create_product(services: Services, session: Session, principal: Principal, new: NewProduct) -> Product:
    """Begin a product; its owner alone sees it until it is published.

    Parameters
    ----------
    services : Services
    session : Session
        One that writes.
    principal : Principal
    new : NewProduct

    Returns
    -------
    Product

    Raises
    ------
    UsageError
        A rule of the type is broken.
    NotFoundError
        No such type or release (or none that the asker has rights to).
    PermissionDeniedError
        An official product, asked for by no coordinator.
    QuotaError
        The asker keeps too many products.
    """
    owner_id = principal.need(Scope.WRITE)
    kind = session.scalar(select(ProductType).where(ProductType.name == new.product_type))
    if kind is None:
        names = ", ".join(session.scalars(select(ProductType.name).order_by(ProductType.order)))
        raise NotFoundError(f"no product type {new.product_type!r}; there are {names}")
    display_name = _name(new.display_name)
    if new.release is not None and kind.name in WITHOUT_RELEASE:
        raise UsageError(f"Release must be null on {kind.display_name}s products. {WHY_WITHOUT_RELEASE}")
    if new.pz_code and kind.name in WITHOUT_CODE:
        raise UsageError(f"Pz Code must be null on {kind.display_name}s products.")
    if new.official and not principal.curates:
        raise PermissionDeniedError("official products are made by coordinators")
    release = None if new.release is None else _release(session, principal, new.release)
    kept = select(func.count()).where(Product.owner_id == owner_id, Product.state != ProductState.DELETED)
    if (session.scalar(kept) or 0) >= services.settings.max_products:
        raise QuotaError(f"you keep {services.settings.max_products} products already; delete some first")
    product = Product(
        product_type=kind, release=release, owner_id=owner_id, display_name=display_name,
        description=_text(new.description), pz_code=_line(new.pz_code), official=new.official,
        release_year=new.release_year, visibility=new.visibility, licence=_line(new.licence),
        citation=new.citation, doi=checked_doi(new.doi), command=new.command, origin=new.origin, tags=_tags(new.tags),
    )  # fmt: skip
    session.add(product)
    session.flush()
    product.internal_name = internal_name(product.id, product.display_name)
    record(session, principal, "product.create", ("product", product.id), type=kind.name, release=new.release)
    return product


def edit_product(
    session: Session, principal: Principal, product_id: int | str, words: dict[str, Any], *, tags: Any = None
) -> Product:
    """Change what is said of a product, not what it holds.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    words : dict
        New values of any of ``WORDS``.
    tags : iterable of str, optional
        In place of those there.

    Returns
    -------
    Product

    Raises
    ------
    UsageError
        A word that is not known or a value that is not accepted.
    """
    product = product_for(session, principal, product_id, Action.EDIT)
    for name, value in words.items():
        if name not in WORDS:
            raise UsageError(f"{name!r} cannot be changed; accepted are {', '.join(WORDS)}")
        if name == "pz_code" and value and product.product_type.name in WITHOUT_CODE:
            raise UsageError(f"Pz Code must be null on {product.product_type.display_name}s products.")
        if value != getattr(product, name):
            setattr(product, name, CHECKS[name](value) if name in CHECKS else value)
    if tags is not None:
        product.tags = _tags(tags)
    _touch(product)
    record(session, principal, "product.edit", ("product", product.id), fields=sorted(words))
    return product


def missing_columns(product: Product) -> list[str]:
    """Standard names that no column has yet and that the type asks for, sorted."""
    wanted = REQUIRED_COLUMNS.get(product.product_type.name, ())
    return sorted(set(wanted) - {column.alias for column in product.columns})


def unfit_columns(product: Product) -> list[str]:
    """Why columns cannot be what they are taken for: redshifts that are texts, redshifts or positions without a value.

    Parameters
    ----------
    product : Product

    Returns
    -------
    list of str
        Nothing is said of what is not known.
    """
    report = product.report or {}
    tallies = {each.get("name"): each for each in report.get("columns") or []} if report.get("complete") else {}
    wanted = REQUIRED_COLUMNS.get(product.product_type.name, ())
    found = []
    for column in product.columns:
        tally = tallies.get(column.name) or {}
        if column.alias == "z" and column.datatype and not column.datatype.startswith(NUMBERS):
            found.append(f"redshifts are numbers, and column {column.name} is {column.datatype}")
        elif column.alias in wanted and tally.get("n"):
            missing = sum(int(tally.get(key) or 0) for key in ("n_null", "n_nan", "n_inf"))
            if missing == tally["n"]:
                found.append(f"column {column.name} has no value in any row")
    return found


def publish_product(session: Session, principal: Principal, product_id: int | str) -> Product:
    """Finish a product: from now on its files and columns never change.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str

    Returns
    -------
    Product

    Raises
    ------
    ConflictError
        No main file, or columns that the type asks for are missing.
    """
    product = product_for(session, principal, product_id, Action.FILL)
    if product.main_file is None:
        raise ConflictError("the product has no main file yet")
    missing = missing_columns(product)
    if missing:
        raise ConflictError(
            f"product {product.id} cannot be published yet: no column is {', '.join(missing)}; say which columns are"
        )
    if unfit := unfit_columns(product):
        raise ConflictError(f"{'; '.join(unfit)}: give another column this meaning, or another file")
    if product.version > 1:
        session.execute(
            update(Product).where(Product.series == product.series, Product.id != product.id).values(is_latest=False)
        )
        product.is_latest = True
    product.state, product.published_at = ProductState.PUBLISHED, now()
    _touch(product)
    record(session, principal, "product.publish", ("product", product.id), version=product.version)
    return product


def new_version(services: Services, session: Session, principal: Principal, product_id: int | str) -> Product:
    """Begin the next version of a published product, with its words and without its files.

    Raises
    ------
    ConflictError
        The product is not published, or its next version is under way.
    """
    old = product_for(session, principal, product_id, Action.EDIT)
    if old.state is not ProductState.PUBLISHED:
        raise ConflictError(f"product {old.id} is {old.state}; new versions follow published ones")
    newest = session.scalar(select(func.max(Product.version)).where(Product.series == old.series)) or 1
    under_way = select(Product.id).where(Product.series == old.series, Product.state == ProductState.REGISTERING)
    if session.scalar(under_way) is not None:
        raise ConflictError("a new version of this product is under way already")
    new = NewProduct(
        display_name=old.display_name, product_type=old.product_type.name,
        release=None if old.release is None else old.release.name, description=old.description,
        pz_code=old.pz_code, release_year=old.release_year, visibility=old.visibility, licence=old.licence,
        citation=old.citation, tags=tuple(each.tag for each in old.tags),
    )  # fmt: skip
    product = create_product(services, session, principal, new)
    product.series, product.version, product.is_latest = old.series, newest + 1, False
    session.add(ProductLink(product_id=product.id, input_id=old.id, role="version"))
    return product


def share_product(
    session: Session,
    principal: Principal,
    product_id: int | str,
    *,
    visibility: Visibility | None = None,
    groups: Iterable[str] | None = None,
    users: Iterable[str] | None = None,
    embargo_until: date | None = None,
    lift_embargo: bool = False,
) -> Product:
    """Say who sees a product.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    product_id : int or str
    visibility : Visibility, optional
    groups, users : iterable of str, optional
        Names, in place of those there.
    embargo_until : date, optional
    lift_embargo : bool

    Returns
    -------
    Product

    Raises
    ------
    NotFoundError
        No such group or user.
    """
    product = product_for(session, principal, product_id, Action.SHARE)
    if visibility is not None:
        product.visibility = visibility
    if groups is not None:
        found = _named(session, Group, Group.name, groups)
        product.shared_groups = [ProductGroup(group_id=each.id) for each in found]
    if users is not None:
        found_users = _named(session, User, User.username, users)
        product.shared_users = [ProductUser(user_id=each.id) for each in found_users]
    if embargo_until is not None or lift_embargo:
        product.embargo_until = embargo_until
    _touch(product)
    session.flush()
    record(
        session, principal, "product.share", ("product", product.id), visibility=str(product.visibility),
        embargo_until=None if product.embargo_until is None else product.embargo_until.isoformat(),
        groups=None if groups is None else sorted(groups), users=None if users is None else sorted(users),
    )  # fmt: skip
    return product


def set_official(session: Session, principal: Principal, product_id: int | str, *, official: bool) -> Product:
    """Call a product official, or no longer."""
    principal.need_curator()
    product = product_for(session, principal, product_id, Action.CURATE)
    product.official = official
    _touch(product)
    record(session, principal, "product.official", ("product", product.id), official=official)
    return product


def delete_product(session: Session, principal: Principal, product_id: int | str) -> Product:
    """Delete a product; its row stays, so that what was made from it still says so.

    The contents of its files go when the store is next swept and nothing else holds them.
    """
    product = product_for(session, principal, product_id, Action.DELETE)
    if product.state is ProductState.PROCESSING:
        raise ConflictError(f"product {product.id} is being made; stop the process first")
    product.state, product.deleted_at = ProductState.DELETED, now()
    product.files = []
    _touch(product)
    if product.is_latest and product.version > 1:
        _pass_latest_on(session, product)
    record(session, principal, "product.delete", ("product", product.id), name=product.display_name)
    return product


def _pass_latest_on(session: Session, product: Product) -> None:
    product.is_latest = False
    earlier = select(Product).where(Product.series == product.series, Product.state == ProductState.PUBLISHED)
    newest = session.scalars(earlier.order_by(Product.version.desc()).limit(1)).first()
    if newest is not None:
        newest.is_latest = True


def _release(session: Session, principal: Principal, name: str) -> Release:
    release = session.scalar(select(Release).where(Release.name == name))
    if release is None or (release.id not in principal.release_ids and not principal.curates):
        raise NotFoundError(f"no release {name!r} that you have rights to")
    if release.state is ReleaseState.RETIRED:
        raise ConflictError(f"release {name!r} is retired; nothing is added to it")
    return release


def _named(session: Session, table: Any, column: Any, names: Iterable[str]) -> list[Any]:
    wanted = sorted(set(names))
    found = list(session.scalars(select(table).where(column.in_(wanted))))
    if len(found) < len(wanted):
        there = {getattr(each, column.key) for each in found}
        raise NotFoundError(f"not found: {', '.join(sorted(set(wanted) - there))}")
    return found


def _name(name: str) -> str:
    plain = plain_line(name or "")
    if not plain or len(plain) > MAX_NAME:
        raise UsageError(f"a product needs a name of 1 to {MAX_NAME} letters")
    return plain


def _line(text: str | None) -> str | None:
    return None if text is None else plain_line(text)


def _text(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise UsageError(f"the description has {len(text)} letters; {MAX_TEXT} are accepted")
    return text


CHECKS: dict[str, Callable[[Any], Any]] = {
    "display_name": _name, "description": _text, "pz_code": _line, "licence": _line, "doi": checked_doi,
}  # fmt: skip
"""How a new value of a word is checked, and brought to one form."""


def _tags(tags: Iterable[str]) -> list[ProductTag]:
    words = sorted({plain_line(tag).lower() for tag in tags} - {""})
    if len(words) > MAX_TAGS or any(len(word) > 64 for word in words):
        raise UsageError(f"at most {MAX_TAGS} tags of at most 64 letters are accepted")
    return [ProductTag(tag=word) for word in words]


def _touch(product: Product) -> None:
    product.revision = (product.revision or 0) + 1
    product.updated_at = now()
