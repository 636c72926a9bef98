"""A small server with people of every kind."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'server'")

from fastapi.testclient import TestClient

from pzcenter.server import create_app
from pzcenter.server.http.requests import COOKIE
from pzcenter.server.services.context import open_services
from pzcenter.server.services.principal import ALL_SCOPES, Scope, principal_of
from pzcenter.server.services.product_files import add_file, keep_blob
from pzcenter.server.services.products import NewProduct, create_product, publish_product
from pzcenter.server.services.tokens import make_token, open_session
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Group, Membership, Role, User, UserState
from pzcenter.server.storage.base import now
from pzcenter.server.storage.make_tables import make_tables
from pzcenter.server.storage.products import FilePart, FileRole, Product, ProductColumn, ProductFile
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


CSV = b"name,ra,dec,z\na,1,2,0.5\nb,3,4,0.6\n"
MEANINGS = {
    "name": (None, None), "ra": ("RA", "pos.eq.ra;meta.main"), "dec": ("Dec", "pos.eq.dec;meta.main"),
    "z": ("z", "src.redshift"),
}  # fmt: skip


@pytest.fixture
def made(services):
    """Make a product with a table, or with other bytes, or without a file; its number."""

    def make(who, kind="redshift_catalog", *, name="My Cat v1.0 (test)", text=CSV, publish=True, **more):
        with services.database.writing() as session:
            product = create_product(services, session, who, NewProduct(name, kind, **more))
            if text is not None:
                content = services.store.put([text])
                file = add_file(services, session, who, product.id, content, name="a.csv", role=FileRole.MAIN)
                file.n_rows, file.csv_dialect = 2, {"delimiter": ",", "has_header": True}
                product.n_rows = 2
                product.columns = [
                    ProductColumn(name=column, order=order, alias=alias, ucd=ucd)
                    for order, (column, (alias, ucd)) in enumerate(MEANINGS.items())
                ]
            return (publish_product(session, who, product.id) if publish else product).id

    return make


@pytest.fixture
def made_directory(services, made):
    """Make a product whose main file is a directory; its number."""

    def make(who, parts, name="hats"):
        number = made(who, "object_catalog", text=None, publish=False)
        contents = {path: services.store.put([text]) for path, text in parts.items()}
        with services.database.writing() as session:
            for content in contents.values():
                keep_blob(session, content)
            rows = [FilePart(path=path, sha256=each.sha256, size=each.size) for path, each in contents.items()]
            product = session.get_one(Product, number)
            size = sum(row.size for row in rows)
            product.files = [ProductFile(name=name, role=0, is_directory=True, parts=rows, size=size)]
            product.columns = [ProductColumn(name=each, order=i, alias=each) for i, each in enumerate(("RA", "Dec"))]
            publish_product(session, who, number)
        return number

    return make


class Elements(HTMLParser):
    """Start tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def check_harmless(text):
    """No script but ours, nothing that runs, nothing from elsewhere, all forms with their secret."""
    in_post = False
    for tag, attributes in Elements(text).found:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "style" not in attributes
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        if tag == "script":
            assert attributes["src"].startswith("/static/")
        if tag == "img":
            assert attributes["src"].startswith("/static/")
        if tag == "a":
            assert not attributes.get("href", "").lower().startswith(("javascript:", "data:"))
        if tag == "form" and attributes.get("method") == "post":
            in_post = attributes["action"] != "/theme"
        if tag == "input" and attributes.get("name") == "csrf":
            assert attributes["value"]
            in_post = False
        if tag == "button":
            assert not in_post, "a form without its secret"


@pytest.fixture
def harmless():
    """Check that a page holds nothing that runs but what is ours."""
    return check_harmless


@pytest.fixture
def browser(server):
    """A browser in which somebody is signed in; its ``csrf`` is the secret of the forms."""

    def open_for(name):
        client = TestClient(server.app, raise_server_exceptions=False, follow_redirects=False)
        with server.services.database.writing() as session:
            user = session.query(User).filter_by(username=name).one()
            row, secret = open_session(session, user, hours=1)
            client.csrf = row.csrf
        client.cookies.set(COOKIE, secret)
        client.services = server.services
        return client

    return open_for


@pytest.fixture
def uid(services):
    """Public name of a product, by its number."""

    def of(number):
        with services.database.reading() as session:
            return session.get(Product, number).uid

    return of
