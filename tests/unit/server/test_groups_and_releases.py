"""Groups and releases: who makes and changes them, and what they give."""

import pytest
from sqlalchemy import select

from pzcenter.errors import ConflictError, NotFoundError, PermissionDeniedError, QuotaError, UsageError
from pzcenter.server.services import groups
from pzcenter.server.services.groups import (
    add_member,
    create_group,
    delete_group,
    edit_group,
    group_for,
    list_groups,
    remove_member,
    synchronise_groups,
)
from pzcenter.server.services.principal import NOBODY, Scope, principal_of
from pzcenter.server.services.releases import (
    create_release,
    edit_release,
    give_right,
    list_releases,
    release_for,
    rights_of,
    take_right,
)
from pzcenter.server.storage.accounts import Group, Membership, User, UserState
from pzcenter.server.storage.releases import Release, ReleaseRight, ReleaseState


def now_of(session, name):
    """A person with the rights of this moment."""
    return principal_of(session, session.scalars(select(User).where(User.username == name)).one())


@pytest.fixture
def session(services):
    with services.database.writing() as opened:
        yield opened


def test_who_makes_a_group_manages_it(session, principal):
    create_group(session, principal("outsider"), "friends", display_name="Friends")
    outsider = now_of(session, "outsider")
    assert [each.name for each in list_groups(session, outsider)] == ["friends", "team"][:1]
    add_member(session, outsider, "friends", "colleague")
    colleague = now_of(session, "colleague")
    assert group_for(session, colleague, "friends").display_name == "Friends"
    for change in (
        lambda: add_member(session, colleague, "friends", "owner"),
        lambda: edit_group(session, colleague, "friends", description="x"),
        lambda: remove_member(session, colleague, "friends", "outsider"),
        lambda: delete_group(session, colleague, "friends"),
    ):
        with pytest.raises(PermissionDeniedError):
            change()
    with pytest.raises(NotFoundError):
        group_for(session, principal("owner"), "friends")
    add_member(session, outsider, "friends", "colleague", manager=True)
    edit_group(session, colleague, "friends", description="x")
    remove_member(session, colleague, "friends", "outsider")
    assert now_of(session, "outsider").group_ids == set()


def test_a_group_keeps_a_manager(session, principal):
    create_group(session, principal("owner"), "friends")
    owner = now_of(session, "owner")
    with pytest.raises(ConflictError, match="without a manager"):
        remove_member(session, owner, "friends", "owner")
    with pytest.raises(ConflictError, match="without a manager"):
        add_member(session, owner, "friends", "owner", manager=False)
    delete_group(session, owner, "friends")
    assert session.scalars(select(Group.name)).all() == ["team"]
    assert session.scalars(select(Membership.group_id).distinct()).all() == [1]


def test_everybody_may_leave_and_admins_help(session, principal):
    remove_member(session, principal("teammate"), "team", "teammate")
    with pytest.raises(NotFoundError):
        remove_member(session, now_of(session, "teammate"), "team", "teammate")
    add_member(session, principal("admin"), "team", "owner", manager=True)
    with pytest.raises(NotFoundError):
        add_member(session, principal("admin"), "team", "nobody")
    with pytest.raises(PermissionDeniedError):
        remove_member(session, principal("owner", {Scope.READ}), "team", "owner")


@pytest.mark.parametrize("name", ["", "a", "A b", "rubin:team", "-x", "x" * 64, "a/b"])
def test_bad_names_of_groups(session, principal, name):
    with pytest.raises(UsageError):
        create_group(session, principal("owner"), name)


def test_groups_are_few(session, principal, monkeypatch):
    with pytest.raises(ConflictError):
        create_group(session, principal("owner"), "team")
    monkeypatch.setattr(groups, "MOST_GROUPS", 1)
    create_group(session, principal("owner"), "first")
    with pytest.raises(QuotaError):
        create_group(session, principal("owner"), "second")
    monkeypatch.setattr(groups, "MOST_MEMBERS", 1)
    with pytest.raises(QuotaError):
        add_member(session, now_of(session, "owner"), "first", "colleague")


def test_groups_of_a_provider_are_not_edited(session, principal):
    user = now_of(session, "owner").user_id
    assert synchronise_groups(session, user, "rubin", ["/g/pz", "bad\0", "ok"]) == 1
    assert [each.name for each in list_groups(session, now_of(session, "owner"))] == ["rubin:g:pz", "rubin:ok", "team"]
    for who in ("owner", "admin"):
        asker = now_of(session, who)
        for change in (
            lambda asker=asker: add_member(session, asker, "rubin:ok", "colleague"),
            lambda asker=asker: remove_member(session, asker, "rubin:ok", "owner"),
            lambda asker=asker: edit_group(session, asker, "rubin:ok", display_name="x"),
            lambda asker=asker: delete_group(session, asker, "rubin:ok"),
        ):
            with pytest.raises((ConflictError, PermissionDeniedError)):
                change()
    with pytest.raises(ConflictError, match="identity provider"):
        delete_group(session, principal("admin"), "rubin:ok")
    assert synchronise_groups(session, user, "rubin", ["ok"] * 3) == 0
    assert synchronise_groups(session, user, "other", []) == 0
    assert [each.name for each in list_groups(session, now_of(session, "owner"))] == ["rubin:ok", "team"]
    assert synchronise_groups(session, user, "rubin", [f"g{n}" for n in range(250)]) == 50


def test_a_disabled_user_is_not_found(session, principal):
    session.scalars(select(User).where(User.username == "colleague")).one().state = UserState.DISABLED
    create_group(session, principal("owner"), "friends")
    with pytest.raises(NotFoundError):
        add_member(session, now_of(session, "owner"), "friends", "colleague")


def test_releases_are_made_by_admins(session, principal):
    for who in ("owner", "coordinator"):
        with pytest.raises(PermissionDeniedError):
            create_release(session, principal(who), "dp3")
        with pytest.raises(PermissionDeniedError):
            edit_release(session, principal(who), "dp1", is_public=True)
    release = create_release(session, principal("admin"), "dp3", description="New", state="draft")
    assert release.display_name == "dp3" and release.state is ReleaseState.DRAFT
    with pytest.raises(ConflictError):
        create_release(session, principal("admin"), "dp3")
    with pytest.raises(NotFoundError):
        edit_release(session, principal("admin"), "dp9", is_public=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [("DP 3", {}), ("", {}), ("dp3", {"display_name": " "}), ("dp3", {"issuer": "x"}), ("dp3", {"state": "shut"}),
     ("dp3", {"description": "x" * 20_001})],
)  # fmt: skip
def test_bad_releases(session, principal, name, words):
    with pytest.raises(ValueError):
        create_release(session, principal("admin"), name, **words)


def test_who_sees_releases(session, principal):
    assert [each.name for each in list_releases(session, principal("owner"))] == ["dp1"]
    assert list_releases(session, principal("outsider")) == []
    assert [each.name for each in list_releases(session, principal("admin"))] == ["dp1", "dp2"]
    with pytest.raises(NotFoundError):
        release_for(session, principal("owner"), "dp2")
    edit_release(session, principal("admin"), "dp2", is_public=True)
    assert [each.name for each in list_releases(session, now_of(session, "outsider"))] == ["dp2"]
    edit_release(session, principal("admin"), "dp2", state="draft")
    assert list_releases(session, now_of(session, "outsider")) == []
    with pytest.raises(ValueError):
        list_releases(session, NOBODY)


def test_rights_of_users_and_groups(session, principal):
    with pytest.raises(PermissionDeniedError):
        give_right(session, principal("owner"), "dp2", user="owner")
    coordinator = principal("coordinator")
    first = give_right(session, coordinator, "dp2", user="outsider")
    assert give_right(session, coordinator, "dp2", user="outsider") is first
    give_right(session, coordinator, "dp2", group="team")
    assert [each.name for each in list_releases(session, now_of(session, "outsider"))] == ["dp2"]
    assert len(now_of(session, "outside_teammate").release_ids) == 1
    assert ("group", "team", None) in rights_of(session, coordinator, "dp2")
    take_right(session, coordinator, "dp2", user="outsider")
    take_right(session, coordinator, "dp2", group="team")
    assert now_of(session, "outsider").release_ids == now_of(session, "outside_teammate").release_ids == set()
    with pytest.raises(NotFoundError):
        take_right(session, coordinator, "dp2", user="outsider")
    for who in ({}, {"user": "owner", "group": "team"}):
        with pytest.raises(UsageError):
            give_right(session, coordinator, "dp2", **who)
    for who in ({"user": "x"}, {"group": "x"}):
        with pytest.raises(NotFoundError):
            give_right(session, coordinator, "dp2", **who)


def test_what_a_provider_gives_it_alone_takes_back(session, principal):
    release = session.scalars(select(Release).where(Release.name == "dp2")).one()
    user = session.scalars(select(User).where(User.username == "outsider")).one()
    session.add(ReleaseRight(release_id=release.id, user_id=user.id, issuer="https://idp"))
    session.flush()
    with pytest.raises(ConflictError, match="https://idp"):
        take_right(session, principal("coordinator"), "dp2", user="outsider")
    give_right(session, principal("coordinator"), "dp2", user="outsider")
    take_right(session, principal("coordinator"), "dp2", user="outsider")
    assert rights_of(session, principal("admin"), "dp2") == [
        ("user", "coordinator", None), ("user", "outsider", "https://idp")
    ]  # fmt: skip
