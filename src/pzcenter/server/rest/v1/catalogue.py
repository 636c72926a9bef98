"""What there is besides products: users, releases, types of products, and the way to all of them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Select, select

from pzcenter.errors import NotFoundError
from pzcenter.server.http.requests import CurrentServices, SignedIn
from pzcenter.server.rest.v1.asking import Number, Reader, number_of
from pzcenter.server.rest.v1.lists import Listing, envelope, metadata, rows_of
from pzcenter.server.rest.v1.shapes import release_json, type_json, user_json
from pzcenter.server.services.principal import Principal
from pzcenter.server.storage.accounts import User, UserState
from pzcenter.server.storage.products import ProductType
from pzcenter.server.storage.releases import Release, ReleaseRight

__all__ = ["router"]

router = APIRouter()

LINKS = (
    "users", "releases", "product-types", "products", "products-specz", "product-contents", "product-files",
    "pipelines", "processes",
)  # fmt: skip
USERS = Listing(
    "User List", {"username": lambda value: User.username == value}, (User.username, User.first_name, User.last_name),
    {"username": User.username, "last_name": User.last_name}, default="username",
)  # fmt: skip
RELEASES = Listing(
    "Release List",
    {"id": lambda value: Release.id == number_of("id", value), "name": lambda value: Release.name == value},
    (Release.name, Release.display_name, Release.description),
    {"id": Release.id, "name": Release.name, "created_at": Release.created_at},
)
TYPES = Listing(
    "Product Type List",
    {"id": lambda value: ProductType.id == number_of("id", value), "name": lambda value: ProductType.name == value},
    (ProductType.name, ProductType.display_name, ProductType.description),
    {"id": ProductType.id, "name": ProductType.name, "order": ProductType.order},
)


@router.get("/")
def root(services: CurrentServices, _principal: SignedIn) -> dict[str, str]:
    """Addresses of the lists; also how a client learns whether its token is good."""
    return {name: f"{services.settings.base_url}/api/{name}/" for name in LINKS}


@router.get("/users/")
def users(request: Request, services: CurrentServices, _principal: Reader) -> Response:
    """People with an account, without their addresses."""
    active = select(User).where(User.state == UserState.ACTIVE)
    with services.database.reading() as session:
        count, rows = rows_of(session, request, services, USERS, active)
        return envelope(count, [user_json(row) for row in rows])


@router.options("/users/")
def users_metadata(_principal: Reader) -> Response:
    """What the list of users can be asked."""
    return metadata(USERS)


@router.get("/users/{number:int}/")
def user(number: Number, services: CurrentServices, _principal: Reader) -> Response:
    """One user."""
    with services.database.reading() as session:
        row = session.get(User, number)
        if row is None or row.state is not UserState.ACTIVE:
            raise NotFoundError(f"no user {number}")
        return JSONResponse(user_json(row))


def seen_releases(principal: Principal) -> Select[tuple[Release]]:
    """Releases that somebody has rights to; all of them for coordinators."""
    wanted = select(Release)
    return wanted if principal.curates else wanted.where(Release.id.in_(principal.release_ids))


@router.get("/releases/")
def releases(request: Request, services: CurrentServices, principal: Reader) -> Response:
    """Releases that the asker has rights to."""
    with services.database.reading() as session:
        count, rows = rows_of(session, request, services, RELEASES, seen_releases(principal))
        ids = [row.id for row in rows]
        rights = select(ReleaseRight).where(ReleaseRight.release_id.in_(ids), ReleaseRight.group_id.is_not(None))
        groups: dict[int, list[int]] = {number: [] for number in ids}
        for right in session.scalars(rights):
            groups[right.release_id].append(right.group_id or 0)
        return envelope(count, [release_json(row, groups[row.id]) for row in rows])


@router.options("/releases/")
def releases_metadata(_principal: Reader) -> Response:
    """What the list of releases can be asked."""
    return metadata(RELEASES)


@router.get("/releases/{number:int}/")
def release(number: Number, services: CurrentServices, principal: Reader) -> Response:
    """One release."""
    with services.database.reading() as session:
        row = session.scalar(seen_releases(principal).where(Release.id == number))
        if row is None:
            raise NotFoundError(f"no release {number}")
        groups = select(ReleaseRight.group_id).where(
            ReleaseRight.release_id == number, ReleaseRight.group_id.is_not(None)
        )
        return JSONResponse(release_json(row, [group or 0 for group in session.scalars(groups)]))


@router.get("/product-types/")
def product_types(request: Request, services: CurrentServices, _principal: Reader) -> Response:
    """Types of products."""
    with services.database.reading() as session:
        count, rows = rows_of(session, request, services, TYPES, select(ProductType))
        return envelope(count, [type_json(row) for row in rows])


@router.options("/product-types/")
def product_types_metadata(_principal: Reader) -> Response:
    """What the list of types can be asked."""
    return metadata(TYPES)


@router.get("/product-types/{number:int}/")
def product_type(number: Number, services: CurrentServices, _principal: Reader) -> Response:
    """One type of products."""
    with services.database.reading() as session:
        row = session.get(ProductType, number)
        if row is None:
            raise NotFoundError(f"no product type {number}")
        return JSONResponse(type_json(row))
