"""The own account, its tokens, and what coordinators and admins see, as pages."""

import re

import pytest

from pzcenter.server.storage.accounts import User, UserState
from pzcenter.server.storage.base import now

EVIL = '"><script>alert(1)</script>'


def send(client, address, **fields):
    return client.post(address, data={"csrf": client.csrf, **fields})


@pytest.fixture
def waiting(services):
    with services.database.writing() as session:
        session.add(
            User(username="newcomer", state=UserState.PENDING, statement=EVIL, email="a@b.org", created_at=now())
        )


def test_account_tells_quota_and_rights(browser, harmless):
    text = browser("owner").get("/account").text
    harmless(text)
    for words in ("0 bytes of 107 GB", "DP1", "The team", "Sign out everywhere"):
        assert words in text


def test_account_is_changed(browser, harmless):
    client = browser("owner")
    answer = send(client, "/account", display_name=EVIL, first_name=EVIL, last_name=EVIL, email="me@example.org")
    assert answer.status_code in {200, 400}
    harmless(answer.text)
    assert "me@example.org" in send(client, "/account", display_name="Me", email="me@example.org").text
    refused = send(client, "/account", display_name="x" * 300)
    assert refused.status_code == 400
    assert 'role="alert"' in refused.text


def test_password_is_changed_here(browser):
    client = browser("owner")
    assert send(client, "/account/password", old="", new="short").status_code == 400
    assert "is changed" in send(client, "/account/password", old="", new="a long pass phrase 7").text
    assert send(client, "/account/password", old="wrong", new="another pass phrase 8").status_code == 403
    assert client.get("/account").status_code == 200


def test_token_is_shown_once_and_revoked(browser, server, harmless):
    client = browser("owner")
    assert "You have none" in client.get("/account/tokens").text
    assert client.get("/tokens").headers["location"] == "/account/tokens"
    text = send(client, "/account/tokens", name="laptop <b>", scopes=["read"], days="3").text
    harmless(text)
    secret = re.search(r'class="secret">([^<]+)<', text)[1]
    assert secret not in client.get("/account/tokens").text
    program = server.client()
    program.headers["Authorization"] = f"Bearer {secret}"
    assert program.get("/api/v2/me").status_code == 200
    uid = re.search(r"/account/tokens/([0-9a-z]{12})/revoke", text)[1]
    other = browser("colleague")
    assert send(other, f"/account/tokens/{uid}/revoke").status_code in {403, 404}
    assert client.post(f"/account/tokens/{uid}/revoke", data={}).status_code == 403
    assert send(client, f"/account/tokens/{uid}/revoke").status_code == 303
    assert program.get("/api/v2/me").status_code == 401


@pytest.mark.parametrize(
    "fields",
    [{"name": "a"}, {"name": "a", "scopes": ["all"]}, {"name": "a", "scopes": ["admin"]},
     {"name": "", "scopes": ["read"]},
     {"name": "a", "scopes": ["read"], "days": "nan"}, {"name": "a", "scopes": ["read"], "days": "100000"},
     {"name": "a" * 101, "scopes": ["read"]}, {"name": "a", "scopes": ["read"], "days": "soon"}],
)  # fmt: skip
def test_tokens_that_are_not_made(browser, fields):
    answer = send(browser("owner"), "/account/tokens", **fields)
    assert answer.status_code == 400
    assert "secret" not in answer.text.split('role="alert"')[0]


@pytest.mark.parametrize(
    "address", ["/admin", "/admin/users", "/admin/users/owner", "/admin/invitations", "/admin/releases",
                "/admin/releases/dp1", "/admin/audit"],
)  # fmt: skip
def test_administration_is_for_coordinators(browser, waiting, address, harmless):
    assert browser("owner").get(address).status_code == 403
    for name in ("coordinator", "admin"):
        answer = browser(name).get(address)
        assert answer.status_code == 200
        harmless(answer.text)
    assert "Admin</a>" not in browser("owner").get("/").text


def test_people_are_let_in(browser, waiting, services):
    client = browser("coordinator")
    assert "newcomer" in client.get("/admin").text
    assert "&lt;script&gt;alert" in client.get("/admin").text
    assert send(browser("owner"), "/admin/users/newcomer/approve").status_code == 403
    assert send(client, "/admin/users/newcomer/approve", releases="dp1, nonsense").status_code == 404
    assert send(client, "/admin/users/newcomer/approve", releases="dp1").status_code == 303
    with services.database.reading() as session:
        assert session.query(User).filter_by(username="newcomer").one().state is UserState.ACTIVE
    assert send(client, "/admin/users/newcomer/refuse").status_code == 409


def test_people_are_changed_by_admins(browser, services):
    admin = browser("admin")
    fields = {"role": "coordinator", "state": "active", "quota_gb": "1.5"}
    assert send(browser("coordinator"), "/admin/users/owner", **fields).status_code == 403
    assert send(admin, "/admin/users/owner", **fields).status_code == 303
    with services.database.reading() as session:
        user = session.query(User).filter_by(username="owner").one()
        assert (user.role, user.quota_bytes) == ("coordinator", 1_500_000_000)
    for bad in ({"role": "king"}, {"role": "user", "state": "asleep"}, {"role": "user", "quota_gb": "lots"}):
        assert send(admin, "/admin/users/owner", **bad).status_code == 400
    assert send(admin, "/admin/users/admin", role="user", state="active").status_code == 409
    text = send(admin, "/admin/users/owner/password").text
    assert 'class="secret">' in text
    assert send(browser("coordinator"), "/admin/users/owner/password").status_code == 403


def test_invitation_leads_in(browser, server, harmless):
    client = browser("coordinator")
    text = send(client, "/admin/invitations", email="new@example.org", role="user", releases=["dp1"], days="3").text
    harmless(text)
    path = re.search(r'class="secret">http://testserver(/invitation/[^<]+)<', text)[1]
    assert "You are invited" in server.client().get(path).text
    assert path not in client.get("/admin/invitations").text
    number = re.search(r"/admin/invitations/(\d+)/withdraw", text)[1]
    assert send(client, f"/admin/invitations/{number}/withdraw").status_code == 303
    assert server.client().get(path).status_code == 404
    for bad in ({"role": "admin"}, {"role": "god"}, {"days": "0"}, {"days": "x"}, {"releases": ["dp9"]}):
        assert send(client, "/admin/invitations", **bad).status_code in {400, 403, 404}


def test_groups(browser, harmless):
    client, other = browser("owner"), browser("colleague")
    assert send(client, "/groups", name="photo-z", display_name=EVIL, description=EVIL).status_code == 303
    harmless(client.get("/groups/photo-z").text)
    assert other.get("/groups/photo-z").status_code == 404
    assert send(client, "/groups/photo-z/members", username="colleague").status_code == 303
    assert other.get("/groups/photo-z").status_code == 200
    assert send(other, "/groups/photo-z/members", username="outsider").status_code == 403
    assert send(other, "/groups/photo-z/members/remove", username="colleague").status_code == 303
    assert other.get("/groups/photo-z").status_code == 404
    assert send(client, "/groups/photo-z/delete", typed="photo").status_code == 400
    assert send(client, "/groups/photo-z/delete", typed="photo-z").status_code == 303
    assert send(client, "/groups", name="NOT A NAME").status_code == 400


def test_releases(browser):
    admin, coordinator = browser("admin"), browser("coordinator")
    assert send(coordinator, "/admin/releases", name="dp3").status_code == 403
    assert send(admin, "/admin/releases", name="dp3", display_name=EVIL).status_code == 303
    assert send(admin, "/admin/releases/dp3", display_name="DP3", state="open").status_code == 303
    assert send(admin, "/admin/releases/dp3", state="ajar").status_code == 400
    assert "DP3" not in browser("outsider").get("/account").text
    assert send(coordinator, "/admin/releases/dp3/rights", kind="user", who="outsider").status_code == 303
    assert "DP3" in browser("outsider").get("/account").text
    assert send(coordinator, "/admin/releases/dp3/rights", kind="user", who="outsider", take="1").status_code == 303
    assert "DP3" not in browser("outsider").get("/account").text


def test_audit_log_is_searched(browser, made, principal):
    made(principal("owner"))
    client = browser("coordinator")
    assert "product.publish" in client.get("/admin/audit?action=product").text
    assert "Nothing fits" in client.get("/admin/audit?username=nobody-here").text
    assert client.get("/admin/audit?before=0").status_code == 422
    assert client.get("/admin/audit?action=%00").status_code == 200


def test_sign_out_everywhere(browser):
    one, two = browser("owner"), browser("owner")
    assert send(one, "/sign-out", everywhere="1").status_code == 303
    assert two.get("/account").status_code == 303
