"""Holes of accounts that were found in an earlier server of this kind; each stays closed here.

The names say what was possible there.
"""

import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from pzcenter.errors import AuthenticationError, RateLimitError
from pzcenter.server import create_app
from pzcenter.server.services.accounts import sign_in
from pzcenter.server.services.passwords import hash_password
from pzcenter.server.services.principal import NOBODY
from pzcenter.server.services.sessions import renew_session
from pzcenter.server.settings import OidcProvider, ServerSettings
from pzcenter.server.storage.accounts import Token, User, UserState, WebSession
from pzcenter.server.storage.base import now


def test_4_files_were_open_by_their_path(server, services, principal, made):
    number = made(principal("owner"), "training_set", release="dp1")
    stored = [path for path in services.settings.data_dir.rglob("*") if path.is_file()]
    assert stored
    for client in (server.client(), server.client("outsider")):
        for path in stored:
            inside = path.relative_to(services.settings.data_dir)
            for address in (
                f"/{inside}",
                f"/static/../{inside}",
                f"/static/%2e%2e/{inside}",
                f"/archive/data/{inside}",
            ):
                assert client.get(address).status_code in {401, 403, 404}, address
        assert client.get(f"/api/v2/products/{number}/files").status_code in {401, 404}


def test_6_settings_of_the_client_named_machines_and_paths(server):
    client = server.client("admin")
    for path, body in (
        ("/api/v2/tokens", {"name": "x", "executor": "slurm"}),
        ("/api/v2/groups", {"name": "xx", "job_extra_directives": ["--wrap=id"]}),
        ("/api/v2/releases", {"name": "x", "flags_translation_file": "/etc/passwd"}),
        ("/api/v2/invitations", {"executor": "slurm"}),
    ):
        assert client.post(path, json=body).status_code == 422, path


def test_8_secrets_of_the_service_went_to_anybody(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the client's secret")
    settings = ServerSettings(
        data_dir=tmp_path / "s", base_url="https://testserver", allowed_hosts=["testserver"],
        database_url=f"sqlite:///{tmp_path / 'the-database-secret.sqlite3'}",
        oidc=[
            OidcProvider(
                name="rubin", title="Rubin", issuer="https://idp.invalid", client_id="pz", client_secret_file=secret
            )
        ],
    )  # fmt: skip
    app = create_app(settings)
    client = TestClient(app, base_url="https://testserver", raise_server_exceptions=False)
    for path in ("/sign-in", "/", "/front-api/config", "/config", "/api/v2/openapi.json", "/-/health", "/.env",
                 "/server.yaml", "/openapi.json", "/docs", "/api/docs", "/api/v2/docs", "/redoc"):  # fmt: skip
        answer = client.get(path)
        assert "the client's secret" not in answer.text and str(secret) not in answer.text, path
        assert "the-database-secret" not in answer.text, path
    assert "the-database-secret" not in repr(settings)
    app.state.services.close()


def test_8_sessions_were_readable_by_scripts(server, services):
    with services.database.writing() as session:
        session.query(User).filter_by(username="owner").one().password_hash = hash_password("a password of words")
    client = TestClient(server.app, follow_redirects=False)
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/sign-in").text)[1]
    fields = {"username": "owner", "password": "a password of words", "csrf": csrf}
    answer = client.post("/sign-in", data=fields)
    assert all("HttpOnly" in each and "SameSite=lax" in each for each in answer.headers.get_list("set-cookie"))
    assert client.cookies["pz_session"] not in answer.text + client.get("/api/v2/me").text
    # No way to turn a password into a token without a browser's session: there is no password grant.
    for path in ("/o/token/", "/api/token/", "/api/v2/token", "/api/v2/tokens"):
        body = {"grant_type": "password", "username": "owner", "password": "a password of words"}
        assert TestClient(server.app).post(path, json=body).status_code in {401, 404, 405}


def test_9_tokens_never_expired_and_were_kept_in_clear(server, services):
    client = server.client("owner")
    made = client.post("/api/v2/tokens", json={"name": "x"}).json()
    with services.database.writing() as session:
        row = session.scalars(select(Token).where(Token.uid == made["id"])).one()
        assert row.expires_at <= now() + timedelta(days=services.settings.token_days)
        assert made["secret"] not in str(vars(row)) and len(row.hash) == 32
        row.expires_at = now()
    late = TestClient(server.app, headers={"Authorization": f"Token {made['secret']}"})
    for path in ("/api/v2/me", "/api/products/"):
        assert late.get(path).status_code == 401


def test_9_nobody_counted_requests_or_bytes(server, services, principal, made):
    with services.database.writing() as session:
        session.query(User).filter_by(username="owner").one().quota_bytes = 10
    with pytest.raises(ValueError, match="exceed your 10"):
        made(principal("owner"))
    for _ in range(services.settings.sign_ins_per_minute):
        with pytest.raises(AuthenticationError):
            sign_in(services, NOBODY, "owner", "guess", address="192.0.2.1")
    with pytest.raises(RateLimitError):
        sign_in(services, NOBODY, "owner", "guess", address="192.0.2.1")


def test_9_looking_changed_things(server, services):
    with services.database.writing() as session:
        user = session.query(User).filter_by(username="owner").one()
        _, secret = renew_session(session, user, hours=1)
    client = TestClient(server.app, cookies={"pz_session": secret}, follow_redirects=False)
    for path in ("/sign-out", "/sign-in", "/register"):
        client.get(path)
    with services.database.reading() as session:
        assert len(session.scalars(select(WebSession)).all()) == 1
    assert client.get("/api/v2/me").status_code == 200


def test_10_everybody_knew_the_first_passwords(tmp_path):
    from pzcenter.server.services.first_admin import first_admin

    secrets = set()
    for name in ("one", "two"):
        settings = ServerSettings(data_dir=tmp_path / name)
        assert settings.database.startswith("sqlite:") and settings.log_level == "info"
        app = create_app(settings)
        with app.state.services.database.reading() as session:
            assert session.scalars(select(User)).all() == []
        secrets.add(first_admin(app.state.services))
        app.state.services.close()
    assert len(secrets) == 2 and all(len(each) == 40 for each in secrets)


def test_10_errors_told_of_the_inside(server, services, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("password of the database: hunter2")

    monkeypatch.setattr("pzcenter.server.rest.v2.me.usage_of", broken)
    answer = server.client("owner").get("/api/v2/me")
    assert answer.status_code == 500 and "hunter2" not in answer.text and "Traceback" not in answer.text


def test_10_other_hosts_and_open_doors(server):
    answer = server.client().get("/sign-in", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    with server.services.database.writing() as session:
        session.query(User).filter_by(username="outsider").one().state = UserState.PENDING
    assert server.client("outsider").get("/api/v2/me").status_code == 401
