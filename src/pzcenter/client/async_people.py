"""People and their rights, for programs that do other things meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pzcenter.client import people_steps as steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pzcenter.client.exchange import Steps
    from pzcenter.client.people_answers import Right, User
    from pzcenter.client.procedures import Procedures

__all__ = ["AsyncPeople"]

T = TypeVar("T")


class AsyncPeople:
    """What coordinators and admins do with accounts; a part of :class:`~pzcenter.client.AsyncPZClient`.

    The token must be made for ``admin``, which only coordinators and admins can make.
    """

    _do: Procedures

    async def _run(self, steps: Steps[T]) -> T:
        raise NotImplementedError

    async def users(self, search: str = "", *, state: str | None = None, limit: int = 1000) -> list[User]:
        """Users in the order of their names.

        Parameters
        ----------
        search : str
            Part of the name.
        state : str, optional
            ``active``, ``pending`` (they wait to be approved) or ``disabled``; for coordinators and admins.
        limit : int
            At most.
        """
        return await self._run(steps.users(self._do, search, state=state, limit=limit))

    async def approve_user(self, username: str, *, releases: Iterable[str] = ()) -> User:
        """Let somebody in who waits, with rights to releases; for coordinators and admins."""
        return await self._run(steps.approve_user(self._do, username, releases))

    async def refuse_user(self, username: str, *, reason: str = "") -> User:
        """Do not let somebody in who waits; the person can read the reason. For coordinators and admins."""
        return await self._run(steps.refuse_user(self._do, username, reason))

    async def edit_user(self, username: str, **words: Any) -> User:
        """Change an account; for admins.

        Parameters
        ----------
        username : str
        **words
            ``role`` (``user``, ``coordinator``, ``admin``), ``state`` (``active``, ``disabled``), ``quota_bytes``
            (None: as much as the server allows).
        """
        return await self._run(steps.edit_user(self._do, username, words))

    async def rights(self, release: str) -> list[Right]:
        """Who has rights to a release; for coordinators and admins."""
        return await self._run(steps.rights(self._do, release))

    async def give_right(self, release: str, *, user: str | None = None, group: str | None = None) -> None:
        """Let a user or a group see a release; for coordinators and admins."""
        await self._run(steps.change_right(self._do, "PUT", release, user, group))

    async def take_right(self, release: str, *, user: str | None = None, group: str | None = None) -> None:
        """Take the right to a release from a user or a group; for coordinators and admins."""
        await self._run(steps.change_right(self._do, "DELETE", release, user, group))
