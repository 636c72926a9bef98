"""The first admin of a new server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from pzcenter.errors import ConflictError
from pzcenter.server.services.audit import record
from pzcenter.server.services.passwords import hash_password
from pzcenter.server.services.principal import ALL_SCOPES, principal_of
from pzcenter.server.services.tokens import make_token
from pzcenter.server.services.users import NewUser, add_user
from pzcenter.server.storage.accounts import Role, User, UserState

if TYPE_CHECKING:
    from pzcenter.server.services.context import Services

__all__ = ["NAME", "first_admin"]

NAME = "admin"


def first_admin(services: Services) -> str | None:
    """Make the user ``admin`` on a server that has no admin yet.

    Parameters
    ----------
    services : Services

    Returns
    -------
    str or None
        A token for everything, to be printed this once; where people have passwords here, it is also the first
        password of ``admin``, to be changed at the first sign-in. None: there is an admin already.

    Raises
    ------
    ConflictError
        Somebody else has the name.
    """
    settings = services.settings
    with services.database.reading() as session:
        if session.scalar(select(User.id).where(User.role == Role.ADMIN).limit(1)) is not None:
            return None
    with services.database.writing() as session:
        if session.scalar(select(User.id).where(User.role == Role.ADMIN).limit(1)) is not None:
            return None
        if session.scalar(select(User.id).where(User.username == NAME)) is not None:
            raise ConflictError(f"there is a user {NAME!r} who is no admin, and no admin beside")
        user = add_user(session, NewUser(NAME), state=UserState.ACTIVE, role=Role.ADMIN)
        asker = principal_of(session, user)
        _, secret = make_token(session, asker, "first", scopes=ALL_SCOPES, days=settings.token_days)
        if settings.local_accounts:
            user.password_hash = hash_password(secret)
        record(session, asker, "user.first_admin", ("user", user.id))
    return secret
