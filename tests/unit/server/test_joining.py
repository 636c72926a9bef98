"""Ways in: the first admin, invitations, registrations that wait for approval."""

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from pzcenter.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    UsageError,
)
from pzcenter.server import create_app
from pzcenter.server.services import approvals
from pzcenter.server.services.accounts import sign_in
from pzcenter.server.services.approvals import approve, pending_users, refuse, register
from pzcenter.server.services.context import open_services
from pzcenter.server.services.first_admin import first_admin
from pzcenter.server.services.invitations import accept_invitation, invite, open_invitation, withdraw_invitation
from pzcenter.server.services.principal import ALL_SCOPES, NOBODY, Scope, principal_of
from pzcenter.server.services.tokens import token_principal
from pzcenter.server.services.users import NewUser, add_user, free_name, set_state
from pzcenter.server.settings import ServerSettings
from pzcenter.server.storage.accounts import Invitation, Membership, Role, User, UserState
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now
from pzcenter.server.storage.make_tables import make_tables

PASSWORD = "a password of words"
ADA = NewUser("ada", first_name="Ada", last_name="L.", email="ada@example.org", statement="I work on photo-z.")


@pytest.fixture
def empty(tmp_path):
    """A new server without anybody, at which people register."""
    settings = ServerSettings(
        data_dir=tmp_path / "new", base_url="http://testserver", allowed_hosts=["testserver"], registration="approval"
    )
    opened = open_services(settings)
    make_tables(opened.database)
    yield opened
    opened.close()


def test_the_first_admin(empty):
    secret = first_admin(empty)
    assert re.fullmatch("[0-9a-f]{40}", secret)
    assert first_admin(empty) is None
    with empty.database.reading() as session:
        asker = token_principal(session, secret)
        assert asker.administers and asker.username == "admin" and asker.scopes == ALL_SCOPES
    # It is the first password, too.
    assert sign_in(empty, NOBODY, "admin", secret, address="192.0.2.1").username == "admin"


def test_the_first_admin_takes_nobodys_name(empty):
    with empty.database.writing() as session:
        add_user(session, NewUser("admin"))
    with pytest.raises(ConflictError):
        first_admin(empty)


def test_an_invitation_is_accepted_once(services, principal):
    with services.database.writing() as session:
        row, code = invite(session, principal("coordinator"), email="a@b.org", groups=["team"], releases=["dp2"])
        assert code.encode() not in row.hash
    number = accept_invitation(services, NOBODY, code, NewUser("ada"), PASSWORD)
    with services.database.reading() as session:
        user = session.get_one(User, number)
        assert user.state is UserState.ACTIVE and user.role is Role.USER
        rights = principal_of(session, user)
        assert len(rights.release_ids) == 1 and len(rights.group_ids) == 1
        assert session.get(Membership, (number, min(rights.group_ids))).manager is False
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "invitation.accept")).one()
        assert event.user_id == number and code not in str(event.detail)
    with pytest.raises(NotFoundError, match="not open"):
        accept_invitation(services, NOBODY, code, NewUser("eve"), PASSWORD)
    assert sign_in(services, NOBODY, "ada", PASSWORD, address="192.0.2.1").user_id == number


def test_invitations_end(services, principal):
    with services.database.writing() as session:
        row, late = invite(session, principal("coordinator"))
        row.expires_at = now() - timedelta(seconds=1)
        other, withdrawn = invite(session, principal("coordinator"))
        withdraw_invitation(session, principal("coordinator"), other.id)
        with pytest.raises(ConflictError):
            withdraw_invitation(session, principal("coordinator"), other.id)
        with pytest.raises(NotFoundError):
            withdraw_invitation(session, principal("coordinator"), 99)
    for code in (late, withdrawn, "guess", ""):
        with pytest.raises(NotFoundError):
            accept_invitation(services, NOBODY, code, NewUser("ada"), PASSWORD)


def test_who_invites_whom(services, principal):
    with services.database.writing() as session:
        for who in ("owner", "outsider"):
            with pytest.raises(PermissionDeniedError):
                invite(session, principal(who))
        with pytest.raises(PermissionDeniedError):
            invite(session, principal("coordinator"), role=Role.ADMIN)
        with pytest.raises(PermissionDeniedError):
            invite(session, principal("admin", {Scope.READ, Scope.WRITE}))
        with pytest.raises(AuthenticationError):
            invite(session, NOBODY)
        assert invite(session, principal("admin"), role=Role.COORDINATOR)[0].role is Role.COORDINATOR


@pytest.mark.parametrize(
    ("words", "error"),
    [({"days": 0}, UsageError), ({"days": 91}, UsageError), ({"days": float("nan")}, UsageError),
     ({"email": "nobody"}, UsageError), ({"groups": ["other"]}, NotFoundError), ({"releases": ["dp9"]}, NotFoundError)],
)  # fmt: skip
def test_bad_invitations(services, principal, words, error):
    with services.database.writing() as session, pytest.raises(error):
        invite(session, principal("coordinator"), **words)


def test_a_bad_account_leaves_the_invitation_open(services, principal):
    with services.database.writing() as session:
        _, code = invite(session, principal("coordinator"))
    for new, password in ((NewUser("Ada Lovelace"), PASSWORD), (NewUser("ada"), "short"), (NewUser("owner"), PASSWORD)):
        with pytest.raises(UsageError):
            accept_invitation(services, NOBODY, code, new, password)
    with services.database.reading() as session:
        assert open_invitation(session, code).used_at is None


def form_secret(answer):
    return re.search(r'name="csrf" value="([^"]+)"', answer.text)[1]


def test_an_invitation_by_pages(server):
    made = server.client("coordinator").post("/api/v2/invitations", json={"releases": ["dp1"]}).json()
    browser = TestClient(server.app, follow_redirects=False, raise_server_exceptions=False)
    page = browser.get(made["address"])
    assert "dp1" in page.text and page.headers["referrer-policy"] == "same-origin"
    fields = {"username": "Ada", "password": PASSWORD}
    assert browser.post(made["address"], data=fields).status_code == 403
    secret = {"csrf": form_secret(page)}
    bad = browser.post(made["address"], data=fields | secret | {"password": "short"})
    assert bad.status_code == 400 and "12 to 1024 letters" in bad.text
    assert browser.post(made["address"], data=fields | secret).status_code == 303
    assert browser.get("/api/v2/me").json()["releases"] == ["dp1"]
    assert browser.get(made["address"]).status_code == 404
    listed = server.client("coordinator").get("/api/v2/invitations").json()["items"]
    assert listed[0]["used_at"] is not None and "address" not in listed[0] and "hash" not in listed[0]


def test_guessing_codes_is_limited(server):
    browser = TestClient(server.app, raise_server_exceptions=False)
    codes = [browser.get(f"/invitation/guess{number}").status_code for number in range(11)]
    assert codes[:10] == [404] * 10 and codes[10] == 429


def test_a_registration_waits(empty):
    number = register(empty, NOBODY, ADA, PASSWORD, address="192.0.2.1")
    with pytest.raises(PermissionDeniedError, match="waits for approval"):
        sign_in(empty, NOBODY, "ada", PASSWORD, address="192.0.2.1")
    first_admin(empty)
    with empty.database.writing() as session:
        boss = principal_of(session, session.scalars(select(User).where(User.username == "admin")).one())
        assert [each.id for each in pending_users(session, boss)] == [number]
        assert approve(session, boss, "ada").state is UserState.ACTIVE
        with pytest.raises(ConflictError):
            approve(session, boss, "ada")
        assert pending_users(session, boss) == []
    assert sign_in(empty, NOBODY, "ada", PASSWORD, address="192.0.2.1").user_id == number


def test_somebody_refused_stays_out(empty, caplog):
    register(empty, NOBODY, ADA, PASSWORD, address="192.0.2.1")
    first_admin(empty)
    with empty.database.writing() as session:
        boss = principal_of(session, session.scalars(select(User).where(User.username == "admin")).one())
        with pytest.raises(UsageError):
            refuse(session, boss, "ada", reason="x" * 1001)
        refuse(session, boss, "ada", reason="no data rights")
        with pytest.raises(ConflictError):
            refuse(session, boss, "ada")
    with pytest.raises(PermissionDeniedError, match="was refused: no data rights"):
        sign_in(empty, NOBODY, "ada", PASSWORD, address="192.0.2.1")
    with pytest.raises(AuthenticationError, match="wrong name or password"):
        sign_in(empty, NOBODY, "ada", PASSWORD + "x", address="192.0.2.1")
    with empty.database.writing() as session:
        for state in (UserState.ACTIVE, UserState.DISABLED):
            set_state(session, boss, "ada", state)
    with pytest.raises(AuthenticationError, match="wrong name or password"):
        sign_in(empty, NOBODY, "ada", PASSWORD, address="192.0.2.1")
    with empty.database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.subject_type == "user")).all()
        assert {"user.register", "user.refuse"} <= {each.action for each in events}
        assert "no data rights" in [each.detail.get("reason") for each in events]


@pytest.mark.parametrize(
    "words",
    [{"username": "Ada"}, {"username": "a"}, {"username": "../x"}, {"username": "a b"}, {"email": None},
     {"email": "a@b@c"}, {"email": "a b@c"}, {"statement": " "}, {"statement": "x" * 4001}, {"first_name": "x" * 151},
     {"last_name": "a\nb"}, {"username": "rubin:team"}],
)  # fmt: skip
def test_bad_registrations(empty, words):
    with pytest.raises(UsageError):
        register(empty, NOBODY, NewUser(**(vars(ADA) | words)), PASSWORD, address="192.0.2.1")
    with empty.database.reading() as session:
        assert session.scalars(select(User)).all() == []


def test_registrations_are_limited(empty, monkeypatch):
    for number in range(3):
        register(empty, NOBODY, NewUser(**(vars(ADA) | {"username": f"ada{number}"})), PASSWORD, address="192.0.2.1")
    with pytest.raises(RateLimitError):
        register(empty, NOBODY, ADA, PASSWORD, address="192.0.2.1")
    with pytest.raises(ConflictError, match="is taken"):
        register(empty, NOBODY, NewUser(**(vars(ADA) | {"username": "ada0"})), PASSWORD, address="192.0.2.2")
    monkeypatch.setattr(approvals, "MOST_PENDING", 3)
    with pytest.raises(QuotaError):
        register(empty, NOBODY, ADA, PASSWORD, address="192.0.2.2")


def test_nobody_registers_where_it_is_not_for_that(services, server):
    with pytest.raises(PermissionDeniedError, match="invitation"):
        register(services, NOBODY, ADA, PASSWORD, address="192.0.2.1")
    assert server.client().get("/register").status_code == 403


def test_registering_by_pages(empty):
    app = create_app(empty.settings)
    browser = TestClient(app, raise_server_exceptions=False)
    secret = form_secret(browser.get("/register"))
    fields = {"username": "ada", "email": "a@b.org", "statement": "<b>me</b>", "password": PASSWORD, "csrf": secret}
    bad = browser.post("/register", data=fields | {"email": "nowhere"})
    assert bad.status_code == 400 and "&lt;b&gt;me" in bad.text
    assert browser.post("/register", data=fields | {"csrf": ""}).status_code == 403
    done = browser.post("/register", data=fields)
    assert done.status_code == 202 and "ada" in done.text and "pz_session" not in browser.cookies
    app.state.services.close()


def test_names_that_are_free(services):
    with services.database.writing() as session:
        assert free_name(session, "Owner@example.org") == "owner-2"
        for wish, name in (("", "user"), ("Ünï", "user"), ("__x y", "xy"), ("a" * 200, "a" * 50), ("o_ner", "o_ner")):
            assert free_name(session, wish) == name
        for _ in range(3):
            add_user(session, NewUser(free_name(session, "owner")))
        names = session.scalars(select(User.username).where(User.username.startswith("owner"))).all()
        assert sorted(names) == ["owner", "owner-2", "owner-3", "owner-4"]


def test_rows_of_invitations_tell_no_code(services, principal):
    with services.database.writing() as session:
        _, code = invite(session, principal("coordinator"))
    with services.database.reading() as session:
        row = session.scalars(select(Invitation)).one()
        assert code not in str(vars(row)) and len(row.hash) == 32
