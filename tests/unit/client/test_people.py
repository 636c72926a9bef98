"""Accounts and rights: against a true server and against the mock."""

import asyncio

import pytest

from pzcenter.errors import ConfigError, ConflictError, NotFoundError, PermissionDeniedError, UsageError


@pytest.fixture
def waiting(world, request):
    """Names of two people who wait, and of an admin."""
    names = ("eve", "may", "root")
    if hasattr(world, "mock"):
        for name in names[:2]:
            world.mock.user(name, releases=()).state = "pending"
        world.mock.user("root", role="admin", releases=())
        yield names
        return
    from pzcenter.server.storage.accounts import Role, User, UserState

    with world.services.database.writing() as session:
        for name in names[:2]:
            session.add(User(username=name, state=UserState.PENDING))
        session.add(User(username="root", state=UserState.ACTIVE, role=Role.ADMIN))
    yield names
    with world.services.database.writing() as session:
        for name in names:
            user = session.query(User).filter_by(username=name).one()
            # The server lives on, and other tests ask for these names.
            user.username, user.role, user.state = f"{name}-{user.id}", Role.USER, UserState.DISABLED


def test_who_waits_is_let_in_or_not(world, waiting):
    coord = world.client("coord")
    assert [each.username for each in coord.users(state="pending")] == ["eve", "may"]
    let_in = coord.approve_user("may", releases=["dp1"])
    assert let_in.account.state == "active"
    assert ("user", "may") in [(each.kind, each.name) for each in coord.rights("dp1")]
    assert coord.refuse_user("eve", reason="no data rights").account.state == "disabled"
    with pytest.raises(ConflictError, match="does not wait"):
        coord.approve_user("may")
    with pytest.raises(NotFoundError):
        coord.approve_user("nobody")
    assert [each.username for each in coord.users("ma", limit=1)] == ["may"]


def test_rights_are_given_and_taken(world, waiting):
    coord = world.client("coord")

    def having(release):
        return {(each.kind, each.name) for each in coord.rights(release)}

    coord.give_right("dp2", user="ben")
    coord.give_right("dp2", group="team")
    assert {("user", "ben"), ("group", "team")} <= having("dp2")
    coord.take_right("dp2", user="ben")
    coord.take_right("dp2", group="team")
    assert not {("user", "ben"), ("group", "team")} & having("dp2")
    with pytest.raises(NotFoundError):
        coord.take_right("dp2", user="ben")
    for whose in ({}, {"user": "ben", "group": "team"}):
        with pytest.raises(ConfigError):
            coord.give_right("dp2", **whose)


def test_accounts_are_changed_by_admins(world, waiting):
    root = world.client("root")
    assert root.edit_user("ben", quota_bytes=5 * 10**11).account.quota_bytes == 5 * 10**11
    assert root.edit_user("ben", quota_bytes=None).account.quota_bytes is None
    assert root.edit_user("tea", role="coordinator").account.role == "coordinator"
    assert root.edit_user("tea", role="user").account.role == "user"
    with pytest.raises(UsageError):
        root.edit_user("ben")
    with pytest.raises(PermissionDeniedError, match="for admins"):
        world.client("coord").edit_user("ben", role="admin")


def test_others_see_names_alone(world, waiting):
    ada = world.client("ada")
    assert all(each.account is None for each in ada.users())
    assert "eve" not in [each.username for each in ada.users()]
    for call in (lambda: ada.rights("dp1"), lambda: ada.approve_user("eve"), lambda: ada.give_right("dp2", user="ada")):
        with pytest.raises(PermissionDeniedError):
            call()


def test_the_same_with_await(world, waiting):
    async def steps():
        async with world.async_client("coord") as coord:
            await coord.approve_user("eve", releases=["dp2"])
            await coord.refuse_user("may")
            await coord.give_right("dp1", user="eve")
            await coord.take_right("dp1", user="eve")
            assert "eve" in [each.name for each in await coord.rights("dp2")]
            assert "eve" in [each.username for each in await coord.users()]

    asyncio.run(steps())
