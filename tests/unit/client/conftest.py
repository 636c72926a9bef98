"""Two worlds with the same people: a true server in a thread, and the mock. What holds in one holds in the other."""

import threading
import time
from dataclasses import dataclass, field

import pytest

pytest.importorskip("httpx2", reason="needs the extra 'client'")

from pzcenter.client import AsyncPZClient, PZClient, Retries
from pzcenter.client.mock import MockServer

PEOPLE = {
    # name: role, releases with rights, groups
    "ada": ("user", ("dp1",), ("team",)),
    "ben": ("user", ("dp1",), ()),
    "tea": ("user", ("dp1",), ("team",)),
    "out": ("user", (), ()),
    "coord": ("coordinator", ("dp1", "dp2"), ()),
}
QUICK = Retries(first_s=0.0, most_s=0.0)


@dataclass
class TrueWorld:
    """A true server."""

    url: str
    services: object
    state_directory: object
    opened: list = field(default_factory=list)

    def token(self, name, scopes):
        from pzcenter.server.services.principal import Scope, principal_of
        from pzcenter.server.services.tokens import make_token
        from pzcenter.server.storage.accounts import User

        with self.services.database.writing() as session:
            user = session.query(User).filter_by(username=name).one()
            wanted = [Scope(each) for each in scopes]
            return make_token(session, principal_of(session, user), "test", scopes=wanted)[1]

    def _words(self, words):
        return {"retries": QUICK, "state_directory": self.state_directory} | words

    def client(self, name=None, *, scopes=("read", "write", "admin"), **words):
        token = None if name is None else self.token(name, scopes)
        self.opened.append(PZClient(self.url, token, **self._words(words)))
        return self.opened[-1]

    def async_client(self, name=None, *, scopes=("read", "write", "admin"), **words):
        return AsyncPZClient(self.url, self.token(name, scopes), **self._words(words))


@dataclass
class MockWorld:
    """The mock."""

    mock: MockServer
    state_directory: object
    opened: list = field(default_factory=list)

    def client(self, name=None, **words):
        self.opened.append(self.mock.client(name, state_directory=self.state_directory, **words))
        return self.opened[-1]

    def async_client(self, name=None, **words):
        return self.mock.async_client(name, state_directory=self.state_directory, **words)


@pytest.fixture(scope="session")
def true_server(tmp_path_factory):
    pytest.importorskip("fastapi", reason="needs the extra 'server'")
    import uvicorn

    from pzcenter.server import create_app
    from pzcenter.server.settings import ServerSettings
    from pzcenter.server.storage.accounts import Group, Membership, Role, User, UserState
    from pzcenter.server.storage.releases import Release, ReleaseRight

    app = create_app(ServerSettings(data_dir=tmp_path_factory.mktemp("server"), requests_per_minute=1_000_000))
    services = app.state.services
    with services.database.writing() as session:
        releases = {name: Release(name=name, display_name=name.upper()) for name in ("dp1", "dp2")}
        team = Group(name="team")
        session.add_all([*releases.values(), team])
        for name, (role, rights, groups) in PEOPLE.items():
            user = User(username=name, role=Role(role), state=UserState.ACTIVE)
            session.add(user)
            session.flush()
            session.add_all(ReleaseRight(release_id=releases[each].id, user_id=user.id) for each in rights)
            session.add_all(Membership(user_id=user.id, group_id=team.id) for _ in groups)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not (server.started and server.servers):
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", services
    server.should_exit = True
    thread.join()


@pytest.fixture
def mock():
    """The mock with its people."""
    made = MockServer()
    for name, (role, releases, groups) in PEOPLE.items():
        made.user(name, role=role, releases=releases, groups=groups)
    return made


@pytest.fixture(params=["true", "mock"])
def world(request, tmp_path):
    if request.param == "mock":
        made = MockWorld(request.getfixturevalue("mock"), tmp_path / "state")
    else:
        made = TrueWorld(*request.getfixturevalue("true_server"), tmp_path / "state")
    yield made
    for client in made.opened:
        client.close()
