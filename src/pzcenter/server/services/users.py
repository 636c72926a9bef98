"""Users: made, found, listed; their role, their state, what they may keep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, UsageError
from pzcenter.server.services.audit import record
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.sessions import close_sessions
from pzcenter.server.storage.accounts import Role, User, UserState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pzcenter.server.services.principal import Principal

__all__ = [
    "NewUser", "add_user", "check_words", "edit_self", "find_user", "free_name", "list_users", "need_right_to_give",
    "set_quota", "set_role", "set_state", "user_named",
]  # fmt: skip

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,185}")
MAX_WORDS, MAX_STATEMENT = 150, 4000
OWN_WORDS = ("first_name", "last_name", "display_name", "email")
"""What people change themselves."""


@dataclass(frozen=True)
class NewUser:
    """What is known of somebody who gets an account.

    Attributes
    ----------
    username : str
        Small letters, digits, ``.``, ``_``, ``-``; two to 63 of them.
    first_name, last_name, display_name : str
    email : str or None
    statement : str or None
        Why the account is asked for.
    """

    username: str
    first_name: str = ""
    last_name: str = ""
    display_name: str = ""
    email: str | None = None
    statement: str | None = None


def add_user(
    session: Session,
    new: NewUser,
    *,
    state: UserState = UserState.PENDING,
    role: Role = Role.USER,
    password_hash: str | None = None,
) -> User:
    """A new row of a user. Who may ask for it is the caller's business.

    Parameters
    ----------
    session : Session
        One that writes.
    new : NewUser
    state : UserState
    role : Role
    password_hash : str, optional

    Returns
    -------
    User

    Raises
    ------
    UsageError
        A name or an address that is not accepted.
    ConflictError
        The name is taken.
    """
    check_words(new)
    if session.scalar(select(User.id).where(User.username == new.username)) is not None:
        raise ConflictError(f"the name {new.username!r} is taken; choose another one")
    user = User(
        username=new.username, first_name=new.first_name.strip(), last_name=new.last_name.strip(),
        display_name=new.display_name.strip(), email=new.email, statement=new.statement, state=state, role=role,
        password_hash=password_hash,
    )  # fmt: skip
    session.add(user)
    try:
        session.flush()
    except IntegrityError as error:
        raise ConflictError(f"the name {new.username!r} has just been taken; choose another one") from error
    return user


def check_words(new: NewUser) -> None:
    """Refuse names and addresses that are not accepted.

    Raises
    ------
    UsageError
    """
    if not NAME.fullmatch(new.username):
        raise UsageError(
            f"user name {new.username[:64]!r}: accepted are 2 to 63 small letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    words = (new.first_name, new.last_name, new.display_name)
    if any(len(word) > MAX_WORDS or not word.isprintable() for word in words):
        raise UsageError(f"a name has at most {MAX_WORDS} letters on one line")
    if new.email is not None and not EMAIL.fullmatch(new.email):
        raise UsageError(f"{new.email[:64]!r} is no e-mail address")
    if new.statement is not None and len(new.statement) > MAX_STATEMENT:
        raise UsageError(f"the statement has {len(new.statement)} letters; {MAX_STATEMENT} are accepted")


def free_name(session: Session, wish: str) -> str:
    """A user name that nobody has, as near to a wish as can be.

    Parameters
    ----------
    session : Session
    wish : str
        Such as what an identity provider calls somebody.

    Returns
    -------
    str
    """
    plain = re.sub(r"[^a-z0-9._-]", "", wish.partition("@")[0].lower()).lstrip("._-")[:50]
    plain = plain if len(plain) > 1 else "user"
    # A pattern of LIKE would read '_' as any letter.
    taken = set(session.scalars(select(User.username).where(User.username.startswith(plain, autoescape=True))))
    return next(name for name in (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def find_user(session: Session, username: str) -> User:
    """A user by name, for those who already may know.

    Raises
    ------
    NotFoundError
    """
    user = session.scalar(select(User).where(User.username == username))
    if user is None:
        raise NotFoundError(f"no user {username!r}")
    return user


def user_named(session: Session, principal: Principal, username: str) -> User:
    """A user by name, for somebody who asks: ordinary users see those who may come in.

    Raises
    ------
    NotFoundError
    """
    principal.need(Scope.READ)
    user = find_user(session, username)
    if user.state is not UserState.ACTIVE and not principal.curates and user.id != principal.user_id:
        raise NotFoundError(f"no user {username!r}")
    return user


def list_users(
    session: Session,
    principal: Principal,
    *,
    search: str = "",
    state: UserState | None = None,
    after: str = "",
    limit: int = 100,
) -> list[User]:
    """Users in the order of their names.

    Parameters
    ----------
    session : Session
    principal : Principal
    search : str
        Part of a user name or name.
    state : UserState, optional
        For coordinators; others see those who may come in.
    after : str
        User name of the last one seen.
    limit : int

    Returns
    -------
    list of User
    """
    principal.need(Scope.READ)
    query = select(User).where(User.username > after).order_by(User.username).limit(limit)
    if not principal.curates:
        query = query.where(User.state == UserState.ACTIVE)
    elif state is not None:
        query = query.where(User.state == state)
    if search:
        columns = (User.username, User.first_name, User.last_name, User.display_name)
        query = query.where(or_(*(func.lower(each).contains(search.lower(), autoescape=True) for each in columns)))
    return list(session.scalars(query))


def edit_self(session: Session, principal: Principal, **words: str | None) -> User:
    """Change what is known of oneself.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
    **words
        ``first_name``, ``last_name``, ``display_name``, ``email``.

    Returns
    -------
    User

    Raises
    ------
    UsageError
        Nothing to change, or words that are not accepted.
    """
    user = session.get_one(User, principal.need(Scope.WRITE))
    if not words or not set(words) <= set(OWN_WORDS):
        raise UsageError(f"to change are {', '.join(OWN_WORDS)}; got {', '.join(sorted(words)) or 'nothing'}")
    there = {name: getattr(user, name) for name in OWN_WORDS}
    check_words(NewUser("somebody", **there | words))
    for name, value in words.items():
        setattr(user, name, value)
    record(session, principal, "user.edit", ("user", user.id), fields=sorted(words))
    return user


def set_role(session: Session, principal: Principal, username: str, role: Role) -> User:
    """Give a user another role.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        An admin.
    username : str
    role : Role

    Returns
    -------
    User

    Raises
    ------
    ConflictError
        It would leave the server without an admin.
    """
    principal.need_admin()
    user = find_user(session, username)
    if role is not Role.ADMIN:
        _keep_an_admin(session, user)
    before, user.role = user.role, role
    record(session, principal, "user.role", ("user", user.id), before=str(before), after=str(role))
    return user


def set_state(session: Session, principal: Principal, username: str, state: UserState) -> User:
    """Let a user in, or no longer; who is put out is out at once, from all browsers and with all tokens.

    Parameters
    ----------
    session : Session
        One that writes.
    principal : Principal
        An admin.
    username : str
    state : UserState
        Active or disabled.

    Returns
    -------
    User

    Raises
    ------
    UsageError
        Nobody is made to wait again.
    ConflictError
        It would leave the server without an admin.
    """
    principal.need_admin()
    if state is UserState.PENDING:
        raise UsageError("accepted are active and disabled; only somebody new is pending")
    user = find_user(session, username)
    if state is UserState.DISABLED:
        _keep_an_admin(session, user)
        close_sessions(session, user.id)
    before, user.state = user.state, state
    record(session, principal, "user.state", ("user", user.id), before=str(before), after=str(state))
    return user


def set_quota(session: Session, principal: Principal, username: str, quota_bytes: int | None) -> User:
    """Say how much a user may keep here; None: as much as the settings say.

    Raises
    ------
    UsageError
        Less than nothing.
    """
    principal.need_admin()
    if quota_bytes is not None and not 0 <= quota_bytes < 2**62:
        raise UsageError(f"quota {quota_bytes} bytes: accepted are numbers from 0 to 2^62")
    user = find_user(session, username)
    user.quota_bytes = quota_bytes
    record(session, principal, "user.quota", ("user", user.id), quota_bytes=quota_bytes)
    return user


def _keep_an_admin(session: Session, user: User) -> None:
    if user.role is not Role.ADMIN or user.state is not UserState.ACTIVE:
        return
    admins = (User.role == Role.ADMIN) & (User.state == UserState.ACTIVE) & (User.id != user.id)
    if session.scalar(select(User.id).where(admins).limit(1)) is None:
        raise ConflictError(f"{user.username} is the only admin; make another one first")


def need_right_to_give(principal: Principal, role: Role) -> None:
    """Refuse somebody who would give a role that only an admin gives.

    Raises
    ------
    PermissionDeniedError
    """
    if role is not Role.USER and not principal.administers:
        raise PermissionDeniedError(f"only admins make somebody {role}")
