"""Browsers: signing in and out, forms, cookies, sessions."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from pzcenter.errors import AuthenticationError, PermissionDeniedError, UsageError
from pzcenter.server import create_app
from pzcenter.server.http.forms import local_path
from pzcenter.server.services.accounts import change_password, reset_password, sign_in
from pzcenter.server.services.passwords import HASHER, hash_password
from pzcenter.server.services.principal import NOBODY, Scope
from pzcenter.server.services.sessions import MOST_SESSIONS, renew_session, sweep_sessions
from pzcenter.server.services.tokens import open_session, web_principal
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Token, User, UserState, WebSession
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now

PASSWORD = "a password of words"


@pytest.fixture
def owner(services):
    """A user with a password."""
    with services.database.writing() as session:
        user = session.query(User).filter_by(username="owner").one()
        user.password_hash = hash_password(PASSWORD)
        return user.id


class Browser:
    """A browser, which fills forms in."""

    def __init__(self, server, base="http://testserver"):
        self.client = TestClient(server.app, base_url=base, raise_server_exceptions=False, follow_redirects=False)
        self.get, self.cookies = self.client.get, self.client.cookies

    def secret(self, path):
        return re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)[1]

    def post(self, path, *, page=None, **fields):
        return self.client.post(path, data={"csrf": self.secret(page or path)} | fields)

    def sign_in(self, name="owner", password=PASSWORD, **more):
        return self.post("/sign-in", username=name, password=password, **more)

    @property
    def name(self):
        return self.get("/api/v2/me").json().get("username")


@pytest.fixture
def browser(server, owner):
    return Browser(server)


def test_in_and_out(browser, services):
    answer = browser.sign_in(name=" Owner ", next="/products?q=1")
    assert answer.status_code == 303 and answer.headers["location"] == "/products?q=1"
    assert browser.name == "owner"
    answer = browser.post("/sign-out")
    assert answer.status_code == 303 and browser.name is None
    with services.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(WebSession)) == 0
        assert "user.sign_in" in session.scalars(select(AuditEvent.action)).all()


def test_the_session_is_out_of_reach(browser):
    answer = browser.sign_in()
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("pz_session="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Max-Age=43200" in cookie
    assert "Secure" not in cookie and answer.headers["cache-control"] == "no-store"


def test_cookies_travel_by_https_only_where_there_is_https(tmp_path):
    app = create_app(
        ServerSettings(data_dir=tmp_path / "s", base_url="https://testserver", allowed_hosts=["testserver"])
    )
    with app.state.services.database.writing() as session:
        session.add(User(username="ada", state=UserState.ACTIVE, password_hash=hash_password(PASSWORD)))
    client = TestClient(app, base_url="https://testserver", follow_redirects=False)
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/sign-in").text)[1]
    answer = client.post("/sign-in", data={"username": "ada", "password": PASSWORD, "csrf": csrf})
    assert answer.status_code == 303
    given = [*answer.headers.get_list("set-cookie"), *client.get("/sign-in").headers.get_list("set-cookie")]
    assert len(given) >= 2 and all("Secure" in each and "HttpOnly" in each for each in given)
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    app.state.services.close()


@pytest.mark.parametrize(("name", "password"), [("owner", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", "")])
def test_wrong_ones_get_one_answer(browser, services, name, password):
    answer = browser.sign_in(name, password)
    assert answer.status_code == 401 and "wrong name or password" in answer.text
    assert "pz_session" not in browser.cookies
    with services.database.reading() as session:
        event = session.scalars(select(AuditEvent)).one()
        assert event.action == "user.sign_in_failed"
        assert event.detail.get("name") == (name if name in {"owner", "admin"} else None)


def test_unknown_names_cost_a_comparison(services, owner, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "pzcenter.server.services.accounts.same_password", lambda kept, _password: compared.append(kept) and False
    )
    for name in ("owner", "nobody", "colleague"):
        with pytest.raises(AuthenticationError):
            sign_in(services, NOBODY, name, "x", address="192.0.2.1")
    assert compared[0].startswith("$argon2id$") and compared[1:] == [None, None]


def test_forms_need_their_secret(browser, server):
    fields = {"username": "owner", "password": PASSWORD}
    assert browser.client.post("/sign-in", data=fields).status_code == 403
    secret = browser.secret("/sign-in")
    assert browser.client.post("/sign-in", data=fields | {"csrf": secret[:-1]}).status_code == 403
    other = Browser(server)
    other.secret("/sign-in")
    assert other.client.post("/sign-in", data=fields | {"csrf": secret}).status_code == 403
    sent = fields | {"csrf": secret}
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        assert browser.client.post("/sign-in", data=sent, headers={"Origin": origin}).status_code == 403
    assert browser.client.post("/sign-in", data=sent, headers={"Origin": "http://testserver"}).status_code == 303


def test_forms_of_those_signed_in_need_the_secret_of_the_session(browser, server):
    browser.sign_in()
    assert browser.client.post("/sign-out").status_code == 403
    assert browser.client.post("/sign-out", data={"csrf": "guess"}).status_code == 403
    other = Browser(server)
    other.sign_in()
    assert browser.client.post("/sign-out", data={"csrf": other.secret("/sign-out")}).status_code == 403
    assert browser.name == "owner"
    assert Browser(server).client.post("/sign-out").status_code == 401


def test_changes_by_program_from_a_browser_need_the_header(browser):
    browser.sign_in()
    secret = browser.secret("/sign-out")
    path, body = "/api/v2/groups", {"name": "mine"}
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "é".encode()}, {"X-CSRF-Token": secret[1:]}):
        answer = browser.client.post(path, json=body, headers=headers)
        assert answer.status_code == 403 and answer.json()["code"] == "permission", headers
    assert browser.client.post(path, json=body, headers={"X-CSRF-Token": secret}).status_code == 201


def test_a_session_is_not_fixed_before_signing_in(browser, services):
    browser.cookies.set("pz_session", "chosen-by-somebody-else", domain="testserver.local")
    browser.sign_in()
    assert browser.cookies["pz_session"] != "chosen-by-somebody-else"


def test_each_sign_in_gives_a_new_session_and_ends_the_old_one(browser, server):
    browser.sign_in()
    first = browser.cookies["pz_session"]
    browser.sign_in()
    assert browser.cookies["pz_session"] != first
    late = TestClient(server.app, cookies={"pz_session": first})
    assert late.get("/api/v2/me").status_code == 401


def test_sessions_end(services, owner):
    with services.database.writing() as session:
        user = session.get_one(User, owner)
        row, secret = renew_session(session, user, hours=1)
        row.expires_at = now() - timedelta(seconds=1)
    with services.database.reading() as session, pytest.raises(AuthenticationError):
        web_principal(session, secret)
    with services.database.writing() as session:
        assert sweep_sessions(session) == 1 and sweep_sessions(session) == 0


def test_sessions_of_one_user_are_few(services, owner):
    with services.database.writing() as session:
        user = session.get_one(User, owner)
        secrets = [renew_session(session, user, hours=1)[1] for _ in range(MOST_SESSIONS + 5)]
        assert session.scalar(select(func.count()).select_from(WebSession)) == MOST_SESSIONS
        with pytest.raises(AuthenticationError):
            web_principal(session, secrets[4])
        web_principal(session, secrets[5])


def test_secrets_are_kept_as_hashes(services, browser):
    browser.sign_in()
    with services.database.reading() as session:
        kept = session.scalars(select(WebSession)).one()
        assert browser.cookies["pz_session"].encode() not in kept.hash and len(kept.hash) == 32
        assert PASSWORD not in session.scalars(select(User.password_hash).where(User.username == "owner")).one()


def test_signing_out_everywhere(browser, server, services):
    other = Browser(server)
    browser.sign_in()
    other.sign_in()
    program = server.client("owner")
    assert browser.post("/sign-out", everywhere="1").status_code == 303
    assert other.name is None
    assert program.post("/api/v2/me/sign-out-everywhere", json={"tokens": True}).json() == {"sessions": 0}
    assert program.get("/api/v2/me").status_code == 401


def test_somebody_disabled_is_out_at_once(browser, server):
    browser.sign_in()
    program, admin = server.client("owner"), server.client("admin")
    assert admin.patch("/api/v2/users/owner", json={"state": "disabled"}).status_code == 200
    assert browser.name is None and program.get("/api/v2/me").status_code == 401
    assert program.get("/api/products/").status_code == 401
    assert "wrong name or password" in browser.sign_in().text
    assert admin.patch("/api/v2/users/owner", json={"state": "active"}).status_code == 200
    # The browser has to sign in again.
    assert browser.name is None and program.get("/api/v2/me").status_code == 200


def test_somebody_who_waits_is_told_so_with_the_right_password_only(browser, services, owner):
    with services.database.writing() as session:
        session.get_one(User, owner).state = UserState.PENDING
    assert "waits for approval" in browser.sign_in().text
    answer = browser.sign_in(password="wrong")
    assert answer.status_code == 401 and "waits" not in answer.text


def test_another_password(browser, server, services, owner):
    other = Browser(server)
    browser.sign_in()
    other.sign_in()
    headers = {"X-CSRF-Token": browser.secret("/sign-out")}
    put = lambda **body: browser.client.put("/api/v2/me/password", json=body, headers=headers)  # noqa: E731
    assert put(old="wrong", new="another one of words").status_code == 403
    assert put(old=PASSWORD, new="short").status_code == 400
    assert put(old=PASSWORD, new="another one of words").status_code == 204
    assert browser.name == "owner" and other.name is None
    assert other.sign_in().status_code == 401 and other.sign_in(password="another one of words").status_code == 303


def test_a_token_for_less_than_all_takes_no_password(services, principal, owner):
    for scopes in ({Scope.READ}, {Scope.READ, Scope.ADMIN}):
        with pytest.raises(PermissionDeniedError):
            change_password(services, principal("owner", scopes), PASSWORD, "another one of words")
    with pytest.raises(PermissionDeniedError):
        change_password(services, principal("admin", {Scope.READ, Scope.WRITE}), "", "another one of words")
    with pytest.raises(UsageError):
        change_password(services, principal("owner"), PASSWORD, "owner")
    change_password(services, principal("colleague", {Scope.READ, Scope.WRITE}), "", "another one of words")


def test_an_admin_resets_a_password(services, principal, browser, server):
    browser.sign_in()
    program = server.client("owner")
    with pytest.raises(PermissionDeniedError):
        reset_password(services, principal("coordinator"), "owner")
    fresh = server.client("admin").post("/api/v2/users/owner/password").json()["password"]
    assert browser.name is None and program.get("/api/v2/me").status_code == 401
    assert browser.sign_in().status_code == 401 and browser.sign_in(password=fresh).status_code == 303
    with services.database.reading() as session:
        assert not session.scalars(select(Token.id).where(Token.user_id == 1, Token.revoked_at.is_(None))).all()
        assert fresh not in str([each.detail for each in session.scalars(select(AuditEvent))])


def test_an_old_hash_is_made_anew(services, owner, browser):
    from argon2 import PasswordHasher

    with services.database.writing() as session:
        old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        session.get_one(User, owner).password_hash = old
    assert browser.sign_in().status_code == 303
    with services.database.reading() as session:
        assert not HASHER.check_needs_rehash(session.get_one(User, owner).password_hash)


def test_a_server_without_passwords(tmp_path):
    settings = ServerSettings(
        data_dir=tmp_path / "s", base_url="http://testserver", allowed_hosts=["testserver"], local_accounts=False
    )
    app = create_app(settings)
    client = TestClient(app)
    page = client.get("/sign-in")
    assert 'type="password"' not in page.text
    csrf = client.cookies["pz_form"]
    answer = client.post("/sign-in", data={"username": "a", "password": "b", "csrf": csrf})
    assert answer.status_code == 403 and "keeps no passwords" in answer.text
    app.state.services.close()


@pytest.mark.parametrize(
    "path",
    ["//evil", "///evil", "/\\evil", "\\\\evil", "http://evil", "/a\nb", "/\t/evil", "/a b", "", "x", "/" + "x" * 2000,
     "/\x85/e", "javascript:alert(1)", "/%0d%0aSet-Cookie:x\r\n"],
)  # fmt: skip
def test_other_places_than_paths_of_this_server(path):
    assert local_path(path) == "/"


def test_paths_of_this_server():
    for path in ("/", "/products?q=a&next=//x", "/a/b#c", "/%2F%2Fevil"):
        assert local_path(path) == path
        assert not urlsplit(path).netloc


def test_bodies_of_forms_are_bounded(browser):
    big = {"username": "x" * 5_000_000, "csrf": "x"}
    assert browser.client.post("/sign-in", data=big).status_code == 413
    files = {"file": ("a", b"x" * 5_000_000)}
    assert browser.client.post("/sign-in", files=files).status_code == 413
    assert browser.post("/sign-in", username="x" * 3000).status_code == 422


def test_what_is_typed_is_shown_as_text(browser):
    answer = browser.sign_in(name='"><script>alert(1)</script>', password="x")
    assert "<script>alert" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_an_old_way_to_open_sessions_still_works(services, owner, server):
    with services.database.writing() as session:
        _, secret = open_session(session, session.get_one(User, owner), hours=1)
    assert TestClient(server.app, cookies={"pz_session": secret}).get("/api/v2/me").status_code == 200
