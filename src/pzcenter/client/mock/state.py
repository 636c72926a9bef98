"""What a mock keeps, and its rules of who sees what: those of the true server."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from pzcenter.errors import AuthenticationError, NotFoundError, PermissionDeniedError

if TYPE_CHECKING:
    from pzcenter.client.mock.challenges import MockChallenge
    from pzcenter.client.mock.jobs import MockJob

__all__ = [
    "PRODUCT_TYPES",
    "MockFile",
    "MockProduct",
    "MockUpload",
    "MockUser",
    "State",
    "allowed",
    "now",
    "product_of",
]

PRODUCT_TYPES = {
    "redshift_catalog": (1, "Reference Redshift Catalog"), "training_set": (2, "Training Set"),
    "training_results": (5, "Training Results"), "validation_results": (3, "Validation Results"),
    "photoz_estimates": (4, "Photo-z Estimates"), "object_catalog": (6, "Objects Catalog"), "other": (7, "Other"),
}  # fmt: skip
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def new_uid() -> str:
    """Twelve letters that are a public name."""
    return "".join(secrets.choice(LETTERS) for _ in range(12))


@dataclass
class MockUser:
    """Somebody who may sign in."""

    username: str
    role: str = "user"
    groups: set[str] = field(default_factory=set)
    releases: set[str] = field(default_factory=set)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By their secrets."""
    state: str = "active"
    quota_bytes: int | None = None

    @property
    def curates(self) -> bool:
        """Coordinator or admin."""
        return self.role in {"coordinator", "admin"}


@dataclass
class MockFile:
    """A file and its bytes."""

    id: int
    name: str
    role: str
    content: bytes
    created_at: datetime = field(default_factory=now)

    @property
    def sha256(self) -> str:
        """In hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class MockUpload:
    """An upload under way."""

    owner: str
    length: int
    words: dict[str, str]
    content: bytearray = field(default_factory=bytearray)


@dataclass
class MockProduct:
    """One version of a product."""

    id: int
    owner: str
    words: dict[str, Any]
    """What people say of it: name, type, release, description, ..."""
    uid: str = field(default_factory=new_uid)
    series: str = field(default_factory=new_uid)
    version: int = 1
    is_latest: bool = True
    state: str = "registering"
    groups: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    embargo_until: date | None = None
    files: list[MockFile] = field(default_factory=list)
    columns: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    inputs: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of products that it was made from, and why."""
    n_rows: int | None = None
    failure: str | None = None
    revision: int = 1
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    published_at: datetime | None = None

    def touch(self) -> None:
        """Note a change."""
        self.revision += 1
        self.updated_at = now()

    @property
    def main_file(self) -> MockFile | None:
        """The file that the product is about."""
        return next((file for file in self.files if file.role == "main"), None)


@dataclass
class State:
    """Everything that a mock keeps."""

    users: dict[str, MockUser] = field(default_factory=dict)
    releases: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    group_rights: dict[str, set[str]] = field(default_factory=dict)
    """Groups by the releases that they have rights to."""
    products: dict[int, MockProduct] = field(default_factory=dict)
    uploads: dict[str, MockUpload] = field(default_factory=dict)
    challenges: dict[str, MockChallenge] = field(default_factory=dict)
    jobs: dict[str, MockJob] = field(default_factory=dict)
    numbers: count[int] = field(default_factory=lambda: count(1))

    def user_of(self, secret: str) -> tuple[MockUser, set[str]]:
        """Owner and scopes of a token.

        Raises
        ------
        AuthenticationError
        """
        for user in self.users.values():
            token = user.tokens.get(secret)
            if token is not None and not token["revoked"]:
                return user, set(token["scopes"])
        raise AuthenticationError("Invalid token.")


def sees(user: MockUser, product: MockProduct) -> bool:
    """Whether somebody sees a product; the rules of the true server."""
    if product.state == "deleted":
        return False
    if product.owner == user.username or user.role == "admin":
        return True
    private = product.words["visibility"] == "private"
    if product.state != "published" or private or user.curates:
        return product.state == "published" and not private
    rights = product.words["release"] is None or product.words["release"] in user.releases
    if user.username in product.users or user.groups & product.groups:
        return rights
    embargo = product.embargo_until is not None and product.embargo_until > now().date()
    return rights and product.words["visibility"] == "release" and not embargo


def allowed(user: MockUser, product: MockProduct) -> list[str]:
    """What somebody may do with a product that they see."""
    owner, admin = product.owner == user.username, user.role == "admin"
    found = ["see", "comment"]
    if admin or (user.curates if product.words["official"] else owner):
        found += ["edit", "share", "delete"]
    if product.state == "registering" and (owner or admin):
        found.append("fill")
    if product.state == "published" and user.curates:
        found.append("curate")
    return found


def product_of(state: State, user: MockUser, key: str, action: str = "see") -> MockProduct:
    """A product by number or public name, for somebody who may do something with it.

    Raises
    ------
    NotFoundError, PermissionDeniedError
    """
    product = next((each for each in state.products.values() if key in {str(each.id), each.uid}), None)
    if product is None or not sees(user, product):
        raise NotFoundError(f"no product {key}")
    if action not in allowed(user, product):
        raise PermissionDeniedError(f"you may not {action} product {product.id}; it is {product.state}")
    return product
