"""Who may do what with a product: the two forms of the rules agree, and say what they should."""

from datetime import timedelta
from itertools import product as combinations

import pytest
from sqlalchemy import select

from pzcenter.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from pzcenter.server.services.access import Action, may, need, product_for, today, visible
from pzcenter.server.services.principal import NOBODY, Scope
from pzcenter.server.storage.accounts import Group, User
from pzcenter.server.storage.products import Product, ProductGroup, ProductState, ProductUser, Visibility
from pzcenter.server.storage.releases import Release

PEOPLE = ("owner", "colleague", "teammate", "outsider", "outside_teammate", "coordinator", "admin")
EMBARGOES = {"none": None, "over": today(), "running": today() + timedelta(days=1)}


@pytest.fixture
def every_product(services):
    """One product of each state, visibility, release, embargo and way of sharing."""
    with services.database.writing() as session:
        owner = session.scalar(select(User).where(User.username == "owner"))
        colleague = session.scalar(select(User).where(User.username == "colleague"))
        team = session.scalar(select(Group))
        release = session.scalar(select(Release).where(Release.name == "dp1"))
        kinds = combinations(ProductState, Visibility, (None, release), EMBARGOES, ("", "group", "user"), (False, True))
        for state, visibility, of, embargo, shared, official in kinds:
            row = Product(
                product_type_id=2, owner_id=owner.id, release=of, display_name=f"{embargo} {shared}", state=state,
                visibility=visibility, embargo_until=EMBARGOES[embargo], official=official,
            )  # fmt: skip
            if shared == "group":
                row.shared_groups = [ProductGroup(group_id=team.id)]
            elif shared == "user":
                row.shared_users = [ProductUser(user_id=colleague.id)]
            session.add(row)


def test_the_two_forms_agree(services, principal, every_product):
    with services.database.reading() as session:
        rows = list(session.scalars(select(Product)))
        assert len(rows) == 5 * 3 * 2 * 3 * 3 * 2
        for name in PEOPLE:
            for scopes in ({Scope.READ}, {Scope.WRITE}, set(Scope)):
                somebody = principal(name, scopes)
                selected = set(session.scalars(select(Product.id).where(visible(somebody))))
                assert selected == {row.id for row in rows if may(somebody, Action.SEE, row)}, (name, scopes)
        assert session.scalars(select(Product.id).where(visible(NOBODY))).all() == []


def test_what_the_rules_say(services, principal, every_product):
    with services.database.reading() as session:
        rows = list(session.scalars(select(Product)))
        seen = {name: {row.id for row in rows if may(principal(name), Action.SEE, row)} for name in PEOPLE}
        for row in rows:
            published = row.state is ProductState.PUBLISHED
            embargoed = row.embargo_until is not None and row.embargo_until > today()
            to_team, to_user = bool(row.shared_groups), bool(row.shared_users)
            open_to_all = published and row.visibility is Visibility.RELEASE and not embargoed
            alive = row.state is not ProductState.DELETED
            shareable = published and row.visibility is not Visibility.PRIVATE
            assert (row.id in seen["owner"]) == alive
            assert (row.id in seen["admin"]) == alive
            assert (row.id in seen["coordinator"]) == shareable
            assert (row.id in seen["colleague"]) == (open_to_all or (shareable and to_user))
            assert (row.id in seen["teammate"]) == (open_to_all or (shareable and to_team))
            without_release = row.release_id is None
            assert (row.id in seen["outsider"]) == (without_release and open_to_all)
            assert (row.id in seen["outside_teammate"]) == (
                without_release and (open_to_all or (shareable and to_team))
            )


def test_who_changes_what(services, principal, every_product):
    with services.database.reading() as session:
        for row in session.scalars(select(Product)):
            for name in PEOPLE:
                somebody = principal(name)
                edits = {"admin"} | ({"coordinator"} if row.official else {"owner"})
                for action in (Action.EDIT, Action.SHARE, Action.DELETE):
                    assert may(somebody, action, row) == (name in edits and row.state is not ProductState.DELETED)
                fills = row.state is ProductState.REGISTERING and name in {"owner", "admin"}
                assert may(somebody, Action.FILL, row) == fills
                curators = {"admin"} if row.visibility is Visibility.PRIVATE else {"coordinator", "admin"}
                curates = row.state is ProductState.PUBLISHED and name in curators
                assert may(somebody, Action.CURATE, row) == curates
                assert not any(may(principal(name, {Scope.READ}), each, row) for each in Action if each != Action.SEE)


def test_refusals_tell_no_more_than_they_must(services, principal, every_product):
    with services.database.reading() as session:
        hidden = session.scalar(select(Product).where(Product.visibility == Visibility.PRIVATE))
        shown = session.scalar(
            select(Product).where(
                Product.visibility == Visibility.RELEASE,
                Product.state == ProductState.PUBLISHED,
                Product.embargo_until.is_(None),
                Product.official.is_(False),
            )
        )
        with pytest.raises(AuthenticationError):
            need(NOBODY, Action.SEE, shown)
        with pytest.raises(NotFoundError):
            need(principal("outsider"), Action.DELETE, hidden)
        with pytest.raises(PermissionDeniedError, match="may not delete"):
            need(principal("colleague"), Action.DELETE, shown)
        with pytest.raises(NotFoundError, match="no product 999999"):
            product_for(session, principal("admin"), 999999)
        assert product_for(session, principal("colleague"), shown.uid).id == shown.id
