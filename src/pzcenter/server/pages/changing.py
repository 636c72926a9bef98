"""Forms that change a product: its words, who sees it, its next version, its end."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select

from pzcenter.errors import ConflictError, NotFoundError, PreconditionError, QuotaError, UsageError
from pzcenter.server.http.forms import FormSender
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.http.status import status_of
from pzcenter.server.pages.fields import LongText, ShortText, Uid, words_of
from pzcenter.server.pages.render import page
from pzcenter.server.pages.sign_in import go_on
from pzcenter.server.services.access import Action, product_for
from pzcenter.server.services.groups import list_groups
from pzcenter.server.services.products import delete_product, edit_product, new_version, share_product
from pzcenter.server.services.revisions import need_revision
from pzcenter.server.storage.products import Product, ProductState, Visibility

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.errors import PZCenterError
    from pzcenter.server.services.context import Services
    from pzcenter.server.services.principal import Principal

__all__ = ["VISIBILITIES", "router"]

router = APIRouter(include_in_schema=False)
MOST_GROUPS = 1000
VISIBILITIES = (
    ("release", "everybody with the rights to its release; if it has none, everybody with an account"),
    ("shared", "groups and people named here"), ("private", "only its owner"),
)  # fmt: skip
FOR_PEOPLE = (UsageError, ConflictError, NotFoundError, QuotaError, PreconditionError)


@router.get("/products/{uid}/edit")
def edit(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """Words of a product."""
    with services.database.reading() as session:
        product = product_for(session, principal, uid, Action.EDIT)
        return _edit_page(request, product, _words_of(product))


@router.post("/products/{uid}/edit")
def save(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    uid: Uid,
    *,
    display_name: ShortText = "",
    description: LongText = "",
    tags: ShortText = "",
    pz_code: ShortText = "",
    release_year: ShortText = "",
    licence: ShortText = "",
    citation: LongText = "",
    doi: ShortText = "",
    command: LongText = "",
    revision: ShortText = "",
) -> Response:
    """Change the words of a product."""
    said = {
        "display_name": display_name.strip(), "description": description.replace("\r\n", "\n"), "pz_code": pz_code,
        "release_year": release_year, "licence": licence, "citation": citation.replace("\r\n", "\n"), "doi": doi,
        "command": command.replace("\r\n", "\n"),
    }  # fmt: skip
    said = {name: text.replace("\0", "") for name, text in said.items()}
    try:
        with services.database.writing() as session:
            product = product_for(session, principal, uid, Action.EDIT)
            need_revision(session, product, int(revision) if revision.isdecimal() else None)
            edit_product(session, principal, uid, _checked(said), tags=words_of(tags))
    except FOR_PEOPLE as error:
        with services.database.reading() as session:
            product = product_for(session, principal, uid, Action.EDIT)
            return _edit_page(request, product, said | {"tags": tags, "revision": revision}, error)
    return go_on(f"/products/{uid}")


@router.get("/products/{uid}/share")
def sharing(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """Who sees a product."""
    return _share_page(request, services, principal, uid)


@router.post("/products/{uid}/share")
def share(
    request: Request,
    services: CurrentServices,
    principal: FormSender,
    uid: Uid,
    *,
    visibility: ShortText = "",
    groups: ShortText = "",
    users: ShortText = "",
    embargo_until: ShortText = "",
) -> Response:
    """Say who sees a product."""
    said = {"visibility": visibility, "groups": groups, "users": users, "embargo_until": embargo_until}
    try:
        until = _day(embargo_until)
        if visibility not in {*Visibility}:
            raise UsageError(f"visibility {visibility!r}; accepted are {', '.join(Visibility)}")
        with services.database.writing() as session:
            share_product(
                session, principal, uid, visibility=Visibility(visibility), groups=words_of(groups),
                users=words_of(users), embargo_until=until, lift_embargo=until is None,
            )  # fmt: skip
    except FOR_PEOPLE as error:
        return _share_page(request, services, principal, uid, said=said, error=error)
    return go_on(f"/products/{uid}")


@router.get("/products/{uid}/new-version")
def ask_version(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """Ask whether to begin the next version."""
    with services.database.reading() as session:
        product = product_for(session, principal, uid, Action.EDIT)
        under_way = session.scalar(
            select(Product.uid).where(Product.series == product.series, Product.state == ProductState.REGISTERING)
        )
        return page(request, "new_version.html", product=product, under_way=under_way)


@router.post("/products/{uid}/new-version")
def begin_version(services: CurrentServices, principal: FormSender, uid: Uid) -> Response:
    """Begin the next version, and go on to its files."""
    with services.database.writing() as session:
        target = new_version(services, session, principal, uid).uid
    return go_on(f"/upload/{target}/files")


@router.get("/products/{uid}/delete")
def ask_delete(request: Request, services: CurrentServices, principal: SignedIn, uid: Uid) -> Response:
    """Ask whether a product is really to go."""
    with services.database.reading() as session:
        return page(request, "delete.html", product=product_for(session, principal, uid, Action.DELETE), error=None)


@router.post("/products/{uid}/delete")
def delete(
    request: Request, services: CurrentServices, principal: FormSender, uid: Uid, name: ShortText = ""
) -> Response:
    """Delete a product whose name was typed."""
    with services.database.writing() as session:
        product = product_for(session, principal, uid, Action.DELETE)
        if name.strip() != product.display_name.strip():
            words = "type the name of the product as it stands here, to delete it"
            return page(request, "delete.html", status=400, product=product, error=words)
        delete_product(session, principal, uid)
    return go_on("/products?mine=1")


def _words_of(product: Product) -> dict[str, str]:
    names = ("display_name", "description", "pz_code", "release_year", "licence", "citation", "doi", "command")
    found = {name: "" if getattr(product, name) is None else str(getattr(product, name)) for name in names}
    return found | {"tags": ", ".join(each.tag for each in product.tags), "revision": str(product.revision)}


def _checked(said: dict[str, str]) -> dict[str, object]:
    """Words for the service: empty ones are taken away; the year is a number."""
    words: dict[str, object] = {name: text.strip() or None for name, text in said.items()}
    for name in ("pz_code", "licence", "doi"):
        if len(said[name]) > 255:
            raise UsageError(f"{name.replace('_', ' ')} has {len(said[name])} letters; 255 are accepted")
    year = said["release_year"].strip()
    if year and not (year.isdecimal() and year.isascii() and 1900 <= int(year) <= 2200):
        raise UsageError(f"the year {year!r} is none from 1900 to 2200")
    return words | {
        "release_year": int(year) if year else None, "display_name": said["display_name"],
        "description": said["description"],
    }  # fmt: skip


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text!r} is no day; accepted are such as 2027-01-31") from error


def _edit_page(
    request: Request, product: Product, said: dict[str, str], error: PZCenterError | None = None
) -> Response:
    status = 200 if error is None else status_of(error)
    return page(request, "edit.html", status=status, product=product, said=said, error=_told(error))


def _share_page(
    request: Request,
    services: Services,
    principal: Principal,
    uid: str,
    *,
    said: dict[str, str] | None = None,
    error: PZCenterError | None = None,
) -> Response:
    with services.database.reading() as session:
        product = product_for(session, principal, uid, Action.SHARE)
        return page(
            request, "share.html", status=200 if error is None else status_of(error), product=product,
            said=said or _shared(product), groups=_groups(session, principal), visibilities=VISIBILITIES,
            error=_told(error),
        )  # fmt: skip


def _shared(product: Product) -> dict[str, str]:
    return {
        "visibility": str(product.visibility),
        "groups": ", ".join(sorted(each.group.name for each in product.shared_groups)),
        "users": ", ".join(sorted(each.user.username for each in product.shared_users)),
        "embargo_until": "" if product.embargo_until is None else product.embargo_until.isoformat(),
    }


def _groups(session: Session, principal: Principal) -> list[str]:
    return [group.name for group in list_groups(session, principal, limit=MOST_GROUPS)]


def _told(error: PZCenterError | None) -> str | None:
    return None if error is None else str(error)
