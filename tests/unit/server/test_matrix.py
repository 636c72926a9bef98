"""Every route of the server, held against the table of who may call it: roles and states of products."""

import asyncio
import importlib.util
import re
import sys
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import delete, select

from pzcenter.server import create_app
from pzcenter.server.services.access import today
from pzcenter.server.services.help_desk import NewTicket, open_ticket
from pzcenter.server.services.invitations import invite
from pzcenter.server.services.principal import Principal, Scope, principal_of
from pzcenter.server.services.product_files import keep_blob
from pzcenter.server.services.tokens import make_token
from pzcenter.server.services.uploads import NewUpload, create_upload
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Group, Identity, Membership, Role, Token, User, UserState
from pzcenter.server.storage.processes import Pipeline, Process
from pzcenter.server.storage.products import (
    Comment,
    Product,
    ProductColumn,
    ProductFile,
    ProductState,
    Visibility,
)
from pzcenter.server.storage.releases import Release, ReleaseRight
from pzcenter.server.storage.uploads import Upload

spec = importlib.util.spec_from_file_location("routes_table", Path(__file__).parent / "routes_table.py")
table = sys.modules["routes_table"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(table)

PUBLISHED = {"state": ProductState.PUBLISHED}
STATES = {
    "registering": {"state": ProductState.REGISTERING}, "processing": {"state": ProductState.PROCESSING},
    "failed": {"state": ProductState.FAILED}, "deleted": {"state": ProductState.DELETED}, "published": PUBLISHED,
    "official": PUBLISHED | {"official": True},
    "embargoed": PUBLISHED | {"embargo_until": today() + timedelta(days=9)},
    "shared": PUBLISHED | {"visibility": Visibility.SHARED}, "private": PUBLISHED | {"visibility": Visibility.PRIVATE},
}  # fmt: skip
SAFE = {"GET", "HEAD", "OPTIONS"}
COLUMNS = ("ra", "dec", "z")


class World:
    """A server with somebody in every role, a product in every state, and one of everything else."""

    def __init__(self, folder):
        settings = ServerSettings(
            data_dir=folder, base_url="http://testserver", allowed_hosts=["testserver"], requests_per_minute=10**9,
            sign_ins_per_minute=10**9, job_workers=0,
        )  # fmt: skip
        self.app = create_app(settings)
        self.services = self.app.state.services
        self.content = self.services.store.put([b"ra,dec,z\n1,2,0.5\n"])
        self.users, self.headers, self.products = {}, {"anonymous": {}}, {}
        with self.services.database.writing() as session:
            keep_blob(session, self.content)
            session.add(Release(id=1, name="dp1"))
            for name in (*table.EVERYBODY[1:], "bystander"):
                role = Role(name) if name in {"coordinator", "admin"} else Role.USER
                user = User(username=name, role=role, state=UserState.ACTIVE)
                session.add(user)
                session.flush()
                self.users[name] = user.id
                if name in {"colleague", "owner"}:
                    session.add(ReleaseRight(release_id=1, user_id=user.id))
                session.flush()
                scopes = set(Scope) if role is not Role.USER else {Scope.READ, Scope.WRITE}
                asker = principal_of(session, user)
                self.headers[name] = {"Authorization": f"Token {make_token(session, asker, 'x', scopes=scopes)[1]}"}
            owner = session.get_one(User, self.users["owner"])
            token, _ = make_token(session, principal_of(session, owner), "named")
            admin = principal_of(session, session.get_one(User, self.users["admin"]))
            session.add(Pipeline(id=900, name="p", display_name="P", version="1", output_type_id=7))
            session.flush()
            process = Process(owner_id=owner.id, pipeline_id=900, display_name="x")
            identity = Identity(user_id=owner.id, issuer="https://idp", subject="1")
            session.add_all([process, identity])
            session.flush()
            self.things = {
                "token_id": token.uid, "invitation_id": invite(session, admin)[0].id, "identity_id": identity.id,
                "process_id": process.id, "process_uid": process.uid, "username": "bystander", "group": "matrix",
                "release": "dp1", "release_id": 1, "user_id": self.users["bystander"], "one": 1, "pipeline_id": 900,
                "ticket_uid": self._ticket(session, owner), "part_id": 1, "provider": "nobody", "code": "guess",
            }  # fmt: skip
        self.repair()

    def _ticket(self, session, owner):
        """Public name of a request for help of the owner."""
        asker = principal_of(session, owner)
        return open_ticket(self.services, session, asker, NewTicket("my own trouble", "Help.")).uid

    def repair(self):
        """Have again what a request may have taken away."""
        with self.services.database.writing() as session:
            group = session.scalar(select(Group).where(Group.name == "matrix"))
            if group is None:
                group = Group(name="matrix")
                session.add(group)
                session.flush()
            bystander = self.users["bystander"]
            for user, manager in ((self.users["owner"], True), (bystander, False)):
                session.merge(Membership(user_id=user, group_id=group.id, manager=manager))
            session.get_one(User, bystander).state = UserState.ACTIVE
            theirs = (ReleaseRight.user_id == bystander) | (ReleaseRight.group_id == group.id)
            session.execute(delete(ReleaseRight).where(theirs))
            session.add(ReleaseRight(release_id=1, user_id=bystander))
            session.add(ReleaseRight(release_id=1, group_id=group.id))
            session.query(Token).update({"revoked_at": None})
            there = session.scalar(select(Upload.id).where(Upload.uid == self.things.get("upload_uid")))
        if there is None:
            asker = Principal(user_id=self.users["owner"], scopes=frozenset(Scope))
            new = NewUpload(filename="a.csv", length=5)
            self.things["upload_uid"] = create_upload(self.services, asker, new).uid

    def product(self, state):
        """Ids of a product in a state; a new one after it was used up."""
        if state not in self.products:
            with self.services.database.writing() as session:
                row = Product(
                    product_type_id=7, release_id=1, owner_id=self.users["owner"], display_name=f"my own {state}",
                    n_rows=1, size=self.content.size, **STATES[state],
                )  # fmt: skip
                row.columns = [ProductColumn(name=name, order=i) for i, name in enumerate(COLUMNS)]
                row.files = [
                    ProductFile(
                        role=0, name="a.csv", extension=".csv", size=self.content.size, sha256=self.content.sha256,
                        n_rows=1, csv_dialect={"delimiter": ",", "has_header": True},
                    )
                ]  # fmt: skip
                session.add(row)
                session.flush()
                row.internal_name = f"{row.id}_it"
                comment = Comment(product_id=row.id, user_id=self.users["owner"], text="x")
                session.add(comment)
                session.flush()
                self.products[state] = {
                    "product_id": row.id, "number": row.id, "uid": row.uid, "file_id": row.files[0].id,
                    "column_id": row.columns[0].id, "comment_id": comment.id,
                }  # fmt: skip
        return self.products[state]

    def ask(self, client, route, role, things):
        """One request."""
        path = re.sub(
            r"{(\w+)(?::\w+)?}", lambda found: str(things[route.at.get(found[1], found[1])]), route.path
        )  # fmt: skip
        headers = self.headers[role] | route.headers
        answer = client.request(
            route.method, path, json=route.json, data=route.form, params=route.query, headers=headers
        )
        return path, answer


class Client:
    """Asks an application directly; there are thousands of requests, and this takes two thirds of the usual time."""

    def __init__(self, app):
        self.runner = asyncio.Runner()
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        self.inner = httpx2.AsyncClient(transport=transport, base_url="http://testserver")

    def request(self, method, path, **more):
        """One request."""
        return self.runner.run(self.inner.request(method, path, **more))

    def close(self):
        """Give the loop back."""
        self.runner.run(self.inner.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("matrix"))
    made.client = Client(made.app)
    yield made
    made.client.close()
    made.services.close()


def routes_of(routes, prefix=""):
    """Every route and mounted folder of an application: method or None, path."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes_of(inner.routes, prefix + route.include_context.prefix)
        elif getattr(route, "methods", None):
            for method in route.methods:
                yield method, prefix + route.path
        elif getattr(route, "routes", None):
            yield from routes_of(route.routes, prefix + route.path)
        else:
            yield None, prefix + route.path


def test_every_route_is_in_the_table(world):
    there = set(routes_of(world.app.routes))
    # GET of a plain Starlette route answers HEAD as well.
    lines = [(each.method, each.path) for each in table.ROUTES]
    known = set(lines) | {(None, path) for path in table.MOUNTS}
    assert len(lines) == len(set(lines)), "a route stands in the table twice"
    missing = sorted(f"{method} {path}" for method, path in there - known)
    assert not missing, f"not in routes_table.py, which says how to add them: {missing}"
    gone = sorted(f"{method} {path}" for method, path in known - there)
    assert not gone, f"in routes_table.py, and no longer in the server: {gone}"


def name_of(route):
    return f"{route.method} {route.path}"


def check(route, role, path, answer, *, may, state="-", sees=False):
    """Hold one answer against the table."""
    said = f"{route.method} {path} by {role}, product {state}: {answer.status_code} {answer.text[:300]}"
    status = answer.status_code
    assert status < 500 or status == 501, said
    if may:
        assert status not in {401, 403, 404, 429} or status in route.also, said
        assert "/sign-in" not in answer.headers.get("location", ""), said
        return
    assert sees or "my own" not in answer.text, said
    if role == "anonymous":
        led = status == 303 and answer.headers["location"].startswith("/sign-in?next=")
        assert status in {401, 403} or led or (route.who is table.NOBODY and status == 404), said
    else:
        assert status in {403, 404} or (route.who is table.NOBODY and status == 401), said


@pytest.mark.parametrize("route", [each for each in table.ROUTES if not isinstance(each.who, str)], ids=name_of)
def test_routes_beside_products(world, route):
    for role in table.EVERYBODY:
        path, answer = world.ask(world.client, route, role, world.things)
        check(route, role, path, answer, may=role in route.who)
        if route.method not in SAFE and answer.is_success:
            world.repair()


@pytest.mark.parametrize("route", [each for each in table.ROUTES if isinstance(each.who, str)], ids=name_of)
def test_routes_of_products(world, route):
    for state, actions in table.OF_PRODUCTS.items():
        for role in table.EVERYBODY:
            path, answer = world.ask(world.client, route, role, world.things | world.product(state))
            sees = role in actions[table.SEE]
            check(route, role, path, answer, may=role in actions[route.who], state=state, sees=sees)
            if not (route.who == table.SEE and route.method in SAFE) and answer.status_code < 400:
                del world.products[state]


LISTS = ("/api/v2/products", "/api/products/", "/api/product-files/", "/api/product-contents/", "/products")


@pytest.mark.parametrize("path", LISTS)
def test_lists_tell_of_nothing_else(world, path):
    with world.services.database.writing() as session:
        session.query(Product).update({"state": ProductState.DELETED})
    world.products.clear()
    things = {state: world.product(state) for state in STATES}
    key = {"/api/product-files/": "file_id", "/api/product-contents/": "column_id"}.get(path, "product_id")
    for role in table.EVERYBODY[1:]:
        answer = world.client.request("GET", path, headers=world.headers[role])
        seen = {state for state, actions in table.OF_PRODUCTS.items() if role in actions[table.SEE]}
        if path == "/products":
            told = {state for state in STATES if f"my own {state}" in answer.text}
            # The page may leave out what is not finished.
            assert told <= seen, (role, told - seen)
            continue
        body = answer.json()
        numbers = {each["id"] for each in body.get("items", body.get("results"))}
        mine = {state for state in STATES if things[state][key] in numbers}
        assert mine == seen, (role, mine ^ seen)


def test_bad_tokens_open_nothing(world):
    """Also where nobody needs to sign in: who shows a bad token is told so."""
    for headers in ({"Authorization": "Token 0"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Token"}):
        for path in ("/api/v2/products", "/api/products/", "/products", "/"):
            assert world.client.request("GET", path, headers=headers).status_code == 401, (path, headers)
