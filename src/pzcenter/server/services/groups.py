"""Groups of people who share products: made here, or kept by an identity provider."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.users import user_named
from pzcenter.server.storage.accounts import Group, GroupSource, Membership
from pzcenter.server.storage.products import ProductGroup

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = [
    "add_member", "create_group", "delete_group", "edit_group", "group_for", "list_groups", "remove_member",
    "synchronise_groups",
]  # fmt: skip

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
"""Without a colon, which the names of providers' groups have: nobody can make a group that looks like one of those."""
CLAIMED = re.compile(r"/?[A-Za-z0-9][A-Za-z0-9._/ -]{0,149}")
MOST_GROUPS, MOST_MEMBERS, MOST_CLAIMED = 50, 1000, 200
MAX_TITLE, MAX_TEXT = 150, 20_000


def list_groups(session: Session, principal: Principal, *, after: str = "", limit: int = 100) -> list[Group]:
    """Groups that somebody is in; all of them for coordinators and admins.

    Parameters
    ----------
    session : Session
    principal : Principal
    after : str
        Name of the last one seen.
    limit : int

    Returns
    -------
    list of Group
        In the order of their names.
    """
    principal.need(Scope.READ)
    query = select(Group).where(Group.name > after).order_by(Group.name).limit(limit)
    return list(session.scalars(query if principal.curates else query.where(Group.id.in_(principal.group_ids))))


def group_for(session: Session, principal: Principal, name: str) -> Group:
    """A group that somebody is in, or any for coordinators and admins.

    Raises
    ------
    NotFoundError
    """
    principal.need(Scope.READ)
    group = session.scalar(select(Group).where(Group.name == name))
    if group is None or (group.id not in principal.group_ids and not principal.curates):
        raise NotFoundError(f"no group {name!r} that you are in")
    return group


def create_group(
    session: Session, principal: Principal, name: str, *, display_name: str = "", description: str = ""
) -> Group:
    """A new group; who makes it is its first member, and manages it.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    name : str
        Two to 63 small letters, digits, ``.``, ``_``, ``-``.
    display_name, description : str

    Returns
    -------
    Group

    Raises
    ------
    UsageError, ConflictError
        A name that is not accepted, or is taken.
    QuotaError
        The asker manages many groups already.
    """
    user_id = principal.need(Scope.WRITE)
    if not NAME.fullmatch(name):
        raise UsageError(f"group {name[:64]!r}: accepted are 2 to 63 small letters, digits, '.', '_' and '-'")
    _check_words(display_name, description)
    mine = select(func.count()).select_from(Membership).where(Membership.user_id == user_id, Membership.manager)
    if (session.scalar(mine) or 0) >= MOST_GROUPS:
        raise QuotaError(f"you manage {MOST_GROUPS} groups already")
    if session.scalar(select(Group.id).where(Group.name == name)) is not None:
        raise ConflictError(f"the name {name!r} is taken; choose another one")
    group = Group(name=name, display_name=display_name or name, description=description)
    group.memberships = [Membership(user_id=user_id, manager=True)]
    session.add(group)
    session.flush()
    record(session, principal, "group.create", ("group", group.id), name=name)
    return group


def edit_group(
    session: Session,
    principal: Principal,
    name: str,
    *,
    display_name: str | None = None,
    description: str | None = None,
) -> Group:
    """Change the words of a group.

    Raises
    ------
    PermissionDeniedError
        The asker does not manage it.
    ConflictError
        An identity provider keeps it.
    """
    group = _managed(session, principal, name)
    _check_words(display_name or "", description or "")
    group.display_name = group.display_name if display_name is None else display_name or name
    group.description = group.description if description is None else description
    record(session, principal, "group.edit", ("group", group.id))
    return group


def delete_group(session: Session, principal: Principal, name: str) -> None:
    """Delete a group; products that were shared with it no longer are."""
    group = _managed(session, principal, name)
    session.execute(delete(ProductGroup).where(ProductGroup.group_id == group.id))
    record(session, principal, "group.delete", ("group", group.id), name=name, members=len(group.memberships))
    session.delete(group)


def add_member(
    session: Session, principal: Principal, name: str, username: str, *, manager: bool = False
) -> Membership:
    """Take somebody into a group, or make a member a manager, or no longer.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        Who manages the group.
    name : str
    username : str
    manager : bool

    Returns
    -------
    Membership

    Raises
    ------
    NotFoundError
        No such user.
    ConflictError
        The group would be without a manager, or an identity provider keeps it.
    QuotaError
        It has many members already.
    """
    group = _managed(session, principal, name)
    user = user_named(session, principal, username)
    there = session.get(Membership, (user.id, group.id))
    if there is None:
        if len(group.memberships) >= MOST_MEMBERS:
            raise QuotaError(f"group {name!r} has {MOST_MEMBERS} members already")
        there = Membership(user=user, group=group, manager=manager)
        session.add(there)
    elif there.manager and not manager:
        _keep_a_manager(group, there)
    there.manager = manager
    session.flush()
    record(session, principal, "group.add", ("group", group.id), user=username, manager=manager)
    return there


def remove_member(session: Session, principal: Principal, name: str, username: str) -> None:
    """Put somebody out of a group; everybody may leave.

    Raises
    ------
    NotFoundError
        Not a member.
    ConflictError
        The group would be without a manager, or an identity provider keeps it.
    """
    leaves = principal.signed_in and username == principal.username
    group = _local(group_for(session, principal, name)) if leaves else _managed(session, principal, name)
    principal.need(Scope.WRITE)
    there = next((each for each in group.memberships if each.user.username == username), None)
    if there is None:
        raise NotFoundError(f"{username!r} is not in group {name!r}")
    if there.manager:
        _keep_a_manager(group, there)
    group.memberships.remove(there)
    record(session, principal, "group.remove", ("group", group.id), user=username)


def synchronise_groups(session: Session, user_id: int, provider: str, claimed: list[str]) -> int:
    """Make somebody's memberships in a provider's groups what the provider says.

    Its groups are named ``provider:name``, so that none of them can pass for one that was made here; slashes of the
    name become colons, because names stand in addresses.

    Parameters
    ----------
    session : Session
        One that writes.
    user_id : int
    provider : str
        Short name.
    claimed : list of str

    Returns
    -------
    int
        Names that were left out: too many, too long, or with other letters.
    """
    good = sorted({each for each in claimed if CLAIMED.fullmatch(each)})[:MOST_CLAIMED]
    wanted = {f"{provider}:{each.lstrip('/').replace('/', ':')}" for each in good}
    theirs = select(Group).where(Group.source == GroupSource.PROVIDER, Group.name.startswith(f"{provider}:"))
    there = {group.name: group for group in session.scalars(theirs.where(Group.name.in_(wanted)))}
    for name in sorted(wanted - set(there)):
        there[name] = Group(name=name, display_name=name.partition(":")[2], source=GroupSource.PROVIDER)
        session.add(there[name])
    session.flush()
    mine = set(session.scalars(select(Membership.group_id).where(Membership.user_id == user_id)))
    stay = {group.id for group in there.values()}
    gone = set(session.scalars(theirs.with_only_columns(Group.id))) & mine - stay
    session.execute(delete(Membership).where(Membership.user_id == user_id, Membership.group_id.in_(gone)))
    session.add_all(Membership(user_id=user_id, group_id=each) for each in sorted(stay - mine))
    session.flush()
    return len(set(claimed)) - len(good)


def _managed(session: Session, principal: Principal, name: str) -> Group:
    """A local group that somebody manages."""
    user_id = principal.need(Scope.WRITE)
    group = group_for(session, principal, name)
    manages = any(each.user_id == user_id and each.manager for each in group.memberships)
    if not manages and not principal.curates:
        raise PermissionDeniedError(f"group {name!r} is changed by its managers")
    return _local(group)


def _local(group: Group) -> Group:
    if group.source is GroupSource.PROVIDER:
        raise ConflictError(f"group {group.name!r} is kept by the identity provider and changes at sign-in")
    return group


def _keep_a_manager(group: Group, leaving: Membership) -> None:
    if not any(each.manager and each is not leaving for each in group.memberships):
        raise ConflictError(f"group {group.name!r} would be without a manager; name another one first, or delete it")


def _check_words(display_name: str, description: str) -> None:
    if len(display_name) > MAX_TITLE or not display_name.isprintable() or len(description) > MAX_TEXT:
        raise UsageError(f"a title has at most {MAX_TITLE} letters on one line, a description {MAX_TEXT}")
