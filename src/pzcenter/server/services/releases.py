"""Releases, and who has rights to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from pzcenter.errors import ConflictError, NotFoundError, UsageError
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.users import find_user
from pzcenter.server.storage.accounts import Group, User
from pzcenter.server.storage.releases import Release, ReleaseRight, ReleaseState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = [
    "create_release", "edit_release", "give_right", "known_releases", "list_releases", "release_for", "rights_of",
    "take_right",
]  # fmt: skip

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
MAX_TITLE, MAX_TEXT = 150, 20_000
WORDS = ("display_name", "description", "state", "is_public", "public_extract", "indexing_column", "object_catalog")


def list_releases(session: Session, principal: Principal) -> list[Release]:
    """Releases that somebody has rights to; coordinators and admins see all of them.

    Parameters
    ----------
    session : Session
    principal : Principal

    Returns
    -------
    list of Release
        In the order of their names.
    """
    principal.need(Scope.READ)
    query = select(Release).order_by(Release.name)
    if not principal.curates:
        query = query.where(Release.id.in_(principal.release_ids))
    return list(session.scalars(query))


def release_for(session: Session, principal: Principal, name: str) -> Release:
    """A release that somebody has rights to.

    Raises
    ------
    NotFoundError
        It is not there, or not for the asker.
    """
    principal.need(Scope.READ)
    release = session.scalar(select(Release).where(Release.name == name))
    if release is None or (release.id not in principal.release_ids and not principal.curates):
        raise NotFoundError(f"no release {name!r} that you have rights to")
    return release


def create_release(session: Session, principal: Principal, name: str, **words: Any) -> Release:
    """A new release; nobody has rights to it yet.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        An admin.
    name : str
        As the identity provider's claim calls it: small letters, digits, ``.``, ``_``, ``-``.
    **words
        See :func:`edit_release`.

    Returns
    -------
    Release

    Raises
    ------
    UsageError
        A name or words that are not accepted.
    ConflictError
        The name is taken.
    """
    principal.need_admin()
    if not NAME.fullmatch(name):
        raise UsageError(f"release {name[:64]!r}: accepted are up to 63 small letters, digits, '.', '_' and '-'")
    if session.scalar(select(Release.id).where(Release.name == name)) is not None:
        raise ConflictError(f"there is a release {name!r} already")
    release = Release(name=name)
    _put(release, words)
    release.display_name = release.display_name or name
    session.add(release)
    session.flush()
    record(session, principal, "release.create", ("release", release.id), name=name, **_plain(words))
    return release


def edit_release(session: Session, principal: Principal, name: str, **words: Any) -> Release:
    """Change a release.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        An admin.
    name : str
    **words
        ``display_name``, ``description``, ``state``, ``is_public``, ``public_extract``, ``indexing_column``,
        ``object_catalog``.

    Returns
    -------
    Release
    """
    principal.need_admin()
    release = _release(session, name)
    _put(release, words)
    record(session, principal, "release.edit", ("release", release.id), **_plain(words))
    return release


def give_right(
    session: Session, principal: Principal, release: str, *, user: str | None = None, group: str | None = None
) -> ReleaseRight:
    """Let a user or a group see a release.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        A coordinator or admin.
    release : str
    user, group : str, optional
        Exactly one of them.

    Returns
    -------
    ReleaseRight
        The one that is there, where it was given before.
    """
    principal.need_curator()
    row, target = _right(session, release, user, group)
    there = session.scalar(select(ReleaseRight).where(*target, ReleaseRight.issuer.is_(None)))
    if there is not None:
        return there
    right = ReleaseRight(
        release_id=row.id, user_id=None if user is None else find_user(session, user).id,
        group_id=None if group is None else _group(session, group).id,
    )  # fmt: skip
    session.add(right)
    session.flush()
    record(session, principal, "release.give", ("release", row.id), user=user, group=group)
    return right


def take_right(
    session: Session, principal: Principal, release: str, *, user: str | None = None, group: str | None = None
) -> None:
    """Take the right to a release from a user or a group.

    What an identity provider claims can only be taken back there.

    Raises
    ------
    NotFoundError
        There is no such right.
    ConflictError
        An identity provider gives it.
    """
    principal.need_curator()
    row, target = _right(session, release, user, group)
    found = list(session.scalars(select(ReleaseRight).where(*target)))
    if not found:
        raise NotFoundError(f"{user or group!r} has no right of its own to release {release!r}")
    if all(each.issuer is not None for each in found):
        raise ConflictError(f"{found[0].issuer} gives this right, and alone can take it back")
    session.execute(delete(ReleaseRight).where(*target, ReleaseRight.issuer.is_(None)))
    record(session, principal, "release.take", ("release", row.id), user=user, group=group)


def rights_of(session: Session, principal: Principal, release: str) -> list[tuple[str, str, str | None]]:
    """Who has rights to a release.

    Parameters
    ----------
    session : Session
    principal : Principal
        A coordinator or admin.
    release : str

    Returns
    -------
    list of (str, str, str or None)
        ``user`` or ``group``, its name, and the identity provider that says so.
    """
    principal.need_curator()
    row = _release(session, release)
    query = select(ReleaseRight, User.username, Group.name).outerjoin(User, User.id == ReleaseRight.user_id)
    query = query.outerjoin(Group, Group.id == ReleaseRight.group_id).where(ReleaseRight.release_id == row.id)
    found = session.execute(query)
    named = [("user", user, right.issuer) if user else ("group", group, right.issuer) for right, user, group in found]
    return sorted(named, key=lambda each: (each[0], each[1], each[2] or ""))


def known_releases(session: Session, names: Iterable[str]) -> dict[str, int]:
    """Ids of those releases that are there, by name.

    Parameters
    ----------
    session : Session
    names : iterable of str

    Returns
    -------
    dict of str to int
    """
    found = session.execute(select(Release.name, Release.id).where(Release.name.in_(sorted(set(names)))))
    return {row.name: row.id for row in found}


def _release(session: Session, name: str) -> Release:
    release = session.scalar(select(Release).where(Release.name == name))
    if release is None:
        raise NotFoundError(f"no release {name!r}")
    return release


def _group(session: Session, name: str) -> Group:
    group = session.scalar(select(Group).where(Group.name == name))
    if group is None:
        raise NotFoundError(f"no group {name!r}")
    return group


def _right(session: Session, release: str, user: str | None, group: str | None) -> tuple[Release, list[Any]]:
    if (user is None) == (group is None):
        raise UsageError("a right belongs to a user or to a group: name one of them")
    row = _release(session, release)
    who = (
        ReleaseRight.user_id == find_user(session, user).id
        if user is not None
        else ReleaseRight.group_id == _group(session, group or "").id
    )
    return row, [ReleaseRight.release_id == row.id, who]


def _put(release: Release, words: dict[str, Any]) -> None:
    for name, value in words.items():
        if name not in WORDS:
            raise UsageError(f"{name!r} cannot be set; accepted are {', '.join(WORDS)}")
        if name == "display_name" and not 1 <= len(value.strip()) <= MAX_TITLE:
            raise UsageError(f"a release needs a title of 1 to {MAX_TITLE} letters")
        if name == "description" and len(value) > MAX_TEXT:
            raise UsageError(f"the description has {len(value)} letters; {MAX_TEXT} are accepted")
        setattr(release, name, ReleaseState(value) if name == "state" else value)


def _plain(words: dict[str, Any]) -> dict[str, Any]:
    """For the audit log: short values as they are, of long ones that they changed."""
    return {
        name: str(value) if name in {"state", "is_public", "display_name"} else "…" for name, value in words.items()
    }
