"""A small server with people of every kind."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from fastapi.testclient import TestClient

from pzcenter.server import create_app
from pzcenter.server.services.context import open_services
from pzcenter.server.services.principal import ALL_SCOPES, Scope, principal_of
from pzcenter.server.services.tokens import make_token
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Group, Membership, Role, User, UserState
from pzcenter.server.storage.base import now
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.releases import Release, ReleaseRight

PEOPLE = {
    # name: role, releases with rights, groups
    "owner": (Role.USER, ("dp1",), ("team",)),
    "colleague": (Role.USER, ("dp1",), ()),
    "teammate": (Role.USER, ("dp1",), ("team",)),
    "outsider": (Role.USER, (), ()),
    "outside_teammate": (Role.USER, (), ("team",)),
    "coordinator": (Role.COORDINATOR, ("dp1", "dp2"), ()),
    "admin": (Role.ADMIN, (), ()),
}


@pytest.fixture
def settings(tmp_path):
    return ServerSettings(data_dir=tmp_path / "server", base_url="http://testserver", allowed_hosts=["testserver"])


@pytest.fixture
def services(settings):
    opened = open_services(settings)
    make_tables(opened.database)
    with opened.database.writing() as session:
        add_people(session)
    yield opened
    opened.close()


def add_people(session):
    releases = {name: Release(name=name, display_name=name.upper()) for name in ("dp1", "dp2")}
    team = Group(name="team", display_name="The team")
    session.add_all([*releases.values(), team])
    session.flush()
    for name, (role, rights, groups) in PEOPLE.items():
        user = User(username=name, role=role, state=UserState.ACTIVE, created_at=now() - timedelta(days=1))
        session.add(user)
        session.flush()
        session.add_all(ReleaseRight(release_id=releases[each].id, user_id=user.id) for each in rights)
        session.add_all(Membership(user_id=user.id, group_id=team.id) for _ in groups)


@pytest.fixture
def principal(services):
    """Of a person, by name; with fewer scopes when asked."""

    @cache
    def made(name, scopes):
        with services.database.reading() as session:
            user = session.query(User).filter_by(username=name).one()
            return principal_of(session, user, scopes=scopes)

    return lambda name, scopes=ALL_SCOPES: made(name, frozenset(scopes))


@dataclass
class Server:
    """A server, and clients of its people."""

    app: object
    services: object

    def client(self, name=None, scopes=None, **more):
        """Client of somebody with a token; of nobody without a name."""
        headers = {}
        if name is not None:
            with self.services.database.writing() as session:
                user = session.query(User).filter_by(username=name).one()
                asker = principal_of(session, user)
                wanted = scopes or [each for each in Scope if each is not Scope.ADMIN or user.role is not Role.USER]
                headers["Authorization"] = f"Token {make_token(session, asker, 'test', scopes=wanted)[1]}"
        return TestClient(self.app, headers=headers, raise_server_exceptions=False, **more)


@pytest.fixture
def server(settings, services):
    app = create_app(settings)
    yield Server(app, services)
    app.state.services.close()
