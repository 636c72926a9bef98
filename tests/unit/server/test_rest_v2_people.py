"""The second interface for people: oneself, tokens, users, groups, releases, the audit log."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from pzcenter.errors import PermissionDeniedError, UsageError
from pzcenter.server.services import my_tokens
from pzcenter.server.services.my_tokens import ask_token
from pzcenter.server.services.principal import Scope
from pzcenter.server.services.tokens import make_token
from pzcenter.server.storage.accounts import Role, Token, User
from pzcenter.server.storage.audit import AuditEvent
from pzcenter.server.storage.base import now


def test_me(server, principal, made):
    made(principal("owner"))
    client = server.client("owner", scopes=[Scope.READ])
    me = client.get("/api/v2/me").json()
    assert me["username"] == "owner" and me["role"] == "user" and me["scopes"] == ["read"]
    assert me["releases"] == ["dp1"] and me["groups"] == ["team"] and me["has_password"] is False
    used, settings = me["usage"], server.services.settings
    assert used["products_used"] == 1 and used["products_left"] == settings.max_products - 1
    assert 0 < used["bytes_used"] == settings.quota_bytes - used["bytes_left"]
    assert client.patch("/api/v2/me", json={"display_name": "x"}).status_code == 403


def test_changing_oneself(server):
    client = server.client("owner")
    assert client.patch("/api/v2/me", json={"display_name": "O. W.", "email": "o@w.org"}).json()["name"] == "O. W."
    assert client.patch("/api/v2/me", json={"email": None}).json()["email"] is None
    for body in ({}, {"role": "admin"}, {"username": "x"}, {"email": "x"}, {"first_name": "a\nb"}, {"last_name": None}):
        assert client.patch("/api/v2/me", json=body).status_code in {400, 422}, body
    assert client.get("/api/v2/me").json()["role"] == "user"


def test_tokens_by_program(server):
    client = server.client("owner")
    answer = client.post("/api/v2/tokens", json={"name": "notebook", "scopes": ["read"], "days": 2})
    made = answer.json()
    assert answer.status_code == 201 and answer.headers["cache-control"] == "no-store"
    assert made["secret"].startswith(made["hint"]) and made["scopes"] == ["read"]
    listed = client.get("/api/v2/tokens").json()
    assert listed[0]["id"] == made["id"] and all("secret" not in each and "hash" not in each for each in listed)
    new = server.client()
    new.headers["Authorization"] = f"Bearer {made['secret']}"
    assert new.get("/api/v2/me").status_code == 200
    assert new.post("/api/v2/tokens", json={"name": "x"}).status_code == 403
    assert server.client("colleague").delete(f"/api/v2/tokens/{made['id']}").status_code == 404
    assert client.delete(f"/api/v2/tokens/{made['id']}").status_code == 204
    # At once.
    assert new.get("/api/v2/me").status_code == 401
    assert made["id"] not in [each["id"] for each in client.get("/api/v2/tokens").json()]


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "  "}, {"name": "x", "days": 0}, {"name": "x", "days": 366}, {"name": "x", "days": -1},
     {"name": "x", "scopes": []}, {"name": "x", "scopes": ["all"]}, {"name": "x", "scopes": ["read", "admin"]},
     {"name": "x" * 101}, {"name": "a\0b"}, {"name": "x", "user": "admin"}, {"name": "x", "days": "1e999"}],
)  # fmt: skip
def test_bad_tokens(server, body):
    assert server.client("owner").post("/api/v2/tokens", json=body).status_code in {400, 422}


def test_a_token_makes_none_that_is_stronger_or_outlives_it(services, principal):
    with services.database.writing() as session:
        owner = session.query(User).filter_by(username="owner").one()
        parent, _ = make_token(session, principal("owner"), "parent", days=10)
        asker = principal("owner", {Scope.READ, Scope.WRITE})
        asker = type(asker)(**(vars(asker) | {"token_id": parent.id}))
        child, _ = ask_token(services, session, asker, "child")
        assert child.expires_at <= parent.expires_at and child.user_id == owner.id
        with pytest.raises(UsageError, match="at most"):
            ask_token(services, session, asker, "child", days=11)
        ask_token(services, session, asker, "child", days=10)
        with pytest.raises(UsageError):
            ask_token(services, session, asker, "child", scopes=[Scope.ADMIN])
        weak = principal("admin", {Scope.READ, Scope.WRITE})
        with pytest.raises(UsageError, match="not yours to give"):
            ask_token(services, session, weak, "child", scopes=[Scope.ADMIN])
        with pytest.raises(PermissionDeniedError):
            ask_token(services, session, principal("owner", {Scope.READ}), "child", scopes=[Scope.READ])


def test_tokens_are_few(services, principal, monkeypatch):
    monkeypatch.setattr(my_tokens, "MOST_TOKENS", 2)
    with services.database.writing() as session:
        first, _ = ask_token(services, session, principal("owner"), "a")
        ask_token(services, session, principal("owner"), "b")
        with pytest.raises(ValueError, match="revoke some"):
            ask_token(services, session, principal("owner"), "c")
        first.expires_at = now() - timedelta(seconds=1)
        session.flush()
        ask_token(services, session, principal("owner"), "c")


def test_others_see_names_alone(server):
    client = server.client("owner")
    answer = client.get("/api/v2/users", params={"q": "COLL"}).json()
    assert answer["items"] == [{"username": "colleague", "name": "colleague", "account": None}]
    assert client.get("/api/v2/users/admin").json()["account"] is None
    assert client.get("/api/v2/users", params={"q": "%"}).json()["items"] == []
    seen = server.client("coordinator").get("/api/v2/users/owner").json()["account"]
    assert seen["role"] == "user" and seen["state"] == "active" and "password_hash" not in seen
    assert server.client("admin", scopes=[Scope.READ]).get("/api/v2/users/owner").json()["account"] is None


def test_those_who_wait_or_are_out_are_hidden(server):
    admin, client = server.client("admin"), server.client("owner")
    admin.patch("/api/v2/users/colleague", json={"state": "disabled"})
    assert client.get("/api/v2/users/colleague").status_code == 404
    assert "colleague" not in [each["username"] for each in client.get("/api/v2/users").json()["items"]]
    out = admin.get("/api/v2/users", params={"state": "disabled"}).json()["items"]
    assert [each["username"] for each in out] == ["colleague"]
    assert client.get("/api/v2/users", params={"state": "disabled"}).json()["items"] != out


def test_pages_of_users(server):
    client, names, cursor = server.client("owner"), [], None
    while cursor != "":
        answer = client.get("/api/v2/users", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        names += [each["username"] for each in answer.json()["items"]]
        cursor = answer.json()["next_cursor"] or ""
        assert ("next" in answer.headers.get("link", "")) == bool(cursor)
    assert names == sorted(names) and len(names) == len(set(names)) == 7
    for bad in ("!", "A", "gA", "AA", "x" * 2001):
        assert client.get("/api/v2/users", params={"cursor": bad}).status_code in {400, 422}


def test_admins_change_accounts(server):
    admin = server.client("admin")
    change = lambda name, **body: admin.patch(f"/api/v2/users/{name}", json=body)  # noqa: E731
    assert change("owner", role="coordinator", quota_bytes=7).json()["account"]["role"] == "coordinator"
    assert server.client("owner").get("/api/v2/me").json()["usage"]["bytes_limit"] == 7
    assert change("owner", quota_bytes=None, role="user").json()["account"]["quota_bytes"] is None
    for who in ("admin", "nobody"):
        assert change(who, role="user").status_code in {404, 409}
    assert change("admin", state="disabled").status_code == 409
    for body in ({}, {"role": "god"}, {"state": "pending"}, {"quota_bytes": -1}, {"quota_bytes": 2**62}, {"x": 1}):
        assert change("owner", **body).status_code in {400, 422}, body
    for who in ("owner", "coordinator"):
        assert server.client(who).patch("/api/v2/users/owner", json={"role": "admin"}).status_code == 403
    weak = server.client("admin", scopes=[Scope.READ, Scope.WRITE])
    assert weak.patch("/api/v2/users/owner", json={"role": "admin"}).status_code == 403
    with server.services.database.reading() as session:
        assert session.scalars(select(User.role).where(User.username == "owner")).one() is Role.USER


def test_the_queue(server, services):
    with services.database.writing() as session:
        session.add_all([User(username="ada", statement="please"), User(username="eve")])
    client = server.client("coordinator")
    waiting = client.get("/api/v2/users", params={"state": "pending"}).json()["items"]
    assert [(each["username"], each["account"]["statement"]) for each in waiting] == [("ada", "please"), ("eve", None)]
    assert server.client("owner").post("/api/v2/users/ada/approve", json={}).status_code == 403
    assert client.post("/api/v2/users/ada/approve", json={"releases": ["dp9"]}).status_code == 404
    assert client.post("/api/v2/users/ada/approve", json={"releases": ["dp1"]}).json()["account"]["state"] == "active"
    assert client.post("/api/v2/users/eve/refuse", json={"reason": "no"}).json()["account"]["state"] == "disabled"
    assert client.post("/api/v2/users/eve/refuse", json={}).status_code == 409
    assert server.client("ada").get("/api/v2/me").json()["releases"] == ["dp1"]


def test_groups_by_program(server):
    client = server.client("owner")
    assert client.post("/api/v2/groups", json={"name": "friends"}).status_code == 201
    assert client.post("/api/v2/groups", json={"name": "friends"}).status_code == 409
    assert client.post("/api/v2/groups", json={"name": "x", "source": "provider"}).status_code == 422
    put = client.put("/api/v2/groups/friends/members/colleague", json={"manager": False}).json()
    assert [(each["username"], each["manager"]) for each in put["members"]] == [("colleague", False), ("owner", True)]
    assert client.patch("/api/v2/groups/friends", json={"description": "x"}).json()["description"] == "x"
    assert server.client("outsider").get("/api/v2/groups/friends").status_code == 404
    assert server.client("colleague").delete("/api/v2/groups/friends").status_code == 403
    assert server.client("colleague").delete("/api/v2/groups/friends/members/colleague").status_code == 204
    assert [each["name"] for each in client.get("/api/v2/groups").json()["items"]] == ["friends", "team"]
    assert client.delete("/api/v2/groups/friends").status_code == 204


def test_releases_by_program(server):
    admin, outsider = server.client("admin"), server.client("outsider")
    made = admin.post("/api/v2/releases", json={"name": "dp3", "display_name": "DP3", "object_catalog": {"a": 1}})
    assert made.status_code == 201 and made.json()["object_catalog"] == {"a": 1}
    assert outsider.get("/api/v2/releases/dp3").status_code == 404
    assert admin.put("/api/v2/releases/dp3/rights/users/outsider").status_code == 204
    assert outsider.get("/api/v2/releases").json()[0]["name"] == "dp3"
    assert admin.get("/api/v2/releases/dp3/rights").json() == [{"kind": "user", "name": "outsider", "issuer": None}]
    assert outsider.get("/api/v2/releases/dp3/rights").status_code == 403
    assert admin.patch("/api/v2/releases/dp3", json={"state": "retired"}).json()["state"] == "retired"
    assert admin.delete("/api/v2/releases/dp3/rights/users/outsider").status_code == 204
    assert admin.put("/api/v2/releases/dp3/rights/groups/team").status_code == 204
    assert admin.delete("/api/v2/releases/dp3/rights/groups/team").status_code == 204
    assert admin.post("/api/v2/releases", json={"name": "dp4", "rights": []}).status_code == 422


def test_the_audit_log(server):
    client = server.client("admin")
    client.post("/api/v2/groups", json={"name": "friends"})
    client.patch("/api/v2/users/owner", json={"quota_bytes": 5})
    client.patch("/api/v2/users/owner", json={"state": "disabled"})
    get = lambda **query: client.get("/api/v2/audit", params=query).json()["items"]  # noqa: E731
    assert [each["action"] for each in get(limit=2)] == ["user.state", "user.quota"]
    assert {each["action"] for each in get(action="user")} == {"user.state", "user.quota"}
    assert [each["detail"]["name"] for each in get(action="group.create")] == ["friends"]
    assert get(action="use") == [] and get(username="owner") == []
    assert get(username="admin", subject_type="user")[0]["request_id"]
    assert get(until="2020-01-01T00:00:00Z") == [] and len(get(since="2020-01-01T00:00:00Z")) >= 3
    first = client.get("/api/v2/audit", params={"limit": 1}).json()
    second = client.get("/api/v2/audit", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert second["items"][0]["id"] < first["items"][0]["id"]
    for bad in ({"since": "2020-01-01T00:00:00"}, {"since": "now"}, {"limit": 0}, {"cursor": "eA"}, {"action": "%"}):
        assert client.get("/api/v2/audit", params=bad).status_code in {400, 422}, bad
    assert server.client("colleague").get("/api/v2/audit").status_code == 403
    assert server.client("coordinator").get("/api/v2/audit").status_code == 200


def test_the_audit_log_holds_no_secrets(server, services):
    client = server.client("admin")
    secrets = [
        client.post("/api/v2/tokens", json={"name": "x"}).json()["secret"],
        client.post("/api/v2/invitations", json={}).json()["address"].rpartition("/")[2],
        client.post("/api/v2/users/owner/password").json()["password"],
    ]
    with services.database.reading() as session:
        kept = str([vars(each) for each in session.scalars(select(AuditEvent))])
        kept += str([vars(each) for each in session.scalars(select(Token))])
        assert not any(each in kept for each in secrets)
