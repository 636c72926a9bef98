"""What a server tells, as light dataclasses; words of newer servers that are not known here are passed over."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar, cast

__all__ = [
    "Activity", "Challenge", "Column", "Comment", "Edge", "File", "Job", "Me", "Node", "Part", "Person", "Pipeline",
    "Product", "ProductType", "Provenance", "Release", "Sharing", "Standing", "Submission", "Token", "read_as",
]  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """Somebody, as others see them."""

    username: str
    name: str = ""


@dataclass(frozen=True)
class Me:
    """Who asks, and what the token is for."""

    username: str
    name: str = ""
    email: str | None = None
    role: str = "user"
    groups: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Release:
    """A data release that the asker has rights to."""

    name: str
    display_name: str = ""
    description: str = ""
    state: str = "open"


@dataclass(frozen=True)
class ProductType:
    """A kind of product."""

    name: str
    display_name: str = ""
    description: str = ""
    id: int = 0


@dataclass(frozen=True)
class File:
    """A file of a product.

    Attributes
    ----------
    role : str
        ``main``, ``description`` or ``auxiliary``.
    size : int
        Bytes.
    sha256 : str or None
        None for directories and references.
    content_url : str or None
        Where its bytes are, below the address of the interface.
    """

    id: int
    name: str
    role: str = "auxiliary"
    size: int = 0
    n_rows: int | None = None
    media_type: str | None = None
    sha256: str | None = None
    is_directory: bool = False
    reference: str | None = None
    created_at: datetime | None = None
    content_url: str | None = None


@dataclass(frozen=True)
class Part:
    """A file in a directory, such as a pixel of a HATS catalogue."""

    id: int
    path: str
    size: int
    sha256: str
    content_url: str


@dataclass(frozen=True)
class Column:
    """A column of the main file, and what it means."""

    name: str
    id: int = 0
    order: int = 0
    datatype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    alias: str | None = None
    description: str | None = None
    statistics: dict[str, Any] | None = None


@dataclass(frozen=True)
class Comment:
    """What somebody said of a product."""

    id: int
    author: Person
    text: str
    created_at: datetime | None = None


@dataclass(frozen=True)
class Sharing:
    """Who sees a product."""

    visibility: str
    groups: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    embargo_until: date | None = None
    revision: int = 0


@dataclass(frozen=True)
class Product:
    """One version of a product.

    Attributes
    ----------
    id : int
    uid : str
        Lasting public name of this version.
    state : str
        ``registering``, ``processing``, ``published``, ``failed``.
    size : int
        Bytes of all files.
    revision : int
        Counts changes; an edit of this object is refused when somebody else has changed the product meanwhile.
    detailed : bool
        Description, files, report and the like are there too; they are not in lists.
    """

    id: int
    uid: str
    display_name: str
    product_type: str
    owner: Person
    series: str = ""
    version: int = 1
    is_latest: bool = True
    internal_name: str | None = None
    release: str | None = None
    official: bool = False
    state: str = "registering"
    visibility: str = "release"
    embargo_until: date | None = None
    pz_code: str | None = None
    release_year: int | None = None
    n_rows: int | None = None
    size: int = 0
    tags: list[str] = field(default_factory=list)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    published_at: datetime | None = None
    revision: int = 0
    description: str = ""
    licence: str | None = None
    citation: str | None = None
    doi: str | None = None
    command: str | None = None
    origin: str = ""
    failure: str | None = None
    report: dict[str, Any] | None = None
    files: list[File] = field(default_factory=list)
    n_columns: int = 0
    missing_columns: list[str] = field(default_factory=list)
    may: list[str] = field(default_factory=list)
    detailed: bool = False

    @property
    def main_file(self) -> File | None:
        """The file that the product is about."""
        return next((file for file in self.files if file.role == "main"), None)


@dataclass(frozen=True)
class Node:
    """A product in a provenance graph; without an id it is not visible to the asker, or deleted."""

    key: str
    visible: bool
    label: str
    distance: int
    id: int | None = None
    product_type: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Edge:
    """An arrow from a product to one that it was made from."""

    product: str
    source: str
    role: str = "input"


@dataclass(frozen=True)
class Activity:
    """A job that made a product."""

    key: str
    output: str
    inputs: list[str]
    pipeline: str
    version: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Provenance:
    """Nodes and arrows around one product."""

    root: str
    nodes: list[Node]
    edges: list[Edge] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True)
class Token:
    """What a program shows instead of a password.

    Attributes
    ----------
    secret : str or None
        The token itself, told at its making alone.
    """

    id: str
    name: str
    scopes: list[str] = field(default_factory=list)
    hint: str = ""
    secret: str | None = field(default=None, repr=False)
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    expired: bool = False


@dataclass(frozen=True)
class Pipeline:
    """Something that the server can make.

    Attributes
    ----------
    settings : dict
        JSON schema of what may be said of a job.
    """

    name: str
    display_name: str = ""
    version: str = ""
    description: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """Something that the server makes, or has made.

    Attributes
    ----------
    state : str
        ``pending``, ``queued``, ``running``, ``stopping``, ``stopped``, ``successful`` or ``failed``.
    progress : dict
        ``stage``, and where known ``done`` and ``all``.
    stalled : bool
        Nothing new for a quarter of an hour.
    failure : str or None
        Why there is no product.
    product_id : int or None
        What it makes; None where the asker does not see it.
    inputs : list of int
        Products that went in, of those that the asker sees; ``hidden_inputs`` more.
    """

    uid: str
    pipeline: str = ""
    display_name: str = ""
    owner: str = ""
    state: str = "pending"
    progress: dict[str, Any] = field(default_factory=dict)
    stalled: bool = False
    failure: str | None = None
    release: str | None = None
    product_id: int | None = None
    inputs: list[int] = field(default_factory=list)
    hidden_inputs: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self.state in {"stopped", "successful", "failed"}


@dataclass(frozen=True)
class Challenge:
    """A challenge of the Validation Cooperative.

    Attributes
    ----------
    state : str
        ``draft``, ``open`` or ``closed``.
    scenarios : list of str
        Each has a training set and a blind test set; not in lists, nor are the attributes that follow.
    rules : str
    files : dict of str to int
        What there is to download: path and bytes.
    checksums : dict of str to str
        SHA-256 by path.
    """

    name: str
    title: str = ""
    description: str = ""
    state: str = "draft"
    release: str | None = None
    closes_at: datetime | None = None
    scenarios: list[str] = field(default_factory=list)
    rules: str = ""
    files: dict[str, int] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submission:
    """What somebody handed in for a challenge.

    Attributes
    ----------
    state : str
        ``received``, ``scored`` or ``refused``.
    submission_id : str or None
        What the leaderboard calls it; None when it was refused.
    refusal : str or None
        Why it was refused, or could not be scored.
    """

    uid: str
    name: str = ""
    method: str = ""
    author: str = ""
    scenario: str = ""
    state: str = "received"
    submission_id: str | None = None
    refusal: str | None = None
    product_id: int | None = None
    created_at: datetime | None = None

    @property
    def waits(self) -> bool:
        """Its scores are still to come."""
        return self.state == "received" and self.refusal is None


@dataclass(frozen=True)
class Standing:
    """A line of a leaderboard: one submission, scenario and metric.

    Attributes
    ----------
    kind : str
        ``participant`` or ``control``.
    value, error : float or None
    rank : int or None
        None for controls.
    points, possible : float or None
    """

    scenario: str
    metric: str
    name: str = ""
    author: str = ""
    method: str = ""
    kind: str = "participant"
    submission_id: str | None = None
    value: float | None = None
    error: float | None = None
    rank: int | None = None
    points: float | None = None
    possible: float | None = None


@cache
def _kinds(cls: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {each.name: hints[each.name] for each in fields(cls)}


def read_as(cls: type[T], told: Any) -> T:
    """Make a dataclass of what a server told.

    Parameters
    ----------
    cls : type
    told : dict
        JSON object; keys that the class does not have are passed over.

    Returns
    -------
    object
    """
    kinds = _kinds(cast("Any", cls))
    return cls(**{name: _value(kinds[name], value) for name, value in told.items() if name in kinds})


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, types.UnionType):
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    if kind in {datetime, date}:
        return kind.fromisoformat(value)
    if typing.get_origin(kind) is list:
        (inner,) = typing.get_args(kind)
        return [_value(inner, each) for each in value]
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
        return read_as(kind, value)
    return value
