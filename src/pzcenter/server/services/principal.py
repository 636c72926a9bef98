"""Who asks: a user with rights, or nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from pzcenter.errors import AuthenticationError, PermissionDeniedError
from pzcenter.server.storage.accounts import Membership, Role, User
from pzcenter.server.storage.releases import Release, ReleaseRight, ReleaseState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

__all__ = ["ALL_SCOPES", "NOBODY", "Principal", "Scope", "principal_of"]


class Scope(StrEnum):
    """What a token may be used for, within what its user may do."""

    READ = "read"
    """Look and download."""
    WRITE = "write"
    """Upload, change, delete, run jobs."""
    ADMIN = "admin"
    """What coordinators and admins may."""


ALL_SCOPES = frozenset(Scope)


_REMEDY = {
    Scope.READ: "make one with 'look and download' on the page Tokens of your account (/account/tokens)",
    Scope.WRITE: "make one with 'upload and change' on the page Tokens of your account (/account/tokens)",
    Scope.ADMIN: "make one with 'act as coordinator or admin' on the page Tokens of your account (/account/tokens)",
}
"""What to do, in the words of that page."""


@dataclass(frozen=True)
class Principal:
    """Somebody who asks for something; by default nobody, who may do nothing.

    Attributes
    ----------
    user_id : int or None
        None: nobody is signed in.
    username : str
    role : Role
    group_ids : frozenset of int
    release_ids : frozenset of int
        Releases that the user has rights to.
    scopes : frozenset of Scope
        All of them for a browser; those of the token for a program.
    token_id : int or None
    request_id : str or None
        For the audit log.
    """

    user_id: int | None = None
    username: str = ""
    role: Role = Role.USER
    group_ids: frozenset[int] = frozenset()
    release_ids: frozenset[int] = frozenset()
    scopes: frozenset[Scope] = field(default=frozenset())
    token_id: int | None = None
    request_id: str | None = None

    @property
    def signed_in(self) -> bool:
        """Somebody, not nobody."""
        return self.user_id is not None

    @property
    def curates(self) -> bool:
        """May do what the coordination group does, by role and by token."""
        return self.signed_in and self.role in {Role.COORDINATOR, Role.ADMIN} and Scope.ADMIN in self.scopes

    @property
    def administers(self) -> bool:
        """May do everything, by role and by token."""
        return self.signed_in and self.role is Role.ADMIN and Scope.ADMIN in self.scopes

    @property
    def sees_less(self) -> bool:
        """A coordinator or admin whose token is not for that: pages show them more."""
        return self.signed_in and self.role is not Role.USER and Scope.ADMIN not in self.scopes

    def need(self, scope: Scope) -> int:
        """Id of the user, who must be signed in and allowed to do this.

        Parameters
        ----------
        scope : Scope

        Returns
        -------
        int

        Raises
        ------
        AuthenticationError
            Nobody is signed in.
        PermissionDeniedError
            The token is not for this.
        """
        if self.user_id is None:
            raise AuthenticationError("Authentication credentials were not provided.")
        if scope not in self.scopes:
            held = ", ".join(sorted(self.scopes)) or "nothing"
            raise PermissionDeniedError(f"this token is for {held}; {scope} is needed: {_REMEDY[scope]}")
        return self.user_id

    def need_curator(self) -> int:
        """Id of the user, who must be a coordinator or admin.

        Raises
        ------
        AuthenticationError, PermissionDeniedError
        """
        user_id = self.need(Scope.ADMIN) if self.role is not Role.USER else self.need(Scope.READ)
        if not self.curates:
            raise PermissionDeniedError("this is for coordinators and admins")
        return user_id

    def need_admin(self) -> int:
        """Id of the user, who must be an admin.

        Raises
        ------
        AuthenticationError, PermissionDeniedError
        """
        user_id = self.need(Scope.ADMIN) if self.role is not Role.USER else self.need(Scope.READ)
        if not self.administers:
            raise PermissionDeniedError("this is for admins")
        return user_id


NOBODY = Principal()


def principal_of(
    session: Session,
    user: User,
    *,
    scopes: Iterable[Scope] = ALL_SCOPES,
    token_id: int | None = None,
    request_id: str | None = None,
) -> Principal:
    """A user with all rights, as they are now.

    Parameters
    ----------
    session : Session
    user : User
    scopes : iterable of Scope
    token_id : int, optional
    request_id : str, optional

    Returns
    -------
    Principal
    """
    groups = frozenset(session.scalars(select(Membership.group_id).where(Membership.user_id == user.id)))
    mine = or_(ReleaseRight.user_id == user.id, ReleaseRight.group_id.in_(groups))
    releases = select(Release.id).outerjoin(ReleaseRight, ReleaseRight.release_id == Release.id)
    releases = releases.where(Release.state != ReleaseState.DRAFT, or_(Release.is_public, mine))
    return Principal(
        user_id=user.id, username=user.username, role=user.role, group_ids=groups,
        release_ids=frozenset(session.scalars(releases)), scopes=frozenset(scopes), token_id=token_id,
        request_id=request_id,
    )  # fmt: skip
